"""DOTA: lines, layouts, and the way there and back."""

from __future__ import annotations

import numpy as np
import pytest

from retinue_sdk.formats import dota
from tests.sdk.checks import codes
from tests.sdk.drawn import box_table, draw
from tests.sdk.samples import sample
from tests.sdk.text_labels import SHIP, labelled, ships


def test_dota_boxes_and_what_is_said_of_images(tmp_path):
    text = f"imagesource:GoogleEarth\ngsd:0.146\n\n{SHIP}\r\n1.5 1 9 1 9 5 1.5 5 small-vehicle 0\n"
    table, findings = dota.read(labelled(tmp_path, "images", "labelTxt", {"a": text, "b": "gsd:null\n"}))
    assert findings == []
    assert table.classes == ["ship", "small-vehicle"]
    assert table.images["attributes"].tolist() == ['{"gsd":0.146,"imagesource":"GoogleEarth"}', ""]
    assert table.annotations["attributes"].tolist() == ['{"difficult":1}', ""]
    assert table.annotations["line"].tolist() == [4, 5]
    assert table.coordinates()[0].tolist() == [10, 10, 30, 12, 29, 22, 9, 20, 1.5, 1, 9, 1, 9, 5, 1.5, 5]
    assert table.boxes.tolist() == [[9, 10, 30, 22], [1.5, 1, 9, 5]]


@pytest.mark.parametrize(
    ("images", "labels", "split"),
    [
        ("train/images/{}.png", "train/labelTxt/{}.txt", "train"),
        ("images/val/{}.png", "labelTxt/val/{}.txt", "val"),
        ("images/{}.png", "labelTxt/{}.txt", ""),
        ("val/images/{}.png", "val/labelTxt-v1.5/DOTA-v1.5_val/{}.txt", "val"),
        ("train/images/{}.png", "train/labelTxt-v1.0/labelTxt/{}.txt", "train"),
    ],
)
def test_layouts_of_dota(tmp_path, images, labels, split):
    root = labelled(tmp_path, images, labels, {"P0000": SHIP})
    assert dota.sniff(root) >= 0.9
    table, findings = dota.read(root)
    assert findings == []
    assert (table.splits, len(table.annotations)) == ({split: 1}, 1)


def test_of_two_versions_of_labels_the_later_counts(tmp_path):
    root = labelled(tmp_path, "train/images", "train/labelTxt-v1.0", {"a": SHIP})
    labelled(tmp_path, "train/images", "train/labelTxt-v1.5", {"a": SHIP + "\n" + SHIP.replace("ship", "plane")})
    table, findings = dota.read(root)
    assert codes(findings) == {"files_ignored": 1}
    assert table.classes == ["plane", "ship"]


@pytest.mark.parametrize(
    ("line", "code", "rows"),
    [
        ("10 10 30 12 29 22 9 20", "dota_columns", 1),
        ("0 10 10 30 12 29 22", "dota_columns", 1),
        (f"{SHIP} 5", "dota_columns", 1),
        ("10 10 30 12 29 22 9 x ship 0", "label_not_a_number", 1),
        ("10 10 30 12 29 22 9 1,5 ship 0", "label_not_a_number", 1),
        ("10 10 30 12 29 22 9 nan ship 0", "label_not_a_number", 1),
        ("10 10 30 12 29 22 9 1e400 ship 0", "label_not_a_number", 1),
        ("10 10 30 12 29 22 9 2_0 ship 0", "label_not_a_number", 1),
        ("10 10 30 12 29 22 9 \u0660 ship 0", "label_not_a_number", 1),
        ("10 10 30 12 29 22 9 20 ship hard", "label_not_a_number", 1),
        ("5 5 5 5 5 5 5 5 ship 0", "box_zero_area", 2),
        ("10 10 30 22 30 10 10 22 ship 0", "obb_order", 2),
        ("10 10 300 12 299 22 9 20 ship 0", "box_outside_image", 2),
        (SHIP, "label_duplicate", 2),
        ("", None, 1),
        ("9 20 29 22 30 12 10 10 ship", None, 2),
    ],
)
def test_lines_of_dota(tmp_path, line, code, rows):
    table, findings = dota.read(ships(tmp_path, f"{SHIP}\n{line}\n"))
    assert codes(findings) == ({code: 1} if code else {})
    assert all(f.examples[0].startswith("train/labelTxt/a.txt:2") for f in findings)
    assert len(table.annotations) == rows + 1


def test_dota_there_and_back(tmp_path):
    text = f"imagesource:GoogleEarth\ngsd:0.146343590398\n{SHIP}\n1.25 1 9 1 9 5.123456 1.25 5 plane 2\n"
    root = labelled(tmp_path / "in", "val/images", "val/labelTxt", {"a": text, "b": ""})
    draw(root / "images/c.png", shade=9)
    table, _ = dota.read(root)
    assert dota.write(table, tmp_path / "out") == []
    again, findings = dota.read(tmp_path / "out")
    assert findings == []
    assert again.splits == {"val": 2, "": 1}
    for name in ("class_id", "attributes", "kind"):
        assert again.annotations[name].tolist() == table.annotations[name].tolist()
    assert sorted(again.images["attributes"]) == sorted(table.images["attributes"])
    assert np.allclose(again.coordinates()[0], table.coordinates()[0], rtol=0, atol=1e-7)


def test_what_dota_cannot_hold_is_said(tmp_path):
    table = sample("obb", tmp_path / "in")
    assert codes(dota.write(table, tmp_path / "out")) == {
        "loss_attributes": 1, "loss_image_attributes": 5, "loss_class_attributes": 3, "loss_group": 5,
        "loss_class_ids": 3, "loss_class_order": 3, "loss_class_names": 1,
    }  # fmt: skip
    assert dota.read(tmp_path / "out")[0].classes == ["bird", "cat", "hot-dog"]
    assert codes(dota.write(box_table(tmp_path / "boxes"), tmp_path / "out2")) == {"loss_form": 4}
