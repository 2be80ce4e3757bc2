"""COCO and COCO panoptic: layouts, kinds of shapes, every bad value with its code and place, and the way there and back."""

from __future__ import annotations

import gc
import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from retinue_sdk import formats, geometry
from retinue_sdk.errors import DataError
from retinue_sdk.formats import coco, coco_json, coco_panoptic
from retinue_sdk.formats.report import CODES, ERROR
from retinue_sdk.table import make_table
from tests.sdk.drawn import box_table, draw

SIZE = {"width": 64, "height": 48}
TRIANGLE = [10, 10, 20, 10, 20, 20.5]
SQUARE = [1, 1, 5, 1, 5, 5, 1, 5]
RUNS = [100, 10, 64 * 48 - 110]
CATEGORIES = [
    {"id": 1, "name": "cat", "supercategory": "animal"},
    {"id": 7, "name": "dog", "supercategory": "animal", "keypoints": ["nose", "tail"], "skeleton": [[1, 2]]},
]


def item(number=1, **more):
    """An annotation of image 5 with a box."""
    return {
        "id": number,
        "image_id": 5,
        "category_id": 1,
        "bbox": [10, 10, 10, 10.5],
        "area": 52.5,
        "iscrowd": 0,
        **more,
    }


def content(*annotations, images=None, **more):
    """A file about one image of 64 x 48."""
    images = [{"id": 5, "file_name": "a.png", **SIZE}] if images is None else images
    return {"images": images, "annotations": list(annotations), "categories": CATEGORIES, **more}


def save(root, document, name="annotations/instances_train.json", image="images/train/a.png"):
    """A dataset of one file and one image."""
    draw(root / image)
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    text = document if isinstance(document, str) else json.dumps(document)
    (root / name).write_text(text, encoding="utf-8", errors="surrogatepass")
    return root


def codes(findings):
    return {f.code: f.count for f in findings}


def shapes(table):
    values, offsets = table.coordinates()
    return [values[a:b].tolist() for a, b in pairwise(offsets)]


# --- what is read ---------------------------------------------------------------------------------------------------------


def test_every_kind_with_its_shape_box_and_attributes(tmp_path):
    annotations = [
        item(1, segmentation=[TRIANGLE]),
        item(2, segmentation=[]),
        item(3, segmentation=[TRIANGLE, SQUARE], area=3, iscrowd=1),
        item(4, segmentation={"size": [48, 64], "counts": RUNS}),
        item(5, category_id=7, keypoints=[1, 2, 2, 0, 0, 0], num_keypoints=1, score=0.5, attributes={"occluded": True}),
        {"image_id": 5, "category_id": 1, "id": 6},
    ]
    table, findings = coco.read(save(tmp_path, content(*annotations)))
    assert codes(findings) == {"coco_whole_image": 1}
    assert table.annotations["kind"].tolist() == ["polygon", "box", "polygon", "mask", "keypoints", "class"]
    assert table.boxes[:5].tolist() == [[10, 10, 20, 20.5]] * 5
    assert np.isnan(table.boxes[5]).all()
    polygon, box, rings, mask, points, whole = shapes(table)
    assert (polygon, box, mask, points, whole) == (TRIANGLE, [], RUNS, [1, 2, 2, 0, 0, 0], [])
    assert [ring.reshape(-1).tolist() for ring in geometry.rings(np.array(rings))] == [TRIANGLE, SQUARE]
    attributes = [json.loads(text) for text in table.annotations["attributes"]]
    assert attributes[0] == {"area": 52.5, "coco_id": 1}
    assert attributes[2] == {"area": 3, "coco_id": 3, "iscrowd": 1}
    assert attributes[4] == {"area": 52.5, "coco_id": 5, "occluded": True, "score": 0.5}
    assert attributes[5] == {"coco_id": 6}
    assert set(table.annotations["source"]) == {"annotations/instances_train.json"}


