"""Index masks, Cityscapes and ADE20K: layouts, names of numbers, bad masks, and the way there and back."""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from retinue_sdk import formats, geometry, raster
from retinue_sdk.errors import DataError
from retinue_sdk.formats import ade20k, cityscapes, image_folder, index_masks, yolo_detect
from retinue_sdk.formats.index_classes import read_classes
from retinue_sdk.formats.report import CODES, Report
from retinue_sdk.table import make_table
from tests.sdk.drawn import box_table, draw, yolo
from tests.sdk.samples import sample

SIZE = (64, 48)
few = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def codes(findings):
    return {f.code: f.count for f in findings}


def indexes(*rectangles, size=SIZE, kind=np.uint8):
    """An index mask with rectangles of (number, x1, y1, x2, y2)."""
    made = np.zeros((size[1], size[0]), dtype=kind)
    for number, x1, y1, x2, y2 in rectangles:
        made[y1:y2, x1:x2] = number
    return made


def save(path, array, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    if mode == "P":
        image.putpalette(list(range(256)) * 3)
    image.save(path)
    return path


def dataset(root, masks, layout="masks/{}.png", config=None):
    """Images and masks by their place; `layout` says where a mask lies."""
    for number, (place, array) in enumerate(masks.items()):
        draw(root / "images" / f"{place}.jpg", shade=number)
        if array is not None:
            save(root / layout.format(place), array)
    if config is not None:
        (root / "config.yaml").write_text(config, encoding="utf-8")
    return root


def said(table):
    """(image, class, pixels) of each annotation."""
    rows = table.annotations
    values, offsets = table.coordinates()
    areas = [int(values[offsets[i] : offsets[i + 1]][1::2].sum()) for i in range(len(rows))]
    return list(zip(rows["image"], [table.classes[c] for c in rows["class_id"]], areas, strict=True))


# --- reading --------------------------------------------------------------------------------------------------------------

NAMED = "classes:\n  0: nothing\n  1: cat\n  7: dog\n"


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


def png(width, height, depth, colour, rows):
    """A PNG of bytes that the library itself does not write."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


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


GOOD = indexes((1, 0, 0, 4, 4))


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


# --- detection ------------------------------------------------------------------------------------------------------------


def test_labels_of_yolo_and_colours_are_not_claimed(tmp_path):
    boxes = yolo(tmp_path / "yolo", {"images/train/a.png": "0 0.5 0.5 0.1 0.1"})
    assert index_masks.sniff(boxes) == 0
    save(boxes / "labels/train/a.png", GOOD)
    assert index_masks.sniff(boxes) == 0
    colours = dataset(tmp_path / "colours", {"a": np.zeros((48, 64, 3), dtype=np.uint8)}, "labels/{}.png")
    assert index_masks.sniff(colours) == 0


def test_each_kind_of_masks_is_detected(tmp_path):
    made = {
        "index_masks": dataset(tmp_path / "i", {"train/a": GOOD}, config="names: [none, cat]\n"),
        "cityscapes": city(tmp_path / "c"),
        "ade20k": ade(tmp_path / "a"),
    }
    modules = (index_masks, cityscapes, ade20k, image_folder, yolo_detect)
    for name, root in made.items():
        confidence = {module.NAME: module.sniff(root) for module in modules}
        assert max(confidence, key=confidence.get) == name
        others = [value for key, value in confidence.items() if key not in (name, "yolo_detect")]
        assert confidence[name] >= 0.9 > 3 * max(others)


@pytest.mark.parametrize("module", [index_masks, cityscapes, ade20k])
def test_nothing_is_no_dataset_of_masks(tmp_path, module):
    draw(tmp_path / "images/a.png")
    assert module.sniff(tmp_path) < formats.LOWEST_CONFIDENCE


# --- writing --------------------------------------------------------------------------------------------------------------


def test_masks_there_and_back(tmp_path):
    masks = {
        "train/a": indexes((1, 2, 3, 10, 9), (7, 8, 8, 30, 40)),
        "val/b": indexes(),
        "c": indexes((7, 0, 0, 64, 48)),
    }
    table, _ = index_masks.read(dataset(tmp_path / "in", masks, config="classes: {1: cat, 7: dog}\n"))
    assert index_masks.write(table, tmp_path / "out") == []
    again, findings = index_masks.read(tmp_path / "out")
    assert findings == []
    assert (again.classes, again.class_ids) == (table.classes, table.class_ids)
    assert again.splits == {"train": 1, "val": 1, "": 1}
    assert sorted(said(again)) == sorted(said(table))
    assert sorted(again.coordinates()[0]) == sorted(table.coordinates()[0])
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out/masks/train/a.png")), masks["train/a"])
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["config.yaml", "images", "masks"]


def test_what_is_void_stays_void_when_a_class_has_the_number_zero(tmp_path):
    mask = np.full((48, 64), 255, dtype=np.uint8)
    mask[:10] = 0
    table, _ = index_masks.read(dataset(tmp_path / "in", {"a": mask}, config="classes: [road, sky]\n"))
    assert codes(index_masks.write(table, tmp_path / "out")) == {"loss_background": 1}
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out/masks/a.png")), mask)


def masks_table(root, rows, ids, size=(20, 10)):
    """A table of one image with masks of (class index, x1, y1, x2, y2)."""
    runs = [raster.encode(indexes((1, *rectangle), size=size) > 0) for _, *rectangle in rows]
    boxes = np.array([rectangle for _, *rectangle in rows], dtype=float)
    return make_table(
        {"key": ["a.png"], "path": [str(draw(root / "a.png", size))], "width": size[0], "height": size[1]},
        {
            "image": [0] * len(rows), "class_id": [row[0] for row in rows], "kind": "mask",
            "x1": boxes[:, 0], "y1": boxes[:, 1], "x2": boxes[:, 2], "y2": boxes[:, 3],
        },
        [f"c{i}" for i in ids], ids, geometry.column(runs),
    )  # fmt: skip


def test_where_masks_overlap_the_later_one_holds_and_the_loss_is_counted(tmp_path):
    rows = [(0, 0, 0, 6, 6), (1, 4, 4, 8, 8), (0, 5, 0, 7, 2)]
    table = masks_table(tmp_path / "in", rows, [1, 2])
    assert codes(index_masks.write(table, tmp_path / "out")) == {"loss_overlap": 4, "loss_objects": 1}
    assert said(index_masks.read(tmp_path / "out")[0]) == [(0, "c1", 32 + 2), (0, "c2", 16)]


@pytest.mark.parametrize(
    ("ids", "mode", "numbers", "losses"),
    [
        ([1, 254], "L", [0, 1, 254], {}),
        ([1, 255], "L", [0, 1, 255], {}),
        ([1, 256], "I;16", [0, 1, 256], {}),
        ([0, 255], "I;16", [0, 255, 65535], {"loss_background": 1}),
        ([5, 70_000], "L", [0, 1, 2], {"loss_class_ids": 1}),
    ],
)
def test_a_mask_is_as_wide_as_its_numbers(tmp_path, ids, mode, numbers, losses):
    table = masks_table(tmp_path / "in", [(0, 0, 0, 6, 6), (1, 10, 4, 18, 8)], ids)
    assert codes(index_masks.write(table, tmp_path / "out")) == losses
    written = Image.open(tmp_path / "out/masks/a.png")
    assert written.mode == mode
    assert np.unique(np.asarray(written)).tolist() == numbers


def test_other_shapes_are_filled_and_said(tmp_path):
    assert codes(index_masks.write(box_table(tmp_path / "in"), tmp_path / "out")) == {
        "loss_shape": 4, "loss_background": 3, "loss_attributes": 1, "loss_overlap": 54,
    }  # fmt: skip
    polygons = sample("polygon", tmp_path / "polygons")
    lost = codes(index_masks.write(polygons, tmp_path / "out2"))
    assert {
        "loss_shape",
        "loss_attributes",
        "loss_image_attributes",
        "loss_group",
        "loss_class_attributes",
    } <= lost.keys()


def test_more_classes_than_numbers_are_refused(tmp_path):
    table = make_table({"key": ["a.png"]}, {"image": [], "kind": []}, list(map(str, range(65_536))), range(1, 65_537))
    with pytest.raises(DataError, match="more classes"):
        index_masks.write(table, tmp_path)


# --- Cityscapes -----------------------------------------------------------------------------------------------------------


def city(root, mask=GOOD, polygons=None):
    """Two images: one with a mask of label ids, one with polygons."""
    for place in ("train/ulm/ulm_000000", "val/bonn/bonn_000001"):
        draw(root / f"leftImg8bit/{place}_leftImg8bit.png", shade=len(place))
    save(root / "gtFine/train/ulm/ulm_000000_gtFine_labelIds.png", mask)
    save(root / "gtFine/train/ulm/ulm_000000_gtFine_instanceIds.png", mask)
    path = root / "gtFine/val/bonn/bonn_000001_gtFine_polygons.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(polygons or {"objects": []}), encoding="utf-8")
    return root


def thing(label, *corners, **more):
    return {"label": label, "polygon": [list(corner) for corner in corners], **more}


TRIANGLE = ((1, 1), (9, 1), (5, 9))


def test_cityscapes_labels_cities_and_splits(tmp_path):
    polygons = {"objects": [thing("road", *TRIANGLE), thing("cargroup", *TRIANGLE), thing("license plate", *TRIANGLE)]}
    table, findings = cityscapes.read(city(tmp_path, indexes((26, 1, 1, 5, 5)), polygons))
    assert codes(findings) == {"cityscapes_left_out": 1}
    assert table.class_ids == list(range(34))
    assert (table.classes[0], table.classes[7], table.classes[33]) == ("unlabeled", "road", "bicycle")
    assert table.class_attributes[26] == {"supercategory": "vehicle"}
    assert table.images["group"].tolist() == ["ulm", "bonn"]
    assert table.images["split"].tolist() == ["train", "val"]
    assert said(table)[:2] == [(0, "unlabeled", 3072 - 16), (0, "car", 16)]
    assert table.annotations["kind"].tolist() == ["mask", "mask", "polygon", "polygon"]
    assert table.annotations["attributes"].tolist() == ["", "", "", '{"group":1}']


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (json.dumps({"objects": [thing("road", (1, 1), (2, 2))]}), "shape_incomplete"),
        (json.dumps({"objects": [thing("road", (1, 1), (2,), (3, 3))]}), "shape_incomplete"),
        (json.dumps({"objects": [{"label": "road"}]}), "shape_incomplete"),
        (json.dumps({"objects": [thing("dragon", *TRIANGLE)]}), "class_out_of_range"),
        (json.dumps({"objects": [thing("group", *TRIANGLE)]}), "class_out_of_range"),
        (json.dumps({"objects": [{"label": 5, "polygon": TRIANGLE}]}), "class_out_of_range"),
        (json.dumps({"objects": [thing("road", *TRIANGLE, deleted=1)]}), "cityscapes_left_out"),
        (json.dumps({"objects": [thing("road", (1, 1), (900, 1), (5, 9))]}), "box_outside_image"),
        ('{"objects": [NaN]}', "json_invalid"),
        ("[" * 100_000, "json_invalid"),
        ("5", "json_invalid"),
        ('{"objects": [], "objects": []}', "json_key_duplicate"),
    ],
)
def test_bad_polygons_of_cityscapes(tmp_path, content, code):
    root = city(tmp_path)
    (root / "gtFine/val/bonn/bonn_000001_gtFine_polygons.json").write_text(content, encoding="utf-8")
    _, findings = cityscapes.read(root)
    assert codes(findings) == {code: 1}


def test_cityscapes_pairs(tmp_path):
    root = city(tmp_path)
    (root / "leftImg8bit/train/ulm/ulm_000000_leftImg8bit.png").unlink()
    draw(root / "leftImg8bit/test/berlin/berlin_000002_leftImg8bit.png")
    _, findings = cityscapes.read(root)
    assert codes(findings) == {"image_without_label": 1, "label_without_image": 1}


# --- ADE20K ---------------------------------------------------------------------------------------------------------------

INFO = "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1\t5\t2\t1\twall\n2\t0.1\t5\t2\t0\tbuilding, edifice\n"


def ade(root, info=INFO, scenes="ADE_train_00000001 living room\nADE_val_00000001 bar\n"):
    for place in ("training/ADE_train_00000001", "validation/ADE_val_00000001"):
        draw(root / f"images/{place}.jpg", shade=len(place))
        save(root / f"annotations/{place}.png", indexes((2, 0, 0, 4, 4)))
    for name, content in (("objectInfo150.txt", info), ("sceneCategories.txt", scenes)):
        if content is not None:
            (root / name).write_text(content, encoding="utf-8")
    return root


def test_ade20k_classes_and_scenes(tmp_path):
    table, findings = ade20k.read(ade(tmp_path / "wrapped"))
    assert findings == []
    assert (table.classes, table.class_ids) == (["wall", "building, edifice"], [1, 2])
    assert table.class_attributes == [{"supercategory": "stuff"}, {"supercategory": "thing"}]
    assert table.splits == {"train": 1, "val": 1}
    assert table.images["attributes"].tolist() == ['{"scene":"living room"}', '{"scene":"bar"}']
    assert said(table) == [(0, "building, edifice", 16), (1, "building, edifice", 16)]


def test_ade20k_without_its_lists(tmp_path):
    root = ade(tmp_path, None, None)
    assert ade20k.sniff(root) >= 0.9
    table, findings = ade20k.read(root)
    assert codes(findings) == {"class_names_made": 1}
    assert table.class_ids == [2]


@pytest.mark.parametrize(
    ("line", "code"),
    [("three\t0.1\twall", "classes_invalid"), ("2\t0\t0\t0\t0\tagain", "classes_invalid"), ("3", "classes_invalid")],
)
def test_bad_lines_of_the_classes_of_ade20k(tmp_path, line, code):
    table, findings = ade20k.read(ade(tmp_path, INFO + line + "\n"))
    assert [(f.code, f.examples) for f in findings] == [
        (code, [f"objectInfo150.txt:4: {line}".replace("\t", "\ufffd")])
    ]
    assert table.class_ids == [1, 2]


# --- whatever bytes -------------------------------------------------------------------------------------------------------


@pytest.fixture
def three(tmp_path):
    return [
        (index_masks, dataset(tmp_path / "i", {"a": GOOD}, config=NAMED), "masks/a.png"),
        (ade20k, ade(tmp_path / "a"), "annotations/training/ADE_train_00000001.png"),
        (cityscapes, city(tmp_path / "c"), "gtFine/train/ulm/ulm_000000_gtFine_labelIds.png"),
    ]


def read_safely(module, root):
    module.sniff(root)
    try:
        _, findings = module.read(root)
    except DataError:
        return
    assert {f.code for f in findings} <= CODES.keys()


@few
@given(st.data())
def test_damaged_masks(three, data):
    module, root, name = data.draw(st.sampled_from(three))
    content = bytearray(
        png(
            *SIZE,
            data.draw(st.sampled_from([1, 2, 4, 8, 16])),
            data.draw(st.sampled_from([0, 2, 3, 4, 6])),
            [b"\1" * 600] * 48,
        )
    )
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    (root / name).write_bytes(content[: data.draw(st.integers(0, len(content)))])
    read_safely(module, root)


texts = st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda t: t.encode("utf-8", "surrogatepass")))
values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.sampled_from(["road", "cargroup"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["objects", "label", "polygon", "id", "name", "deleted", "1"]), inner, max_size=4
        ),
    ),
    max_leaves=12,
)


@few
@given(st.one_of(texts, values.map(lambda v: json.dumps(v).encode())))
def test_damaged_lists_and_documents(three, content):
    for (module, root, _), name in zip(
        three, ("classes.json", "objectInfo150.txt", "gtFine/val/bonn/bonn_000001_gtFine_polygons.json"), strict=True
    ):
        (root / "config.yaml").unlink(missing_ok=True)
        (root / name).write_bytes(content)
        read_safely(module, root)
    (three[1][1] / "sceneCategories.txt").write_bytes(content)
    read_safely(ade20k, three[1][1])
    (three[0][1] / "config.yaml").write_bytes(content)
    read_safely(index_masks, three[0][1])
