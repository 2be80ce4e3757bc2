"""The split of data that brings none: 80/20, drawn by a seed, the same whatever order the files come in."""

from __future__ import annotations

import hashlib

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
    strata = table.labels()[pool] if by_class else np.zeros(len(pool), dtype=np.int64)
    keys = table.images["key"].to_numpy()
    ranks = np.array([_rank(seed, key) for key in keys[pool]], dtype=np.uint64)
    splits = table.images["split"].to_numpy(dtype=object).copy()
    splits[pool] = "train"
    for stratum in np.unique(strata):
        members = pool[strata == stratum]
        order = np.lexsort((keys[members].astype(str), ranks[strata == stratum]))
        splits[members[order[: _validation_count(len(members), share)]]] = "val"
    rule = f"{round(100 * (1 - share))}/{round(100 * share)}{', stratified by class' if by_class else ''}, seed {seed}"
    return table.with_images(split=splits), rule


def _validation_count(count: int, share: float) -> int:
    """At least one of two or more; a single image is for training."""
    return 0 if count < 2 else min(count - 1, max(1, round(count * share)))


def _rank(seed: int, key: str) -> int:
    """A number that depends on nothing but the seed and the key, so that adding an image moves few others."""
    return int.from_bytes(hashlib.sha256(f"{seed}\n{key}".encode()).digest()[:8], "big")
