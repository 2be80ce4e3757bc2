"""Retinue NDJSON, our own format, which holds all that a table holds: dataset.ndjson, and the images as images/<key>.

The first line describes the dataset, every further one an image with its annotations:

    {"type": "dataset", "version": 1, "classes": [{"id": 1, "name": "cat", "attributes": {}}]}
    {"type": "image", "key": "train/a.jpg", "width": 640, "height": 480, "split": "train", "annotations": [
        {"kind": "polygon", "class": 0, "box": [1, 2, 9, 8], "geometry": [1, 2, 9, 3, 5, 8], "source": "a.xml", "line": 7}]}

`class` is a place in `classes`. What a geometry means is said in `geometry`; null stands for the NaN between rings. An
image also has `blob` (the sha256 of its file) and `group`; `attributes` are an object. What is empty is left out.
Numbers are written with as many digits as give the same number again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson

from retinue_sdk.api import Finding
from retinue_sdk.errors import DataError
from retinue_sdk.formats import files
from retinue_sdk.formats.fit import Holds, fit
from retinue_sdk.formats.ndjson_images import Images
from retinue_sdk.formats.ndjson_lines import MAX_LINE, VERSION, Header, decode_header
from retinue_sdk.formats.report import Report
from retinue_sdk.geometry import Floats
from retinue_sdk.table import KINDS, AnnotationTable

NAME = "ndjson"
TITLE = "Retinue NDJSON"
FILE = "dataset.ndjson"
HOLDS = Holds(kinds=KINDS, attributes=True, image_attributes=True, class_attributes=True, class_ids=True, groups=True)
IMAGE_FIELDS = ("key", "blob", "width", "height", "split", "group")
BLOCK = 1000  # images whose numbers are taken out of the table at once


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read dataset.ndjson; a line that cannot be used is reported and left out."""
    root, report = files.dataset_root(path), Report()
    images = Images(root / "images", report)
    header = Header(VERSION, [])
    with _opened(root) as stream:
        for number, line in enumerate(_lines(stream), 1):
            if number == 1:
                header = _header(line, report) or header
            elif line.strip():
                images.add(line, f"{FILE}:{number}", len(header.classes))
    return images.table(header.classes), report.findings()


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    """Write dataset.ndjson, and the images below images/ by their keys."""
    table, report = fit(table, HOLDS, NAME)
    path.mkdir(parents=True, exist_ok=True)
    with (path / FILE).open("wb") as stream:
        stream.write(_first_line(table))
        for start in range(0, len(table), BLOCK):
            stream.writelines(_image_lines(table, start, min(start + BLOCK, len(table))))
    targets = [path / "images" / key for key in table.images["key"]]
    for folder in {target.parent for target in targets}:
        folder.mkdir(parents=True, exist_ok=True)
    for source, target in zip(table.images["path"], targets, strict=True):
        place(Path(source), target)
    return report.findings()


def sniff(path: Path) -> float:
    """A dataset.ndjson whose first line says that it is ours."""
    root = files.dataset_root(path)
    if not (root / FILE).is_file():
        return 0.0
    with (root / FILE).open("rb") as stream:
        first = stream.readline(MAX_LINE)
    return 0.99 if _header(first, Report()) else 0.0


def _opened(root: Path) -> BinaryIO:
    try:
        return (root / FILE).open("rb")
    except OSError as error:
        raise DataError(
            f"There is no {FILE}.", code="dataset_missing", hint="Name the folder that it is in.", where=root.name
        ) from error


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Each line; one that is too long is cut to a byte more than may be."""
    while line := stream.readline(MAX_LINE + 1):
        yield line
        while len(line) > MAX_LINE and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE + 1)


def _header(line: bytes, report: Report) -> Header | None:
    try:
        header = decode_header(line)
    except ValueError as error:
        report.add("ndjson_header", f"{FILE}:1", error)
        return None
    if len({c.id for c in header.classes}) < len(header.classes):
        report.add("ndjson_header", f"{FILE}:1", "two classes have the same id")
        return None
    return header


def _first_line(table: AnnotationTable) -> bytes:
    classes = [
        {"id": ident, "name": name, **({"attributes": attributes} if attributes else {})}
        for ident, name, attributes in zip(table.class_ids, table.classes, table.class_attributes, strict=True)
    ]
    # by the standard library, as ids and attributes may hold whole numbers of any length
    text = json.dumps({"type": "dataset", "version": VERSION, "classes": classes}, ensure_ascii=False)
    return text.encode() + b"\n"


def _image_lines(table: AnnotationTable, start: int, stop: int) -> Iterator[bytes]:
    """The lines of images start:stop."""
    first = int(table.offsets[start])
    annotations = _annotations(table, first, int(table.offsets[stop]))
    columns = [table.images[name].iloc[start:stop].tolist() for name in IMAGE_FIELDS]
    extra = table.images["attributes"].iloc[start:stop]
    for row, (values, attributes) in enumerate(zip(zip(*columns, strict=True), extra, strict=True), start):
        line = {"type": "image", **_filled(IMAGE_FIELDS, values)}
        if attributes:
            line["attributes"] = _json(attributes)
        line["annotations"] = annotations[table.offsets[row] - first : table.offsets[row + 1] - first]
        yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _annotations(table: AnnotationTable, first: int, last: int) -> list[dict[str, Any]]:
    """Annotations first:last as they are written."""
    rows = table.annotations.iloc[first:last]
    values, offsets = table.coordinates()
    offsets = offsets[first : last + 1]
    numbers = _finite(values[offsets[0] : offsets[-1]]).tolist()  # orjson writes NaN as null
    ends = (offsets - offsets[0]).tolist()
    boxes = _finite(table.boxes[first:last])
    boxless = (np.isnan(boxes).sum(axis=1) == 4).tolist()
    columns = zip(
        rows["kind"].tolist(), rows["class_id"].tolist(), boxes.tolist(), boxless, rows["source"].tolist(),
        rows["line"].tolist(), rows["attributes"].tolist(), strict=True,
    )  # fmt: skip
    written = []
    for place, (kind, label, box, bare, source, line, attributes) in enumerate(columns):
        item: dict[str, Any] = {"kind": kind, "class": label if label >= 0 else None}
        if not bare:
            item["box"] = box
        if ends[place + 1] > ends[place]:
            item["geometry"] = numbers[ends[place] : ends[place + 1]]
        item |= _filled(("source", "line"), (source, line))
        if attributes:
            item["attributes"] = _json(attributes)
        written.append(item)
    return written


def _filled(names: tuple[str, ...], values: tuple[Any, ...]) -> dict[str, Any]:
    return {name: value for name, value in zip(names, values, strict=True) if value}


def _finite(numbers: Floats) -> Floats:
    if np.isinf(numbers).any():
        raise DataError("A coordinate is infinite.", code="table_invalid", hint="Correct it; JSON has no such number.")
    return numbers


@lru_cache(maxsize=10_000)
def _json(text: str) -> Any:
    """Attributes as they are written: the object itself where its text fits into a line, else the text as a string."""
    if not text.startswith("{") or "\n" in text or "\r" in text:
        return text
    try:
        orjson.loads(text)
    except ValueError:
        return text
    return orjson.Fragment(text)
