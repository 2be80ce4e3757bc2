"""YOLO detection: layouts, a table of bad lines and their codes, bad YAML, and the way there and back."""

from __future__ import annotations

import time

import numpy as np
import pytest

from retinue_sdk import formats
from retinue_sdk.errors import DataError
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


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("0 0.5 0.5 0.2", "label_columns"),
        ("0 0.5 0.5 0.2 0.2 0.9", "label_columns"),
        ("0 0.1 0.1 0.4 0.1 0.4 0.4", "label_columns"),
        ("0 half 0.5 0.2 0.2", "label_not_a_number"),
        ("cat 0.5 0.5 0.2 0.2", "label_not_a_number"),
        ("0 0,5 0,5 0,2 0,2", "label_not_a_number"),
        ("0 0_5 0.5 0.2 0.2", "label_not_a_number"),
        ("0 \u0660 0.5 0.2 0.2", "label_not_a_number"),
        ("0 nan 0.5 0.2 0.2", "label_not_finite"),
        ("0 inf 0.5 0.2 0.2", "label_not_finite"),
        ("0 1e400 0.5 0.2 0.2", "label_not_finite"),
        ("1.5 0.5 0.5 0.2 0.2", "class_not_an_integer"),
        ("2 0.5 0.5 0.2 0.2", "class_out_of_range"),
        ("-1 0.5 0.5 0.2 0.2", "class_out_of_range"),
        ("0 32 24 10 10", "coordinate_in_pixels"),
        ("0 1.02 0.5 0.2 0.2", "coordinate_out_of_range"),
        ("0 -0.02 0.5 0.2 0.2", "coordinate_out_of_range"),
        ("0 0.5 0.5 -0.2 0.2", "box_negative_size"),
    ],
)
def test_a_bad_line_blocks_with_its_place_and_value(tmp_path, line, code):
    root = yolo(tmp_path, {"images/train/a.png": GOOD + line, "images/val/b.png": GOOD})
    table, findings = yolo_detect.read(root)
    assert [(f.code, f.severity, f.count) for f in findings] == [(code, "error", 1)]
    assert findings[0].examples == [f"labels/train/a.txt:2: {line}"]
    assert len(table.annotations) == 2


@pytest.mark.parametrize(
    ("line", "code"),
    [("0 0.5 0.5 0 0.2", "box_zero_area"), ("0 0.5 0.5 0.2 0", "box_zero_area"), (GOOD.strip(), "label_duplicate")],
)
def test_what_can_be_lived_with_warns_and_stays(tmp_path, line, code):
    table, findings = yolo_detect.read(yolo(tmp_path, {"images/train/a.png": GOOD + line, "images/val/b.png": GOOD}))
    assert [(f.code, f.severity, f.examples) for f in findings] == [
        (code, "warning", [f"labels/train/a.txt:2: {line}"])
    ]
    assert len(table.annotations) == 3


def test_rounding_over_the_border_is_accepted(tmp_path):
    _, findings = yolo_detect.read(
        yolo(tmp_path, {"images/train/a.png": "0 1.005 -0.005 0.2 0.2", "images/val/b.png": GOOD})
    )
    assert findings == []


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (GOOD.encode("utf-16"), "label_unreadable"),
        (b"0 0.5\0 0.5 0.2 0.2", "label_unreadable"),
        (b"\xff\xfe\x00", "label_unreadable"),
        (b"\xef\xbb\xbf" + GOOD.encode(), None),
    ],
)
def test_encodings_of_a_label_file(tmp_path, content, code):
    root = yolo(tmp_path, {"images/train/a.png": "", "images/val/b.png": GOOD})
    (root / "labels/train/a.txt").write_bytes(content)
    table, findings = yolo_detect.read(root)
    assert [f.code for f in findings] == ([code] if code else [])
    assert len(table.annotations) == (1 if code else 2)


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


# --- data.yaml ------------------------------------------------------------------------------------------------------------

PATHS = "train: images/train\nval: images/val\n"