def test_what_is_said_of_images_and_categories_is_kept(tmp_path):
    images = [
        {"id": 9, "file_name": "b.png", **SIZE, "license": 3, "date_captured": "2013-11-14", "coco_url": "http://x/b"},
        {"id": 5, "file_name": "a.png", **SIZE},
    ]
    draw(tmp_path / "train/b.png")
    table, findings = coco.read(save(tmp_path, content(images=images), image="train/a.png"))
    assert findings == []
    assert table.images["key"].tolist() == ["train/b.png", "train/a.png"]
    said = json.loads(table.images["attributes"][0])
    assert said == {"coco_id": 9, "license": 3, "date_captured": "2013-11-14", "coco_url": "http://x/b"}
    assert (table.classes, table.class_ids) == (["cat", "dog"], [1, 7])
    assert table.class_attributes[1] == {"supercategory": "animal", "keypoints": ["nose", "tail"], "skeleton": [[1, 2]]}
    assert len(table.annotations) == 0


@pytest.mark.parametrize(
    ("name", "image", "split"),
    [
        ("annotations/instances_train2017.json", "train2017/a.png", "train"),
        ("annotations/instances_val2017.json", "images/val2017/a.png", "val"),
        ("annotations/person_keypoints_val2017.json", "val2017/a.png", "val"),
        ("annotations/instances_default.json", "images/a.png", ""),
        ("annotations/instances_default.json", "images/default/a.png", ""),
        ("valid/_annotations.coco.json", "valid/a.png", "val"),
        ("labels.json", "data/a.png", ""),
        ("result.json", "images/a.png", ""),
        ("annotations.json", "train/a.png", "train"),
        ("test.json", "pictures/of/a.png", "test"),
    ],
)
def test_layouts(tmp_path, name, image, split):
    save(tmp_path, content(item()), name, image)
    (tmp_path / "more").mkdir()  # a folder of one folder would be taken for a wrapper
    (tmp_path / "more/notes.txt").write_text("x")
    table, findings = coco.read(tmp_path)
    assert findings == []
    assert (table.images["key"].tolist(), table.images["split"].tolist()) == ([image], [split])
    assert formats.detect(tmp_path)[0] == "coco"


def test_splits_are_joined_by_category_id(tmp_path):
    save(tmp_path, content(item()), "train/_annotations.coco.json", "train/a.png")
    other = content(item(category_id=7))
    other["categories"] = [CATEGORIES[1], {"id": 9, "name": "bird"}]
    save(tmp_path, other, "valid/_annotations.coco.json", "valid/a.png")
    table, findings = coco.read(tmp_path)
    assert findings == []
    assert table.splits == {"train": 1, "val": 1}
    assert (table.classes, table.class_ids) == (["cat", "dog", "bird"], [1, 7, 9])
    assert table.annotations["class_id"].tolist() == [0, 1]


def test_one_file_of_each_split_is_read(tmp_path):
    for name in ("person_keypoints_train", "instances_train", "captions_train", "panoptic_train"):
        save(tmp_path, content(item()), f"annotations/{name}.json")
    save(tmp_path, {"name": "notes"}, "package.json")
    table, findings = coco.read(tmp_path)
    assert codes(findings) == {"coco_file_unread": 3, "files_ignored": 1}
    assert set(table.annotations["source"]) == {"annotations/instances_train.json"}


def test_keypoints_win_over_the_segmentation_beside_them(tmp_path):
    beside = item(category_id=7, segmentation=[TRIANGLE], keypoints=[1, 2, 2, 3, 4, 1], num_keypoints=2)
    table, findings = coco.read(save(tmp_path, content(beside)))
    assert codes(findings) == {"coco_segmentation_dropped": 1}
    assert table.annotations["kind"].tolist() == ["keypoints"]


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        ({"segmentation": [TRIANGLE, SQUARE]}, [1, 1, 20, 20.5]),
        ({"segmentation": {"size": [48, 64], "counts": RUNS}}, [2, 4, 3, 14]),
        ({"category_id": 7, "keypoints": [9, 3, 2, 0, 0, 0]}, [9, 3, 9, 3]),
    ],
)
@pytest.mark.parametrize("bbox", [{}, {"bbox": None}])
def test_a_shape_without_a_box_has_the_one_around_it(tmp_path, shape, box, bbox):
    annotation = {"id": 1, "image_id": 5, "category_id": 1, **shape, **bbox}
    table, findings = coco.read(save(tmp_path, content(annotation)))
    assert findings == []
    assert table.boxes.tolist() == [box]


