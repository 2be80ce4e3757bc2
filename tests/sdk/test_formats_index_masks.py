"""Index masks: layouts, names of numbers, depths and palettes, and every mask that is none."""

from __future__ import annotations

import numpy as np
import pytest

from retinue_sdk import formats, raster
from retinue_sdk.errors import DataError
from retinue_sdk.formats import index_masks
from retinue_sdk.formats.index_classes import read_classes
from retinue_sdk.formats.report import Report
from tests.sdk.checks import codes
from tests.sdk.drawn import draw
from tests.sdk.mask_folders import GOOD, NAMED, SIZE, dataset, indexes, png, said, save


def test_one_mask_for_each_class_with_its_number_box_and_runs(tmp_path):
    mask = indexes((1, 2, 3, 10, 9), (7, 20, 10, 30, 40), (1, 40, 0, 50, 5))
    table, findings = index_masks.read(dataset(tmp_path, {"train/a": mask, "val/b": indexes()}, config=NAMED))
    assert findings == []
    assert (table.classes, table.class_ids) == (["nothing", "cat", "dog"], [0, 1, 7])
    assert table.images["split"].tolist() == ["train", "val"]
    assert said(table) == [(0, "nothing", 3072 - 398), (0, "cat", 98), (0, "dog", 300), (1, "nothing", 3072)]
    assert table.boxes[1].tolist() == [2, 0, 50, 9]
    assert set(table.annotations["source"]) == {"masks/train/a.png", "masks/val/b.png"}
    values, offsets = table.coordinates()
    for row, number in enumerate((0, 1, 7)):
        assert np.array_equal(raster.decode(values[offsets[row] : offsets[row + 1]], *SIZE), mask == number)


@pytest.mark.parametrize(
    ("images", "masks", "split"),
    [
        ("images/train/a.jpg", "masks/train/a.png", "train"),
        ("valid/images/a.jpg", "valid/masks/a.png", "val"),
        ("images/a.jpg", "masks/a.png", ""),
        ("images/test/a.jpg", "labels/test/a.png", "test"),
        ("Images/deep/er/a.png", "Annotations/deep/er/a.PNG", ""),
        ("wrapped/images/val/a.jpg", "wrapped/masks/val/a.png", "val"),
    ],
)
def test_layouts(tmp_path, images, masks, split):
    draw(tmp_path / images)
    save(tmp_path / masks, indexes((3, 0, 0, 2, 2)))
    assert index_masks.sniff(tmp_path) >= 0.9
    table, findings = index_masks.read(tmp_path)
    assert codes(findings) == {"class_names_made": 1}
    assert table.images["split"].tolist() == [split]
    assert (table.classes, table.class_ids, said(table)) == (["class_3"], [3], [(0, "class_3", 4)])


@pytest.mark.parametrize(
    ("depth", "row", "number"), [(1, b"\xff" * 8, 1), (2, b"\xaa" * 16, 2), (4, b"\x55" * 32, 5), (8, b"\x07" * 64, 7)]
)
def test_numbers_of_few_bits_are_not_stretched(tmp_path, depth, row, number):
    dataset(tmp_path, {"a": None})
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks/a.png").write_bytes(png(*SIZE, depth, 0, [row] * 48))
    table, _ = index_masks.read(tmp_path)
    assert (table.class_ids, said(table)) == ([number], [(0, f"class_{number}", 3072)])


@pytest.mark.parametrize(
    ("mode", "kind", "number"), [("P", np.uint8, 9), (None, np.uint16, 300), (None, np.uint16, 65534)]
)
def test_palettes_and_sixteen_bits(tmp_path, mode, kind, number):
    dataset(tmp_path, {"a": None})
    save(tmp_path / "masks/a.png", indexes((number, 1, 1, 3, 3), kind=kind), mode)
    table, _ = index_masks.read(tmp_path)
    assert (table.class_ids, said(table)) == ([number], [(0, f"class_{number}", 4)])


