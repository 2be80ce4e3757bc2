"""Open Images: CSV files of boxes and of labels of whole images, beside the images, which are named by their ids.

Files are told apart by their header. Classes are ids such as /m/01g317; class-descriptions*.csv has their names.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from retinue_sdk.api import Finding
from retinue_sdk.formats import files
from retinue_sdk.formats.label_files import split_of
from retinue_sdk.formats.open_images_csv import BOX_COLUMNS, LABEL_COLUMNS, Found, header_of, read_batches
from retinue_sdk.formats.report import Report
from retinue_sdk.table import AnnotationTable, make_table

NAME = "open_images"
TITLE = "Open Images"
SNIFFED = 20  # CSV files looked at
MAX_BYTES = 64_000_000  # of the descriptions of classes


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read boxes and labels of the images that are there."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    measured = files.measure(root, [f for f in listing if files.is_image(f)], report)
    images = _by_id(measured.key, report)
    splits = dict(files.by_split(measured.key))
    found = Found(images, report)
    names: dict[str, str] = {}
    for name in (f for f in listing if f.lower().endswith(".csv")):
        kind = _kind(root / name)
        if kind == "names":
            names |= _descriptions(root / name, name, report)
        elif kind:
            _read_file(root, name, kind, found, splits, measured.key)
        else:
            report.add("files_ignored", name)
    return _table(measured, splits, found, names), report.findings()


def sniff(path: Path) -> float:
    """A CSV file with the header of the boxes or of the labels."""
    root = files.dataset_root(path)
    listing = files.list_files(root)
    documents = [f for f in listing if f.lower().endswith(".csv")][:SNIFFED]
    kinds = {_kind(root / name) for name in documents}
    return 0.96 if "boxes" in kinds else 0.9 if "labels" in kinds else 0.0


def _kind(path: Path) -> str:
    """What a CSV file holds, by its header: boxes, labels, names of classes, or empty for what is not read."""
    header, name = header_of(path), path.name.lower()
    if len(set(header)) < len(header):
        return ""
    if set(BOX_COLUMNS) <= set(header):
        return "boxes"
    if set(LABEL_COLUMNS) <= set(header) and "machine" not in name and len(header) < 6:
        return "labels"
    return "names" if "class-descriptions" in name else ""


def _by_id(keys: list[str], report: Report) -> dict[str, int]:
    """The row of each image by its id: the name of its file without suffix."""
    found: dict[str, int] = {}
    for row, key in enumerate(keys):
        first = found.setdefault(PurePosixPath(key).stem, row)
        if first != row:
            report.add("image_same_stem", key, keys[first])
    return found


def _read_file(root: Path, name: str, kind: str, found: Found, splits: dict[str, str], keys: list[str]) -> None:
    """Add what a file says; images whose folder names no split are in the one that the file's name does."""
    split = split_of(name)
    for batch in read_batches(root / name, name, found.images, found.report):
        (found.add_boxes if kind == "boxes" else found.add_labels)(batch)
        for row in {found.images[key] for key in batch.columns["ImageID"]}:
            splits[keys[row]] = splits[keys[row]] or split


def _descriptions(path: Path, name: str, report: Report) -> dict[str, str]:
    """The names of classes by id, from rows of two columns."""
    found: dict[str, str] = {}
    if path.stat().st_size > MAX_BYTES:
        report.add("csv_too_large", name, f"{path.stat().st_size} bytes")
        return found
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for line, row in enumerate(csv.reader(stream), 1):
                if len(row) == 2:
                    found[row[0]] = row[1].strip()
                elif row:
                    report.add("csv_columns", f"{name}:{line}", ",".join(row[:20]))
    except csv.Error as error:
        report.add("row_unreadable", name, error)
    except UnicodeDecodeError as error:
        report.add("rows_unreadable", name, error)
    return found


def _table(
    measured: files.Measured, splits: Mapping[str, str], found: Found, names: Mapping[str, str]
) -> AnnotationTable:
    frame = found.columns()
    size = np.column_stack([measured.width, measured.height]).astype(np.float64).reshape(-1, 2)[frame["image"]]
    for axis, column in enumerate(("x1", "y1", "x2", "y2")):
        frame[column] *= size[:, axis % 2]
    met = set(frame["label"].unique())
    used = [label for label, number in found.labels.items() if number in met]
    classes = _class_names(used, names, found.report)
    order = sorted(used, key=lambda label: classes[label])
    position = np.zeros(len(found.labels), dtype=np.int64)
    position[[found.labels[label] for label in order]] = np.arange(len(order))
    for row in np.setdiff1d(np.arange(len(measured.key)), frame["image"]):
        found.report.add("image_without_label", measured.key[row])
    columns: dict[str, Any] = {
        **{name: frame[name] for name in ("image", "x1", "y1", "x2", "y2", "line", "source", "attributes")},
        "class_id": position[frame["label"]],
        "kind": np.where(frame["x1"].isna(), "class", "box"),
    }
    return make_table(
        {**measured.columns(), "split": [splits[key] for key in measured.key]},
        columns,
        files.check_class_names([classes[label] for label in order], "LabelName", found.report),
        class_attributes=[{"id": label} if classes[label] != label else {} for label in order],
    )


def _class_names(used: list[str], names: Mapping[str, str], report: Report) -> dict[str, str]:
    """The name of each class id; two ids of one name carry their id."""
    found = {label: names.get(label, label) for label in used}
    for label in used:
        if names and label not in names:
            report.add("class_not_described", "class-descriptions", label)
    counts: dict[str, int] = {}
    for name in found.values():
        counts[name] = counts.get(name, 0) + 1
    return {label: name if counts[name] == 1 else f"{name} ({label})" for label, name in found.items()}
