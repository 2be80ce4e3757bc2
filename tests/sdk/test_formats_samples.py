"""A sample of every format, made by hand as its tools write it, in tests/samples: what is read of it, and that it is left as it was.

Beside each folder NAME is NAME.json with what it holds.
"""

from __future__ import annotations

import json

import pytest

from retinue_sdk import formats
from tests.sdk.conversions import SAMPLES, readers
from tests.sdk.described import described, unlike
from tests.sdk.differences import unexplained

NAMES = sorted(path.name for path in SAMPLES.iterdir() if path.is_dir())
LOSSES = {"labelme": {"loss_class_unused": 1}}  # what a format cannot write of what it can read
EXPECTED = {name: json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8")) for name in NAMES}


def _state(folder):
    """Every file with its bytes and its times."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_every_format_has_a_sample():
    assert {expected["format"] for expected in EXPECTED.values()} == set(readers())


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_recognised_and_read_as_it_is(name):
    before = _state(SAMPLES / name)
    form, confidence = formats.detect(SAMPLES / name)
    reason = formats.why(form, confidence)
    assert reason.startswith(f"{readers()[form].TITLE} ({confidence[form]:.0%}), which is recognised by: ")
    table, findings = formats.get(form).read(SAMPLES / name)
    assert unlike(described(form, table, findings), EXPECTED[name]) == []
    assert [finding for finding in findings if finding.severity == "error"] == []
    assert _state(SAMPLES / name) == before


@pytest.mark.parametrize("name", [n for n in NAMES if hasattr(readers()[EXPECTED[n]["format"]], "write")])
def test_a_sample_is_written_again_as_it_was_read(name, tmp_path):
    form = readers()[EXPECTED[name]["format"]]
    table, _ = form.read(SAMPLES / name)
    losses = {finding.code: finding.count for finding in form.write(table, tmp_path)}
    again, findings = form.read(tmp_path)
    assert [finding.code for finding in findings if finding.severity == "error"] == []
    assert unexplained(table, again, losses) == []
    assert losses == LOSSES.get(name, {})
