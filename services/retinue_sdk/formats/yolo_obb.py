"""YOLO oriented boxes: as YOLO detection, with one line `class x1 y1 x2 y2 x3 y3 x4 y4` per box, its corners in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from retinue_sdk import geometry
from retinue_sdk.api import Finding
from retinue_sdk.formats import files, yolo_dataset
from retinue_sdk.formats.fit import Holds, fit
from retinue_sdk.formats.yolo_config import Config
from retinue_sdk.formats.yolo_dataset import Shapes
from retinue_sdk.formats.yolo_labels import Labels, check_coordinates
from retinue_sdk.formats.yolo_writer import DECIMALS, cut, sizes_of, write_dataset
from retinue_sdk.geometry import Floats
from retinue_sdk.table import AnnotationTable

NAME = "yolo_obb"
TITLE = "YOLO oriented boxes"
HOLDS = Holds(("obb",), class_ids=True, unsplit=False, unclassed=False, unplaced=False)


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read a YOLO dataset of oriented boxes; corners that are not in order are kept and reported."""
    return yolo_dataset.read(path, _oriented)


def sniff(path: Path) -> float:
    """As YOLO detection, and all rows have nine columns, four corners of a rectangle in most of them, or `task` is obb."""
    return yolo_dataset.sniff(path, "obb")


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    """Write images/<split>, labels/<split> and a data.yaml."""
    table, report = fit(table, HOLDS, NAME)
    values, lengths = table.coordinates()[0], np.full(len(table.annotations), 8)
    values = cut(geometry.scale(values, lengths, 1 / sizes_of(table)), lengths, report, NAME)
    write_dataset(table, path, place, values.reshape(-1, 8).round(DECIMALS), "obb")
    return report.findings()


def _oriented(labels: Labels, _: Config) -> Shapes:
    labels = check_coordinates(labels.without("obb_columns", labels.lengths != 8))
    values = geometry.scale(labels.flat, labels.lengths, labels.sizes)
    turns = _turns(values.reshape(-1, 4, 2))
    labels.warn("obb_order", (turns.min(axis=1, initial=0) < 0) & (turns.max(axis=1, initial=0) > 0))
    return Shapes(labels, "obb", geometry.hulls(values, labels.lengths), geometry.from_flat(values, labels.lengths))


def _turns(corners: Floats) -> Floats:
    """(n, 4): which way each outline turns at each corner; the same way at all of them when they are in order."""
    sides = np.roll(corners, -1, axis=1) - corners
    following = np.roll(sides, -1, axis=1)
    turns: Floats = sides[:, :, 0] * following[:, :, 1] - sides[:, :, 1] * following[:, :, 0]
    return turns
