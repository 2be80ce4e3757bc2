"""Every pair of formats converts: what both can hold arrives, and whatever does not is told."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa

from retinue_sdk import geometry, raster
from retinue_sdk.formats.fit import Holds, fit
from retinue_sdk.table import make_table
from tests.sdk.conversions import losses_between, readers, writers
from tests.sdk.differences import unexplained
from tests.sdk.samples import sample


def test_every_pair_converts_and_tells_its_losses():
    found = losses_between()
    assert {name for name, _, _ in found} == set(readers())
    assert {other for _, _, other in found} == set(writers())
    assert len(readers()) > len(writers()) > 15


def test_what_holds_everything_loses_nothing(tmp_path):
    assert all(not losses for (_, _, other), losses in losses_between().items() if other == "ndjson")
    full = sample("polygon", tmp_path)
    assert full.images["group"].any()
    assert full.class_ids == [1, 2, 9]


def test_a_loss_is_told_where_there_is_one():
    found = losses_between()
    assert found["yolo_segment", "polygon", "yolo_detect"] == {"loss_shape": 6}
    assert "loss_kind" in found["image_folder", "class", "yolo_detect"]
    assert found["yolo_detect", "box", "yolo_detect"] == {}


def test_a_difference_without_a_loss_is_seen_and_a_loss_without_a_difference_too(tmp_path):
    table = sample("polygon", tmp_path)
    assert unexplained(table, table, {}) == []
    idle = ["loss_group told, nothing changed", "loss_group 5 times, 0 groups changed: []"]
    assert unexplained(table, table, {"loss_group": 5, "loss_background": 1}) == idle
    values, offsets = table.coordinates()
    moved = [geometry.from_flat(values + by, np.diff(offsets)) for by in (1e-3, 1e-9)]
    for changed in (
        table.with_images(group="x"),
        table.with_images(split="train"),
        table.with_images(attributes=""),
        replace(table, class_ids=[1, 2, 3]),
        replace(table, classes=["cat", "bird", "hot dog"]),
        replace(table, class_attributes=[{}, {}, {}]),
        replace(table, annotations=table.annotations.assign(attributes="")),
        replace(table, geometry=moved[0]),
        table.keep(np.arange(len(table.annotations)) > 0),
        table.select(np.arange(4)),
    ):
        assert unexplained(table, changed, {}) != []
    assert unexplained(table, replace(table, geometry=moved[1]), {}) == []
    some = table.with_images(group=["a", "x", "x", "x", "x"])
    assert unexplained(table, some, {"loss_group": 4}) == []
    assert len(unexplained(table, some, {"loss_group": 5})) == 1


def test_shapes_of_several_kinds_become_others_one_by_one(tmp_path):
    """Those that cover nothing are left out, and the others stay what they are."""
    made = {kind: sample(kind, tmp_path / kind, plain=True) for kind in ("box", "keypoints", "obb", "polygon")}
    rows = pd.concat([table.annotations for table in made.values()])
    flat = rows.assign(x2=rows["x2"].where(rows["kind"] != "keypoints", rows["x1"]))  # boxes without area
    shapes = pa.concat_arrays([table.geometry for table in made.values()])
    table = make_table(made["box"].images, flat, made["box"].classes, geometry=shapes)
    fitted, report = fit(table, Holds(("mask",)), "masks")
    assert {finding.code: finding.count for finding in report.findings()} == {"loss_shape": 24}
    expected = [fit(made[kind], Holds(("mask",)), "masks")[0] for kind in ("box", "obb", "polygon")]
    masks = sorted(shape for other in expected for shape in other.geometry.to_pylist())
    assert sorted(fitted.geometry.to_pylist()) == masks
    boxes = [raster.box_of_runs(shape, fitted.images["height"][image]) for shape, image in zip(
        fitted.geometry.to_pylist(), fitted.annotations["image"], strict=True)]  # fmt: skip
    assert fitted.boxes.tolist() == [list(box) for box in boxes]