def test_void_is_left_out_and_said_unless_it_is_named(tmp_path):
    mask = indexes((1, 0, 0, 4, 4), (255, 10, 10, 12, 12))
    root = dataset(tmp_path, {"a": mask, "b": mask}, config="classes: {1: cat}\n")
    table, findings = index_masks.read(root)
    assert [(f.code, f.severity, f.count, f.examples[0]) for f in findings] == [
        ("mask_void", "warning", 2, "masks/a.png: 255")
    ]
    assert said(table) == [(0, "cat", 16), (1, "cat", 16)]
    (root / "config.yaml").write_text("classes: {1: cat, 255: sky}\n")
    table, findings = index_masks.read(root)
    assert findings == []
    assert said(table)[:2] == [(0, "cat", 16), (0, "sky", 4)]


def test_a_number_without_a_name_blocks(tmp_path):
    root = dataset(tmp_path, {"a": indexes((1, 0, 0, 4, 4), (3, 10, 10, 12, 12))}, config="classes: {1: cat}\n")
    table, findings = index_masks.read(root)
    assert [(f.code, f.severity, f.examples) for f in findings] == [("class_out_of_range", "error", ["masks/a.png: 3"])]
    assert said(table) == [(0, "cat", 16)]


# --- names of numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "classes"),
    [
        ("config.yaml", "classes:\n  1: cat\n  3: dog\n", {1: "cat", 3: "dog"}),
        ("data.yaml", "names: [none, cat]\n", {0: "none", 1: "cat"}),
        ("classes.txt", "none\r\ncat\n\n", {0: "none", 1: "cat"}),
        ("classes.json", '["none", "cat"]', {0: "none", 1: "cat"}),
        ("classes.json", '{"1": "cat", "9": "dog"}', {1: "cat", 9: "dog"}),
        ("classes.json", '{"cat": 1, "dog": 9}', {1: "cat", 9: "dog"}),
        ("classes.json", '[{"id": 4, "name": "cat"}]', {4: "cat"}),
        ("data.yaml", "path: .\n", None),
        ("notes.txt", "none", None),
    ],
)
def test_names_of_numbers(tmp_path, name, content, classes):
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    report = Report()
    assert read_classes(tmp_path, [name], report)[0] == classes
    assert report.findings() == []


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("classes.json", '["cat", 3]', "classes_invalid"),
        ("classes.json", '{"cat": 1, "dog": 1}', "classes_invalid"),
        ("classes.json", '{"cat": -1}', "classes_invalid"),
        ("classes.json", '{"cat": true}', "classes_invalid"),
        ("classes.json", '[{"id": 1}]', "classes_invalid"),
        ("classes.json", '{"1": "cat", "1": "dog"}', "json_key_duplicate"),
        ("classes.json", "[" * 100_000, "json_invalid"),
        ("classes.json", '["cat",]', "json_invalid"),
        ("classes.json", "[NaN]", "json_invalid"),
        ("classes.txt", "a\0b", "label_unreadable"),
        ("config.yaml", "names: [a]\nnc: 2\n", "yaml_count_wrong"),
        ("config.yaml", "names: [a]\ndownload: rm\n", "yaml_download_dropped"),
        ("config.yaml", "names: [a]\nother: 1\n", "yaml_unknown_key"),
    ],
)
def test_bad_lists_of_classes(tmp_path, name, content, code):
    (tmp_path / name).write_text(content, encoding="utf-8")
    report = Report()
    read_classes(tmp_path, [name], report)
    assert [f.code for f in report.findings()] == [code]


@pytest.mark.parametrize(
    "content", ["classes: 3\n", "classes: {a: b}\n", "classes: {1: a, 01: b}\n", "names: &a [x]\nclasses: *a\n"]
)
def test_a_bad_config_is_refused(tmp_path, content):
    with pytest.raises(DataError):
        index_masks.read(dataset(tmp_path, {"a": indexes()}, config=content))


@pytest.mark.parametrize(
    ("content", "code"),
    [("classes: {1: a, 2: a}\n", "class_name_duplicate"), ("classes: {1: '', 2: a}\n", "class_name_invalid")],
)
def test_bad_names_are_reported_once(tmp_path, content, code):
    _, findings = index_masks.read(dataset(tmp_path, {"a": indexes((2, 0, 0, 3, 3))}, config=content))
    assert codes(findings) == {code: 1}


