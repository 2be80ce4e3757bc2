"""YOLO detection: layouts, a table of bad lines and their codes, bad YAML, and the way there and back."""

from __future__ import annotations

import time

import numpy as np
import pytest

from retinue_sdk import formats
from retinue_sdk.formats import yolo_detect
from retinue_sdk.formats.yolo_layout import label_of
from tests.sdk.drawn import box_table, draw, yolo

GOOD = "0 0.5 0.5 0.25 0.5\n"


def codes(findings):
    return {f.code: f.count for f in findings}


def test_boxes_become_pixels_with_their_line(tmp_path):
    root = yolo(
        tmp_path, {"images/train/a.png": "\n1 0.5 0.5 0.25 0.5\r\n  \n0 0.25 0.25 0.1 0.1", "images/val/a.png": ""}
    )
    table, findings = yolo_detect.read(root)
    assert findings == []
    assert table.images["key"].tolist() == ["images/train/a.png", "images/val/a.png"]
    assert table.images["split"].tolist() == ["train", "val"]
    assert table.boxes[0].tolist() == [24, 12, 40, 36]
    assert table.annotations["class_id"].tolist() == [1, 0]
    assert table.annotations["line"].tolist() == [2, 4]
    assert set(table.annotations["source"]) == {"labels/train/a.txt"}


def test_findings_are_counted_per_code_with_ten_examples(tmp_path):
    root = yolo(
        tmp_path, {"images/train/a.png": "5 0.5 0.5 0.1 0.1\n" * 25, "images/val/b.png": "x" * 200 + " 1 1 1 1"}
    )
    _, findings = yolo_detect.read(root)
    found = {f.code: f for f in findings}
    assert found["class_out_of_range"].count == 25
    assert len(found["class_out_of_range"].examples) == 10
    assert len(found["label_not_a_number"].examples[0]) <= 80 + len("labels/val/b.txt:1: ")


def test_images_and_labels_without_each_other_are_counted(tmp_path):
    root = yolo(tmp_path, {"images/train/a.png": GOOD, "images/val/b.png": GOOD})
    draw(root / "images/train/lonely.png", shade=9)
    (root / "labels/train/ghost.txt").write_text(GOOD)
    table, findings = yolo_detect.read(root)
    assert codes(findings) == {"image_without_label": 1, "label_without_image": 1}
    assert len(table) == 3


def test_images_of_one_stem_share_a_label_and_are_reported(tmp_path):
    root = yolo(tmp_path, {"images/train/a.png": GOOD, "images/val/b.png": GOOD})
    draw(root / "images/train/a.bmp", shade=9)
    assert codes(yolo_detect.read(root)[1]) == {"image_same_stem": 1}


# --- layouts --------------------------------------------------------------------------------------------------------------


def layout(root, images, config):
    for number, key in enumerate(images):
        draw(root / key, shade=number)
        label = root / label_of(key)
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(GOOD)
    if config is not None:
        (root / "data.yaml").write_text(config)
    return root


NAMES = "names:\n  0: cat\n"


@pytest.mark.parametrize(
    ("images", "config", "splits"),
    [
        (
            ["images/train/a.png", "images/val/b.png"],
            "path: .\ntrain: images/train\nval: images/val\n" + NAMES,
            {"train": 1, "val": 1},
        ),
        (
            ["train/images/a.png", "valid/images/a.png"],
            "train: train/images\nval: valid/images\n" + NAMES,
            {"train": 1, "val": 1},
        ),
        (
            ["train/images/a.png", "valid/images/a.png"],
            "train: ../train/images\nval: ../valid/images\n" + NAMES,
            {"train": 1, "val": 1},
        ),
        (["train/images/a.png", "test/images/a.png", "val/images/b.png"], None, {"train": 1, "val": 1, "test": 1}),
        (["images/a.png", "images/b.png"], "train: images\nval: images\n" + NAMES, {"": 2}),
        (["images/a.png", "images/b.png"], None, {"": 2}),
        (
            ["images/x/a.png", "images/y/a.png", "images/z/c.png"],
            "train: [images/x, images/y]\nval: images/z\n" + NAMES,
            {"train": 2, "val": 1},
        ),
        (["a.png", "b.png"], NAMES + "train: .", {"train": 2}),
    ],
)
def test_usual_layouts(tmp_path, images, config, splits):
    table, findings = yolo_detect.read(layout(tmp_path, images, config))
    assert table.splits == splits
    assert len(table.annotations) == len(images)
    assert not [f for f in findings if f.severity == "error"]
    assert table.classes == (["cat"] if config else ["class_0"])


