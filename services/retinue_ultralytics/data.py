"""From the annotation table to what ultralytics reads: a view of links and of labels that we wrote, in `dataset/`.

Ultralytics repairs images in place by replacing their directory entry and leaves caches beside them, so each image is a
link of its own in a folder of the job's. `data.yaml` is made from the table, never copied from a person's.
"""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml

from retinue_sdk.dataset import load
from retinue_sdk.errors import DataError
from retinue_sdk.files import entered, write_new
from retinue_sdk.links import link, linking
from retinue_sdk.schema import Task, TrainRequest

if TYPE_CHECKING:
    from retinue_sdk.table import AnnotationTable, Floats, Ints

SPLITS = ("train", "val")
_LINE = b"%d %.8g %.8g %.8g %.8g\n"
SPLIT_SEED = 0  # not the job's seed: runs with other seeds must stay comparable


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
    from retinue_sdk import split  # noqa: PLC0415 - pandas costs 0.4 s; the training itself does without

    table, _ = split.ensure(table, SPLIT_SEED)
    view = _classify(table, dest) if task is Task.CLASSIFY else _detect(table, dest)
    for name in SPLITS:
        if not view.images[name]:
            raise DataError(
                f"The dataset has no usable image in its {name} split.",
                code="split_empty",
                where=f"dataset, split {name}",
                hint="Give images to the train and the val split, or none to any so that they are split 80/20.",
            )
    return view


def folder(index: int) -> str:
    """The folder of a class: a name may hold anything, and sorting these sorts the indices."""
    return f"{index:05d}"


def _classify(table: AnnotationTable, dest: Path) -> View:
    """`<split>/<class number>/<file>`, with `classes.json` beside to name the numbers."""
    labels = table.labels()
    if not (labels >= 0).any():
        raise DataError(
            "No image of the dataset has a class.", code="labels_missing", where="dataset",
            hint="A classification needs one class for each image; for boxes, choose the task detect.",
        )  # fmt: skip
    counts, unlabelled = dict.fromkeys(SPLITS, 0), 0
    for name in SPLITS:
        rows = table.rows(name)
        unlabelled += int((labels[rows] < 0).sum())
        for index in range(len(table.classes)):  # also an empty one: ultralytics numbers what it finds
            counts[name] += len(link(table, rows[labels[rows] == index].tolist(), dest / name / folder(index)))
    (dest / "classes.json").write_text(json.dumps(list(table.classes)), encoding="utf-8")
    of_kind = table.annotations[table.annotations["kind"] == "class"]
    several = int((of_kind.groupby("image")["class_id"].nunique() > 1).sum())
    findings = [
        ("images_unlabelled", unlabelled, "images have no class and take no part."),
        ("labels_several", several, "images have several classes; the first of each is used."),
    ]
    return View(dest, list(table.classes), counts, _said(findings))


def _detect(table: AnnotationTable, dest: Path) -> View:
    """`images/<split>/<file>` and `labels/<split>/<stem>.txt`, with `data.yaml`."""
    rows = {name: table.rows(name).tolist() for name in SPLITS}
    with ExitStack() as stack:
        images = {n: stack.enter_context(linking(table, rows[n], dest / "images" / n)) for n in SPLITS}
        boxes = _boxes(table)
        for name in SPLITS:
            labels = stack.enter_context(entered(dest / "labels" / name))
            for row, image in zip(rows[name], images[name], strict=True):
                stem = os.path.splitext(image)[0]  # noqa: PTH122 - called once per image
                write_new(f"{stem}.txt", boxes.label(row), labels)
    counts = {name: len(rows[name]) for name in SPLITS}
    data = {"path": str(dest), **{name: f"images/{name}" for name in SPLITS}, "names": dict(enumerate(table.classes))}
    (dest / "data.yaml").write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return View(dest / "data.yaml", list(table.classes), counts, _said(boxes.findings))


@dataclass(frozen=True)
class _Boxes:
    """The usable boxes of a table, sorted by image: those of row i lie between offsets[i] and offsets[i + 1]."""

    values: Floats  # (n, 5) class, then centre and size as parts of the image
    offsets: Ints  # (images + 1,)
    findings: list[tuple[str, int, str]]

    def label(self, row: int) -> bytes:
        """The label file of one image."""
        mine = self.values[self.offsets[row] : self.offsets[row + 1]]
        return _LINE * len(mine) % tuple(mine.ravel().tolist())


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
    usable = known & (size > 0).all(1)
    centre = (inside[:, :2] + inside[:, 2:]) / 2
    order = np.flatnonzero(usable)[np.argsort(image[usable], kind="stable")]
    values = np.hstack([label[order, None], centre[order] / sides[order], size[order] / sides[order]])
    offsets = np.searchsorted(image[order], np.arange(len(table.images) + 1))
    empty = int((known & ~usable).sum())
    return _Boxes(values, offsets, [
        ("boxes_without_area", empty, "boxes have no area and take no part."),
        ("boxes_beyond_image", int(beyond.sum()), "boxes reach out of their image and are cut at its border."),
    ])  # fmt: skip


def _said(findings: list[tuple[str, int, str]]) -> list[tuple[str, str]]:
    return [(code, f"{count} {text}") for code, count, text in findings if count]
