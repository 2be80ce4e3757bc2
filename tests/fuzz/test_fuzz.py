"""A short run over every reader, and that the fuzzer notices what it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest

from retinue_sdk.formats import all_formats
from tests.fuzz.campaign import run
from tests.fuzz.shrink import shrink

STRANGE = '''
"""A format whose reader breaks its promises, by what its file says."""
import os, pathlib
import numpy
from retinue_sdk.formats.files import copy
from retinue_sdk.formats.pascal_voc import HOLDS, read as other, write
NAME, TITLE = "strange", "Strange"

def sniff(path):
    return 0.5

def read(path):
    text = b"".join(p.read_bytes() for p in pathlib.Path(path).rglob("*.xml"))
    if len(text) % 4 == 1:
        return {}["missing"]
    if len(text) % 4 == 2:
        os.kill(os.getpid(), 11)
    if len(text) % 4 == 3:
        numpy.ones(1 << 40)
    return other(path)
'''


def test_every_reader(tmp_path):
    names = list(all_formats())
    done, failures = run(names, 1000, 1, tmp_path)
    assert failures == []
    assert [name for name in names if done[name].fragments < 1000] == []


def test_a_reader_that_breaks_its_promises(tmp_path, monkeypatch):
    (tmp_path / "strange_format.py").write_text(STRANGE)
    information = tmp_path / "strange-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1\n")
    (information / "entry_points.txt").write_text("[retinue.formats]\nstrange = strange_format\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done, failures = run(["strange"], 2000, 1, tmp_path / "out")
    assert done["strange"].fragments >= 2000
    said = " ".join(failure.what for failure in failures)
    assert all(what in said for what in ("KeyError", "killed by signal 11", "Memory"))
    kept = [Path(failure.files) for failure in failures if failure.files]
    assert kept
    assert all((folder / "FAILURE.txt").is_file() and any((folder / "data").rglob("*.xml")) for folder in kept)


@pytest.mark.parametrize(
    ("content", "least"),
    [
        ({"a": b"1\n2\nx y\n3\n" * 99, "b": b"1"}, {"a": b"x"}),
        ({"a": None, "b": b"x" * 999}, {"b": b"x"}),
        ({"a": b"no"}, {"a": b"no"}),
    ],
)
def test_a_failure_is_cut_down(content, least):
    assert shrink(content, lambda some: any(b"x" in (data or b"") for data in some.values())) == least
