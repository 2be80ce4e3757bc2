"""Writing YOLO datasets: what the four tasks share. Coordinates are parts of the image; none is formatted by Python."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import yaml

from retinue_sdk.formats import files
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.yolo_config import IDS, TASK
from retinue_sdk.geometry import Floats, Ints
from retinue_sdk.table import AnnotationTable

DECIMALS = 12  # of what has few numbers: enough to give the same pixels again
BORDER = 0.005  # how far a shape may reach over its image before it is cut; readers allow twice as much
TOGETHER = 1000  # rows of a polygon's numbers that fit into a processor's cache
_FOUR_DIGITS = np.array([f"{number:04}" for number in range(10**4)], dtype="S4").view("u4")
_WIDTH = len("0.12345678 ")
_AS_LINES = bytes.maketrans(b",]", b" \n")


def write_dataset(
    table: AnnotationTable,
    path: Path,
    place: files.Place,
    rows: Iterable[Floats] | Iterable[bytes],
    task: str,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write images/<split>, labels/<split> and a data.yaml; `place` puts an image there (a copy, or a link).

    Labels are numbered from 0 without gaps, which is all that frameworks read; other ids go into the data.yaml.

    `rows` has what follows the class on each annotation's line, `extra` what only one task says in its data.yaml.
    """
    used = [split or "train" for split in table.images["split"].tolist()]
    folders = {split: (f"{path}/images/{split}", f"{path}/labels/{split}") for split in ("train", "val", *used)}
    for folder in (folder for both in folders.values() for folder in both):
        Path(folder).mkdir(parents=True, exist_ok=True)
    classes, offsets = table.annotations["class_id"].tolist(), table.offsets.tolist()
    left: Iterator[Any] = iter(rows)
    columns = zip(table.images["path"].tolist(), used, table.file_names, offsets, offsets[1:], strict=False)
    for source, split, name, first, last in columns:
        images, labels = folders[split]
        place(source, f"{images}/{name}")
        stem = os.path.splitext(name)[0]  # noqa: PTH122 - called once per image
        with open(f"{labels}/{stem}.txt", "wb") as stream:  # noqa: PTH123 - as is this
            stream.write(label_text(classes[first:last], list(islice(left, last - first))))
    next(left, None)  # what makes rows as they are asked for says at its end what was lost
    content = {
        "path": ".",
        **{split: f"images/{split}" for split in sorted(folders)},
        TASK: task,
        **(extra or {}),
        "names": dict(enumerate(table.classes)),
    }
    if table.class_ids != list(range(len(table.classes))):
        content[IDS] = table.class_ids
    (path / "data.yaml").write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def label_text(classes: Sequence[int], rows: Sequence[Any]) -> bytes:
    """The label file of an image: a line for each class and its row, of numbers or of what `digits` made of them."""
    if not classes:
        return b""
    if isinstance(rows[0], bytes):
        return b"".join([b"%d %b\n" % line for line in zip(classes, rows, strict=True)])
    said: list[Any] = [None] * (2 * len(classes))
    said[::2], said[1::2] = classes, rows
    text = orjson.dumps(said, option=orjson.OPT_SERIALIZE_NUMPY)  # [3,[0.5,1.0],4,[0.25,0.5]]
    text = text.translate(_AS_LINES, b"[")[:-1].replace(b"\n ", b"\n")
    return text.replace(b".0 ", b" ").replace(b".0\n", b"\n")


def digits(rows: Iterable[Floats]) -> Iterator[bytes]:
    """Rows of numbers as text of eight decimals each: ten times as fast as their shortest text, for rows of very many."""
    rows = iter(rows)
    while part := list(islice(rows, TOGETHER)):
        values = np.concatenate(part)
        if ((values >= 0) & (values < 2)).all():
            text = _eight_decimals(values)
            ends = np.cumsum([_WIDTH * len(row) for row in part]).tolist()
            yield from (text[end - _WIDTH * len(row) : end - 1] for row, end in zip(part, ends, strict=True))
        else:
            yield from (label_text([0], [row.round(8)])[2:-1] for row in part)


def _eight_decimals(values: Floats) -> bytes:
    """Numbers from 0 to below 2, each with a blank after it."""
    number = (values * 1e8 + 0.5).astype(np.uint32)
    whole, number = np.divmod(number, np.uint32(10**8))
    text = np.empty(len(values), dtype=[("whole", "S2"), ("high", "u4"), ("low", "u4"), ("blank", "S1")])
    text["whole"] = np.where(whole, b"1.", b"0.")
    text["high"], text["low"] = _FOUR_DIGITS[number // 10**4], _FOUR_DIGITS[number % 10**4]
    text["blank"] = b" "
    return text.tobytes()


def sizes_of(table: AnnotationTable) -> Floats:
    """(n, 2): width and height of the image of each annotation."""
    owners: Ints = table.annotations["image"].to_numpy()
    sizes: Floats = table.images[["width", "height"]].to_numpy(dtype=np.float64)[owners]
    return sizes


def centred(table: AnnotationTable, report: Report, name: str) -> Floats:
    """(n, 4): centre and size of the boxes as parts of their image, cut at its border."""
    corners = table.boxes / np.tile(sizes_of(table), 2)
    corners = cut(corners.reshape(-1), np.full(len(corners), 4), report, name).reshape(-1, 4)
    return np.hstack([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]])


def cut(values: Floats, lengths: Ints, report: Report, name: str) -> Floats:
    """The coordinates of entries of these lengths, with those far beyond the image moved to its border, and reported."""
    beyond = (values < -BORDER) | (values > 1 + BORDER)
    if not beyond.any():
        return values
    rows = np.searchsorted(np.cumsum(lengths), np.flatnonzero(beyond), side="right")
    report.add("loss_outside", name, count=len(np.unique(rows)))
    return np.where(beyond, np.clip(values, 0, 1), values)
