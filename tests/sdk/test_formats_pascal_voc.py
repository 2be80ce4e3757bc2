"""Pascal VOC boxes: numbers, splits and attributes, bad XML, and the way there and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from retinue_sdk.formats import pascal_voc, yolo_detect
from tests.sdk.checks import codes
from tests.sdk.drawn import box_table, draw, voc, voc_object


def test_voc_numbers_splits_and_attributes_are_kept(tmp_path):
    body = voc_object("dog", 1, 1, "10.5", 20, extra="<difficult>1</difficult>") + "\n" + voc_object("cat", 3, 4, 5, 6)
    root = voc(
        tmp_path / "VOC2007",
        {"a": body, "b": "", "c": ""},
        {"train": ["a"], "val": ["b"], "test": ["c"], "trainval": ["a", "b"]},
    )
    table, findings = pascal_voc.read(tmp_path)
    assert findings == []
    assert root.name == "VOC2007"
    assert table.splits == {"train": 1, "val": 1, "test": 1}
    assert table.classes == ["cat", "dog"]
    assert table.boxes.tolist() == [[1, 1, 10.5, 20], [3, 4, 5, 6]]
    assert table.annotations["line"].tolist() == [4, 5]
    assert table.annotations["attributes"].tolist() == ['{"difficult":"1"}', ""]


def test_voc_images_documents_and_lists_that_miss_each_other(tmp_path):
    root = voc(
        tmp_path, {"a": voc_object("cat", 1, 1, 5, 5), "b": ""}, {"train": ["a", "gone"], "val": ["a", "lonely"]}
    )
    draw(root / "JPEGImages/lonely.jpg", shade=9)
    (root / "Annotations/ghost.xml").write_text("<annotation/>")
    table, findings = pascal_voc.read(root)
    assert codes(findings) == {
        "image_missing": 1,
        "split_overlap": 1,
        "image_unlisted": 1,
        "label_without_image": 1,
        "image_without_label": 1,
    }
    assert table.splits == {"train": 1, "val": 1}


def test_files_beside_their_images_with_splits_by_folder(tmp_path):
    for split in ("train", "valid", "test"):
        draw(tmp_path / split / "a.jpg")
        text = f"<annotation><filename>a.jpg</filename>{voc_object(split, 1, 2, 3, 4)}</annotation>"
        (tmp_path / split / "a.xml").write_text(text)
    (tmp_path / "README.roboflow.txt").write_text("x")
    table, findings = pascal_voc.read(tmp_path)
    assert findings == []
    assert table.splits == {"train": 1, "val": 1, "test": 1}
    assert [table.classes[i] for i in table.annotations["class_id"]] == ["test", "train", "valid"]


# --- the way back ---------------------------------------------------------------------------------------------------------


def test_voc_there_and_back(tmp_path):
    table = box_table(tmp_path / "source")
    assert pascal_voc.write(table, tmp_path / "out") == []
    again, findings = pascal_voc.read(tmp_path / "out")
    assert findings == []
    assert (again.classes, again.splits) == (table.classes, table.splits)
    assert sorted(map(tuple, again.boxes)) == sorted(map(tuple, table.boxes))
    assert sorted(again.annotations["attributes"]) == sorted(table.annotations["attributes"])


def test_voc_keeps_attributes_that_can_be_tags_and_images_without_a_split(tmp_path):
    table = box_table(tmp_path / "source")
    said = ['{"difficult":"1","pose":"left & up"}', '{"a b":1}', '{"parts":[1]}', '{"name":"x","note":" y"}']
    table = replace(
        table,
        annotations=table.annotations.assign(attributes=said, class_id=[0, 0, 0, -1]),
        images=table.images.assign(split=["train", "", "val"]),
    )
    losses = {"loss_attributes": 2, "loss_unclassed": 1, "loss_class_unused": 1}
    assert codes(pascal_voc.write(table, tmp_path / "out")) == losses
    again, findings = pascal_voc.read(tmp_path / "out")
    assert findings == []
    assert again.splits == table.splits
    assert sorted(again.annotations["attributes"]) == ["", "", said[0]]


def test_voc_attributes_are_text(tmp_path):
    table = box_table(tmp_path / "source")
    said = ['{"occluded":1}', '{"difficult":"1","score":0.5}', '{"difficult":"0"}', ""]
    table = replace(table, annotations=table.annotations.assign(attributes=said))
    assert codes(pascal_voc.write(table, tmp_path / "out")) == {"loss_attribute_types": 2}
    again, findings = pascal_voc.read(tmp_path / "out")
    assert findings == []
    text = ['{"occluded":"1"}', '{"difficult":"1","score":"0.5"}', '{"difficult":"0"}', ""]
    assert sorted(again.annotations["attributes"]) == sorted(text)


def test_boxes_travel_from_voc_to_yolo(tmp_path):
    table, _ = pascal_voc.read(voc(tmp_path / "in", {"a": voc_object("cat", 1, 2, 31, 42)}, {"train": ["a"]}))
    yolo_detect.write(table, tmp_path / "out")
    np.testing.assert_allclose(yolo_detect.read(tmp_path / "out")[0].boxes, [[1, 2, 31, 42]], atol=1e-9)