def test_compressed_runs_are_those_of_pycocotools(tmp_path):
    # rleToString of [6, 1, 40, 4, 5, 4, 5, 4, 21] and of one more object, as pycocotools 2.0 writes them
    images = [{"id": 5, "file_name": "a.png", "width": 10, "height": 9}]
    runs = item(segmentation={"size": [9, 10], "counts": "61X13mN000`0"}, bbox=[0, 0, 1, 1])
    table, findings = read_only(tmp_path, content(runs, images=images))
    assert findings == []
    assert shapes(table) == [[6, 1, 40, 4, 5, 4, 5, 4, 21]]


def test_a_flat_polygon_is_read_as_one_ring(tmp_path):
    table, findings = coco.read(save(tmp_path, content(item(segmentation=TRIANGLE), item(2, segmentation=[SQUARE]))))
    assert codes(findings) == {"coco_polygon_flat": 1}
    assert shapes(table) == [TRIANGLE, SQUARE]


def test_sizes_are_the_images_own(tmp_path):
    images = [{"id": 5, "file_name": "a.png", "width": 640, "height": 480}]
    table, findings = coco.read(save(tmp_path, content(item(), images=images)))
    assert codes(findings) == {"image_size_mismatch": 1}
    assert table.images[["width", "height"]].to_numpy().tolist() == [[64, 48]]
    images = [{"id": 5, "file_name": "a.png"}]
    assert coco.read(save(tmp_path, content(item(), images=images)))[1] == []


def read_only(root, document):
    path = root / "instances_val2017.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return coco.read_annotations(path)


def test_a_file_is_read_without_its_images(tmp_path):
    table, findings = read_only(tmp_path, content(item(segmentation=[TRIANGLE])))
    assert findings == []
    assert table.images[["key", "path", "width", "height", "split"]].to_numpy().tolist() == [
        ["a.png", "", 64, 48, "val"]
    ]
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png", "width": 10**6, "height": 10**6}]
    assert codes(read_only(tmp_path, content(images=images))[1]) == {"coco_value_invalid": 1, "image_too_large": 1}


def test_annotations_in_any_order_and_many_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(coco_json, "PART", 300)
    images = [{"id": n, "file_name": f"{n}.jpg", **SIZE} for n in (3, 1, 2)]
    rng = np.random.default_rng(0)
    order = rng.permutation(40)
    boxes = [item(int(n), image_id=int(n % 3 + 1), segmentation=[[float(n), *TRIANGLE[1:]]]) for n in order]
    boxes[7]["note"] = 'a key ": in a part of its own'
    table, findings = read_only(tmp_path, content(*boxes, images=images))
    assert findings == []
    ids = [json.loads(text)["coco_id"] for text in table.annotations["attributes"]]
    assert [shape[0] for shape in shapes(table)] == ids
    assert [n % 3 + 1 for n in ids] == [{0: 3, 1: 1, 2: 2}[row] for row in table.annotations["image"]]
    assert sorted(ids) == list(range(40))


def test_garbage_is_collected_again_afterwards(tmp_path):
    assert gc.isenabled()
    read_only(tmp_path, content(item(), item(bbox="x")))
    assert gc.isenabled()
    with coco_json.without_gc():
        assert not gc.isenabled()
    assert gc.isenabled()


# --- what is wrong --------------------------------------------------------------------------------------------------------

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


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"bbox": [1, 2, 0, 4]}, "box_zero_area"),
        ({"bbox": [60, 2, 30, 4]}, "box_outside_image"),
        ({"bbox": [-5, 2, 30, 4]}, "box_outside_image"),
        ({"category_id": 7, "keypoints": [1, 2, 2, 3, 4, 1], "num_keypoints": 1}, "coco_keypoints_count"),
    ],
)
def test_what_is_doubtful_stays(tmp_path, more, code):
    table, findings = coco.read(save(tmp_path, content({**item(), **more})))
    assert codes(findings) == {code: 1}
    assert len(table.annotations) == 1


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


def test_invalid_json_has_its_line(tmp_path):
    _, findings = coco.read(save(tmp_path, '{"images": [],\n\n"annotations": [1,,2]}'))
    assert findings[0].examples[0].startswith("annotations/instances_train.json:3: ")


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


def test_a_folder_without_json(tmp_path):
    draw(tmp_path / "a.png")
    assert codes(coco.read(tmp_path)[1]) == {"annotations_missing": 1, "image_unlisted": 1, "dataset_empty": 1}
    assert coco.sniff(tmp_path) == coco_panoptic.sniff(tmp_path) == 0


