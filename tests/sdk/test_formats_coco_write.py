"""COCO there and back: ids, areas, holes, and what it cannot hold."""

from __future__ import annotations

import json

import numpy as np

from retinue_sdk import geometry
from retinue_sdk.formats import coco
from retinue_sdk.table import make_table
from tests.sdk.checks import codes
from tests.sdk.coco_files import CATEGORIES, RUNS, SIZE, SQUARE, TRIANGLE, content, item, save, shapes
from tests.sdk.drawn import box_table, draw


def by_id(table):
    """The table with its images in the order of their ids in COCO."""
    return table.select(np.argsort([json.loads(text)["coco_id"] for text in table.images["attributes"]]))


def same(left, right):
    """Two tables that differ in nothing but keys, paths, sources and so in the order of images."""
    left, right = by_id(left), by_id(right)
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
    assert sorted(again.boxes.tolist()) == sorted(table.boxes.tolist())
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
