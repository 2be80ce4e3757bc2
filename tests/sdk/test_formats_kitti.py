"""KITTI: lines, splits, and the way there and back."""

from __future__ import annotations

import json

import pytest

from retinue_sdk.formats import kitti
from retinue_sdk.table import make_table
from tests.sdk.checks import codes
from tests.sdk.drawn import box_table, draw
from tests.sdk.text_labels import BARE, CAR, cars, labelled


def test_kitti_boxes_and_their_attributes(tmp_path):
    table, findings = kitti.read(cars(tmp_path, f"{CAR}\n{BARE}\n{CAR} 0.75\n"))
    assert findings == []
    assert table.splits == {"train": 2}
    assert table.boxes[0].tolist() == [10, 12.5, 30, 40]
    first, bare, scored = (json.loads(text or "{}") for text in table.annotations["attributes"][:3])
    assert first == {
        "truncated": 0, "occluded": 1, "alpha": -1.58, "height": 1.5, "width": 1.6, "length": 3.7,
        "x": -0.65, "y": 1.71, "z": 46.7, "rotation_y": -1.59,
    }  # fmt: skip
    assert bare == {}
    assert scored == {**first, "score": 0.75}


@pytest.mark.parametrize(
    ("line", "code", "rows"),
    [
        (CAR.replace(" -1.59", ""), "kitti_columns", 1),
        (f"{CAR} 1 2", "kitti_columns", 1),
        ("0 0.5 0.5 0.2 0.2", "kitti_columns", 1),
        (CAR.replace("12.5", "x"), "label_not_a_number", 1),
        (CAR.replace("12.5", "12,5"), "label_not_a_number", 1),
        (CAR.replace("12.5", "NaN"), "label_not_a_number", 1),
        (CAR.replace("46.7", "inf"), "label_not_a_number", 1),
        (CAR.replace("10 12.5 30 40", "30 12.5 10 40"), "box_negative_size", 1),
        (CAR.replace("10 12.5 30 40", "10 12.5 10 40"), "box_zero_area", 2),
        (CAR.replace("10 12.5 30 40", "10 12.5 300 40"), "box_outside_image", 2),
        (BARE.replace("Car", "DontCare"), "kitti_dont_care", 2),
        (CAR, "label_duplicate", 2),
        ("  ", None, 1),
    ],
)
def test_lines_of_kitti(tmp_path, line, code, rows):
    table, findings = kitti.read(cars(tmp_path, f"{CAR}\r\n{line}\r\n"))
    assert codes(findings) == ({code: 1} if code else {})
    assert all(f.examples[0].startswith("training/label_2/a.txt:2") for f in findings)
    assert len(table.annotations) == rows + 1


def test_splits_of_kitti(tmp_path):
    root = labelled(tmp_path, "training/image_2", "training/label_2", dict.fromkeys("abc", CAR))
    draw(root / "testing/image_2/a.png", shade=7)
    draw(root / "training/image_3/a.png", shade=8)
    table, findings = kitti.read(root)
    assert table.splits == {"train": 3, "test": 1}
    assert codes(findings) == {"image_without_label": 1, "files_ignored": 1}
    (root / "ImageSets").mkdir()
    (root / "ImageSets/train.txt").write_text("a\n")
    (root / "ImageSets/val.txt").write_text("b\na\nghost\n../a\n")
    table, findings = kitti.read(root)
    assert table.splits == {"train": 1, "val": 1, "test": 1}
    assert codes(findings) == {
        "image_without_label": 1, "files_ignored": 1, "image_unlisted": 1, "image_missing": 2, "split_overlap": 1,
    }  # fmt: skip


def test_kitti_there_and_back(tmp_path):
    root = labelled(
        tmp_path / "in", "training/image_2", "training/label_2", {"a": f"{CAR}\n{BARE}\n{CAR} 0.5", "b": CAR, "c": ""}
    )
    labelled(root, "testing/image_2", "testing/label_2", {"a": BARE.replace("Car", "Van")})
    (root / "ImageSets").mkdir()
    (root / "ImageSets/train.txt").write_text("a\nc\n")
    (root / "ImageSets/val.txt").write_text("b\n")
    table, findings = kitti.read(root)
    assert findings == []
    assert kitti.write(table, tmp_path / "out") == []
    again, findings = kitti.read(tmp_path / "out")
    assert findings == []
    assert again.splits == table.splits == {"train": 2, "val": 1, "test": 1}
    assert sorted(again.boxes.tolist()) == sorted(table.boxes.tolist())
    for name in ("class_id", "attributes"):
        assert sorted(again.annotations[name]) == sorted(table.annotations[name])


def test_what_kitti_cannot_hold_is_said(tmp_path):
    attributes = ['{"occluded":"1"}', '{"colour":"red"}', '{"truncated":true}', ""]
    table = box_table(tmp_path / "in")
    table = make_table(
        {name: table.images[name] for name in ("key", "path", "width", "height")},
        table.annotations.assign(attributes=attributes),
        ["traffic light", "traffic_light"],
    )
    assert codes(kitti.write(table, tmp_path / "out")) == {
        "loss_attributes": 2, "loss_attribute_types": 1, "loss_split": 3, "loss_class_names": 1,
    }  # fmt: skip
    again, findings = kitti.read(tmp_path / "out")
    assert findings == []
    assert again.classes == ["traffic_light", "traffic_light_0"]
    assert sorted(again.annotations["attributes"]) == ["", "", "", '{"occluded":1}']
    assert again.splits == {"train": 3}