@pytest.mark.parametrize(
    "text",
    [
        '{"shapes": [], "imagePath": "a.png"}',
        '[{"image": "a.png", "annotations": []}]',
        '{"images": []}',
        '{"info": {}, "categories": {"label": {}}, "items": [{"id": "a", "annotations": []}]}',
        "",
        "\0\0\0",
    ],
)
def test_other_json_is_not_taken_for_coco(tmp_path, text):
    save(tmp_path, text, "a.json", "a.png")
    assert coco.sniff(tmp_path) < formats.LOWEST_CONFIDENCE


few = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**65), 2**65), st.floats(), st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=7), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)),
    max_leaves=9,
)
keys = st.sampled_from([*coco_json.FIELDS, "other"])
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


# --- the way back ---------------------------------------------------------------------------------------------------------


def same(left, right):
    """Two tables that differ in nothing but keys, paths and sources."""
    assert left.images.drop(columns=["key", "path"]).equals(right.images.drop(columns=["key", "path"]))
    text = ["image", "class_id", "kind", "attributes"]
    assert left.annotations[text].equals(right.annotations[text])
    np.testing.assert_allclose(left.boxes, right.boxes, atol=1e-6)
    np.testing.assert_allclose(np.concatenate(shapes(left)), np.concatenate(shapes(right)), atol=1e-6)
    assert list(map(len, shapes(left))) == list(map(len, shapes(right)))
    assert (left.classes, left.class_ids, left.class_attributes) == (
        right.classes,
        right.class_ids,
        right.class_attributes,
    )


def test_what_was_read_is_written_again(tmp_path):
    annotations = [
        item(11, segmentation=[TRIANGLE, SQUARE], area=3),
        item(2, image_id=6, bbox=[473.07 / 10, 3.3, 3.65, 4.1]),
        item(13, category_id=7, keypoints=[1.5, 2, 2, 0, 0, 0], num_keypoints=1, score=0.5, tags=["a"]),
        item(14, segmentation={"size": [48, 64], "counts": RUNS}, iscrowd=1),
    ]
    images = [
        {"id": 5, "file_name": "a.png", **SIZE, "license": 2},
        {"id": 6, "file_name": "b.png", **SIZE, "flickr_url": "http://x"},
    ]
    draw(tmp_path / "in/images/train/b.png")
    save(tmp_path / "in", content(*annotations, images=images))
    save(tmp_path / "in", content(item(1)), "annotations/instances_val.json", "images/val/a.png")
    table, findings = coco.read(tmp_path / "in")
    assert findings == []
    assert coco.write(table, tmp_path / "out") == []
    again, findings = coco.read(tmp_path / "out")
    assert findings == []
    same(again, table)
    written = json.loads((tmp_path / "out/annotations/instances_train.json").read_text())
    first = written["annotations"][0]
    assert first["segmentation"] == [TRIANGLE, SQUARE]
    assert (first["bbox"], first["area"], first["iscrowd"]) == ([10, 10, 10, 10.5], 3, 0)
    assert [a["id"] for a in written["annotations"]] == [11, 13, 14, 2]
    assert [a["bbox"] for a in written["annotations"]][3] == [47.307, 3.3, 3.65, 4.1]
    assert written["annotations"][1]["attributes"] == {"score": 0.5, "tags": ["a"]}
    assert (written["images"][0]["id"], written["images"][0]["license"]) == (5, 2)
    assert written["categories"] == CATEGORIES


def test_other_data_gets_ids_and_areas(tmp_path):
    table = box_table(tmp_path / "in")
    assert coco.write(table, tmp_path / "out") == []
    again, findings = coco.read(tmp_path / "out")
    assert findings == []
    assert again.splits == table.splits
    assert again.boxes.tolist() == table.boxes.tolist()
    written = json.loads((tmp_path / "out/annotations/instances_train.json").read_text())
    assert [image["id"] for image in written["images"]] == [1, 2]
    assert [(a["id"], a["area"]) for a in written["annotations"]] == [(1, 80), (2, 57), (3, 41)]
    assert written["annotations"][0]["attributes"] == {"difficult": "1"}
    assert {json.loads(text).get("difficult") for text in again.annotations["attributes"]} == {"1", None}


