"""Rows of labels of whole images: what CSV, JSON Lines and the metadata of a Hugging Face image folder have in common.

An image may have several rows: their labels are joined. A row with a box is an object. Classes are in the order of a `classes.txt` at the root, else of
the columns that are classes, else of their names.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from retinue_sdk.formats import files
from retinue_sdk.formats.label_columns import Columns, classes_of, is_empty, is_one, understand, value_of
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Rows
from retinue_sdk.names import is_plain
from retinue_sdk.table import AnnotationTable

MAX_BYTES = 1 << 30  # of a file of labels
MAX_ROWS = 5_000_000
CLASSES = "classes.txt"
MAX_CLASSES_BYTES = 16_000_000


@dataclass(frozen=True, slots=True)
class Record:
    """One row: where it stands, its cells by column, and the split that its file is named after, if it is."""

    source: str
    line: int
    cells: Mapping[str, Any]
    split: str = ""

    @property
    def where(self) -> str:
        """The place, as a finding names it."""
        return f"{self.source}:{self.line}"


More = Callable[[Rows, int, tuple[int, int], Record], None]  # adds to the rows of an image, of this number and size


def read(
    root: Path,
    listing: Sequence[str],
    records: Sequence[Record],
    report: Report,
    *,
    typed: bool,
    more: Mapping[str, More] | None = None,
) -> AnnotationTable:
    """The table of the rows. `typed`: cells have the types of JSON; otherwise all are text.

    `more` reads further columns, by name.
    """
    more = more or {}
    cells = [{name: cell for name, cell in r.cells.items() if name not in more} if more else r.cells for r in records]
    where = records[0].source if records else root.name
    if not records:
        report.add("column_missing", where, "no rows")
    columns = understand(cells, where, report, typed=typed, labelled=any(r.cells.keys() & more.keys() for r in records))
    collector = _Collector(columns, _Places(listing), report, typed=typed)
    owners = [collector.add(record) for record in records] if columns else []
    for name in columns.ignored if columns else ():
        report.add("column_ignored", where, name)
    if columns and columns.box:
        collector.add_rest()
    for key in sorted(collector.places.keys - collector.split.keys()) if columns else ():
        report.add("image_without_row", key)
    measured = files.measure(root, collector.split, report)
    rows = collector.rows(measured)
    index = {key: i for i, key in enumerate(measured.key)}
    for record, key in zip(records, owners, strict=bool(columns)) if more else ():
        for name in record.cells.keys() & more.keys() if key in index else ():
            more[name](rows, index[key], (measured.width[index[key]], measured.height[index[key]]), record)
    _report_unlabelled(rows, measured, report)
    images = {
        "split": [collector.split[key] for key in measured.key],
        "group": [collector.group[key] for key in measured.key],
    }
    return rows.table(measured, images, root.name, _classes(root, listing, columns, rows, report))


class _Places:
    """The images of a listing, found by what a row calls them: a path from the row's folder or the root, a name, a stem."""

    def __init__(self, listing: Iterable[str]) -> None:
        self.keys = {key for key in listing if files.is_image(key)}

    @cached_property
    def _short(self) -> dict[str, str]:
        """The key of each name and stem; empty for one that several images have."""
        found: dict[str, str] = {}
        for key in self.keys:
            name = key.rpartition("/")[2]
            for short in {name, name.rpartition(".")[0]}:
                found[short] = "" if short in found else key
        return found

    def find(self, text: str, folder: str) -> str:
        """The key of an image; empty when there is none, or more than one, that it can mean."""
        name = text.strip().replace("\\", "/")
        for path in (f"{folder}/{name}", name) if folder else (name,):
            if path in self.keys:
                return path
            if (usual := os.path.normpath(path)) in self.keys:
                return usual
        return self._short.get(name, "")


