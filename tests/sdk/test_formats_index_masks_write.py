"""Index masks there and back: void, overlaps, wide numbers and other shapes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from retinue_sdk import geometry, raster
from retinue_sdk.errors import DataError
from retinue_sdk.formats import index_masks
from retinue_sdk.table import make_table
from tests.sdk.checks import codes
from tests.sdk.drawn import box_table, draw
from tests.sdk.mask_folders import dataset, indexes, said
from tests.sdk.samples import sample


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
        ([5, 70_000], "L", [0, 1, 2], {"loss_class_ids": 2}),
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
