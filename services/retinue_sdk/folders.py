"""A job's view of a classification dataset: `<split>/<class number>/<file>`, one link per image.

Folders are named by number, because a class name may hold anything and sorting the folders then sorts the classes;
`classes.json` beside them names the numbers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from retinue_sdk.dataset import load
from retinue_sdk.errors import DataError
from retinue_sdk.links import link
from retinue_sdk.schema import DatasetFolder, DatasetManifest

if TYPE_CHECKING:
    from retinue_sdk.table import AnnotationTable

SPLITS = ("train", "val")
SPLIT_SEED = 0  # not the job's seed: runs with other seeds must stay comparable


@dataclass(frozen=True)
class ClassFolders:
    """What was laid out, and what was left out as (code, message)."""

    root: Path
    classes: list[str]
    images: dict[str, int]  # per split
    findings: list[tuple[str, str]]

    @property
    def class_map(self) -> dict[str, int]:
        """Folder name to class index."""
        return {folder(i): i for i in range(len(self.classes))}


def lay_out(dataset: DatasetFolder | DatasetManifest, dest: Path) -> ClassFolders:
    """`class_folders` of a job's dataset, for `beside`."""
    return class_folders(load(dataset), dest)


def class_folders(table: AnnotationTable, dest: Path) -> ClassFolders:
    """Lay the labelled train and val images of `table` out under `dest`."""
    from retinue_sdk import split  # noqa: PLC0415 - pandas costs 0.4 s; a script that only reads the folders does without

    table, _ = split.ensure(table, SPLIT_SEED)
    labels = table.labels()
    if not (labels >= 0).any():
        raise DataError(
            "No image of the dataset has a class.", code="labels_missing", where="dataset",
            hint="A classification needs one class for each image; for boxes, choose the task detect.",
        )  # fmt: skip
    counts, places = {}, {}
    for name in SPLITS:
        rows = table.rows(name)
        for index in range(len(table.classes)):  # also an empty one: some readers number what they find
            places[dest / name / folder(index)] = rows[labels[rows] == index].tolist()
        counts[name] = int((labels[rows] >= 0).sum())
        if counts[name] == 0:
            raise DataError(
                f"The dataset has no image with a class in its {name} split.",
                code="split_empty",
                where=f"dataset, split {name}",
                hint="Give images with a class to the train and the val split, or none to any so that they are split 80/20.",
            )
    link(table, places)
    (dest / "classes.json").write_text(json.dumps(table.classes), encoding="utf-8")
    return ClassFolders(dest, list(table.classes), counts, _findings(table))


def folder(index: int) -> str:
    """A number as the name of a folder: sorting these sorts the numbers."""
    return f"{index:05d}"


def _findings(table: AnnotationTable) -> list[tuple[str, str]]:
    used = table.images["split"].isin(SPLITS).to_numpy()
    unlabelled = int(((table.labels() < 0) & used).sum())
    of_kind = table.annotations[table.annotations["kind"] == "class"]
    several = int(of_kind.groupby("image")["class_id"].nunique().gt(1).sum())
    found = [
        ("images_unlabelled", unlabelled, "images have no class and take no part."),
        ("labels_several", several, "images have several classes; the first of each is used."),
    ]
    return [(code, f"{count} {text}") for code, count, text in found if count]