@pytest.mark.parametrize(
    ("config", "code"),
    [
        (PATHS + "names: [cat]\npath: /data/set\n", "yaml_path_escapes"),
        (PATHS + "names: [cat]\npath: ../other\n", "yaml_path_escapes"),
        (PATHS + "names: [cat]\npath: a/../../b\n", "yaml_path_escapes"),
        (PATHS + "names: [cat]\npath: 'C:\\data'\n", "yaml_path_escapes"),
        (PATHS + "names: [cat]\npath: https://x.org/a.zip\n", "yaml_path_escapes"),
        ("train: ../../secret\nnames: [cat]\n", "yaml_path_escapes"),
        ("train: /etc\nnames: [cat]\n", "yaml_path_escapes"),
        ("train: images/nowhere\nnames: [cat]\n", "yaml_path_missing"),
        ("train: {a: b}\nnames: [cat]\n", "yaml_invalid"),
        (PATHS + "names: &x [cat]\nother: *x\n", "yaml_alias_forbidden"),
        (PATHS + "names: [cat]\nnames: [dog]\n", "yaml_key_duplicate"),
        (PATHS + "names: {0: cat, 00: dog}\n", "yaml_key_duplicate"),
        (PATHS + "names: !!python/object/apply:os.system ['touch canary']\n", "yaml_invalid"),
        (PATHS + "names: [cat\n", "yaml_invalid"),
        (PATHS + "names:\n\t- cat\n", "yaml_invalid"),
        (PATHS + "names: " + "[" * 2000 + "]" * 2000, "yaml_invalid"),
        (PATHS, "yaml_invalid"),
        (PATHS + "names: 5\n", "yaml_invalid"),
        (PATHS + "names: {cat: 0}\n", "yaml_invalid"),
        (PATHS + "names: [cat]\nnc: many\n", "yaml_invalid"),
        ("- a\n- b\n", "yaml_invalid"),
        ("#" * 1_000_001, "yaml_too_large"),
    ],
)
def test_a_yaml_that_cannot_be_used_is_refused(tmp_path, monkeypatch, config, code):
    monkeypatch.chdir(tmp_path)
    root = yolo(tmp_path / "data", {"images/train/a.png": GOOD, "images/val/b.png": GOOD}, config)
    with pytest.raises(DataError) as caught:
        yolo_detect.read(root)
    problem = caught.value.problem
    assert problem.code == code
    assert problem.where.startswith("data.yaml")
    assert problem.hint
    assert not (tmp_path / "canary").exists()
    assert formats.detect(root)[0] == "yolo_detect"


def test_a_yaml_in_another_encoding_is_refused(tmp_path):
    root = yolo(tmp_path, {"images/train/a.png": GOOD})
    (root / "data.yaml").write_bytes(b"names: [caf\xe9]")
    with pytest.raises(DataError, match="UTF-8"):
        yolo_detect.read(root)


@pytest.mark.parametrize(
    ("extra", "found"),
    [
        ("download: |\n  import os\n  os.system('touch canary')\n", {"yaml_download_dropped": 1}),
        ("licence: MIT\nkpt_shape: [1, 2]\n", {"yaml_unknown_key": 2}),
        ("path: coco8\n", {"yaml_path_corrected": 1}),
        ("nc: 3\n", {"yaml_count_wrong": 1}),
        ("nc: 2\n", {}),
    ],
)
def test_a_yaml_that_can_be_lived_with_is_reported(tmp_path, monkeypatch, extra, found):
    monkeypatch.chdir(tmp_path)
    root = yolo(
        tmp_path / "data", {"images/train/a.png": GOOD, "images/val/b.png": GOOD}, PATHS + "names: [cat, dog]\n" + extra
    )
    table, findings = yolo_detect.read(root)
    assert codes(findings) == found
    assert len(table) == 2
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("names", "classes", "found"),
    [
        ("[no, on, 1:30, 007, null]", ["no", "on", "1:30", "007", "null"], {"class_name_ambiguous": 5}),
        ("['no', \"on\", '1:30', '007', 'null']", ["no", "on", "1:30", "007", "null"], {}),
        ("[cat, Cat]", ["cat", "Cat"], {"class_name_similar": 1}),
        ("[cat, cat]", ["cat", "cat #1"], {"class_name_duplicate": 1}),
        ("[cat, '']", ["cat", ""], {"class_name_invalid": 1}),
        ('["a\\nb", "<script>"]', ["a\nb", "<script>"], {"class_name_invalid": 1}),
        ('["abc\\u202Edef"]', ["abc\u202edef"], {"class_name_invalid": 1}),
    ],
)
def test_names_are_text_as_written(tmp_path, names, classes, found):
    table, findings = yolo_detect.read(
        yolo(tmp_path, {"images/train/a.png": GOOD, "images/val/b.png": GOOD}, f"{PATHS}names: {names}")
    )
    assert table.classes == classes
    assert codes(findings) == found
    assert all(line.isprintable() for f in findings for line in f.examples)


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
