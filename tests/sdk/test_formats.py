"""Class folders, Pascal VOC, detection of the format, and what is said about images whatever the format."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from retinue_sdk import formats
from retinue_sdk.errors import DataError
from retinue_sdk.formats import dota, image_folder, kitti, labelme, pascal_voc, yolo_detect
from retinue_sdk.formats.report import CODES, Report, blocking, printable
from retinue_sdk.names import unique_names
from retinue_sdk.table import make_table, no_geometry
from tests.sdk.drawn import box_table, class_folders, draw, voc, voc_object, yolo
from tests.sdk.samples import sample


def codes(findings):
    return {f.code: f.count for f in findings}


# --- detection ------------------------------------------------------------------------------------------------------------


def test_the_three_formats_are_found_by_entry_point():
    assert {"image_folder", "pascal_voc", "yolo_detect"} <= set(formats.all_formats())


def test_each_format_is_detected_with_a_confidence(tmp_path):
    made = {
        "yolo_detect": yolo(tmp_path / "y", {"images/train/a.png": "0 0.5 0.5 0.1 0.1"}),
        "pascal_voc": voc(tmp_path / "v", {"a": voc_object("cat", 1, 1, 5, 5)}),
        "image_folder": class_folders(tmp_path / "c", {"cat": 2, "dog": 2}),
    }
    for name, root in made.items():
        best, confidence = formats.detect(root)
        assert best == name
        assert confidence[name] > 2 * max(v for k, v in confidence.items() if k != name)


def test_polygons_are_not_taken_for_boxes(tmp_path):
    root = yolo(tmp_path, {"images/train/a.png": "0 0.1 0.1 0.4 0.1 0.4 0.4 0.1 0.4\n" * 3})
    assert yolo_detect.sniff(root) < formats.LOWEST_CONFIDENCE


@pytest.mark.parametrize("files", [[], ["notes.txt"], ["a.png"]])
def test_what_is_no_dataset_is_not_recognised(tmp_path, files):
    for name in files:
        (tmp_path / name).write_text("x")
    with pytest.raises(DataError) as caught:
        formats.read(tmp_path)
    assert caught.value.problem.code == "format_unknown"
    assert "Pascal VOC" in caught.value.problem.hint


def test_a_format_can_be_named_and_an_unknown_one_is_refused(tmp_path):
    class_folders(tmp_path, {"cat": 1, "dog": 1})
    assert formats.read(tmp_path, "image_folder")[0] == "image_folder"
    with pytest.raises(DataError, match="no format 'none'"):
        formats.read(tmp_path, "none")


# --- class folders --------------------------------------------------------------------------------------------------------


def test_class_folders_without_splits(tmp_path):
    table, findings = image_folder.read(class_folders(tmp_path, {"dog": 2, "cat": 1}))
    assert findings == []
    assert table.classes == ["cat", "dog"]
    assert table.images["key"].tolist() == ["cat/0.png", "dog/0.png", "dog/1.png"]
    assert table.labels().tolist() == [0, 1, 1]
    assert table.splits == {"": 3}


def test_class_folders_with_splits_never_collide(tmp_path):
    table, _ = image_folder.read(
        class_folders(tmp_path / "wrapped", {"train/a": 2, "valid/a": 1, "test/b": 1, "train/b": 1})
    )
    assert table.splits == {"train": 3, "val": 1, "test": 1}
    assert {"train/a/0.png", "valid/a/0.png"} <= set(table.images["key"])
    assert table.classes == ["a", "b"]


def test_odd_class_folders_are_reported(tmp_path):
    root = class_folders(tmp_path, {"cat": 1, "Cat": 1, "deep/er": 1})
    draw(root / "stray.png", shade=7)
    (root / "empty").mkdir()
    table, findings = image_folder.read(root)
    assert codes(findings) == {"image_without_class": 1, "class_empty": 1, "class_name_similar": 1}
    assert table.classes == ["Cat", "cat", "deep", "empty"]


def test_a_single_class_is_reported(tmp_path):
    root = class_folders(tmp_path, {"only": 3})
    assert codes(image_folder.read(root)[1]) == {"class_single": 1}


@pytest.mark.parametrize("folders", [{"a": 2, "b": 1}, {"train/a": 2, "train/b": 1, "val/a": 1, "val/b": 2}])
def test_class_folders_there_and_back(tmp_path, folders):
    table, _ = image_folder.read(class_folders(tmp_path / "in", folders))
    assert image_folder.write(table, tmp_path / "out") == []
    again, findings = image_folder.read(tmp_path / "out")
    assert findings == []
    assert again.splits == table.splits
    assert again.classes == table.classes
    assert sorted(again.labels()) == sorted(table.labels())


def test_a_format_says_what_it_cannot_hold(tmp_path):
    boxes = box_table(tmp_path / "source")
    assert codes(image_folder.write(boxes, tmp_path / "folders")) == {"loss_kind": 4, "loss_image": 3}
    labels, _ = image_folder.read(class_folders(tmp_path / "in", {"a": 2, "b": 1}))
    assert codes(pascal_voc.write(labels, tmp_path / "voc")) == {"loss_kind": 3, "loss_class_unused": 2}
    assert codes(yolo_detect.write(labels, tmp_path / "yolo")) == {"loss_kind": 3, "loss_split": 3}


def table_of(root, classes, labels, splits):
    """Images of one class each; -1 for none."""
    keys = [f"{i}.png" for i in range(len(splits))]
    paths = [str(draw(root / key, shade=i)) for i, key in enumerate(keys)]
    images = {"key": keys, "path": paths, "width": 64, "height": 48, "split": splits}
    return make_table(images, {"image": range(len(labels)), "class_id": labels, "kind": "class"}, classes)


def test_class_folders_lie_within_the_dataset_whatever_the_classes_are_called(tmp_path):
    names = ["../../up", ".hidden", "/etc", "a/b", "a_b", "cat"]
    table = table_of(tmp_path / "in", names, [0, 1, 2, 3, 4, 5], [""] * 6)
    assert codes(image_folder.write(table, tmp_path / "deep/er/out")) == {"loss_class_names": 4}
    assert {p.name for p in tmp_path.iterdir()} == {"in", "deep"}
    again, findings = image_folder.read(tmp_path / "deep/er/out")
    assert findings == []
    assert sorted(again.classes) == ["_.._.._up", "_.hidden", "_etc", "a_b", "a_b_3", "cat"]
    assert len(again) == 6


def test_class_folders_hold_one_class_for_each_image(tmp_path):
    table = table_of(tmp_path / "in", ["a", "b"], [0, 1, -1], ["train", "", "val"])
    more = replace(
        table,
        annotations=pd.concat([table.annotations, table.annotations.iloc[:1].assign(class_id=1)]).sort_values("image"),
        geometry=no_geometry(4),
    )
    losses = {"loss_split": 1, "loss_several_classes": 1, "loss_unclassed": 1, "loss_image": 1}
    assert codes(image_folder.write(more, tmp_path / "out")) == losses
    again, findings = image_folder.read(tmp_path / "out")
    assert findings == []
    assert (again.splits, sorted(again.labels())) == ({"train": 2}, [0, 1])


# --- Pascal VOC -----------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("body", "code", "rows"),
    [
        (voc_object("cat", 5, 5, 5, 9), "box_zero_area", 1),
        (voc_object("cat", 9, 5, 5, 9), "box_negative_size", 0),
        (voc_object("cat", 1, 1, 90, 9), "box_outside_image", 1),
        (voc_object("cat", 1, 1, 5), "box_incomplete", 0),
        (voc_object("", 1, 1, 5, 5), "box_incomplete", 0),
        (voc_object("cat", 1, 1, "five", 5), "label_not_a_number", 0),
        (voc_object("cat", 1, 1, "nan", 5), "label_not_a_number", 0),
        ("<filename>../../etc/passwd</filename>", "xml_filename_escapes", 0),
        ("<size><width>9</width><height>9</height></size>", "xml_size_mismatch", 0),
        ("<object>", "xml_invalid", 0),
        ("&undefined;", "xml_invalid", 0),
    ],
)
def test_voc_findings(tmp_path, body, code, rows):
    table, findings = pascal_voc.read(voc(tmp_path, {"a": body}))
    assert codes(findings) == {code: 1}
    assert findings[0].examples[0].startswith("Annotations/a.xml")
    assert len(table.annotations) == rows


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE a [<!ENTITY x "ha">]>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_dtds_and_entities_are_refused(tmp_path, head):
    root = voc(tmp_path, {"a": ""})
    (root / "Annotations/a.xml").write_text(
        f"<?xml version='1.0'?>\n{head}\n<annotation>{voc_object('&x;', 1, 1, 5, 5)}</annotation>"
    )
    table, findings = pascal_voc.read(root)
    assert codes(findings) == {"xml_dtd_forbidden": 1}
    assert findings[0].severity == "error"
    assert len(table.annotations) == 0


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


# --- no list of classes ---


@pytest.mark.parametrize("form", [dota, image_folder, kitti, labelme, pascal_voc])
def test_classes_without_a_list_are_in_the_order_of_their_names(tmp_path, form):
    table = sample(form.HOLDS.kinds[0], tmp_path / "in", plain=True)
    for names, lost in ((["ant", "bee", "cat"], 0), (["bee", "cat", "ant"], 1)):
        findings = form.write(replace(table, classes=names), tmp_path / f"out {lost}")
        assert codes(findings).get("loss_class_order", 0) == lost
        assert form.read(tmp_path / f"out {lost}")[0].classes == ["ant", "bee", "cat"]


# --- images ---------------------------------------------------------------------------------------------------------------


def png_header(width, height):
    """A PNG that says it is that large and holds nothing."""
    body = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", body), (b"IDAT", b"\0" * 10)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks
    )


@pytest.mark.parametrize(
    ("name", "content", "code", "severity"),
    [
        ("a.jpg", b"", "image_unreadable", "error"),
        ("a.jpg", b"just some text", "image_unreadable", "error"),
        ("a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "image_unreadable", "error"),
        ("a.png", png_header(65_500, 65_500), "image_too_large", "error"),
        ("a.png", png_header(10_001, 10_000), "image_too_large", "error"),
        ("a.jpg", png_header(30, 30), "image_format_mismatch", "warning"),
        ("a.png", png_header(9, 30), "image_too_small", "warning"),
    ],
)
def test_images_are_measured_by_their_header_only(tmp_path, name, content, code, severity):
    class_folders(tmp_path, {"x": 1, "y": 1})
    (tmp_path / "x" / name).write_bytes(content)
    table, findings = image_folder.read(tmp_path)
    assert [(f.code, f.severity) for f in findings] == [(code, severity)]
    assert findings[0].examples[0].startswith(f"x/{name}")
    assert len(table) == (2 if severity == "error" else 3)


def test_a_rotated_photograph_has_the_size_it_is_shown_in(tmp_path):
    class_folders(tmp_path, {"x": 1, "y": 1})
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "x/turned.jpg", exif=exif)
    table, findings = image_folder.read(tmp_path)
    assert codes(findings) == {"image_rotated": 1}
    row = table.images.set_index("key").loc["x/turned.jpg"]
    assert (row["width"], row["height"]) == (20, 40)


# --- findings and names ---------------------------------------------------------------------------------------------------


def test_blocking_findings_come_first_and_become_an_error():
    report = Report()
    report.add("label_duplicate", "b.txt:1")
    report.add("class_out_of_range", "a.txt:3", "9 0 0 1 1")
    findings = report.findings()
    assert [f.severity for f in findings] == ["error", "warning"]
    error = blocking(findings)
    assert error is not None
    assert (error.problem.code, error.problem.where) == ("class_out_of_range", "a.txt:3: 9 0 0 1 1")
    assert blocking(findings[1:]) is None


def test_every_code_has_a_message_and_a_cure():
    for severity, message, hint in CODES.values():
        assert severity in {"error", "warning"}
        assert message.endswith(".")
        assert hint.endswith(".")


def test_text_of_strangers_is_made_printable():
    assert (
        printable("a\nb\u202ec\0") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c\N{REPLACEMENT CHARACTER}"
    )
    assert len(printable("x" * 500)) == 80


def test_flat_names_never_share_a_stem():
    keys = ["train/a.jpg", "val/a.jpg", "val/A.png", "b.jpg", "train__a.png", "x/b2.jpg"]
    names = unique_names(keys)
    assert len({name.rsplit(".", 1)[0].casefold() for name in names}) == len(keys)
    assert [n.rsplit(".", 1)[1] for n in names] == [k.rsplit(".", 1)[1] for k in keys]
    assert names[3] == "b.jpg"
