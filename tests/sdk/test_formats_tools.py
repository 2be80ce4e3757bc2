"""What the annotation tools share: JSON of strangers, names of images, parts of masks, and folders that they claim."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue_sdk import formats, raster
from retinue_sdk.formats import cvat, label_studio, labelme
from retinue_sdk.formats.image_names import ImageNames, leads_outside
from retinue_sdk.formats.json_files import load_json
from retinue_sdk.formats.part_masks import PartMasks
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Rows
from tests.sdk.checks import codes, few
from tests.sdk.drawn import draw
from tests.sdk.tool_exports import cvat_dataset, labelme_dataset, rectangle, studio, task

# --- JSON of strangers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code", "where"),
    [
        (b"", "json_invalid", "a.json:1"),
        (b'{"a": 1,\n "b": }', "json_invalid", "a.json:2"),
        (b'{"a": 1,}', "json_invalid", "a.json:1"),
        (b"3", "json_invalid", "a.json"),
        (b"null", "json_invalid", "a.json"),
        (b"[NaN]", "json_invalid", "a.json"),
        (b"[-Infinity]", "json_invalid", "a.json"),
        (b"[1e999]", "json_invalid", "a.json"),
        (b"[" + b"9" * 5000 + b"]", "json_invalid", "a.json"),
        (b"[" * 100_000, "json_invalid", "a.json"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "json_invalid", "a.json"),
        (b'["\\ud800"]', "json_invalid", "a.json"),
        (b'["\xff"]', "json_invalid", "a.json"),
        ("[1]".encode("utf-16"), "json_invalid", "a.json"),
        (b'[{"a": 1, "a": 2}]', "json_key_duplicate", "a.json: a"),
        (b"[" + b" " * 1000 + b"]", "json_too_large", "a.json"),
    ],
)
def test_json_that_is_refused(tmp_path, content, code, where):
    report = Report()
    (tmp_path / "a.json").write_bytes(content)
    limit = 1000 if code == "json_too_large" else 1_000_000
    assert load_json(tmp_path / "a.json", "a.json", report, limit) is None
    (finding,) = report.findings()
    assert (finding.code, finding.severity) == (code, "error")
    assert finding.examples[0].startswith(where)


def test_json_that_is_read(tmp_path):
    report = Report()
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": ["\\ud83d\\ude00", 1.5, null]}')
    assert load_json(tmp_path / "a.json", "a.json", report, 100) == {"a": ["\N{GRINNING FACE}", 1.5, None]}
    assert report.findings() == []


# --- names of images ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.jpg", "images/a.jpg"),
        ("images/a.jpg", "images/a.jpg"),
        ("C:\\data\\images\\a.jpg", "images/a.jpg"),
        ("/data/upload/3/a.jpg", "images/a.jpg"),
        ("../../images/a.jpg", "images/a.jpg"),
        ("val/b.jpg", "images/val/b.jpg"),
        ("elsewhere/b.jpg", None),
        ("gone.jpg", None),
        ("", None),
        ("../..", None),
    ],
)
def test_an_image_is_found_by_the_end_of_its_path(name, found):
    names = ImageNames(["images/a.jpg", "images/train/b.jpg", "images/val/b.jpg"])
    assert names.find(name, "images") == found


@pytest.mark.parametrize("name", ["/a", "~/a", "c:\\a", "../a", "b/../../a", "http://host/a", "..\\a"])
def test_paths_that_lead_outside(name):
    assert leads_outside(name)
    assert not leads_outside("b/../a")


# --- parts of masks -------------------------------------------------------------------------------------------------------


@given(st.data())
@few
def test_parts_and_pairs_are_encoded_as_whole_masks_are(data):
    width, height = (data.draw(st.integers(1, 7)) for _ in range(2))
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    columns, lines = data.draw(st.integers(1, width - left)), data.draw(st.integers(1, height - top))
    number = np.random.default_rng(data.draw(st.integers(0, 99)))
    part = number.random((lines, columns)) < number.choice([0.1, 0.5, 1.0])
    whole = np.zeros((height, width), dtype=bool)
    whole[top : top + lines, left : left + columns] = part
    np.testing.assert_array_equal(raster.encode_part(part, left, top, width, height), raster.encode(whole))
    again, x, y = raster.decode_part(raster.encode(whole), width, height)
    np.testing.assert_array_equal(again, whole[y : y + again.shape[0], x : x + again.shape[1]])
    assert again.sum() == whole.sum()
    first, second = number.integers(0, 3, (2, height, width))
    pairs = raster.encode_pairs(first, second)
    assert list(pairs) == sorted(set(zip(first.flat, second.flat, strict=True)))
    for (a, b), runs in pairs.items():
        np.testing.assert_array_equal(runs, raster.encode((first == a) & (second == b)))


def test_parts_of_an_image_may_not_claim_more_than_there_is_time_for():
    report = Report()
    masks = PartMasks(Rows(report))
    whole = (0, 0, 10_000, 10_000)
    assert [masks.fits(0, whole[2:], whole, "a.xml:1") for _ in range(42)] == [True] * 40 + [False] * 2
    assert masks.fits(1, whole[2:], whole, "a.xml:2")
    assert codes(report.findings()) == {"masks_too_large": 2}


# --- detection ------------------------------------------------------------------------------------------------------------


def test_each_tool_claims_its_own_only(tmp_path):
    made = {
        "cvat": cvat_dataset(tmp_path / "c", ""),
        "labelme": labelme_dataset(tmp_path / "l"),
        "label_studio": studio(tmp_path / "s", task(rectangle())),
    }
    for name, root in made.items():
        assert formats.detect(root)[0] == name
        for other, form in (("cvat", cvat), ("labelme", labelme), ("label_studio", label_studio)):
            assert (form.sniff(root) > formats.LOWEST_CONFIDENCE) == (other == name)


@pytest.mark.parametrize("form", [cvat, labelme, label_studio])
def test_folders_without_annotations(tmp_path, form):
    draw(tmp_path / "a.jpg")
    assert form.sniff(tmp_path) == 0
    assert codes(form.read(tmp_path)[1]) == {"annotations_missing": 1, "image_without_label": 1}