def polygons(root, *parts, **columns):
    path = draw(root / "p.png")
    count = len(parts)
    return make_table(
        {"key": ["p.png"], "path": [str(path)], "width": 64, "height": 48},
        {"image": [0] * count, "class_id": 0, "kind": "polygon", "x1": 1, "y1": 1, "x2": 30, "y2": 30, **columns},
        ["cat"],
        geometry=geometry.column(parts),
    )


def test_ids_that_collide_or_are_none_are_made_anew(tmp_path):
    said = ['{"coco_id":7}', '{"coco_id":7}', '{"coco_id":"x","area":"big"}', '{"coco_id":true}', ""]
    coco.write(polygons(tmp_path, *[TRIANGLE] * 5, attributes=said), tmp_path / "out")
    written = json.loads((tmp_path / "out/annotations/instances_default.json").read_text())["annotations"]
    assert [a["id"] for a in written] == [7, 8, 9, 10, 11]
    assert written[2]["attributes"] == {"area": "big"}
    assert written[0]["area"] == 52.5


def test_a_hole_stays_a_hole(tmp_path):
    outer, inner, beside = [2, 2, 30, 2, 30, 30, 2, 30], [10, 10, 10, 20, 20, 20, 20, 10], [40, 2, 50, 2, 50, 9]
    meets = [25, 2, 60, 2, 60, 9]
    parts = [geometry.join_rings(rings) for rings in ([outer, inner], [outer, beside], [outer, meets])]
    findings = coco.write(polygons(tmp_path, *parts), tmp_path / "out")
    assert codes(findings) == {"loss_form": 2}
    written = json.loads((tmp_path / "out/annotations/instances_default.json").read_text())["annotations"]
    assert written[0]["area"] == 28 * 28 - 100
    assert isinstance(written[0]["segmentation"]["counts"], list)
    assert written[1]["segmentation"] == [outer, beside]
    assert written[1]["area"] == 28 * 28 + 35
    assert coco.read(tmp_path / "out")[1] == []


def test_what_coco_cannot_hold_is_reported(tmp_path):
    path = draw(tmp_path / "a.png")
    table = make_table(
        {"key": ["a.png"], "path": [str(path)], "width": 64, "height": 48, "group": "p1", "attributes": '{"id":3,"x":1}'},
        {
            "image": 0, "class_id": [0, 0, -1, 0], "kind": ["class", "obb", "box", "box"],
            "x1": [np.nan, 1, 1, 1], "y1": [np.nan, 1, 1, 1], "x2": [np.nan, 5, 5, 5], "y2": [np.nan, 5, 5, 5],
        },
        ["cat"], [0],
        geometry=geometry.column([[], SQUARE, [], []]),
    )  # fmt: skip
    losses = codes(coco.write(table, tmp_path / "out"))
    assert losses == {"loss_kind": 1, "loss_form": 1, "loss_unclassed": 1, "loss_group": 1, "loss_image_attributes": 1}
    again, findings = coco.read(tmp_path / "out")
    assert findings == []
    assert again.annotations["kind"].tolist() == ["polygon", "box"]


# --- panoptic -------------------------------------------------------------------------------------------------------------


def panoptic(root, segments, pixels=None, mode="RGB", **entry):
    """An image of 4 x 3 whose left half is segment 1 and whose last pixel is segment 70000."""
    draw(root / "val2017/a.jpg", (4, 3))
    ids = np.zeros((3, 4), dtype=np.int64)
    ids[:, :2], ids[2, 3] = 1, 70000
    ids = ids if pixels is None else pixels
    colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
    path = root / "annotations/panoptic_val2017/a.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(colours).convert(mode).save(path)
    document = {
        "images": [{"id": 5, "file_name": "a.jpg", "width": 4, "height": 3}],
        "annotations": [{"image_id": 5, "file_name": "a.png", "segments_info": segments, **entry}],
        "categories": [
            {"id": 1, "name": "sky", "isthing": 0, "color": [1, 2, 3]},
            {"id": 9, "name": "cat", "isthing": 1},
        ],
    }
    (root / "annotations/panoptic_val2017.json").write_text(json.dumps(document))
    return root


