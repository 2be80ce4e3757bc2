"""The 80/20 split: by class, by seed, and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from retinue_sdk import split
from retinue_sdk.table import make_table


def labelled(counts, order=None):
    keys = [f"{name}/{i}.png" for name, count in counts.items() for i in range(count)]
    owners = [index for index, count in enumerate(counts.values()) for _ in range(count)]
    order = range(len(keys)) if order is None else order
    rows = {"image": range(len(keys)), "class_id": [owners[i] for i in order], "kind": ["class"] * len(keys)}
    return make_table({"key": [keys[i] for i in order]}, rows, list(counts))


def by_key(table):
    return dict(zip(table.images["key"], table.images["split"], strict=True))


def test_each_class_is_split_80_20():
    table, rule = split.stratified(labelled({"a": 100, "b": 10, "c": 5, "d": 2, "e": 1}), 0)
    validation = np.bincount(table.labels()[table.rows("val")], minlength=5)
    assert validation.tolist() == [20, 2, 1, 1, 0]
    assert rule == "80/20, stratified by class, seed 0"
    assert set(table.splits) == {"train", "val"}


def test_it_depends_on_the_seed_and_not_on_the_order():
    counts = {"a": 30, "b": 30}
    order = np.random.default_rng(1).permutation(60)
    first = by_key(split.stratified(labelled(counts), 7)[0])
    assert by_key(split.stratified(labelled(counts, order), 7)[0]) == first
    assert by_key(split.stratified(labelled(counts), 8)[0]) != first


def test_boxes_are_split_as_a_whole():
    rows = {"image": [0], "class_id": [0], "kind": ["box"], "x1": 0, "y1": 0, "x2": 1, "y2": 1}
    table, rule = split.stratified(make_table({"key": [f"{i}.png" for i in range(50)]}, rows, ["x"]), 3)
    assert table.splits == {"train": 40, "val": 10}
    assert rule == "80/20, seed 3"


def grouped(groups):
    columns = {"key": [f"{i}.png" for i in range(len(groups))], "group": groups}
    return split.stratified(make_table(columns, {}, []), 0)


def test_groups_stay_on_one_side():
    films = [f"film {i // 25}" for i in range(100)] + [""] * 20
    table, rule = grouped(films)
    sides = table.images.groupby("group")["split"].nunique()
    assert sides.drop("").tolist() == [1, 1, 1, 1]
    assert set(table.splits) == {"train", "val"}
    assert rule == "80/20, groups kept whole, seed 0"


def test_a_single_group_is_on_both_sides_and_that_is_said():
    table, rule = grouped(["film"] * 10)
    assert table.splits == {"train": 8, "val": 2}
    assert rule == "80/20, one group on both sides, seed 0"


@pytest.mark.parametrize(
    ("given", "expected", "drawn"),
    [
        (["train"] * 8 + ["val"] * 2, {"train": 8, "val": 2}, False),
        (["train"] * 10, {"train": 8, "val": 2}, True),
        ([""] * 10, {"train": 8, "val": 2}, True),
        (["train"] * 5 + ["test"] * 5, {"train": 4, "val": 1, "test": 5}, True),
    ],
)
def test_only_what_has_no_validation_is_split(given, expected, drawn):
    table = labelled({"a": 10}).with_images(split=given)
    made, rule = split.ensure(table, 0)
    assert made.splits == expected
    assert (rule is not None) == drawn
