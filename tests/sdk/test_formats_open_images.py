"""Open Images: boxes, labels and names, bad rows, and splits in the names of files."""

from __future__ import annotations

import pytest

from retinue_sdk.formats import open_images
from tests.sdk.checks import codes
from tests.sdk.drawn import draw
from tests.sdk.text_labels import BOX, HEADER, pictures


def test_open_images_boxes_labels_and_names(tmp_path):
    boxes = BOX + "b,activemil,/m/02,0.5,0,1,0,1,1,0,1,1,1\nelsewhere,xclick,/m/02,1,0,1,0,1,0,0,0,0,0\n"
    labels = "a,verification,/m/02,1\nb,verification,/m/01,0\nelsewhere,verification,/m/01,1\n"
    table, findings = open_images.read(pictures(tmp_path, boxes, labels))
    assert codes(findings) == {"label_without_image": 2, "label_absent": 1}
    assert (table.classes, table.class_attributes) == (["Cat", "Dog"], [{"id": "/m/01"}, {"id": "/m/02"}])
    assert table.splits == {"train": 2}
    rows = table.annotations.sort_values(["kind", "image"])
    assert rows["kind"].tolist() == ["box", "box", "class"]
    assert rows["class_id"].tolist() == [0, 1, 1]
    assert rows["line"].tolist() == [2, 3, 2]
    assert rows[["x1", "y1", "x2", "y2"]].to_numpy()[:2].tolist() == [[16, 24, 32, 36], [0, 0, 64, 48]]
    assert rows["attributes"].tolist() == [
        '{"source":"xclick","truncated":1}',
        '{"confidence":0.5,"depiction":1,"group":1,"inside":1,"occluded":1,"source":"activemil"}',
        '{"source":"verification"}',
    ]


@pytest.mark.parametrize(
    ("row", "code", "rows"),
    [
        ("a,x,/m/01,1,0.1,0.2,0.1\n", "csv_columns", 1),
        (BOX.replace("\n", ",9\n"), "csv_columns", 1),
        (BOX.replace("0.25", "x"), "label_not_a_number", 1),
        (BOX.replace("0.25", ""), "label_not_a_number", 1),
        (BOX.replace("0.25", "nan"), "label_not_a_number", 1),
        (BOX.replace("0.25", "1e400"), "label_not_a_number", 1),
        (BOX.replace("0.25", "0_1"), "label_not_a_number", 1),
        (BOX.replace("0.25", "\u0660"), "label_not_a_number", 1),
        (BOX.replace("0.25", "-0.02"), "coordinate_out_of_range", 1),
        (BOX.replace("0.5,0.5,0.75", "64,24,36"), "coordinate_out_of_range", 1),
        (BOX.replace("0.25", "0.6"), "box_negative_size", 1),
        (BOX.replace("0.25", "0.5"), "box_zero_area", 2),
        (BOX, "label_duplicate", 2),
        (BOX.replace("a,", "c,", 1), "label_without_image", 1),
        (BOX.replace("/m/01", "/m/09"), "class_not_described", 2),
        (BOX.replace("xclick", '"' + "x" * 140_000 + '"'), "row_unreadable", 0),
        (BOX.replace("xclick", "\ud800"), "rows_unreadable", 0),
        ("\n", None, 1),
    ],
)
def test_rows_of_open_images(tmp_path, row, code, rows):
    root = pictures(tmp_path, BOX + row, names="/m/01,Cat\n")
    (root / "train/b.jpg").unlink()
    table, findings = open_images.read(root)
    found = codes(findings)
    found.pop("image_without_label", 0)
    assert found == ({code: 1} if code else {})
    assert len(table.annotations) == rows


def test_what_repeats_is_counted_with_few_examples(tmp_path):
    _, findings = open_images.read(pictures(tmp_path, BOX.replace("0.25", "x") * 30 + BOX * 31))
    assert codes(findings) == {"label_not_a_number": 30, "label_duplicate": 30, "image_without_label": 1}
    assert len(findings[0].examples) == 10


def test_names_of_open_images(tmp_path):
    boxes = BOX + BOX.replace("/m/01", "/m/02") + BOX.replace("/m/01", "Bird")
    table, _ = open_images.read(
        pictures(tmp_path / "same", boxes, names="LabelName,DisplayName\n/m/01,Cat\n/m/02,Cat\n")
    )
    assert table.classes == ["Bird", "Cat (/m/01)", "Cat (/m/02)"]
    table, findings = open_images.read(pictures(tmp_path / "none", boxes, names=None))
    assert table.classes == ["/m/01", "/m/02", "Bird"]
    assert table.class_attributes == [{}, {}, {}]
    assert codes(findings) == {"image_without_label": 1}
    _, findings = open_images.read(pictures(tmp_path / "bad", boxes, names="/m/01,Cat,more\n"))
    assert codes(findings)["csv_columns"] == 1


def test_the_split_of_a_flat_folder_is_in_the_names_of_the_files(tmp_path):
    for number, name in enumerate("abc"):
        draw(tmp_path / f"images/{name}.jpg", shade=number)
    (tmp_path / "oidv6-train-annotations-bbox.csv").write_text(HEADER + BOX)
    (tmp_path / "validation-annotations-bbox.csv").write_text(HEADER + BOX.replace("a,", "b,", 1))
    (tmp_path / "train-annotations-object-segmentation.csv").write_text("MaskPath,ImageID,LabelName\n")
    (tmp_path / "train-annotations-machine-imagelabels.csv").write_text("ImageID,Source,LabelName,Confidence\n")
    table, findings = open_images.read(tmp_path)
    assert table.images["split"].tolist() == ["train", "val", ""]
    assert codes(findings) == {"files_ignored": 2, "image_without_label": 1}
