"""From the annotation table to what timm reads: `dataset/<split>/<class number>/<row>.<ext>`, one link per image.

Folders are named by number, because a class name may hold anything; `classes.json` beside them says which is which.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retinue_sdk import split
from retinue_sdk.dataset import link
from retinue_sdk.errors import DataError
from retinue_sdk.table import AnnotationTable

SPLIT_SEED = 0  # not the job's seed: runs with other seeds must stay comparable


@dataclass(frozen=True)
class View:
    """A job's own view of its dataset."""

    root: Path
    classes: list[str]
    images: dict[str, int]  # per split
    unlabelled: int
    several: int  # images with more than one class, of which the first counts

    @property
    def class_map(self) -> dict[str, int]:
        """Folder name to class index."""
        return {folder(i): i for i in range(len(self.classes))}


def folder(index: int) -> str:
    """The folder of a class; sorting the names sorts the indices."""
    return f"{index:05d}"


def export(table: AnnotationTable, dest: Path) -> View:
    """Link every labelled image of train and val under `dest`."""
    labels, several = _labels(table)
    images = _with_validation(table).images
    counts = {"train": 0, "val": 0}
    for name in counts:
        for index in range(len(table.classes)):
            (dest / name / folder(index)).mkdir(parents=True, exist_ok=True)
    for row, (key, name) in enumerate(zip(images["key"], images["split"], strict=True)):
        if name in counts and row in labels:
            link(table, row, dest / name / folder(labels[row]) / f"{row:08d}{Path(key).suffix.lower()}")
            counts[name] += 1
    for name, count in counts.items():
        if count == 0:
            raise DataError(
                f"The dataset has no labelled image in its {name} split.",
                code="split_empty",
                where=f"dataset, split {name}",
                hint="A classification needs a class for each image, in a train and a val split.",
            )
    (dest / "classes.json").write_text(json.dumps({"classes": list(table.classes)}), encoding="utf-8")
    return View(dest, list(table.classes), counts, len(images) - len(labels), several)


def _labels(table: AnnotationTable) -> tuple[dict[int, int], int]:
    """Class index by image row, and how many images have several."""
    rows: Any = table.annotations
    rows = rows[(rows["kind"] == "class") & (rows["class_id"] >= 0)]
    several = int(rows.groupby("image")["class_id"].nunique().gt(1).sum())
    first = rows.drop_duplicates("image")
    return dict(zip(first["image"].tolist(), first["class_id"].tolist(), strict=True)), several


def _with_validation(table: AnnotationTable) -> AnnotationTable:
    if (table.images["split"] == "val").any():
        return table
    return split.stratified(table, SPLIT_SEED, 0.2)
