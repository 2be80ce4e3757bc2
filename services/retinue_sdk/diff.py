"""What changed between two versions of a dataset, as one pure function of their tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from retinue_sdk import prints
from retinue_sdk.dataset import read_classes
from retinue_sdk.table import AnnotationTable, Ints, pieces

KINDS = ("added", "removed", "modified", "moved")
_IMAGE = ("key", "blob", "split", "group", "attributes")
_LEFT_OUT = ("source", "line", "geometry")  # where an annotation was read is nothing that it says


@dataclass(frozen=True)
class Diff:
    """`images` has a line for each image that changed, ordered by key; which of KINDS it is of is a column each."""

    images: pd.DataFrame
    classes_added: list[str]
    classes_removed: list[str]

    def count(self, column: str) -> int:
        """The sum of a column: images of a kind, or annotations."""
        return int(self.images[column].sum())

    def page(self, kind: str, limit: int, offset: int) -> list[dict[str, Any]]:
        """The images of a kind, from the one at `offset`."""
        lines = self.images[self.images[kind]].iloc[offset : offset + limit].to_dict("records")
        return cast("list[dict[str, Any]]", lines)


@dataclass(frozen=True)
class Side:
    """A version in the store, as far as it is compared: instead of its coordinates it has their prints, a tenth of them."""

    table: AnnotationTable
    geometry: prints.Prints


def read(folder: Path) -> Side:
    """One side of a comparison, from the store."""
    classes = read_classes(folder)["classes"]
    table = AnnotationTable.from_parquet(
        folder, [c["name"] for c in classes], [c["id"] for c in classes], leave_out=_LEFT_OUT
    )
    return Side(table, prints.of_geometry(pieces(folder / "annotations.parquet")))


def diff(before: Side | AnnotationTable, after: Side | AnnotationTable) -> Diff:
    """What is other in `after` than in `before`.

    An image is found again by its key, else by its bytes. It was moved when the same bytes have another key or are in
    another split, and modified when its bytes, attributes or annotations are others.
    """
    (a, a_prints), (b, b_prints) = _taken(before), _taken(after)
    rows_a, rows_b = _pairs(a.images, b.images)
    old, new = _lines(a.images, rows_a), _lines(b.images, rows_b)
    same_bytes = old["blob"].eq(new["blob"])
    images = pd.DataFrame({
        "key": new["key"].where(rows_b >= 0, old["key"]),
        "split": new["split"].where(rows_b >= 0, old["split"]),
        "was_key": old["key"],
        "was_split": old["split"],
        "added": rows_a < 0,
        "removed": rows_b < 0,
        "other_bytes": ~same_bytes,
        "other_attributes": old["attributes"].ne(new["attributes"]) | old["group"].ne(new["group"]),
        "moved": same_bytes & (old["key"].ne(new["key"]) | old["split"].ne(new["split"])),
    } | _annotations((a, a_prints, rows_a), (b, b_prints, rows_b)))  # fmt: skip
    both = ~images["added"] & ~images["removed"]
    for column in ("other_bytes", "other_attributes", "moved"):
        images[column] &= both
    touched = images[["annotations_added", "annotations_removed", "annotations_changed"]].any(axis=1)
    images["modified"] = both & (images["other_bytes"] | images["other_attributes"] | touched)
    changed = images[images[list(KINDS)].any(axis=1)].sort_values("key", kind="stable", ignore_index=True)
    return Diff(changed, _without(b.classes, a.classes), _without(a.classes, b.classes))


def _taken(side: Side | AnnotationTable) -> tuple[AnnotationTable, prints.AnnotationPrints]:
    if isinstance(side, Side):
        return side.table, prints.of_annotations(side.table, side.geometry)
    return side, prints.of_annotations(side)


def _pairs(a: pd.DataFrame, b: pd.DataFrame) -> tuple[Ints, Ints]:
    """The rows in `a` and in `b` of every image there is; -1 where there is none."""
    before = pd.Index(a["key"]).get_indexer(pd.Index(b["key"])).astype(np.int64)
    gone = np.setdiff1d(np.arange(len(a)), before)
    moved = _numbered(a, gone).merge(_numbered(b, np.flatnonzero(before < 0)), on=["blob", "nth"])
    before[moved["row_y"]] = moved["row_x"]
    gone = np.setdiff1d(gone, moved["row_x"])
    return np.append(before, gone), np.append(np.arange(len(b)), np.full(len(gone), -1))


def _numbered(images: pd.DataFrame, rows: Ints) -> pd.DataFrame:
    """These rows with their blob, and which of those with that blob each is."""
    lines = pd.DataFrame({"blob": images["blob"].iloc[rows], "row": rows})
    lines = lines[lines["blob"] != ""]
    return lines.assign(nth=lines.groupby("blob").cumcount())


def _lines(images: pd.DataFrame, rows: Ints) -> pd.DataFrame:
    """These rows; one of empty texts for -1."""
    return images[list(_IMAGE)].reindex(rows).fillna("").reset_index(drop=True)


def _annotations(
    a: tuple[AnnotationTable, prints.AnnotationPrints, Ints], b: tuple[AnnotationTable, prints.AnnotationPrints, Ints]
) -> dict[str, Ints]:
    """How many annotations of each pair of images were added, removed and changed.

    What says the same in both is taken away first; then what has the same shape, or else the same label, has changed.
    """
    (_, old, before), (_, new, after) = a, b
    sums = [np.append(prints.of_images(table, p.whole), np.uint64(0)) for table, p, _ in (a, b)]
    other = np.flatnonzero(sums[0][before] != sums[1][after])
    pair_a, rows_a = _rows_of(a[0], before, other)
    pair_b, rows_b = _rows_of(b[0], after, other)
    changed = np.zeros(len(before), dtype=np.int64)
    for question in ("whole", "shape", "label"):
        left_a, left_b = _unmatched(
            prints.mixed(pair_a[rows_a].astype(np.uint64)) ^ getattr(old, question)[rows_a],
            prints.mixed(pair_b[rows_b].astype(np.uint64)) ^ getattr(new, question)[rows_b],
        )
        if question != "whole":
            changed += np.bincount(pair_a[rows_a[~left_a]], minlength=len(before))
        rows_a, rows_b = rows_a[left_a], rows_b[left_b]
    return {
        "annotations_added": np.bincount(pair_b[rows_b], minlength=len(before)),
        "annotations_removed": np.bincount(pair_a[rows_a], minlength=len(before)),
        "annotations_changed": changed,
    }


def _rows_of(table: AnnotationTable, images: Ints, pairs: Ints) -> tuple[Ints, Ints]:
    """The pair that each annotation belongs to, and the rows of the annotations that are in these pairs."""
    pair_of_image = np.full(len(table) + 1, -1, dtype=np.int64)  # the last one is for -1
    pair_of_image[images[pairs]] = pairs
    pair_of_image[-1] = -1
    pair = pair_of_image[table.annotations["image"].to_numpy()]
    return pair, np.flatnonzero(pair >= 0)


def _unmatched(left: prints.Prints, right: prints.Prints) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which of the numbers on each side have no partner of the same number on the other one."""
    codes, numbers = pd.factorize(np.append(left, right))
    mine, theirs = codes[: len(left)], codes[len(left) :]
    partners = np.minimum(*(np.bincount(side, minlength=len(numbers)) for side in (mine, theirs)))
    nth_mine, nth_theirs = (pd.Series(side).groupby(side).cumcount().to_numpy() for side in (mine, theirs))
    return nth_mine >= partners[mine], nth_theirs >= partners[theirs]


def _without(names: list[str], others: list[str]) -> list[str]:
    known = set(others)
    return [name for name in names if name not in known]
