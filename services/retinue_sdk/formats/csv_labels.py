"""CSV of labels: one row per image and its class, classes or numbers, or per box; `label_columns` says what columns mean.

Written are labels.csv with the columns image, split, group, label, the corners of boxes and one `value:NAME` per number, and
images/<split>/.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from retinue_sdk.api import Finding
from retinue_sdk.formats import files, label_files, label_rows
from retinue_sdk.formats.items import digits
from retinue_sdk.formats.label_columns import CORNERS, IMAGE, VALUE_PREFIX, classes_of, role, understand
from retinue_sdk.formats.label_files import Row
from retinue_sdk.formats.label_rows import MAX_BYTES, MAX_ROWS, Record
from retinue_sdk.formats.report import Report
from retinue_sdk.table import AnnotationTable

NAME = "csv"
TITLE = "CSV of labels"
HOLDS = replace(label_files.HOLDS, kinds=("class", "value", "box"))
SUFFIXES = (".csv", ".tsv")
DELIMITERS = ",;\t"


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read every CSV of the folder that names images."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    found = [record for name in label_files.documents(listing, SUFFIXES) for record in records(root, name, report)]
    return label_rows.read(root, listing, found, report, typed=False), report.findings()


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    """Write labels.csv, classes.txt and images/<split>/."""
    images, report = label_files.write(table, path, NAME, place, HOLDS)
    rows = [row for image in images for row in _apart(image)]
    measures = list(dict.fromkeys(name for row in rows for name in row.values))
    columns = ["image"]
    columns += ["split"] if any(row.split for row in rows) else []
    columns += ["group"] if any(row.group for row in rows) else []
    columns += ["label"] if not measures or any(row.classes for row in rows) else []
    columns += CORNERS[0] if any(row.boxes for row in rows) else []
    labels = _label_cells(rows) if "label" in columns else [""] * len(rows)
    with (path / "labels.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*columns, *(VALUE_PREFIX + name for name in measures)])
        for row, label in zip(rows, labels, strict=True):
            cells = {"image": row.image, "split": row.split, "group": row.group, "label": label}
            for _, box in row.boxes:
                cells |= dict(zip(CORNERS[0], map(digits, box), strict=True))
            values = [repr(row.values[name]) if name in row.values else "" for name in measures]
            writer.writerow([*(cells.get(name, "") for name in columns), *values])
    return report.findings()


def _apart(image: Row) -> Iterator[Row]:
    """The rows of an image: what is said of it as a whole, if anything is or nothing else is, and one for each box."""
    if image.classes or image.values or not image.boxes:
        yield replace(image, boxes=[])
    for name, box in image.boxes:
        yield replace(image, classes=[name], values={}, boxes=[(name, box)])


def sniff(path: Path) -> float:
    """A CSV whose header names a column of images and one of labels."""
    root = files.dataset_root(path)
    listing = files.list_files(root)
    names = label_files.documents(listing, SUFFIXES)[: label_files.SNIFFED_FILES]
    return max((_confidence(root / name, listing) for name in names), default=0.0)


def records(root: Path, name: str, report: Report) -> Iterator[Record]:
    """The rows of one CSV. What cannot be read is reported with its line; the rest is."""
    path = root / name
    if path.stat().st_size > MAX_BYTES:
        report.add("rows_unreadable", name, f"{path.stat().st_size} bytes")
        return
    with path.open(encoding="utf-8-sig", newline="") as stream:
        try:
            yield from _rows(stream, name, report)
        except UnicodeDecodeError as error:
            report.add("rows_unreadable", name, error)


def _rows(stream: TextIO, name: str, report: Report) -> Iterator[Record]:
    delimiter = _delimiter(stream.readline(label_files.SNIFFED_BYTES))
    stream.seek(0)
    reader = csv.reader(stream, delimiter=delimiter)
    header: list[str] = []
    split = label_files.split_of(name)
    for line, cells in _lines(reader, name, report):
        if not header:
            header = cells
            if not role(header, IMAGE):
                report.add("rows_ignored", f"{name}:{line}", ", ".join(header))
                return
            if repeated := [column for column, count in Counter(header).items() if count > 1 and column.strip()]:
                report.add("column_repeated", f"{name}:{line}", ", ".join(repeated))
                return
        elif len(cells) != len(header):
            report.add("csv_columns", f"{name}:{line}", f"{len(cells)} cells, {len(header)} columns")
        elif line > MAX_ROWS:
            report.add("rows_unreadable", f"{name}:{line}", f"more than {MAX_ROWS} rows")
            return
        else:
            yield Record(name, line, dict(zip(header, cells, strict=True)), split)


def _lines(reader: Any, name: str, report: Report) -> Iterator[tuple[int, list[str]]]:
    """Each row that has cells, and the line it begins at."""
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            report.add("row_unreadable", f"{name}:{line}", error)
            continue
        if any(cells):
            yield line, cells


def _delimiter(header: str) -> str:
    """The delimiter that makes a column of images of a header, else the one that makes most columns."""

    def columns(delimiter: str) -> tuple[bool, int]:
        names = next(csv.reader([header], delimiter=delimiter), [])
        return bool(role(names, IMAGE)), len(names)

    try:
        return max(DELIMITERS, key=columns)
    except csv.Error:
        return ","


def _label_cells(rows: Sequence[Row]) -> list[str]:
    """How classes are written so that they are read again as they are: parted by a character, else as JSON."""
    for separator in ";|":
        cells = [separator.join(row.classes) for row in rows]
        columns = understand([{"image": "", "label": cell} for cell in cells], "", Report(), typed=False)
        if (
            columns
            and columns.label
            and all(classes_of(cell, columns.separator) == row.classes for cell, row in zip(cells, rows, strict=True))
        ):
            return cells
    return [json.dumps(row.classes, ensure_ascii=False) for row in rows]


def _confidence(path: Path, listing: list[str]) -> float:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        lines = stream.read(label_files.SNIFFED_BYTES).splitlines()[: label_files.SNIFFED_ROWS]
    if not lines:
        return 0.0
    delimiter = _delimiter(lines[0])
    try:
        rows = list(csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return 0.0
    column = role(rows[0], IMAGE)
    cells = [row[rows[0].index(column)] for row in rows[1:] if len(row) == len(rows[0])] if column else []
    return label_files.confidence(listing, rows[0], cells)
