"""Cityscapes: labels, cities and splits, and polygons that are wrong."""

from __future__ import annotations

import json

import pytest

from retinue_sdk.formats import cityscapes
from tests.sdk.checks import codes
from tests.sdk.drawn import draw
from tests.sdk.mask_folders import city, indexes, said


def thing(label, *corners, **more):
    return {"label": label, "polygon": [list(corner) for corner in corners], **more}


TRIANGLE = ((1, 1), (9, 1), (5, 9))


def test_cityscapes_labels_cities_and_splits(tmp_path):
    polygons = {"objects": [thing("road", *TRIANGLE), thing("cargroup", *TRIANGLE), thing("license plate", *TRIANGLE)]}
    table, findings = cityscapes.read(city(tmp_path, indexes((26, 1, 1, 5, 5)), polygons))
    assert codes(findings) == {"cityscapes_left_out": 1}
    assert table.class_ids == list(range(34))
    assert (table.classes[0], table.classes[7], table.classes[33]) == ("unlabeled", "road", "bicycle")
    assert table.class_attributes[26] == {"supercategory": "vehicle"}
    assert table.images["group"].tolist() == ["ulm", "bonn"]
    assert table.images["split"].tolist() == ["train", "val"]
    assert said(table)[:2] == [(0, "unlabeled", 3072 - 16), (0, "car", 16)]
    assert table.annotations["kind"].tolist() == ["mask", "mask", "polygon", "polygon"]
    assert table.annotations["attributes"].tolist() == ["", "", "", '{"group":1}']


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (json.dumps({"objects": [thing("road", (1, 1), (2, 2))]}), "shape_incomplete"),
        (json.dumps({"objects": [thing("road", (1, 1), (2,), (3, 3))]}), "shape_incomplete"),
        (json.dumps({"objects": [{"label": "road"}]}), "shape_incomplete"),
        (json.dumps({"objects": [thing("dragon", *TRIANGLE)]}), "class_out_of_range"),
        (json.dumps({"objects": [thing("group", *TRIANGLE)]}), "class_out_of_range"),
        (json.dumps({"objects": [{"label": 5, "polygon": TRIANGLE}]}), "class_out_of_range"),
        (json.dumps({"objects": [thing("road", *TRIANGLE, deleted=1)]}), "cityscapes_left_out"),
        (json.dumps({"objects": [thing("road", (1, 1), (900, 1), (5, 9))]}), "box_outside_image"),
        ('{"objects": [NaN]}', "json_invalid"),
        ("[" * 100_000, "json_invalid"),
        ("5", "json_invalid"),
        ('{"objects": [], "objects": []}', "json_key_duplicate"),
    ],
)
def test_bad_polygons_of_cityscapes(tmp_path, content, code):
    root = city(tmp_path)
    (root / "gtFine/val/bonn/bonn_000001_gtFine_polygons.json").write_text(content, encoding="utf-8")
    _, findings = cityscapes.read(root)
    assert codes(findings) == {code: 1}


def test_cityscapes_pairs(tmp_path):
    root = city(tmp_path)
    (root / "leftImg8bit/train/ulm/ulm_000000_leftImg8bit.png").unlink()
    draw(root / "leftImg8bit/test/berlin/berlin_000002_leftImg8bit.png")
    _, findings = cityscapes.read(root)
    assert codes(findings) == {"image_without_label": 1, "label_without_image": 1}