class _Collector:
    """Takes down what the rows say, image by image."""

    def __init__(self, columns: Columns | None, places: _Places, report: Report, *, typed: bool) -> None:
        self.columns = columns or Columns("")
        self.places = places
        self.split: dict[str, str] = {}  # by image, in the order of the rows
        self.group: dict[str, str] = {}
        self._boxes: list[tuple[str, list[str], Record]] = []  # image, classes and the row of each
        self._facts: dict[tuple[str, str, bool], tuple[float | None, Record]] = {}
        self._report = report
        self._typed = typed
        self._folders: dict[str, str] = {}
        self._splits: dict[str, str] = {}

    def add(self, record: Record) -> str:
        """Take down a row; the key of its image, empty when it names none."""
        cell = record.cells.get(self.columns.image)
        if is_empty(cell):
            self._report.add("row_without_image", record.where)
            return ""
        folder = self._folders.setdefault(record.source, _folder(record.source))
        key = self.places.find(str(cell), folder)
        if not key:
            self._report.add(
                "list_path_escapes" if _escapes(str(cell), folder) else "image_missing", record.where, cell
            )
            return ""
        boxed = not all(is_empty(record.cells.get(column)) for column in self.columns.box)
        self._add_image(key, record, boxed=boxed)
        if boxed:
            self._boxes.append((key, [name for name, value in self._said(record) if value is None], record))
            return key
        for name, value in self._said(record):
            before = self._facts.setdefault((key, name, value is None), (value, record))[0]
            if before != value:
                self._report.add("value_conflict", record.where, f"{name}: {before}, {value}")
        return key

    def rows(self, measured: files.Measured) -> Rows:
        """What was said of the images that can be read."""
        rows = Rows(self._report)
        index = {key: i for i, key in enumerate(measured.key)}
        for (key, name, _), (value, record) in self._facts.items():
            if key not in index:
                continue
            if value is None:
                rows.add_class(index[key], name, record.source, record.line)
            else:
                rows.add_value(index[key], name, value, record.source, record.line)
        for key, names, record in self._boxes:
            if key in index:
                self._add_box(
                    rows, index[key], (measured.width[index[key]], measured.height[index[key]]), names, record
                )
        return rows

    def add_rest(self) -> None:
        """Images in no row: where rows are boxes, they have none."""
        for key, split in files.by_split(sorted(self.places.keys - self.split.keys())):
            self.split[key], self.group[key] = split, ""

    def _add_box(self, rows: Rows, image: int, size: tuple[int, int], names: list[str], record: Record) -> None:
        cells = [record.cells.get(column) for column in self.columns.box]
        corners = [value_of(cell, typed=self._typed) for cell in cells]
        x1, y1, x2, y2 = (math.nan if corner is None else corner for corner in corners)
        if not names or any(map(is_empty, cells)):
            self._report.add("box_incomplete", record.where, ", ".join(names))
        elif None in corners:
            self._report.add("label_not_a_number", record.where, ", ".join(map(str, cells)))
        else:
            for name in names:
                rows.add_box(image, name, (x1, y1, x2, y2), size, record.source, record.line)

    def _add_image(self, key: str, record: Record, *, boxed: bool) -> None:
        cells, columns = record.cells, self.columns
        split = self._split(record)
        group = cells.get(columns.group) if columns.group else None
        if key not in self.split:
            self.split[key] = split
            self.group[key] = "" if group is None else str(group)
            return
        if not boxed:
            self._report.add("row_repeated", record.where, key)
        if split != self.split[key]:
            self._report.add("split_overlap", record.where, f"{self.split[key]}, {split}")

    def _split(self, record: Record) -> str:
        cell = record.cells.get(self.columns.split) if self.columns.split else None
        if is_empty(cell):
            return record.split
        name = str(cell).strip()
        if name not in self._splits:
            self._splits[name] = files.SPLITS.get(name.lower(), name if is_plain(name) else "")
        if not self._splits[name]:
            self._report.add("split_name_invalid", record.where, name)
        return self._splits[name]

    def _said(self, record: Record) -> Iterator[tuple[str, float | None]]:
        """Each class, and each value with what it measures."""
        cells, columns = record.cells, self.columns
        if columns.label:
            names = classes_of(cells.get(columns.label), columns.separator)
            if names is None:
                self._report.add("label_type", record.where, cells[columns.label])
            for name in names or ():
                yield name, None
        for column in columns.classes:
            if is_one(cells.get(column)):
                yield column.strip(), None
        for column, name in columns.values.items():
            if is_empty(cell := cells.get(column)):
                continue
            value = value_of(cell, typed=self._typed)
            if value is None:
                self._report.add("label_not_a_number", record.where, f"{name}: {cell}")
            else:
                yield name, value


def _classes(root: Path, listing: Sequence[str], columns: Columns | None, rows: Rows, report: Report) -> list[str]:
    """All classes in their order; those that a classes.txt lacks are reported and come last."""
    used = sorted(set(rows.name))
    path = root / CLASSES
    listed: list[str] = []
    if CLASSES in listing and path.stat().st_size <= MAX_CLASSES_BYTES:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").split("\n")
        listed = [name for name in dict.fromkeys(line.removesuffix("\r") for line in lines) if name]
        for name in sorted(set(used) - set(listed)):
            report.add("class_unlisted", CLASSES, name)
    return list(dict.fromkeys([*listed, *(c.strip() for c in (columns.classes if columns else ())), *used]))


def _report_unlabelled(rows: Rows, measured: files.Measured, report: Report) -> None:
    labelled = set(rows.image)
    for number, key in enumerate(measured.key):
        if number not in labelled:
            report.add("image_without_label", key)


def _folder(source: str) -> str:
    parent = PurePosixPath(source).parent.as_posix()
    return "" if parent == "." else parent


def _escapes(text: str, folder: str) -> bool:
    """Whether a path leads out of the dataset, or is absolute: it is never followed."""
    name = text.strip().replace("\\", "/")
    return (
        os.path.normpath(f"{folder}/{name}" if folder else name).startswith("..")
        or name.startswith("/")
        or name[1:2] == ":"
    )
