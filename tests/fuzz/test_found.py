"""What fuzzing has found: each fragment that a reader once tripped over, and what is said of it now."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pyarrow as pa
import pytest

from retinue_sdk.errors import DataError
from retinue_sdk.formats import (
    all_formats,
    coco,
    dota,
    huggingface,
    image_folder,
    index_masks,
    ndjson,
    yolo_detect,
    yolo_pose,
)
from retinue_sdk.formats import voc_masks as voc
from retinue_sdk.formats.mask_files import read_indexes
from retinue_sdk.formats.report import Report
from retinue_sdk.table import make_table
from tests.fuzz.checks import kept
from tests.sdk import coco_files, mask_folders, parquets, text_labels, yolo_rows
from tests.sdk.checks import codes
from tests.sdk.drawn import class_folders, draw

SIZE = (64, 48)


def code_of(form, root):
    with pytest.raises(DataError) as caught:
        form.read(root)
    return caught.value.problem.code


def read(form, root, tmp_path):
    """What is found; the table is kept as it is."""
    table, findings = form.read(root)
    kept(table, tmp_path / "kept")
    return table, codes(findings)


@pytest.mark.parametrize("name", [b"a/\xff.png", b"a\xff/0.png", b"\xff"])
def test_a_name_that_is_no_text(tmp_path, name):
    root = class_folders(tmp_path / "data", {"a": 2, "b": 1})
    path = Path(str(root).encode().decode() + "/" + name.decode(errors="surrogateescape"))
    if path.suffix:
        draw(root / "a.png", shade=3)
        path.parent.mkdir(exist_ok=True)
        (root / "a.png").rename(path)
    else:
        path.mkdir()
    assert code_of(image_folder, root) == "file_name_invalid"


def test_half_of_a_character_in_yaml(tmp_path):
    root = yolo_rows.made(tmp_path / "yolo", yolo_detect, yolo_rows.GOOD[yolo_detect], 'names: ["\\ud800", dog]\n')
    assert code_of(yolo_detect, root) == "yaml_invalid"
    masks = mask_folders.dataset(tmp_path / "masks", {"a": mask_folders.GOOD}, config='classes: {1: "\\ud800"}')
    assert code_of(index_masks, masks) == "yaml_invalid"


def test_two_classes_of_one_name_beside_the_name_that_would_tell_them_apart(tmp_path):
    root = yolo_rows.made(tmp_path, yolo_detect, yolo_rows.GOOD[yolo_detect], "names: ['cat #2', cat, cat, 'cat #2']\n")
    table, found = read(yolo_detect, root, tmp_path)
    assert table.classes == ["cat #2", "cat", "cat #2 #2", "cat #2 #3"]
    assert found["class_name_duplicate"] == 2


@pytest.mark.parametrize(("shape", "point"), [("3, 3", "1e308 0.5 0"), ("3, 2", "1e308 -1")])
def test_a_point_that_is_not_labelled_lies_nowhere(tmp_path, shape, point):
    rest = " 0.3 0.3 2 0.6 0.6 1" if shape == "3, 3" else " 0.3 0.3 0.6 0.6"
    config = f"{yolo_rows.NAMES}kpt_shape: [{shape}]\n"
    root = yolo_rows.made(tmp_path, yolo_pose, f"0 0.5 0.5 0.5 0.5{rest} {point}", config)
    (root / "labels/val/b.txt").write_text("")
    table, _ = read(yolo_pose, root, tmp_path)
    assert table.coordinates()[0][-3:].tolist() == [0, 0, 0]


def test_a_coordinate_that_no_image_has(tmp_path):
    root = text_labels.ships(tmp_path / "dota", "10 10 1e308 12 29 22 9 20 ship 1\n")
    table, found = read(dota, root, tmp_path)
    assert found["label_not_a_number"] == 1
    assert len(table.annotations) == 1


def test_attributes_that_are_no_object(tmp_path):
    said = ['{"a": 1}', "{} {}", '"text"']
    pictures = [draw(tmp_path / f"{i}.png", shade=i).read_bytes() for i in range(3)]
    content = parquets.table(
        {"image": parquets.images(pictures), "label": [0] * len(pictures), "attributes": pa.array(said)}
    )
    table, _ = read(huggingface, parquets.parquet(tmp_path / "hf", content), tmp_path)
    assert [json.loads(text) for text in table.images["attributes"]] == [
        {"a": 1},
        *({"attributes": text} for text in said[1:]),
    ]


@pytest.mark.parametrize("place", ["annotations", "images", "categories"])
def test_attributes_nested_too_deeply_in_coco(tmp_path, place):
    deep = json.loads("[" * 200 + "]" * 200)
    document = json.loads(json.dumps(coco_files.content(coco_files.item())))
    document[place][0]["attributes" if place != "annotations" else "more"] = {"a": deep}
    _, found = read(coco, coco_files.save(tmp_path / "coco", document), tmp_path)
    assert found["json_invalid"] == 1


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        ("polygon", [1, None, 3, 4, 5, 6]),
        ("polygon", [1, 2, None, 4, 5, 6]),
        ("polygon", [None] * 6),
        ("polygon", [1, 2, None, None, 5, 6]),
        ("polygon", [1, 2, 3, 4, 5, None]),
        ("obb", [1, 2, None, 4, 5, 6, 7, 8]),
        ("keypoints", [None, 2, 2]),
        ("value", [None]),
        ("mask", [0.5, 0.5, 3071]),
        ("mask", [None, 3072]),
    ],
)
def test_shapes_of_no_numbers(tmp_path, kind, numbers):
    draw(tmp_path / "images/a.png")
    item = {"kind": kind, "class": 0, "geometry": numbers}
    lines = [
        {"type": "dataset", "version": 1, "classes": [{"id": 0, "name": "cat"}]},
        {"type": "image", "key": "a.png", "annotations": [item]},
    ]
    (tmp_path / "dataset.ndjson").write_text("\n".join(map(json.dumps, lines)))
    table, findings = ndjson.read(tmp_path)
    assert codes(findings)["shape_invalid"] >= 1
    assert len(table.annotations) == 0


@pytest.fixture
def limited():
    """A gigabyte of address space more than now."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/status").read_text().partition("VmSize:")[2].split()[0]) << 10
    resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def test_a_mask_of_43_bytes_with_a_chunk_of_three_gigabytes(tmp_path, limited):
    png = mask_folders.png(*SIZE, 8, 0, [])
    start = png.index(b"IDAT") - 4
    (tmp_path / "a.png").write_bytes(png[:start] + b"\xd1\0\0)IDAT\x82")
    report = Report()
    assert read_indexes(tmp_path / "a.png", "a.png", SIZE, report) is None
    assert codes(report.findings()) == {"mask_unreadable": 1}