def test_lists_of_images(tmp_path):
    layout(tmp_path, ["images/a.png", "images/b.png", "images/c.png"], "train: train.txt\nval: lists/val.txt\n" + NAMES)
    (tmp_path / "lists").mkdir()
    (tmp_path / "train.txt").write_text("./images/a.png\nimages/gone.png\n/etc/passwd\n")
    (tmp_path / "lists/val.txt").write_text("../images/b.png\nimages/a.png\n")
    table, findings = yolo_detect.read(tmp_path)
    assert dict(zip(table.images["key"], table.images["split"], strict=True)) == {
        "images/a.png": "train",
        "images/b.png": "val",
    }
    assert codes(findings) == {
        "image_missing": 1,
        "list_path_escapes": 1,
        "split_overlap": 1,
        "image_unlisted": 1,
        "label_without_image": 1,
    }
    assert next(f for f in findings if f.code == "image_missing").examples == ["train.txt:2: images/gone.png"]


def test_a_wrapping_folder_means_nothing(tmp_path):
    yolo(tmp_path / "inner" / "more", {"images/train/a.png": GOOD, "images/val/b.png": GOOD})
    (tmp_path / "__MACOSX").mkdir()
    assert formats.detect(tmp_path)[0] == "yolo_detect"
    assert yolo_detect.read(tmp_path)[0].images["key"].tolist() == ["images/train/a.png", "images/val/b.png"]


def test_class_ids_with_gaps_are_kept(tmp_path):
    config = "train: images/train\nval: images/val\nnames: {7: dog, 3: cat}\n"
    table, findings = yolo_detect.read(
        yolo(tmp_path, {"images/train/a.png": "7 0.5 0.5 0.1 0.1", "images/val/b.png": "3 0.5 0.5 0.1 0.1"}, config)
    )
    assert findings == []
    assert (table.classes, table.class_ids) == (["cat", "dog"], [3, 7])
    assert table.annotations["class_id"].tolist() == [1, 0]


# --- there and back -------------------------------------------------------------------------------------------------------


def test_written_and_read_again_it_is_the_same(tmp_path):
    table = box_table(tmp_path / "source")
    losses = yolo_detect.write(table, tmp_path / "out")
    assert codes(losses) == {"loss_attributes": 1}
    again, findings = yolo_detect.read(tmp_path / "out")
    assert findings == []
    assert again.classes == table.classes
    assert again.splits == table.splits
    columns = ["class_id", "x1", "y1", "x2", "y2"]
    one, other = (t.annotations[columns].sort_values(columns).to_numpy() for t in (again, table))
    np.testing.assert_allclose(one, other, atol=1e-9)
    assert yolo_detect.write(again, tmp_path / "third") == []
    assert yolo_detect.read(tmp_path / "third")[0].images.drop(columns="path").equals(again.images.drop(columns="path"))


def test_reading_a_million_numbers_takes_seconds(tmp_path):
    text = "".join(f"{i % 2} 0.{i % 900 + 50:03d} 0.5 0.2 0.1{i}\n" for i in range(2000))
    root = yolo(tmp_path, {f"images/train/{i}.png": text for i in range(100)})
    began = time.process_time()
    table, _ = yolo_detect.read(root)
    assert len(table.annotations) == 200_000
    assert time.process_time() - began < 6
