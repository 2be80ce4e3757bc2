"""YOLO detection: images/ and labels/ with one line `class x y width height` per box, and a data.yaml."""

from __future__ import annotations

from pathlib import Path

from retinue_sdk.api import Finding
from retinue_sdk.formats import files, yolo_dataset
from retinue_sdk.formats.fit import Holds, fit
from retinue_sdk.formats.yolo_config import Config
from retinue_sdk.formats.yolo_dataset import Shapes, pixels
from retinue_sdk.formats.yolo_labels import Labels, check_coordinates, negative
from retinue_sdk.formats.yolo_writer import DECIMALS, centred, write_dataset
from retinue_sdk.table import AnnotationTable

NAME = "yolo_detect"
TITLE = "YOLO detection"
HOLDS = Holds(("box",), class_ids=True, unsplit=False, unclassed=False, unplaced=False)


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read a YOLO detection dataset; boxes become pixels of the image they are in."""
    return yolo_dataset.read(path, _boxes)


def sniff(path: Path) -> float:
    """A data.yaml with names, or images/ beside labels/, and most rows have five columns."""
    return yolo_dataset.sniff(path, "box")


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    """Write images/<split>, labels/<split> and a data.yaml."""
    table, report = fit(table, HOLDS, NAME)
    write_dataset(table, path, place, centred(table, report, NAME).round(DECIMALS), "detect")
    return report.findings()


def _boxes(labels: Labels, _: Config) -> Shapes:
    labels = labels.without("label_columns", labels.lengths != 4)
    labels = labels.without("box_negative_size", negative(labels.table(4)))
    labels = check_coordinates(labels)
    return Shapes(labels, "box", pixels(labels.table(4), labels.sizes))
