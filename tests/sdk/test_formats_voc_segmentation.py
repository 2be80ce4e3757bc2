"""Masks of Pascal VOC: colours and numbers, objects, splits, labelmaps, and every mask that is none."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from retinue_sdk import formats, geometry, raster
from retinue_sdk.formats import pascal_voc, voc_segmentation
from retinue_sdk.formats.voc_colors import PALETTE, colors_of, numbers_of
from retinue_sdk.table import make_table
from tests.sdk.checks import codes, few, read_safely
from tests.sdk.conversions import same
from tests.sdk.drawn import draw, voc, voc_object
from tests.sdk.samples import sample

SIZE = (64, 48)


def blocks(*parts, dtype=np.uint8):
    """A mask of rectangles: (number, x1, y1, x2, y2)."""
    mask = np.zeros((SIZE[1], SIZE[0]), dtype=dtype)
    for number, x1, y1, x2, y2 in parts:
        mask[y1:y2, x1:x2] = number
    return mask


def save(path, mask, mode="P"):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(colors_of(mask) if mode == "RGB" else mask)
    if mode == "P":
        image.putpalette(PALETTE)
    image.save(path)


def dataset(root, masks, objects=(), labelmap="", mode="P"):
    """Images with their masks, by stem."""
    for number, (stem, mask) in enumerate(masks.items()):
        draw(root / "JPEGImages" / f"{stem}.jpg", SIZE, shade=number)
        save(root / "SegmentationClass" / f"{stem}.png", mask, mode)
    for stem, mask in dict(objects).items():
        save(root / "SegmentationObject" / f"{stem}.png", mask, mode)
    if labelmap:
        (root / "labelmap.txt").write_text(labelmap)
    return root


def test_a_colour_is_a_number_and_a_number_a_colour():
    numbers = np.array([0, 1, 2, 3, 20, 255, 256, 2**24 - 1])
    assert colors_of(numbers).tolist()[:6] == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [0, 64, 128],
        [224, 224, 192],
    ]
    assert numbers_of(colors_of(numbers)).tolist() == numbers.tolist()


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_one_mask_for_each_class_without_objects(tmp_path, mode):
    mask = blocks((15, 2, 2, 20, 20), (1, 30, 5, 40, 30), (255, 20, 2, 22, 20), (15, 50, 5, 60, 9))
    table, findings = voc_segmentation.read(dataset(tmp_path, {"a": mask}, mode=mode))
    assert codes(findings) == {"mask_void": 1, "class_names_assumed": 1}
    assert [table.classes[i] for i in table.annotations["class_id"]] == ["aeroplane", "person"]
    assert (table.class_ids[0], table.class_ids[14]) == (1, 15)
    assert table.boxes.tolist() == [[30, 5, 40, 30], [2, 2, 60, 20]]
    values, offsets = table.coordinates()
    np.testing.assert_array_equal(raster.decode(values[offsets[1] :], *SIZE), mask == 15)


def test_one_mask_for_each_object(tmp_path):
    classes = blocks((15, 2, 2, 20, 20), (15, 30, 5, 40, 30), (7, 50, 5, 60, 9))
    objects = blocks((1, 2, 2, 20, 20), (2, 30, 5, 40, 30), (3, 50, 5, 60, 9))
    table, _ = voc_segmentation.read(dataset(tmp_path, {"a": classes}, {"a": objects}))
    assert [table.classes[i] for i in table.annotations["class_id"]] == ["person", "person", "car"]
    assert table.boxes[:, 0].tolist() == [2, 30, 50]


def test_an_object_of_two_classes_is_two_masks_and_pixels_without_object_stay(tmp_path):
    classes = blocks((15, 2, 2, 10, 20), (7, 10, 2, 20, 20), (1, 40, 2, 50, 9))
    table, findings = voc_segmentation.read(dataset(tmp_path, {"a": classes}, {"a": blocks((1, 2, 2, 20, 20))}))
    assert codes(findings)["mask_object_mixed"] == 1
    assert sorted(table.classes[i] for i in table.annotations["class_id"]) == ["aeroplane", "car", "person"]


def test_numbers_beyond_the_twenty_are_classes_of_their_own(tmp_path):
    table, findings = voc_segmentation.read(dataset(tmp_path, {"a": blocks((33, 2, 2, 9, 9))}))
    assert codes(findings) == {"class_names_made": 1}
    assert (table.classes, table.class_ids) == (["class_33"], [33])


LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\nroad:10,20,30::\nsky:40,50,60:a,b:\n"


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_labelmap_names_colours(tmp_path, mode):
    road, sky = numbers_of([[10, 20, 30], [40, 50, 60]]).tolist()
    root = dataset(tmp_path, {"a": blocks((1, 2, 2, 9, 9), (2, 20, 2, 30, 9))}, labelmap=LABELMAP, mode=mode)
    path = root / "SegmentationClass/a.png"
    if mode == "RGB":
        save(path, blocks((road, 2, 2, 9, 9), (sky, 20, 2, 30, 9), dtype=np.int32), "RGB")
    if mode == "P":
        image = Image.open(path)
        image.putpalette([0, 0, 0, 10, 20, 30, 40, 50, 60])
        image.save(path)
    table, findings = voc_segmentation.read(root)
    assert findings == []
    assert (table.classes, table.class_ids) == (["road", "sky"], [1, 2])
    assert sorted(table.boxes.tolist()) == [[2, 2, 9, 9], [20, 2, 30, 9]]


@pytest.mark.parametrize(
    ("labelmap", "code"),
    [
        ("cat:1,2::\n", "labelmap_invalid"),
        ("cat:1,2,300::\n", "labelmap_invalid"),
        ("cat\n", "labelmap_invalid"),
        ("cat:128,0,0::\ndog:128,0,0::\n", "labelmap_invalid"),
        ("cat:0,128,0::\ndog:128,128,0::\n", "class_out_of_range"),
        ("cat:128,0,0::\ncat:0,128,0::\n", "class_name_duplicate"),
    ],
)
def test_wrong_labelmaps_are_reported(tmp_path, labelmap, code):
    root = dataset(tmp_path, {"a": blocks((1, 2, 2, 9, 9))}, labelmap=labelmap)
    save(root / "SegmentationClass/a.png", blocks((1, 2, 2, 9, 9)), "RGB")
    assert code in codes(voc_segmentation.read(root)[1])


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "mask_unreadable"),
        (b"not a PNG", "mask_unreadable"),
        (np.zeros((9, 9), np.uint8), "mask_size_mismatch"),
        (np.zeros((9, 9, 3), np.uint8), "mask_size_mismatch"),
        (np.zeros((48, 64, 2), np.uint8), "mask_not_index"),
        (noise(48, 64, 3), "mask_too_detailed"),
    ],
)
def test_what_is_no_mask_is_reported(tmp_path, content, code):
    root = dataset(tmp_path, {"a": blocks((1, 2, 2, 9, 9)), "b": blocks((1, 2, 2, 9, 9))})
    path = root / "SegmentationClass/a.png"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        Image.fromarray(content).save(path)
    table, findings = voc_segmentation.read(root)
    assert codes(findings) == {code: 1, "class_names_assumed": 1}
    assert findings[0].examples[0].startswith("SegmentationClass/a.png")
    assert len(table.annotations) == 1


def test_images_masks_and_lists_that_miss_each_other(tmp_path):
    root = dataset(tmp_path, {stem: blocks((1, 2, 2, 9, 9)) for stem in ("a", "b", "c")})
    (root / "SegmentationClass/b.png").rename(root / "SegmentationClass/ghost.png")
    lists = root / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\nb\ngone\n\n")
    (lists / "val.txt").write_text("a\n")
    table, findings = voc_segmentation.read(root)
    assert codes(findings) == {
        "image_missing": 1,
        "split_overlap": 1,
        "image_unlisted": 1,
        "image_without_label": 1,
        "label_without_image": 1,
        "class_names_assumed": 1,
    }
    assert table.splits == {"train": 2}


def test_boxes_beside_the_masks_are_another_format(tmp_path):
    root = voc(tmp_path, {"a": voc_object("cat", 1, 1, 5, 5)})
    save(root / "SegmentationClass/a.png", blocks((8, 1, 1, 5, 5)))
    assert codes(voc_segmentation.read(root)[1]) == {"boxes_ignored": 1, "class_names_assumed": 1}
    assert codes(pascal_voc.read(root)[1]) == {}
    assert formats.LOWEST_CONFIDENCE < voc_segmentation.sniff(root) < pascal_voc.sniff(root)


def test_only_jpegimages_holds_images_where_it_is_there(tmp_path):
    root = dataset(tmp_path, {"a": blocks((1, 2, 2, 9, 9))})
    save(root / "SegmentationClassRaw/a.png", blocks((1, 2, 2, 9, 9)))
    (root / "ImageSets/Segmentation").mkdir(parents=True)
    (root / "ImageSets/Segmentation/train.txt").write_text("a\n")
    assert voc_segmentation.read(root)[0].images["key"].tolist() == ["JPEGImages/a.jpg"]


def test_what_is_no_mask_dataset_is_not_claimed(tmp_path):
    assert voc_segmentation.sniff(voc(tmp_path, {"a": ""})) == 0


def test_ids_objects_and_splits_there_and_back(tmp_path):
    table = sample("mask", tmp_path / "in")
    keep = np.ones(len(table.annotations), dtype=bool)
    keep[1] = False  # it overlaps the first
    table = table.keep(keep).with_images(split=["train", "", "val", "test", ""])
    losses = voc_segmentation.write(table, tmp_path / "out")
    assert set(codes(losses)) == {
        "loss_attributes",
        "loss_image_attributes",
        "loss_class_attributes",
        "loss_group",
    }
    again, findings = voc_segmentation.read(tmp_path / "out")
    assert findings == []
    assert same(table, again) == []
    assert (again.classes, again.class_ids) == (table.classes, table.class_ids)
    assert voc_segmentation.sniff(tmp_path / "out") > 0.9


def test_pixels_of_two_masks_are_told(tmp_path):
    losses = voc_segmentation.write(sample("mask", tmp_path / "in", plain=True), tmp_path / "out")
    assert codes(losses) == {"loss_class_ids": 3, "loss_overlap": 143}
    again, _ = voc_segmentation.read(tmp_path / "out")
    assert again.class_ids == [1, 2, 3]  # 0 is background


def test_more_objects_than_a_palette_has_colours(tmp_path):
    mask = np.zeros((48, 64), np.uint8)
    mask[::2, ::2] = 1
    table, _ = voc_segmentation.read(dataset(tmp_path / "in", {"a": mask}))
    values = table.coordinates()[0]
    spots = np.flatnonzero(raster.decode(values, *SIZE).reshape(-1, order="F"))
    runs = [np.diff([0, spot, spot + 1, 64 * 48]).astype(float) for spot in spots]
    many = make_table(
        {"key": ["a.jpg"], "path": [table.images["path"][0]], "width": 64, "height": 48},
        {"image": [0] * len(runs), "class_id": 0, "kind": "mask"},
        ["spot"],
        [1],
        geometry=geometry.column(runs),
    )
    assert voc_segmentation.write(many, tmp_path / "out") == []
    with Image.open(tmp_path / "out/SegmentationObject/a.png") as mask:
        assert mask.mode == "RGB"
    again, _ = voc_segmentation.read(tmp_path / "out")
    assert len(again.annotations) == len(runs) == 768


@few
@given(st.binary(max_size=200), st.binary(max_size=80), st.binary(max_size=40))
@example(b"", b"cat:1,2,3", b"a")
@example(b"", b":1,2,3::\n::::\n", b"\xff\xfe")
def test_whatever_is_in_the_files(tmp_path, mask, labelmap, names):
    root = tmp_path / "voc"
    shutil.rmtree(root, ignore_errors=True)
    dataset(root, {"a": blocks((1, 2, 2, 9, 9)), "b": blocks()})
    (root / "SegmentationClass/b.png").write_bytes((root / "SegmentationClass/a.png").read_bytes()[:60] + mask)
    (root / "labelmap.txt").write_bytes(labelmap)
    (root / "ImageSets/Segmentation").mkdir(parents=True)
    (root / "ImageSets/Segmentation/train.txt").write_bytes(b"a\nb\n" + names)
    read_safely(voc_segmentation, root)
