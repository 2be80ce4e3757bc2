"""DOTA, KITTI and Open Images: tables of lines and rows, layouts, and the way there and back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from retinue_sdk import formats
from retinue_sdk.formats import dota, image_folder, index_masks, kitti, open_images, yolo_detect
from retinue_sdk.formats.report import CODES
from retinue_sdk.table import make_table
from tests.sdk.drawn import box_table, draw, yolo
from tests.sdk.samples import sample

few = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
CAR = "Car 0.00 1 -1.58 10 12.5 30 40 1.5 1.6 3.7 -0.65 1.71 46.7 -1.59"
BARE = "Car -1 -1 -10 10 12.5 30 40 -1 -1 -1 -1000 -1000 -1000 -10"
SHIP = "10 10 30 12 29 22 9 20 ship 1"
HEADER = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
)
BOX = "a,xclick,/m/01,1,0.25,0.5,0.5,0.75,0,1,-1,0,0\n"


def codes(findings):
    return {f.code: f.count for f in findings}


def labelled(root, images, labels, texts):
    """Images and label files by their place, in folders that `images` and `labels` name."""
    for number, (place, text) in enumerate(texts.items()):
        draw(root / images.format(place) if "{}" in images else root / images / f"{place}.png", shade=number)
        path = root / labels.format(place) if "{}" in labels else root / labels / f"{place}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def ships(root, text=SHIP):
    return labelled(root, "train/images", "train/labelTxt", {"a": text, "b": SHIP})


def cars(root, text=CAR):
    return labelled(root, "training/image_2", "training/label_2", {"a": text, "b": CAR})


def pictures(root, boxes=BOX, labels=None, names="/m/01,Cat\n/m/02,Dog\n"):
    """Two images of Open Images in train/, and its CSV files."""
    for number, name in enumerate("ab"):
        draw(root / f"train/{name}.jpg", shade=number)
    if boxes is not None:
        (root / "train-annotations-bbox.csv").write_bytes((HEADER + boxes).encode("utf-8", "surrogatepass"))
    if labels is not None:
        (root / "train-annotations-human-imagelabels.csv").write_text("ImageID,Source,LabelName,Confidence\n" + labels)
    if names is not None:
        (root / "class-descriptions-boxable.csv").write_text(names)
    return root


# --- DOTA -----------------------------------------------------------------------------------------------------------------


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
        "loss_class_ids": 1, "loss_class_order": 1, "loss_class_names": 1,
    }  # fmt: skip
    assert dota.read(tmp_path / "out")[0].classes == ["bird", "cat", "hot-dog"]
    assert codes(dota.write(box_table(tmp_path / "boxes"), tmp_path / "out2")) == {"loss_form": 4}


# --- KITTI ----------------------------------------------------------------------------------------------------------------


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


# --- both -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (SHIP.encode("utf-16"), "label_unreadable"),
        (b"10 10\0 30", "label_unreadable"),
        (b"\xff\xfe\x00", "label_unreadable"),
        (b"\xef\xbb\xbf" + SHIP.encode(), None),
        (b" " * 33_000_000, "label_too_long"),
        (b"\n" * 100_001, "label_too_long"),
        (b"", None),
        (b" \r\n \r", None),
    ],
)
def test_encodings_of_label_files(tmp_path, content, code):
    table, findings = dota.read(ships(tmp_path, content))
    assert codes(findings) == ({code: 1} if code else {})
    assert len(table.annotations) == (2 if b"ship" in content and not code else 1)


@pytest.mark.parametrize(("module", "made"), [(dota, ships), (kitti, cars)])
def test_images_and_labels_without_each_other_are_counted(tmp_path, module, made):
    root = made(tmp_path)
    folder = next(root.glob("*/[il]*e*s")) if module is dota else root / "training/image_2"
    draw(folder / "lonely.png", shade=9)
    draw(folder / "a.jpg", shade=10)
    next(root.glob("*/l*/a.txt")).with_name("ghost.txt").write_text("")
    table, findings = module.read(root)
    assert codes(findings) == {"image_without_label": 1, "label_without_image": 1, "image_same_stem": 1}
    assert len(table) == 4


def test_each_is_detected_and_claims_nothing_else(tmp_path):
    made = {
        "dota": ships(tmp_path / "d"),
        "kitti": cars(tmp_path / "k"),
        "open_images": pictures(tmp_path / "o"),
        "yolo_detect": yolo(tmp_path / "y", {"images/train/a.png": "0 0.5 0.5 0.1 0.1"}),
    }
    modules = (dota, kitti, open_images, image_folder, index_masks, yolo_detect)
    for name, root in made.items():
        confidence = {module.NAME: module.sniff(root) for module in modules}
        assert max(confidence, key=confidence.get) == name
        assert confidence[name] >= 0.9 > 3 * max(v for k, v in confidence.items() if k != name)


@pytest.mark.parametrize("module", [dota, kitti, open_images])
def test_nothing_is_no_dataset(tmp_path, module):
    draw(tmp_path / "images/a.png")
    (tmp_path / "a.csv").write_bytes(b"\xff\0")
    assert module.sniff(tmp_path) < formats.LOWEST_CONFIDENCE


# --- Open Images ----------------------------------------------------------------------------------------------------------


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


# --- whatever bytes -------------------------------------------------------------------------------------------------------

words = st.one_of(
    st.floats().map(str),
    st.integers(-5, 2000).map(str),
    st.text(max_size=4),
    st.sampled_from(["ship", "Car", "gsd:1", "imagesource:", "-1", "1e400", "\x85", "a", '"', "DontCare"]),
)
lines = st.lists(st.lists(words, max_size=17).map(" ".join), max_size=5).map("\n".join)


def encode(text):
    return text.encode("utf-8", "surrogatepass")


contents = st.one_of(st.binary(max_size=60), lines.map(encode))


def check(module, root):
    module.sniff(root)
    table, findings = module.read(root)
    assert {f.code for f in findings} <= CODES.keys()
    assert all(len(f.examples) <= 10 for f in findings)
    return table


@pytest.fixture
def made(tmp_path):
    return {
        dota: ships(tmp_path / "d") / "train/labelTxt/a.txt",
        kitti: cars(tmp_path / "k") / "training/label_2/a.txt",
        open_images: pictures(tmp_path / "o") / "train-annotations-bbox.csv",
    }


@few
@given(contents)
@example(b"0 0 1 0 1 1 0 1 \xc2\xa0 0")
@example(b"gsd:" + b"9" * 400)
@example(b"10 10 30 12 29 22 9 20 ship 1e30")
def test_damaged_label_files(tmp_path, made, content):
    for module in (dota, kitti):
        made[module].write_bytes(content)
        table = check(module, made[module].parents[2])
        module.write(table, tmp_path / "out" / module.NAME)


@few
@given(st.one_of(contents, st.lists(st.lists(words, max_size=14).map(",".join)).map("\n".join).map(encode)))
@example(b"ImageID,ImageID,LabelName,XMin,XMax,YMin,YMax\na,a,b,0,1,0,1")
@example(b"ImageID,LabelName,Confidence\na,\x00,1\n")
def test_damaged_csv_files(made, content):
    path = made[open_images]
    for name in (path.name, "class-descriptions-boxable.csv", "other.csv"):
        path.with_name(name).write_bytes(content)
    check(open_images, path.parent)
    path.write_bytes(HEADER.encode() + content)
    check(open_images, path.parent)
