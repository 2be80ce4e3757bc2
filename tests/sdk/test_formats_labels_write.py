"""CSV and JSON Lines of labels: which files are, and the way there and back."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from retinue_sdk import formats
from retinue_sdk.formats import csv_labels, jsonl_labels
from tests.sdk.checks import codes, errors
from tests.sdk.conversions import same
from tests.sdk.drawn import voc, voc_object, yolo
from tests.sdk.label_files import GOOD, folder, labelled, said
from tests.sdk.samples import sample


@pytest.mark.parametrize(
    ("name", "text", "lowest"),
    [
        ("labels.csv", GOOD, 0.9),
        ("train.tsv", "id\ttarget\na\t1\n", 0.9),
        ("labels.csv", "image,label\ngone.png,cat\n", 0.4),
        ("labels.csv", "image,cat,dog\na.png,1,0\n", 0.5),
        ("_annotations.csv", "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,64,48,cat,1,2,3,4\n", 0.9),
        ("labels.jsonl", '{"image": "a.png", "label": "cat"}\n', 0.9),
    ],
)
def test_a_file_of_labels_is_detected(tmp_path, name, text, lowest):
    folder(tmp_path, name, text)
    module = jsonl_labels if name.endswith("jsonl") else csv_labels
    assert lowest <= module.sniff(tmp_path) < 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("results.csv", "epoch,train/loss\n1,0.5\n"),
        (
            "validation-annotations-bbox.csv",
            "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax\na,x,/m/1,1,0,1,0,1\n",
        ),
        ("metadata.csv", "file_name,label\na.png,cat\n"),
        ("labels.csv", '"' * 1001),
        ("labels.csv", b"\xff\xfe\x00"),
        ("labels.csv", ""),
        ("metadata.jsonl", '{"file_name": "a.png", "label": 1}\n'),
        ("events.jsonl", '{"seq": 1}\n'),
        ("labels.jsonl", "[1]\nnot json\n"),
    ],
)
def test_other_files_are_not_claimed(tmp_path, name, text):
    folder(tmp_path, name, text)
    assert csv_labels.sniff(tmp_path) == 0
    assert jsonl_labels.sniff(tmp_path) == 0


def test_other_formats_are_not_claimed(tmp_path):
    made = [
        yolo(tmp_path / "y", {"images/train/a.png": "0 0.5 0.5 0.1 0.1"}),
        voc(tmp_path / "v", {"a": voc_object("cat", 1, 1, 5, 5)}),
    ]
    assert [module.sniff(root) for root in made for module in (csv_labels, jsonl_labels)] == [0, 0, 0, 0]


# --- there and back -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [csv_labels, jsonl_labels])
@pytest.mark.parametrize("kind", ["class", "value"])
def test_there_and_back(tmp_path, module, kind):
    table = sample(kind, tmp_path / "made", plain=True)
    assert module.write(table, tmp_path / "out") == []
    again, findings = module.read(tmp_path / "out")
    assert errors(findings) == []
    assert same(table, again) == []
    assert again.classes == table.classes
    assert formats.detect(tmp_path / "out")[0] == module.NAME
    assert module.write(again, tmp_path / "twice") == []
    name = next(tmp_path.glob("out/labels.*")).name
    assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "twice" / name).read_bytes()


@pytest.mark.parametrize("module", [csv_labels, jsonl_labels])
@pytest.mark.parametrize(
    "names",
    [
        [["a", "b"], ["b"], []],
        [["a;b"], ["c"]],
        [["a;b", "c"], ["c"]],
        [["a|b;c,d", "e"], ["e"]],
        [["1.5"], ["2"]],
        [["1"], ["0"]],
        [["[1]"], ['["x"]']],
        [['"quoted"', "with,comma"], ["=SUM(A1)"]],
        [[" blank "], ["blank"]],
        [["tench, Tinca"], ["bass, Tinca"], ["bass"], ["tench"]],
        [["日本", "émile"], ["日本"]],
    ],
)
def test_names_that_look_like_something_else_come_back(tmp_path, module, names):
    table = labelled(tmp_path / "made", names)
    assert module.write(table, tmp_path / "out") == []
    again, _ = module.read(tmp_path / "out")
    assert [set(found) for found in said(again).values()] == [set(some) for some in names]
    assert again.images["group"].tolist() == table.images["group"].tolist()


@pytest.mark.parametrize("module", [csv_labels, jsonl_labels])
def test_several_values_beside_classes_come_back_to_the_bit(tmp_path, module):
    values = [{"weight": 0.1 + 0.2, "a,b": 1e-300}, {"weight": -3.0}, {}]
    table = labelled(tmp_path / "made", [["cat"], [], ["dog"]], values)
    assert module.write(table, tmp_path / "out") == []
    again, _ = module.read(tmp_path / "out")
    expected = [{"cat", ("weight", 0.1 + 0.2), ("a,b", 1e-300)}, {("weight", -3.0)}, {"dog"}]
    assert [set(found) for found in said(again).values()] == expected


def test_losses_are_told(tmp_path):
    assert codes(csv_labels.write(sample("class", tmp_path / "a"), tmp_path / "out a")) == {
        "loss_attributes": 1,
        "loss_image_attributes": 5,
        "loss_class_attributes": 3,
        "loss_class_ids": 3,
    }
    assert codes(jsonl_labels.write(sample("box", tmp_path / "b", plain=True), tmp_path / "out b")) == {"loss_kind": 6}


def test_csv_is_what_others_read(tmp_path):
    csv_labels.write(sample("class", tmp_path / "made", plain=True), tmp_path / "out")
    with (tmp_path / "out/labels.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0] == {"image": "images/train/image 0.png", "split": "train", "label": "cat"}
    assert all(Path(tmp_path / "out" / row["image"]).is_file() for row in rows)


@pytest.mark.parametrize("plain", [True, False])
def test_boxes_there_and_back(tmp_path, plain):
    table = sample("box", tmp_path / "made", plain=plain)
    lost = {"loss_attributes", "loss_image_attributes", "loss_class_attributes", "loss_class_ids"}
    assert codes(csv_labels.write(table, tmp_path / "out")).keys() == (set() if plain else lost)
    again, findings = csv_labels.read(tmp_path / "out")
    assert findings == []
    assert same(table, again) == []
    assert again.images["group"].tolist() == table.images["group"].tolist()


def test_rows_of_boxes(tmp_path):
    rows = "a.png,cat,1,2,30.5,40\na.png,dog,1,1,1,5\na.png,,1,2,3,4\nb.png,cat,1,2,3,\nb.png,cat,5,2,3,4\nb.png,cat,x,2,3,4\n"
    root = folder(tmp_path, "_annotations.csv", f"filename,class,xmin,ymin,xmax,ymax\n{rows}c.png,bird,,,,\n")
    table, findings = csv_labels.read(root)
    expected = {"box_incomplete": 2, "label_not_a_number": 1, "box_negative_size": 1}
    assert {f.code: f.count for f in findings if f.severity == "error"} == expected
    assert codes(findings)["box_zero_area"] == 1
    assert codes(findings)["image_without_label"] == 2  # b.png, and d.png, which is in no row
    assert table.boxes[:2].tolist() == [[1, 2, 30.5, 40], [1, 1, 1, 5]]
    assert table.annotations["kind"].tolist() == ["box", "box", "class"]
    assert "row_repeated" not in codes(findings)
