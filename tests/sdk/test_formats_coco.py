"""What is read of COCO: layouts, kinds of shapes, attributes and categories."""

from __future__ import annotations

import gc
import json

import numpy as np
import pytest

from retinue_sdk import formats, geometry
from retinue_sdk.errors import DataError
from retinue_sdk.formats import coco, coco_json, coco_panoptic, coco_records
from tests.sdk.checks import codes
from tests.sdk.coco_files import CATEGORIES, RUNS, SIZE, SQUARE, TRIANGLE, content, item, read_only, save, shapes
from tests.sdk.drawn import draw


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
    assert table.images["key"].tolist() == ["train/a.png", "train/b.png"]
    said = json.loads(table.images["attributes"][1])
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


def test_a_file_is_read_without_its_images(tmp_path):
    table, findings = read_only(tmp_path, content(item(segmentation=[TRIANGLE])))
    assert findings == []
    assert table.images[["key", "path", "width", "height", "split"]].to_numpy().tolist() == [
        ["a.png", "", 64, 48, "val"]
    ]
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png", "width": 10**6, "height": 10**6}]
    assert codes(read_only(tmp_path, content(images=images))[1]) == {"coco_value_invalid": 1, "image_too_large": 1}


def test_annotations_in_any_order_and_many_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(coco_records, "PART", 300)
    images = [{"id": n, "file_name": f"{n}.jpg", **SIZE} for n in (3, 1, 2)]
    rng = np.random.default_rng(0)
    order = rng.permutation(40)
    boxes = [item(int(n), image_id=int(n % 3 + 1), segmentation=[[float(n), *TRIANGLE[1:]]]) for n in order]
    boxes[7]["note"] = 'a key ": in a part of its own'
    table, findings = read_only(tmp_path, content(*boxes, images=images))
    assert findings == []
    ids = [json.loads(text)["coco_id"] for text in table.annotations["attributes"]]
    assert [shape[0] for shape in shapes(table)] == ids
    assert [n % 3 + 1 for n in ids] == [{0: 1, 1: 2, 2: 3}[row] for row in table.annotations["image"]]
    assert sorted(ids) == list(range(40))


def test_a_file_without_annotations_lists_images_only(tmp_path):
    document = content()
    del document["annotations"]
    table, findings = coco.read(save(tmp_path, document, "annotations/image_info_test2017.json", "test2017/a.png"))
    assert codes(findings) == {"coco_without_annotations": 1}
    assert table.splits == {"test": 1}


def test_garbage_is_collected_again_afterwards(tmp_path):
    assert gc.isenabled()
    read_only(tmp_path, content(item(), item(bbox="x")))
    assert gc.isenabled()
    with coco_json.without_gc():
        assert not gc.isenabled()
    assert gc.isenabled()


# --- detection ------------------------------------------------------------------------------------------------------------


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


def test_a_format_for_import_only_has_no_writer():
    assert not hasattr(coco_panoptic, "write")
    with pytest.raises(DataError):
        formats.get("coco_nothing")
