"""The split of data that brings none: 80/20, drawn by a seed, the same whatever order the files come in."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from retinue_sdk.table import AnnotationTable, Ints

VALIDATION = 0.2


def stratified(table: AnnotationTable, seed: int, share: float = VALIDATION) -> tuple[AnnotationTable, str]:
    """Split all images into train and val: per class for classification, as a whole otherwise. Also the rule in words."""
    return _draw(table, np.arange(len(table)), seed, share)


def ensure(table: AnnotationTable, seed: int) -> tuple[AnnotationTable, str | None]:
    """The table with a val split; where it has none, val is drawn from train or from what has no split."""
    splits = table.splits
    if splits.get("val"):
        return table, None
    pool = np.flatnonzero(np.isin(table.images["split"].to_numpy(), ["", "train"]))
    return _draw(table, pool, seed, VALIDATION)


def _draw(table: AnnotationTable, pool: Ints, seed: int, share: float) -> tuple[AnnotationTable, str]:
    by_class = "class" in table.annotations["kind"].unique()
    units, whole = _units(table, pool)
    names, unit_of = np.unique(units, return_inverse=True)
    sizes = np.bincount(unit_of)
    strata = np.zeros(len(names), dtype=np.int64)
    if by_class:
        strata[:] = np.iinfo(np.int64).max
        np.minimum.at(strata, unit_of, table.labels()[pool])  # of a group with several: whatever order they come in
    ranks = np.array([_rank(seed, name) for name in names], dtype=np.uint64)
    drawn = np.zeros(len(names), dtype=bool)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        order = members[np.argsort(ranks[members], kind="stable")]
        drawn[order[: _validation_count(sizes[order], share)]] = True
    splits = table.images["split"].to_numpy(dtype=object).copy()
    splits[pool] = np.where(drawn[unit_of], "val", "train")
    how = f"{', stratified by class' if by_class else ''}{f', {whole}' if whole else ''}"
    return table.with_images(split=splits), f"{round(100 * (1 - share))}/{round(100 * share)}{how}, seed {seed}"


def _units(table: AnnotationTable, pool: Ints) -> tuple[Any, str]:
    """What is drawn, a name for each image, and that in words: groups stay whole, unless there is but one."""
    keys, groups = (table.images[name].to_numpy(dtype=object)[pool].astype(str) for name in ("key", "group"))
    units = np.where(groups == "", keys, groups)
    if np.array_equal(units, keys):
        return keys, ""
    return (units, "groups kept whole") if len(np.unique(units)) > 1 else (keys, "one group on both sides")


def _validation_count(sizes: Ints, share: float) -> int:
    """How many of the first units make up the share of all images: at least one, and never all; one alone is for training."""
    if len(sizes) < 2:
        return 0
    wanted = max(1, round(int(sizes.sum()) * share))
    return min(len(sizes) - 1, int(np.searchsorted(np.cumsum(sizes), wanted)) + 1)


def _rank(seed: int, name: str) -> int:
    """A number that depends on nothing but the seed and the name, so that adding an image moves few others."""
    return int.from_bytes(hashlib.sha256(f"{seed}\n{name}".encode()).digest()[:8], "big")
