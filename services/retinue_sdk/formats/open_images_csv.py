"""The CSV files of Open Images, millions of rows long: read in batches, and only what is said of images that are there."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import number, to_json
from retinue_sdk.formats.text_files import plain
from retinue_sdk.geometry import Floats, Ints

BOX_COLUMNS = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax")
LABEL_COLUMNS = ("ImageID", "LabelName", "Confidence")
ATTRIBUTES = {
    "Source": "source", "Confidence": "confidence", "IsOccluded": "occluded", "IsTruncated": "truncated",
    "IsGroupOf": "group", "IsDepiction": "depiction", "IsInside": "inside",
}  # fmt: skip
NOT_SAID = {"Confidence": ("", "1"), "Source": ("",)}
NO_FLAG = ("", "0", "-1")  # not so, or not known
MAX_BYTES = 4_000_000_000
BATCH = 5_000  # rows; many more at a time keep Python's garbage collector busy
TOLERANCE = 0.01

Bools = npt.NDArray[np.bool_]


@dataclass
class Batch:
    """Some rows of one file, column by column."""

    source: str
    lines: Ints
    columns: dict[str, tuple[str, ...]]

    def warn(self, bad: Bools, code: str, report: Report) -> None:
        """Report the rows that `bad` is true for; the first of them with what they hold."""
        rows = np.flatnonzero(bad)
        for row in rows[:10]:
            report.add(code, f"{self.source}:{self.lines[row]}", ",".join(c[row] for c in self.columns.values()))
        if len(rows) > 10:
            report.add(code, "", count=len(rows) - 10)


@dataclass
class Found:
    """Annotations as they are found: columns in parts, boxes as shares of the image."""

    images: Mapping[str, int]
    report: Report
    labels: dict[str, int] = field(default_factory=dict)  # in the order they are met
    image: list[Ints] = field(default_factory=list)
    label: list[Ints] = field(default_factory=list)
    box: list[Floats] = field(default_factory=list)
    line: list[Ints] = field(default_factory=list)
    source: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    _texts: dict[tuple[str, ...], str] = field(default_factory=dict)

    def add_boxes(self, batch: Batch) -> None:
        """The boxes of some rows; those that cannot be used are reported."""
        columns = [_floats(batch.columns[name]) for name in ("XMin", "YMin", "XMax", "YMax")]
        box = np.column_stack(columns)
        x1, y1, x2, y2 = columns
        good = np.ones(len(box), dtype=bool)
        with np.errstate(invalid="ignore"):
            checks = {
                "label_not_a_number": ~np.isfinite(box).all(axis=1),
                "coordinate_out_of_range": ((box < -TOLERANCE) | (box > 1 + TOLERANCE)).any(axis=1),
                "box_negative_size": (x2 < x1) | (y2 < y1),
            }
        for code, bad in checks.items():
            batch.warn(bad & good, code, self.report)
            good &= ~bad
        batch.warn(good & ((x1 == x2) | (y1 == y2)), "box_zero_area", self.report)
        self._add(batch, box, good)

    def add_labels(self, batch: Batch) -> None:
        """The labels of whole images; those that are said to be absent are counted."""
        confidence = _floats(batch.columns["Confidence"])
        batch.warn(~np.isfinite(confidence), "label_not_a_number", self.report)
        batch.warn(confidence == 0, "label_absent", self.report)
        self._add(batch, np.full((len(confidence), 4), np.nan), np.isfinite(confidence) & (confidence != 0))

    def _add(self, batch: Batch, box: Floats, good: Bools) -> None:
        names = batch.columns["LabelName"]
        self.image.append(np.array([self.images[key] for key in batch.columns["ImageID"]], dtype=np.int64)[good])
        self.label.append(np.array([self.labels.setdefault(n, len(self.labels)) for n in names], dtype=np.int64)[good])
        self.box.append(box[good])
        self.line.append(batch.lines[good])
        self.source += [batch.source] * int(good.sum())
        said = [name for name in ATTRIBUTES if name in batch.columns]
        rows = zip(*(batch.columns[name] for name in said), strict=True) if said else [()] * len(good)
        self.attributes += [self._text(said, row) for row, used in zip(rows, good, strict=True) if used]

    def _text(self, names: Sequence[str], values: tuple[str, ...]) -> str:
        """The attributes of a row as text; there are few different ones."""
        key = (*names, *values)
        if key not in self._texts:
            said = {n: v for n, v in zip(names, values, strict=True) if v not in NOT_SAID.get(n, NO_FLAG)}
            self._texts[key] = to_json({ATTRIBUTES[n]: v if n == "Source" else _measure(v) for n, v in said.items()})
        return self._texts[key]

    def columns(self) -> pd.DataFrame:
        """All that was found; a row that is there twice comes twice, with a finding."""
        box = np.concatenate([np.empty((0, 4)), *self.box])
        none = np.empty(0, dtype=np.int64)
        frame = pd.DataFrame(
            {
                "image": np.concatenate([none, *self.image]), "label": np.concatenate([none, *self.label]),
                "x1": box[:, 0], "y1": box[:, 1], "x2": box[:, 2], "y2": box[:, 3],
            }
        )  # fmt: skip
        again = frame.duplicated().to_numpy(dtype=bool)
        frame["line"] = np.concatenate([none, *self.line])
        frame["source"], frame["attributes"] = self.source, self.attributes
        for row in np.flatnonzero(again)[:10]:
            self.report.add("label_duplicate", f"{self.source[row]}:{frame['line'][row]}")
        if (more := int(again.sum()) - 10) > 0:
            self.report.add("label_duplicate", "", count=more)
        return frame


def header_of(path: Path) -> list[str]:
    """The first row of a file; empty for what is no CSV."""
    try:
        with path.open("rb") as stream:
            line = stream.readline(100_000).decode("utf-8-sig", errors="replace")
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def read_batches(path: Path, name: str, images: Mapping[str, int], report: Report) -> Iterator[Batch]:
    """The rows of a file that are about these images; the others are counted."""
    if path.stat().st_size > MAX_BYTES:
        report.add("csv_too_large", name, f"{path.stat().st_size} bytes")
        return
    line = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            header = next(reader, [])
            while rows := list(islice(reader, BATCH)):
                yield _batch(name, line + 1, rows, header, images, report)
                line += len(rows)
    except csv.Error as error:
        report.add("row_unreadable", f"{name}:{line}", error)
    except UnicodeDecodeError as error:
        report.add("rows_unreadable", f"{name}:{line}", error)


def _batch(
    name: str, first: int, rows: list[list[str]], header: list[str], images: Mapping[str, int], report: Report
) -> Batch:
    key, width = header.index("ImageID"), len(header)
    known = np.array([len(row) == width and row[key] in images for row in rows], dtype=bool)
    if not known.all():
        _report_unknown(name, first, rows, header, known, report)
    columns = list(zip(*compress(rows, known), strict=True)) or [()] * width
    return Batch(name, np.flatnonzero(known) + first, dict(zip(header, columns, strict=True)))


def _report_unknown(
    name: str, first: int, rows: list[list[str]], header: list[str], known: Bools, report: Report
) -> None:
    """Report rows of another length, and how many are about other images."""
    others = []
    for place in np.flatnonzero(~known).tolist():
        if len(rows[place]) == len(header):
            others.append(place)
        elif rows[place]:
            report.add("csv_columns", f"{name}:{first + place}", ",".join(rows[place][:20]))
    if others:
        image = rows[others[0]][header.index("ImageID")]
        report.add("label_without_image", f"{name}:{first + others[0]}", image, count=len(others))


def _floats(texts: Sequence[str]) -> Floats:
    """Numbers of texts; NaN for what is none."""
    joined = "".join(texts)
    if joined.isascii() and "_" not in joined:
        try:
            return np.array([float(text) for text in texts], dtype=np.float64)
        except ValueError:
            pass  # something is no number: find out which
    values = [number(text) for text in texts]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _measure(text: str) -> float | str:
    value = number(text)
    return text[:200] if value is None else plain(value)
