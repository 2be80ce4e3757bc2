"""Images and class-index masks: images/<split>/a.jpg beside masks/<split>/a.png, whose pixels are numbers of classes.

The folder of the masks may be called labels or annotations, and splits may lie on top (train/images, train/masks). Number 0
is background and 255 is void, unless the classes name them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from retinue_sdk.api import Finding
from retinue_sdk.errors import DataError
from retinue_sdk.formats import files
from retinue_sdk.formats.fit import Holds, fit
from retinue_sdk.formats.index_classes import read_classes
from retinue_sdk.formats.mask_files import BACKGROUND, VOID, Indexes, Masks, has_indexes
from retinue_sdk.formats.pairs import find_pairs, has_pairs
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Rows
from retinue_sdk.geometry import Floats
from retinue_sdk.table import AnnotationTable

NAME = "index_masks"
TITLE = "Images and class-index masks"
HOLDS = Holds(("mask",), class_ids=True, unclassed=False)
IMAGES = ("images",)
FOLDERS = ("masks", "labels", "annotations")
ADE20K = {"objectInfo150.txt", "sceneCategories.txt"}
SNIFFED = 20  # masks looked at


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read one mask annotation for each class in an image."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    pairs = find_pairs(listing, IMAGES, FOLDERS, ".png", report)
    names, where = read_classes(root, listing, report)
    measured = files.measure(root, sorted(pairs), report)
    masks = Masks(root, Rows(report), names)
    for index, key in enumerate(measured.key):
        if pairs[key]:
            masks.add(index, pairs[key], (measured.width[index], measured.height[index]))
    splits = [split for _, split in files.by_split(measured.key)]
    return masks.table(measured, {"split": splits}, where), report.findings()


def sniff(path: Path) -> float:
    """PNGs of one channel in a folder of masks beside the images; less when they have colours."""
    root = files.dataset_root(path)
    listing = files.list_files(root)
    masks = has_pairs(listing, IMAGES, FOLDERS, ".png")
    if not masks or any(name.endswith(".txt") and "labels" in name.split("/")[:-1] for name in listing):
        return 0.0
    looked = masks[:: len(masks) // SNIFFED + 1]
    if not any(has_indexes(root / name) for name in looked):
        return 0.4 if "masks" in looked[0].lower().split("/") else 0.0  # reading says what is wrong with them
    return 0.2 if ADE20K.intersection(listing) else 0.95


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    """Write images/<split>, masks/<split> and a config.yaml with the classes."""
    table, report = fit(table, HOLDS, NAME)
    numbers = _numbers(table, report)
    blank = next(value for value in (BACKGROUND, *VOID) if value not in numbers)
    kind = np.uint8 if max([*numbers, blank]) <= 255 else np.uint16
    shapes = _Shapes(table, numbers, report)
    path.mkdir(parents=True, exist_ok=True)
    for row, (name, source, split) in enumerate(
        zip(table.file_names, table.images["path"], table.images["split"], strict=True)
    ):
        folders = [path / folder / split for folder in ("images", "masks")]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        place(Path(source), folders[0] / name)
        indexes = shapes.draw(row, blank, kind)
        if blank != BACKGROUND and (indexes == blank).any():
            report.add("loss_background", name)
        Image.fromarray(indexes).save((folders[1] / name).with_suffix(".png"))
    _write_config(path / "config.yaml", table, numbers)
    return report.findings()


class _Shapes:
    """The annotations of a table, drawn image by image."""

    def __init__(self, table: AnnotationTable, numbers: Sequence[int], report: Report) -> None:
        self._table = table
        self._report = report
        self._numbers = [numbers[index] for index in table.annotations["class_id"]]
        self._values, self._starts = table.coordinates()
        self._size = table.images[["width", "height"]].to_numpy()

    def draw(self, row: int, blank: int, kind: Any) -> Indexes:
        """The numbers of an image's pixels (height, width); where masks overlap, the later one holds."""
        width, height = map(int, self._size[row])
        flat = np.full(width * height, blank, dtype=kind)
        first, last = int(self._table.offsets[row]), int(self._table.offsets[row + 1])
        merged = last - first - len(set(self._numbers[first:last]))
        lost = sum(self._paint(flat, i, blank) for i in range(first, last))
        for code, count in (("loss_objects", merged), ("loss_overlap", lost)):
            if count:
                self._report.add(code, self._table.images["key"][row], count=count)
        return flat.reshape((height, width), order="F")

    def _paint(self, flat: Indexes, i: int, blank: int) -> int:
        """Draw one annotation; the answer is how many pixels another class loses by it."""
        runs: Floats = self._values[self._starts[i] : self._starts[i + 1]]
        lengths = runs[1:].astype(np.int64)
        start = int(runs[0])
        inside = np.repeat(np.arange(len(lengths)) % 2 == 0, lengths)
        part = flat[start : start + len(inside)]
        lost = int((inside & (part != blank) & (part != self._numbers[i])).sum())
        part[inside] = self._numbers[i]
        return lost


def _numbers(table: AnnotationTable, report: Report) -> list[int]:
    """The number of each class in the masks: its id, or counted from 1 where ids do not fit into 16 bits."""
    if all(0 <= number < VOID[-1] for number in table.class_ids):
        return table.class_ids
    if len(table.classes) >= VOID[-1]:
        raise DataError(
            "There are more classes than a mask has numbers.", code="classes_too_many", hint="Choose another format."
        )
    report.add("loss_class_ids", NAME)
    return list(range(1, len(table.classes) + 1))


def _write_config(path: Path, table: AnnotationTable, numbers: Sequence[int]) -> None:
    splits: Mapping[str, Any] = {
        split: {folder: f"{folder}/{split}" for folder in ("images", "masks")} for split in table.splits if split
    }
    content = {**splits, "classes": dict(zip(numbers, table.classes, strict=True))}
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
