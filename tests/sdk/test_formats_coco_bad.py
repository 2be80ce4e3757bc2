"""What is wrong in COCO files: every bad value with its code and place, and files that cannot be read."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retinue_sdk.formats import coco, coco_json, coco_panoptic, coco_records
from retinue_sdk.formats.report import CODES, ERROR
from tests.sdk.checks import codes, few
from tests.sdk.coco_files import CATEGORIES, RUNS, SIZE, TRIANGLE, content, item, save
from tests.sdk.drawn import draw

A = "annotations/instances_train.json:annotations[0]"
I = "annotations/instances_train.json:images[0]"  # noqa: E741


@pytest.mark.parametrize(
    ("more", "code", "where"),
    [
        ({"image_id": 6}, "coco_image_unknown", f"{A}.image_id: 6"),
        ({"image_id": "5"}, "coco_value_invalid", f"{A}.image_id: Expected `int`, got `str`"),
        ({"image_id": 2**63}, "coco_value_invalid", f"{A}.image_id"),
        ({"id": "x"}, "coco_value_invalid", f"{A}.id"),
        ({"id": 2**70}, "coco_value_invalid", f"{A}.id"),
        ({"category_id": 2}, "coco_category_unknown", f"{A}.category_id: 2"),
        ({"category_id": None}, "coco_value_invalid", f"{A}.category_id"),
        ({"bbox": [1, 2, 3]}, "coco_value_invalid", f"{A}.bbox: Expected `array` of length 4"),
        ({"bbox": [1, 2, "3", 4]}, "coco_value_invalid", f"{A}.bbox[2]"),
        ({"bbox": [1, 2, -3, 4]}, "box_negative_size", f"{A}.bbox: (1.0, 2.0, -3.0, 4.0)"),
        ({"bbox": [1, 2, 1e300, 4]}, "coco_value_invalid", f"{A}.bbox"),
        ({"segmentation": [[1, 2, 3, 4]]}, "coco_polygon_invalid", f"{A}.segmentation"),
        ({"segmentation": [TRIANGLE, [1, 2, 3, 4, 5, 6, 7]]}, "coco_polygon_invalid", f"{A}.segmentation"),
        ({"segmentation": [[[1, 2], [3, 4], [5, 6]]]}, "coco_value_invalid", f"{A}.segmentation[0][0]"),
        ({"segmentation": [[1, 2, 3, 4, 5, 1e300]]}, "coco_polygon_invalid", f"{A}.segmentation"),
        ({"segmentation": "x"}, "coco_value_invalid", f"{A}.segmentation"),
        ({"segmentation": {"size": [48, 64], "counts": [1, 2]}}, "mask_runs_wrong", f"{A}.segmentation.counts: sum 3"),
        ({"segmentation": {"size": [64, 48], "counts": RUNS}}, "mask_runs_wrong", f"{A}.segmentation.size"),
        (
            {"segmentation": {"size": [10**6, 10**6], "counts": [10**12]}},
            "coco_value_invalid",
            f"{A}.segmentation.counts[0]",
        ),
        (
            {"segmentation": {"size": [48, 64], "counts": [-1, 3073]}},
            "coco_value_invalid",
            f"{A}.segmentation.counts[0]",
        ),
        (
            {"segmentation": {"size": [48, 64], "counts": "\u00ff{{{ garbage"}},
            "mask_runs_wrong",
            f"{A}.segmentation.counts",
        ),
        ({"segmentation": {"size": [48, 64], "counts": ""}}, "mask_runs_wrong", f"{A}.segmentation.counts"),
        ({"segmentation": {"size": [48, 64], "counts": "oooooooo0"}}, "mask_runs_wrong", f"{A}.segmentation.counts"),
        (
            {"segmentation": {"counts": RUNS}},
            "coco_value_invalid",
            f"{A}.segmentation: Object missing required field `size`",
        ),
        ({"category_id": 7, "keypoints": [1, 2, 2]}, "coco_keypoints_invalid", f"{A}.keypoints"),
        ({"keypoints": [1, 2, 2, 3]}, "coco_keypoints_invalid", f"{A}.keypoints"),
        ({"keypoints": [1, 2, 3]}, "coco_keypoints_invalid", f"{A}.keypoints"),
        ({"keypoints": [1e300, 2, 2]}, "coco_keypoints_invalid", f"{A}.keypoints"),
        ({"keypoints": [1, 2, 0], "bbox": None}, "coco_value_invalid", f"{A}.bbox"),
    ],
)
def test_a_bad_annotation_blocks_with_its_place_and_is_left_out(tmp_path, more, code, where):
    table, findings = coco.read(save(tmp_path, content({**item(), **more}, item(2))))
    assert [(f.code, f.severity, f.count) for f in findings] == [(code, ERROR, 1)]
    assert findings[0].examples[0].startswith(where)
    assert [json.loads(text)["coco_id"] for text in table.annotations["attributes"]] == [2]


def test_what_is_wrong_in_many_parts_is_told_in_the_order_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(coco_records, "PART", 300)
    table, findings = coco.read(save(tmp_path, content(*(item(n, category_id=7 - n % 2) for n in range(40)))))
    assert [(f.code, f.count) for f in findings] == [("coco_category_unknown", 20)]
    places = [2 * n + 1 for n in range(10)]
    assert findings[0].examples == [f"{A[:-3]}[{place}].category_id: 6" for place in places]
    assert [json.loads(text)["coco_id"] for text in table.annotations["attributes"]] == list(range(0, 40, 2))


@pytest.mark.parametrize("keypoints", [None, [1, 2, 2, 3, 4, 1]])
@pytest.mark.parametrize("text", ["{}", '""', "5", "-1", '"junk"', "[[1, 2, 3, 4, 5, 1e400]]", '{"a": 1}', "[[], 5]"])
def test_a_segmentation_of_no_kind_blocks(tmp_path, text, keypoints):
    its = item(segmentation="HERE", keypoints=keypoints, category_id=7)
    path = save(tmp_path, json.dumps(content(its)).replace('"HERE"', text))
    assert [(f.code, f.severity) for f in coco.read(path)[1]] == [("coco_value_invalid", ERROR)]


@pytest.mark.parametrize("empty", ["[]", "[[]]", "null"])
@pytest.mark.parametrize("keypoints", [None, [1, 2, 2, 3, 4, 1]])
def test_a_segmentation_with_nothing_in_it_is_none_however_it_is_written(tmp_path, empty, keypoints):
    its = item(segmentation="HERE", keypoints=keypoints, category_id=7)
    wide = empty.replace("[", "[" + " " * 20).replace("]", "\n" * 20 + "]")
    for text in (empty, wide):
        table, findings = coco.read(save(tmp_path, json.dumps(content(its)).replace('"HERE"', text)))
        assert findings == []
        assert table.annotations["kind"].tolist() == ["keypoints" if keypoints else "box"]


def test_repeated_keys_do_not_hide_behind_a_mask_without_any(tmp_path):
    text = json.dumps(content(item(segmentation={}))).replace('"image_id": ', '"image_id": 5, "image_id": ', 1)
    text = text.replace('"category_id": ', '"category_id": 7, "category_id": ', 1)
    assert {f.severity for f in coco.read(save(tmp_path, text))[1]} == {ERROR}


@pytest.mark.parametrize("polygon", [[[1, 2, 3, 4]], [1, 2, 3, 4]])
def test_a_polygon_that_is_wrong_is_shown_in_one_line(tmp_path, polygon):
    _, findings = coco.read(save(tmp_path, json.dumps(content(item(segmentation=polygon)), indent=4)))
    assert findings[0].examples == [f"{A}.segmentation: [[1.0, 2.0, 3.0, 4.0]]"]
    assert [f.code for f in findings[1:]] == (["coco_polygon_flat"] if polygon[0] == 1 else [])


@pytest.mark.parametrize(
    ("image", "code", "where"),
    [
        ({"id": "5"}, "coco_value_invalid", f"{I}.id: Expected `int`, got `str`"),
        ({"id": 2**63}, "coco_value_invalid", f"{I}.id"),
        ({"file_name": None}, "coco_value_invalid", f"{I}.file_name"),
        ({"width": -1}, "coco_value_invalid", f"{I}.width"),
        ({"width": 2**40}, "coco_value_invalid", f"{I}.width"),
        ({"file_name": "../a.png"}, "list_path_escapes", f"{I}.file_name: ../a.png"),
        ({"file_name": "b/../../a.png"}, "list_path_escapes", f"{I}.file_name"),
        ({"file_name": "/etc/a.png"}, "list_path_escapes", f"{I}.file_name"),
        ({"file_name": "C:\\a.png"}, "list_path_escapes", f"{I}.file_name"),
        ({"file_name": "https://example.org/a.png"}, "list_path_escapes", f"{I}.file_name"),
        ({"file_name": ""}, "list_path_escapes", f"{I}.file_name"),
        ({"file_name": "gone.png"}, "image_missing", f"{I}.file_name: gone.png"),
    ],
)
def test_a_bad_image_blocks_with_its_place(tmp_path, image, code, where):
    draw(tmp_path / "images/train/b.png")
    images = [{"id": 5, "file_name": "a.png", **SIZE, **image}, {"id": 6, "file_name": "b.png", **SIZE}]
    table, findings = coco.read(save(tmp_path, content(images=images)))
    found = {f.code: f for f in findings}
    assert found.keys() == {code, "image_unlisted"}
    assert (found[code].severity, found[code].count) == (ERROR, 1)
    assert found[code].examples[0].startswith(where)
    assert table.images["key"].tolist() == ["images/train/b.png"]


def test_annotations_of_an_image_that_is_missing_are_not_reported_each(tmp_path):
    images = [{"id": 5, "file_name": "gone.png", **SIZE}]
    table, findings = coco.read(save(tmp_path, content(item(), item(2), images=images)))
    assert codes(findings) == {"image_missing": 1, "image_unlisted": 1, "dataset_empty": 1}
    assert len(table.annotations) == 0


def test_ids_and_names_that_come_twice(tmp_path):
    double = [{"id": n, "file_name": f, **SIZE} for n, f in ((5, "a.png"), (5, "b.png"), (6, "./a.png"))]
    document = content(item(3), item(3), images=double)
    document["categories"] = [CATEGORIES[0], CATEGORIES[0], {"id": 8, "name": "cat"}]
    _, findings = coco.read(save(tmp_path, document))
    assert codes(findings) == {"coco_id_duplicate": 3, "coco_image_repeated": 1, "class_name_duplicate": 1}
    document = content(item(3), images=[double[0], {"id": 7, "file_name": "train/a.png", **SIZE}])
    assert codes(coco.read(save(tmp_path, document))[1]) == {"coco_image_repeated": 1}


def test_files_that_disagree(tmp_path):
    save(tmp_path, content(item()), "train/_annotations.coco.json", "train/a.png")
    other = content(images=[{"id": 1, "file_name": "train/a.png", **SIZE}])
    other["categories"] = [{"id": 1, "name": "lynx"}]
    save(tmp_path, other, "valid/_annotations.coco.json", "valid/b.png")
    _, findings = coco.read(tmp_path)
    assert codes(findings) == {"coco_category_conflict": 1, "split_overlap": 1, "image_unlisted": 1}


# --- files that cannot be read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[]", "coco_structure_invalid"),
        ('"images annotations categories"', "coco_structure_invalid"),
        ('{"images": [], "annotations": []}', "coco_structure_invalid"),
        ('{"annotations": [], "categories": []}', "coco_structure_invalid"),
        ('{"images": {}, "annotations": [], "categories": []}', "coco_structure_invalid"),
        ('{"images": [], "annotations": null, "categories": []}', "coco_structure_invalid"),
        ('{"images": [1], "annotations": [], "categories": []}', "coco_value_invalid"),
        ('{"images": [], "annotations": [[]], "categories": []}', "coco_value_invalid"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1}]}', "coco_value_invalid"),
        ('{"images": [], "annotations": [], "categories": [],}', "json_invalid"),
        ('{"images": [], "annotations": [{"bbox": [NaN, 1, 2, 3]}], "categories": []}', "json_invalid"),
        ('{"images": [], "annotations": [{"area": Infinity}], "categories": []}', "json_invalid"),
        ('{"images": [], "annotations": [], "categories": []', "json_invalid"),
        ('{"images": [], "annotations": [], "categories": []} x', "json_invalid"),
        ("", "json_invalid"),
        ('{"images": [], "images": [], "annotations": [], "categories": []}', "json_key_duplicate"),
        ('{"images": [], "annotations": [{"id": 1, "id": 2}], "categories": []}', "json_key_duplicate"),
        (
            '{"images": [{"id": 1, "id": 2, "file_name": "a"}], "annotations": [], "categories": []}',
            "json_key_duplicate",
        ),
        (
            '{"images": [], "annotations": [], "categories": [], "info": ' + "[" * 10**5 + "]" * 10**5 + "}",
            "json_invalid",
        ),
        (
            '{"images": [{"id": ' + "[" * 10**5 + "]" * 10**5 + '}], "annotations": [], "categories": []}',
            "json_invalid",
        ),
    ],
)
def test_a_file_that_cannot_be_read_blocks(tmp_path, text, code):
    _, findings = coco.read(save(tmp_path, text))
    assert codes(findings)[code] == 1
    assert {f.code for f in findings} <= {code, "image_unlisted", "dataset_empty", "coco_value_invalid"}


def test_a_key_that_is_twice_is_found_in_a_good_part(tmp_path):
    text = json.dumps(content(item(1), item(2), item(3))).replace('"id": 2,', '"id": 2, "area": 4,')
    table, findings = coco.read(save(tmp_path, text))
    assert [(f.code, f.examples) for f in findings] == [
        ("json_key_duplicate", ["annotations/instances_train.json:annotations[1]: area"])
    ]
    assert len(table.annotations) == 2


@pytest.mark.parametrize("value", ['"\\ud800.png"', '"a\\u0000.png"', '"' + "x" * 5000 + '"', '"\\n"', '"a.png"'])
def test_file_names_of_any_characters(tmp_path, value):
    text = json.dumps(content(item())).replace('"a.png"', value)
    table, findings = coco.read(save(tmp_path, text))
    assert len(table) == (value == '"a.png"')
    assert all(f.code in CODES for f in findings)


def test_bytes_that_are_no_utf8(tmp_path):
    save(tmp_path, "")
    text = json.dumps(content(item()))
    for data in (text.encode("utf-16"), text.replace("a.png", "\xff.png").encode("latin-1")):
        (tmp_path / "annotations/instances_train.json").write_bytes(data)
        assert coco.read(tmp_path)[1][0].code in {"json_invalid", "coco_value_invalid"}
    (tmp_path / "annotations/instances_train.json").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert coco.read(tmp_path)[1] == []


def test_a_file_of_two_gigabytes_is_not_read(tmp_path):
    save(tmp_path, content())
    with (tmp_path / "annotations/instances_train.json").open("r+b") as stream:
        stream.truncate(2_100_000_000)
    assert "json_too_large" in codes(coco.read(tmp_path)[1])


def test_a_record_of_many_megabytes_is_not_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(coco_json, "MAX_RECORD", 1000)
    images = [{"id": 5, "file_name": "a.png", **SIZE}, {"id": 6, "file_name": "b" * 2000, **SIZE}]
    _, findings = coco.read(save(tmp_path, content(item(), item(2, segmentation=[[1] * 2000]), images=images)))
    assert codes(findings) == {"coco_value_invalid": 2}


# --- whatever files say ---------------------------------------------------------------------------------------------------


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**65), 2**65), st.floats(), st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=7), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)),
    max_leaves=9,
)

keys = st.sampled_from([*coco_records.FIELDS, "other"])

records = st.dictionaries(keys, values, max_size=4).map(lambda more: {**item(), **more})


@few
@given(
    st.lists(records, max_size=3),
    st.dictionaries(st.sampled_from(["id", "file_name", "width", "x"]), values, max_size=3),
)
@example([item(segmentation=[[]])], {})
@example([item(segmentation=[TRIANGLE, []])], {})
@example([item(segmentation={"size": [48, 64], "counts": [2**31 - 1] * 9})], {})
@example([item(iscrowd=True, area=-0.0)], {"width": 0})
def test_whatever_a_file_says(tmp_path, annotations, image):
    document = content(*annotations, images=[{"id": 5, "file_name": "a.png", **SIZE, **image}])
    for read in (coco.read, lambda root: coco.read_annotations(root / "annotations/instances_train.json")):
        table, findings = read(save(tmp_path, document))
        assert all(f.code in CODES and len(f.examples) <= 10 for f in findings)
        assert (np.abs(np.nan_to_num(table.boxes)) < 2**33).all()


@few
@given(st.binary(max_size=60))
def test_whatever_bytes_a_file_has(tmp_path, data):
    save(tmp_path, "")
    (tmp_path / "annotations/instances_train.json").write_bytes(data)
    coco.sniff(tmp_path)
    coco_panoptic.read(tmp_path)
    assert all(f.code in CODES for f in coco.read(tmp_path)[1])
