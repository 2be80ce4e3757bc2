"""From the annotation table to what ultralytics reads: a view of links, and the boxes beside them, in `dataset/`.

Ultralytics repairs images in place by replacing their directory entry and leaves caches beside them, so each image is a
link of its own in a folder of the job's. `data.yaml` is made from the table, never copied from a person's.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml

from retinue_sdk.dataset import load
from retinue_sdk.errors import DataError
from retinue_sdk.folders import SPLIT_SEED, SPLITS, class_folders, folder
from retinue_sdk.links import link
from retinue_sdk.schema import Task, TrainRequest

if TYPE_CHECKING:
    from retinue_sdk.table import AnnotationTable, Floats, Ints

BOXES = "boxes.npz"  # of all images: a label file for each would double what the disk is asked for before a job begins
FOLDER = 5_000  # images: several folders are filled sooner than a large one


@dataclass(frozen=True)
class View:
    """A job's own view of its dataset."""

    source: Path  # what ultralytics is given as `data`: the folder, or the data.yaml in it
    classes: list[str]
    images: dict[str, int]  # per split
    findings: list[tuple[str, str]] = field(default_factory=list)  # code and message of what was left out


def lay_out(request: TrainRequest, dest: Path) -> View:
    """`export` of a job's dataset, for `beside`."""
    return export(load(request.dataset), request.task, dest)


def export(table: AnnotationTable, task: Task, dest: Path) -> View:
    """Lay the train and val images of `table` out under `dest`."""
    if task is Task.CLASSIFY:
        made = class_folders(table, dest)
        return View(made.root, made.classes, made.images, made.findings)
    from retinue_sdk import split  # noqa: PLC0415 - pandas costs 0.4 s; the training itself does without

    table, _ = split.ensure(table, SPLIT_SEED)
    return _detect(table, dest)


def _detect(table: AnnotationTable, dest: Path) -> View:
    """`images/<split>/<number>/<file>`, with `data.yaml` and `boxes.npz`."""
    counts, places = {}, {}
    for name in SPLITS:
        rows = table.rows(name).tolist()
        counts[name] = len(rows)
        if not rows:
            raise DataError(
                f"The dataset has no usable image in its {name} split.",
                code="split_empty",
                where=f"dataset, split {name}",
                hint="Give images to the train and the val split, or none to any so that they are split 80/20.",
            )
        for part in range(0, len(rows), FOLDER):
            places[dest / "images" / name / folder(part // FOLDER)] = rows[part : part + FOLDER]
    with ThreadPoolExecutor(1) as pool:  # while links wait for the disk
        numbers = pool.submit(_boxes, table)
        linked = link(table, places)
    boxes, files = numbers.result(), [""] * len(table)
    for place, rows in places.items():
        for row, file in zip(rows, linked[place], strict=True):
            files[row] = f"{place.parent.name}/{place.name}/{file}"
    names = np.frombuffer(os.fsencode("\0".join(files)), dtype=np.uint8)  # an array of text is as wide as its longest
    np.savez(dest / BOXES, names=names, values=boxes.values, offsets=boxes.offsets)
    data = {"path": str(dest), **{name: f"images/{name}" for name in SPLITS}, "names": dict(enumerate(table.classes))}
    (dest / "data.yaml").write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return View(dest / "data.yaml", list(table.classes), counts, _said(boxes.findings))


def boxes_of(view: Path) -> dict[str, Floats]:
    """The boxes in a detection's view by `<split>/<number>/<file>`: (n, 5) class, centre and size as parts of the image."""
    with np.load(view / BOXES) as held:
        parts = np.split(held["values"], held["offsets"][1:-1])
        return dict(zip(os.fsdecode(held["names"].tobytes()).split("\0"), parts, strict=True))


@dataclass(frozen=True)
class _Boxes:
    """The usable boxes of a table, sorted by image: those of row i lie between offsets[i] and offsets[i + 1]."""

    values: Floats  # (n, 5) class, then centre and size as parts of the image
    offsets: Ints  # (images + 1,)
    findings: list[tuple[str, int, str]]


def _boxes(table: AnnotationTable) -> _Boxes:
    rows = table.annotations
    pixels, image, label = table.boxes, rows["image"].to_numpy(), rows["class_id"].to_numpy()
    known = np.isfinite(pixels).all(1) & (label >= 0)
    if not known.any():
        raise DataError(
            "No image of the dataset has a box.", code="labels_missing", where="dataset",
            hint="A detection needs boxes; for one class per image, choose the task classify.",
        )  # fmt: skip
    sides = table.images[["width", "height"]].to_numpy(dtype=np.float64)[image]
    inside = np.clip(pixels, 0.0, np.hstack([sides, sides]))
    beyond = known & (np.abs(inside - pixels) > 1.0).any(1)
    size = inside[:, 2:] - inside[:, :2]
    sized = known & (size > 0).all(1)
    again = sized & rows.duplicated(["image", "class_id", "x1", "y1", "x2", "y2"]).to_numpy()
    usable = sized & ~again
    centre = (inside[:, :2] + inside[:, 2:]) / 2
    order = np.flatnonzero(usable)[np.argsort(image[usable], kind="stable")]
    values = np.hstack([label[order, None], centre[order] / sides[order], size[order] / sides[order]])
    offsets = np.searchsorted(image[order], np.arange(len(table.images) + 1))
    return _Boxes(values, offsets, [
        ("boxes_without_area", int((known & ~sized).sum()), "boxes have no area and take no part."),
        ("boxes_beyond_image", int(beyond.sum()), "boxes reach out of their image and are cut at its border."),
        ("boxes_twice", int(again.sum()), "boxes are there twice with the same class and are used once."),
    ])  # fmt: skip


def _said(findings: list[tuple[str, int, str]]) -> list[tuple[str, str]]:
    return [(code, f"{count} {text}") for code, count, text in findings if count]
