"""JSON Lines of labels: one object per image and its class, classes or numbers, as `label_columns` says.

Written are labels.jsonl with lines like {"image": ..., "split": ..., "label": "cat", "values": {"weight": 1.5}}, where
`labels` holds a list if any image has several classes, and images/<split>/.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from retinue_sdk.api import Finding
from retinue_sdk.formats import files, label_files, label_rows
from retinue_sdk.formats.json_files import parse
from retinue_sdk.formats.label_columns import IMAGE, VALUE_PREFIX, role
from retinue_sdk.formats.label_files import Row
from retinue_sdk.formats.label_rows import MAX_BYTES, MAX_ROWS, Record
from retinue_sdk.formats.report import Report
from retinue_sdk.table import AnnotationTable

NAME = "jsonl"
TITLE = "JSON Lines of labels"
HOLDS = label_files.HOLDS
SUFFIXES = (".jsonl",)
MAX_LINE = 1_000_000  # bytes


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read every .jsonl of the folder."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    found = [record for name in label_files.documents(listing, SUFFIXES) for record in records(root, name, report)]
    return label_rows.read(root, listing, found, report, typed=True), report.findings()


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    """Write labels.jsonl, classes.txt and images/<split>/."""
    rows, report = label_files.write(table, path, NAME, place)
    several = any(len(row.classes) > 1 for row in rows)
    with (path / "labels.jsonl").open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(_line(row, several=several), ensure_ascii=False) + "\n")
    return report.findings()


def sniff(path: Path) -> float:
    """Lines of JSON that name images and labels."""
    root = files.dataset_root(path)
    listing = files.list_files(root)
    names = label_files.documents(listing, SUFFIXES)[: label_files.SNIFFED_FILES]
    return max((_confidence(root, name, listing) for name in names), default=0.0)


def records(root: Path, name: str, report: Report) -> Iterator[Record]:
    """The rows of one file. A line that cannot be read is reported; the rest is."""
    size = (root / name).stat().st_size
    if size > MAX_BYTES:
        report.add("rows_unreadable", name, f"{size} bytes")
        return
    split = label_files.split_of(name)
    with (root / name).open("rb") as stream:
        for number, line in enumerate(_lines(stream), 1):
            if number > MAX_ROWS:
                report.add("rows_unreadable", f"{name}:{number}", f"more than {MAX_ROWS} rows")
                return
            cells = _cells(line, f"{name}:{number}", report) if line.strip() else None
            if cells is not None:
                yield Record(name, number, cells, split)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Each line, one that is too long cut to a byte more than may be."""
    while line := stream.readline(MAX_LINE + 1):
        yield line
        while len(line) > MAX_LINE and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE + 1)


def _cells(line: bytes, where: str, report: Report) -> dict[str, Any] | None:
    """The cells of a line: its values, those under `values` with the prefix of numbers."""
    if len(line) > MAX_LINE:
        report.add("row_unreadable", where, f"more than {MAX_LINE} bytes")
        return None
    try:
        value = parse(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        report.add("row_unreadable", where, error)
        return None
    if not isinstance(value, dict):
        report.add("row_unreadable", where, "no object")
        return None
    values = value.pop("values", None)
    if isinstance(values, dict):
        value.update({VALUE_PREFIX + name: number for name, number in values.items()})
    elif values is not None:
        report.add("row_unreadable", where, "`values` is no object")
    return value


def _line(row: Row, *, several: bool) -> dict[str, Any]:
    line: dict[str, Any] = {"image": row.image}
    line |= {"split": row.split} if row.split else {}
    line |= {"group": row.group} if row.group else {}
    if several:
        line["labels"] = row.classes
    elif row.classes or not row.values:
        line["label"] = row.classes[0] if row.classes else None
    return line | ({"values": row.values} if row.values else {})


def _confidence(root: Path, name: str, listing: list[str]) -> float:
    with (root / name).open("rb") as stream:
        lines = stream.read(label_files.SNIFFED_BYTES).splitlines()[: label_files.SNIFFED_ROWS]
    rows = [cells for line in lines if (cells := _cells(line, name, Report())) is not None]
    columns = {column: None for cells in rows for column in cells}
    image = role(columns, IMAGE)
    return label_files.confidence(listing, columns, [str(cells.get(image)) for cells in rows] if image else [])