SKY = {"id": 1, "category_id": 1, "iscrowd": 0, "bbox": [0, 0, 2, 3], "area": 6}
CAT = {"id": 70000, "category_id": 9, "iscrowd": 1, "bbox": [3, 2, 1, 1], "area": 1}


def small(findings):
    """Findings without the one that images of our size are small."""
    return {code: count for code, count in codes(findings).items() if code != "image_too_small"}


def test_segments_become_masks(tmp_path):
    root = panoptic(tmp_path, [SKY, CAT])
    assert formats.detect(root)[0] == "coco_panoptic"
    table, findings = coco_panoptic.read(root)
    assert small(findings) == {}
    assert table.images[["key", "split"]].to_numpy().tolist() == [["val2017/a.jpg", "val"]]
    assert table.annotations["kind"].tolist() == ["mask", "mask"]
    assert shapes(table) == [[0, 6, 6], [11, 1]]
    assert table.boxes.tolist() == [[0, 0, 2, 3], [3, 2, 4, 3]]
    assert [json.loads(a) for a in table.annotations["attributes"]] == [
        {"coco_id": 1},
        {"coco_id": 70000, "iscrowd": 1},
    ]
    assert (table.classes, table.class_ids) == (["sky", "cat"], [1, 9])
    assert table.class_attributes[0] == {"isthing": 0, "color": [1, 2, 3]}


W = "annotations/panoptic_val2017.json:annotations[0]"


@pytest.mark.parametrize(
    ("segments", "more", "code", "where"),
    [
        ([SKY], {}, "panoptic_segment_unlisted", "annotations/panoptic_val2017/a.png: 70000"),
        ([SKY, CAT, {**CAT, "id": 3}], {}, "panoptic_segment_missing", f"{W}.segments_info[2].id: 3"),
        ([SKY, CAT, CAT], {}, "panoptic_segment_missing", f"{W}.segments_info[2].id"),
        ([SKY, {**CAT, "category_id": 4}], {}, "coco_category_unknown", f"{W}.segments_info[1].category_id: 4"),
        ([SKY, {"id": 70000}], {}, "coco_value_invalid", f"{W}.segments_info[1]: Object missing"),
        ([SKY, CAT], {"image_id": 8}, "coco_image_unknown", f"{W}.image_id: 8"),
        ([SKY, CAT], {"file_name": "b.png"}, "image_missing", f"{W}.file_name: b.png"),
        ([SKY, CAT], {"file_name": "../../val2017/a.jpg"}, "image_missing", f"{W}.file_name"),
        ([SKY, CAT], {"mode": "L"}, "panoptic_not_coloured", "annotations/panoptic_val2017/a.png: L"),
        (
            [SKY, CAT],
            {"pixels": np.ones((4, 4), dtype=np.int64)},
            "mask_size_mismatch",
            "annotations/panoptic_val2017/a.png",
        ),
    ],
)
def test_bad_segments_are_reported_with_their_place(tmp_path, segments, more, code, where):
    _, findings = coco_panoptic.read(panoptic(tmp_path, segments, **more))
    assert small(findings) == {code: 1}
    assert next(f for f in findings if f.code == code).examples[0].startswith(where)


def test_a_broken_png_of_segments(tmp_path):
    root = panoptic(tmp_path, [SKY, CAT])
    path = root / "annotations/panoptic_val2017/a.png"
    for data in (b"", b"no picture", path.read_bytes()[:45]):
        path.write_bytes(data)
        assert small(coco_panoptic.read(root)[1]) == {"mask_unreadable": 1}


def test_panoptic_beside_instances(tmp_path):
    root = panoptic(tmp_path, [SKY, CAT])
    save(root, content(item(), images=[{"id": 5, "file_name": "a.jpg", "width": 4, "height": 3}]),
         "annotations/instances_val2017.json", "train2017/b.png")  # fmt: skip
    assert formats.detect(root)[0] == "coco"
    table, findings = coco_panoptic.read(root)
    assert small(findings) == {"files_ignored": 1, "image_unlisted": 1}
    assert len(table.annotations) == 2
    table, findings = coco.read(root)
    assert len(table.annotations) == 1
    assert "files_ignored" in codes(findings)


def test_a_format_for_import_only_has_no_writer():
    assert not hasattr(coco_panoptic, "write")
    with pytest.raises(DataError):
        formats.get("coco_nothing")