# --- what is wrong --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "mask_unreadable"),
        (b"text", "mask_unreadable"),
        (b"\xff\xd8\xff\xe0 JPEG", "mask_unreadable"),
        (png(*SIZE, 8, 0, [b"\1" * 64] * 48)[:70], "mask_unreadable"),
        (png(65_500, 65_500, 8, 0, []), "mask_unreadable"),
        (png(*SIZE, 8, 2, [b"\1" * 192] * 48), "mask_not_index"),
        (png(*SIZE, 8, 6, [b"\1" * 256] * 48), "mask_not_index"),
        (png(*SIZE, 8, 4, [b"\1" * 128] * 48), "mask_not_index"),
        (png(48, 64, 8, 0, [b"\1" * 48] * 64), "mask_size_mismatch"),
        (png(9_000, 9_000, 8, 0, []), "mask_size_mismatch"),
    ],
)
def test_a_bad_mask_blocks_with_its_place(tmp_path, content, code):
    root = dataset(tmp_path, {"a": GOOD, "b": GOOD}, config="classes: {1: cat}\n")
    (root / "masks/a.png").write_bytes(content)
    table, findings = index_masks.read(root)
    assert [(f.code, f.severity, f.count) for f in findings] == [(code, "error", 1)]
    assert findings[0].examples[0].startswith("masks/a.png")
    assert said(table) == [(1, "cat", 16)]


def test_a_mask_with_a_change_in_every_pixel_is_no_mask(tmp_path):
    stripes = np.tile(np.array([[0], [1]], dtype=np.uint8), (1100, 2200))
    save(tmp_path / "images/a.png", stripes)
    save(tmp_path / "masks/a.png", stripes)
    table, findings = index_masks.read(tmp_path)
    assert codes(findings) == {"mask_too_detailed": 1, "class_names_made": 1}
    assert len(table.annotations) == 0


def test_images_and_masks_without_each_other_are_reported(tmp_path):
    root = dataset(tmp_path, {"a": GOOD, "lonely": None}, config="classes: {1: cat}\n")
    draw(root / "images/a.png")
    draw(root / "preview/a.png")
    save(root / "masks/ghost.png", GOOD)
    table, findings = index_masks.read(root)
    assert codes(findings) == {
        "image_same_stem": 1, "image_without_label": 1, "label_without_image": 1, "files_ignored": 1,
    }  # fmt: skip
    assert len(table) == 3


def test_no_masks_at_all(tmp_path):
    (tmp_path / "images").mkdir()
    _, findings = index_masks.read(tmp_path)
    assert "dataset_empty" in codes(findings)


def test_masks_beside_their_images_and_names_in_a_csv(tmp_path):
    """As Roboflow writes them."""
    names = "Pixel Value, Class\n0, background\n7, small, dog\n"
    for split, number in (("train", 7), ("valid", 9)):
        draw(tmp_path / split / "a.jpg", shade=number)
        draw(tmp_path / split / "b.jpg", shade=number + 1)
        save(tmp_path / split / "a_mask.png", indexes((number, 0, 0, 4, 4)))
        (tmp_path / split / "_classes.csv").write_text(names if split == "train" else f"{names}x, cat\n7, cat\n")
    assert formats.detect(tmp_path)[0] == "index_masks"
    table, findings = index_masks.read(tmp_path)
    assert codes(findings) == {"classes_invalid": 2, "class_out_of_range": 1, "image_without_label": 2}
    assert dict(zip(table.class_ids, table.classes, strict=True)) == {0: "background", 7: "small, dog"}
    assert [(image, name) for image, name, _ in said(table)] == [
        (0, "background"),
        (0, "small, dog"),
        (2, "background"),
    ]
    (tmp_path / "valid/_classes.csv").write_text(names.replace("dog", "cat"))
    assert codes(index_masks.read(tmp_path)[1])["class_lists_differ"] == 1
