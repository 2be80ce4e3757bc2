"""Detection of the format, what formats cannot hold, and what is said about images whatever the format."""

from __future__ import annotations

import json
import struct
import sys
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from retinue_sdk import formats
from retinue_sdk.errors import DataError
from retinue_sdk.formats import dota, image_folder, kitti, labelme, pascal_voc, yolo_detect
from retinue_sdk.formats.report import CODES, Report, blocking
from retinue_sdk.formats.rows import to_json
from retinue_sdk.names import file_name, printable, unique_names
from tests.sdk.checks import codes
from tests.sdk.drawn import box_table, class_folders, voc, voc_object, yolo
from tests.sdk.samples import sample

# --- detection ------------------------------------------------------------------------------------------------------------


def test_the_three_formats_are_found_by_entry_point():
    assert {"image_folder", "pascal_voc", "yolo_detect"} <= set(formats.all_formats())


BROKEN = {
    "no_title": "NAME = 'no_title'\ndef read(path): ...\ndef sniff(path): return 1.0\n",
    "no_import": "import a_module_that_is_not_there\n",
    "no_sniff": "NAME = 'no_sniff'\nTITLE = 'X'\ndef read(path): ...\ndef sniff(path): return {}['key']\n",
}


def test_a_strangers_broken_format_keeps_no_dataset_out(tmp_path, monkeypatch):
    site = tmp_path / "site"
    (site / "broken-1.0.dist-info").mkdir(parents=True)
    (site / "broken-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    points = [f"{name} = broken_{name}" for name in BROKEN]
    (site / "broken-1.0.dist-info" / "entry_points.txt").write_text("\n".join(["[retinue.formats]", *points]))
    for name, code in BROKEN.items():
        (site / f"broken_{name}.py").write_text(code)
    known = set(formats.all_formats())
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    assert set(formats.all_formats()) == known | {"no_sniff"}
    best, confidence = formats.detect(yolo(tmp_path / "data", {"images/train/a.png": "0 0.5 0.5 0.1 0.1"}))
    assert (best, confidence["no_sniff"]) == ("yolo_detect", 0.0)


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


# --- losses ---------------------------------------------------------------------------------------------------------------


def test_a_format_says_what_it_cannot_hold(tmp_path):
    boxes = box_table(tmp_path / "source")
    assert codes(image_folder.write(boxes, tmp_path / "folders")) == {"loss_kind": 4, "loss_image": 3}
    labels, _ = image_folder.read(class_folders(tmp_path / "in", {"a": 2, "b": 1}))
    assert codes(pascal_voc.write(labels, tmp_path / "voc")) == {"loss_kind": 3, "loss_class_unused": 2}
    assert codes(yolo_detect.write(labels, tmp_path / "yolo")) == {"loss_kind": 3, "loss_split": 3}


@pytest.mark.parametrize("form", [dota, image_folder, kitti, labelme, pascal_voc])
def test_classes_without_a_list_are_in_the_order_of_their_names(tmp_path, form):
    table = sample(form.HOLDS.kinds[0], tmp_path / "in", plain=True)
    for names, lost in ((["ant", "bee", "cat"], 0), (["bee", "cat", "ant"], 3)):
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


def test_flat_names_of_long_paths_are_names_a_disk_takes(tmp_path):
    keys = [f"{'가' * 80}/{'나' * 10}/x.jpg", f"{'가' * 80}/x.jpg", "x.jpg"]
    for name in unique_names(keys):
        (tmp_path / name).touch()
    assert len(list(tmp_path.iterdir())) == len(keys)


@pytest.mark.parametrize("text", ["../../x", "/etc/passwd", ".profile", "...", "", "\0", "나" * 120])
def test_text_of_strangers_as_a_file_is_in_no_other_folder(tmp_path, text):
    path = tmp_path / f"{file_name(text)}-coco.zip"
    path.touch()
    assert path.resolve().parent == tmp_path.resolve()
    assert not path.name.startswith(".")


plain = st.dictionaries(st.text(), st.text() | st.integers() | st.booleans() | st.none())


@given(plain | st.dictionaries(st.text(), st.text() | st.floats() | st.lists(st.integers())))
def test_attributes_have_one_form(attributes):
    usual = json.dumps(attributes, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert to_json(attributes) == (usual if attributes else "")


def test_attributes_take_half_a_pair():
    assert to_json({"a": "\ud800"}) == '{"a":"\ud800"}'