def test_the_palette_of_a_mask_that_claims_a_hundred_million_rows(tmp_path):
    (tmp_path / "a.png").write_bytes(mask_folders.png(1, 10**8, 8, 3, [b"\0" * 8]))
    Path("/proc/self/clear_refs").write_text("5")
    before, report = _peak(), Report()
    assert voc.read_numbers(tmp_path / "a.png", "a.png", SIZE, None, report) is None
    assert codes(report.findings()) == {"mask_size_mismatch": 1}
    assert _peak() - before < 100 << 20


def _peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) << 10


@pytest.mark.parametrize("name", [name for name, form in all_formats().items() if hasattr(form, "write")])
def test_a_table_without_images_is_written(tmp_path, name):
    table, _ = coco.read(coco_files.save(tmp_path / "coco", coco_files.content(images=[])))
    all_formats()[name].write(table.select([]), tmp_path / "out")


def test_a_class_whose_name_no_folder_can_have(tmp_path):
    draw(tmp_path / "a.png")
    names = ["é" * 300, "é" * 299 + "x"]
    rows = {"image": [0, 1], "class_id": [0, 1], "kind": ["class"] * 2}
    table = make_table(
        {"key": ["a.png", "b.png"], "path": [str(tmp_path / "a.png")] * 2, "width": 12, "height": 12}, rows, names
    )
    assert codes(image_folder.write(table, tmp_path / "out"))["loss_class_names"] == 2
    read, _ = image_folder.read(tmp_path / "out")
    assert len(read.classes) == 2
