"""DOTA: images/ beside labelTxt/ with a line `x1 y1 x2 y2 x3 y3 x4 y4 class difficult` in pixels for each oriented box."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from retinue_sdk.api import Finding
from retinue_sdk.formats import files
from retinue_sdk.formats.fit import Holds, fit
from retinue_sdk.formats.pairs import find_pairs, has_pairs
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Rows, number, to_json
from retinue_sdk.formats.text_files import attributes_of, numbers, read_columns, shortest
from retinue_sdk.table import AnnotationTable

NAME = "dota"
TITLE = "DOTA"
HOLDS = Holds(
    ("obb",), attributes=True, image_attributes=True, class_order=False, class_unused=False, unclassed=False, blank="-"
)
IMAGES = ("images",)
LABELS = (
    "labeltxt", "labeltxt-v1.0", "labeltxt-v1.5", "labeltxt-v2.0",
    "dota-v1.5_train", "dota-v1.5_val", "dota-v2.0_train", "dota-v2.0_val",
)  # fmt: skip
HEADER = ("imagesource", "gsd")
NO_GSD = {"", "null", "none"}
Size = tuple[int, int]


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read oriented boxes; the lines on source and resolution are attributes of the image."""
    root, report = files.dataset_root(path), Report()
    pairs = find_pairs(files.list_files(root), IMAGES, LABELS, ".txt", report)
    measured = files.measure(root, sorted(pairs), report)
    rows = Rows(report)
    attributes: list[dict[str, Any]] = []
    for index, key in enumerate(measured.key):
        attributes.append({})
        for line, words in read_columns(root / pairs[key], pairs[key], report) if pairs[key] else ():
            field, colon, value = " ".join(words).partition(":")
            if colon and field.lower() in HEADER:
                attributes[-1] |= _header(field.lower(), value.strip())
            else:
                _add(rows, index, words, (measured.width[index], measured.height[index]), pairs[key], line)
    splits = [split for _, split in files.by_split(measured.key)]
    columns = {"split": splits, "attributes": [to_json(a) for a in attributes]}
    return rows.table(measured, columns, "labelTxt"), report.findings()


def sniff(path: Path) -> float:
    """Label files in labelTxt beside images."""
    return 0.95 if has_pairs(files.list_files(files.dataset_root(path)), IMAGES, LABELS, ".txt") else 0.0


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    """Write <split>/images and <split>/labelTxt."""
    table, report = fit(table, HOLDS, NAME)
    lines = _lines(table, report)
    images = table.images
    columns = (table.file_names, images["path"], images["split"], images["attributes"])
    for row, (name, source, split, attributes) in enumerate(zip(*columns, strict=True)):
        folders = [path / split / "images", path / split / "labelTxt"]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        place(Path(source), folders[0] / name)
        said = attributes_of(attributes)
        if said.keys() - set(HEADER):
            report.add("loss_image_attributes", NAME, attributes)
        header = [f"{key}:{' '.join(str(said[key]).split())}\n" for key in HEADER if key in said]
        text = "".join([*header, *lines[table.offsets[row] : table.offsets[row + 1]]])
        (folders[1] / name).with_suffix(".txt").write_text(text, encoding="utf-8")
    return report.findings()


def _header(field: str, value: str) -> dict[str, Any]:
    """An attribute of the image; a resolution that is not known is none."""
    if field == "gsd":
        known = number(value)
        return {field: known} if known is not None else {} if value.lower() in NO_GSD else {field: value}
    return {field: value} if value else {}


def _add(rows: Rows, image: int, columns: list[str], size: Size, source: str, line: int) -> None:
    where = f"{source}:{line}"
    if len(columns) not in (9, 10):
        rows.report.add("dota_columns", where, " ".join(columns[:20]))
        return
    corners = numbers(columns[:8], where, rows.report)
    difficult = numbers(columns[9:], where, rows.report)
    if corners is None or difficult is None:
        return
    turns = _turns(corners)
    if not any(turns):
        rows.report.add("box_zero_area", where, " ".join(columns[:8]))
    elif min(turns) < 0 < max(turns):
        rows.report.add("obb_order", where, " ".join(columns[:8]))
    attributes = {"difficult": int(difficult[0])} if difficult and difficult[0] else {}
    box = (min(corners[::2]), min(corners[1::2]), max(corners[::2]), max(corners[1::2]))
    rows.add_shape(image, columns[8], "obb", corners, size, source, line, attributes, box)


def _turns(corners: Sequence[float]) -> list[float]:
    """Which way the outline turns at each corner: one sign at all corners of a box, whichever way around."""
    points = list(zip(corners[::2], corners[1::2], strict=True))
    trios = zip(points, points[1:] + points[:1], points[2:] + points[:2], strict=True)
    return [(b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0]) for a, b, c in trios]


def _lines(table: AnnotationTable, report: Report) -> list[str]:
    """The line of each annotation; attributes other than how difficult it is are lost."""
    values, offsets = table.coordinates()
    rows = table.annotations
    lines = []
    for i, (label, text) in enumerate(zip(rows["class_id"], rows["attributes"], strict=True)):
        corners = " ".join(shortest(value) for value in values[offsets[i] : offsets[i + 1]])
        said = attributes_of(text)
        difficult = number(str(said.get("difficult", 0)))
        if said.keys() - {"difficult"} or difficult is None:
            report.add("loss_attributes", NAME, text)
        lines.append(f"{corners} {table.classes[label]} {int(difficult or 0)}\n")
    return lines
