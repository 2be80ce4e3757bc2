"""YOLO segmentation: as YOLO detection, with one line `class x1 y1 x2 y2 x3 y3 ...` per polygon.

A polygon of several rings has no place here, and one row for each would make several objects of one. So its rings are
joined to one that goes from ring to ring and all the way back: it covers the same pixels and stays one object.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from retinue_sdk import geometry
from retinue_sdk.api import Finding
from retinue_sdk.formats import files, yolo_dataset
from retinue_sdk.formats.fit import Holds, fit
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.yolo_config import Config
from retinue_sdk.formats.yolo_dataset import Shapes, pixels
from retinue_sdk.formats.yolo_labels import Labels, check_coordinates, negative
from retinue_sdk.formats.yolo_writer import TOGETHER, cut, digits, sizes_of, write_dataset
from retinue_sdk.geometry import Floats
from retinue_sdk.table import AnnotationTable

NAME = "yolo_segment"
TITLE = "YOLO segmentation"
HOLDS = Holds(("polygon",), class_ids=True, unsplit=False, unclassed=False, unplaced=False)


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read a YOLO segmentation dataset; a row of five columns among the polygons is a box."""
    return yolo_dataset.read(path, _polygons)


def sniff(path: Path) -> float:
    """As YOLO detection, and most rows have seven columns or more; four corners each only if they are no rectangles, or `task` is segment."""
    return yolo_dataset.sniff(path, "polygon")


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    """Write images/<split>, labels/<split> and a data.yaml."""
    table, report = fit(table, HOLDS, NAME)
    write_dataset(table, path, place, digits(_rows(table, report)), "segment")
    return report.findings()


def _polygons(labels: Labels, _: Config) -> Shapes:
    outline = (labels.lengths >= 6) & (labels.lengths % 2 == 0)
    labels = labels.without("polygon_columns", ~outline & (labels.lengths != 4))
    bad = labels.lengths == 4
    bad[bad] = negative(labels.keep(bad).table(4))
    labels = check_coordinates(labels.without("box_negative_size", bad))
    boxed = labels.lengths == 4
    labels.warn("label_mixed", boxed)
    outlines, lengths = labels.keep(~boxed), np.where(boxed, 0, labels.lengths)
    values = geometry.scale(outlines.flat, outlines.lengths, outlines.sizes)
    boxes = geometry.hulls(values, lengths)
    boxes[boxed] = pixels(labels.keep(boxed).table(4), labels.sizes[boxed])
    return Shapes(labels, np.where(boxed, "box", "polygon"), boxes, geometry.from_flat(values, lengths))


def _rows(table: AnnotationTable, report: Report) -> Iterator[Floats]:
    """The numbers of each polygon as parts of the image, one ring each; made as they are written, for there are millions."""
    values, offsets = table.coordinates()
    lengths, factors = np.diff(offsets), 1 / sizes_of(table)
    said, joined = Report(), 0
    for first in range(0, len(lengths), TOGETHER):
        some = slice(first, first + TOGETHER)
        ends = np.cumsum(lengths[some])
        flat = values[offsets[first] : offsets[first] + ends[-1]]
        flat = cut(geometry.scale(flat, lengths[some], factors[some]), lengths[some], said, NAME)
        several = set(np.searchsorted(ends, np.flatnonzero(np.isnan(flat)), side="right").tolist())
        joined += len(several)
        for place, (begin, end) in enumerate(pairwise([0, *ends.tolist()])):
            yield geometry.one_ring(flat[begin:end]) if place in several else flat[begin:end]
    for finding in said.findings():
        report.add(finding.code, NAME, count=finding.count)
    if joined:
        report.add("loss_rings", NAME, count=joined)
