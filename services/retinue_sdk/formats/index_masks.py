"""Images and class-index masks: images/<split>/a.jpg beside masks/<split>/a.png, whose pixels are numbers of classes.

The folder of the masks may be called labels or annotations, and splits may lie on top (train/images, train/masks); or a mask lies
beside its image, a_mask.png beside a.jpg, as Roboflow writes them. Number 0 is background and 255 is void, unless the classes
name them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from retinue_sdk.api import Finding
from retinue_sdk.formats import files
from retinue_sdk.formats.fit import Holds, fit
from retinue_sdk.formats.index_classes import read_classes
from retinue_sdk.formats.index_draw import Drawing
from retinue_sdk.formats.mask_files import Masks, has_indexes
from retinue_sdk.formats.pairs import find_pairs, has_pairs
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Rows
from retinue_sdk.table import AnnotationTable

NAME = "index_masks"
TITLE = "Images and class-index masks"
HOLDS = Holds(("mask",), class_ids=True, unclassed=False)
IMAGES = ("images",)
FOLDERS = ("masks", "labels", "annotations")
BESIDE = "_mask.png"
ADE20K = {"objectInfo150.txt", "sceneCategories.txt"}
SNIFFED = 20  # masks looked at


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read one mask annotation for each class in an image."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    beside = _beside(listing)
    pairs = beside or find_pairs(listing, IMAGES, FOLDERS, ".png", report)
    for key in sorted(key for key, mask in beside.items() if not mask):
        report.add("image_without_label", key)
    names, where = read_classes(root, listing, report)
    measured = files.measure(root, sorted(pairs), report)
    masks = Masks(root, Rows(report), names)
    for index, key in enumerate(measured.key):
        if pairs[key]:
            masks.add(index, pairs[key], (measured.width[index], measured.height[index]))
    splits = [split for _, split in files.by_split(measured.key)]
    return masks.table(measured, {"split": splits}, where), report.findings()


def sniff(path: Path) -> float:
    """PNGs of one channel in a folder of masks beside the images, or called after them; less when they have colours."""
    root = files.dataset_root(path)
    listing = files.list_files(root)
    masks = sorted(filter(None, _beside(listing).values())) or has_pairs(listing, IMAGES, FOLDERS, ".png")
    if not masks or any(name.endswith(".txt") and "labels" in name.split("/")[:-1] for name in listing):
        return 0.0
    looked = masks[:: len(masks) // SNIFFED + 1]
    if not any(has_indexes(root / name) for name in looked):
        return (
            0.4 if looked[0].endswith(BESIDE) or "masks" in looked[0].lower().split("/") else 0.0
        )  # reading says what is wrong with them
    return 0.2 if ADE20K.intersection(listing) else 0.95


def _beside(listing: Sequence[str]) -> dict[str, str]:
    """The mask beside each image, empty for one without; nothing where there are no such masks."""
    masks = {name.removesuffix(BESIDE): name for name in listing if name.endswith(BESIDE)}
    images = [name for name in listing if files.is_image(name) and not name.endswith(BESIDE)] if masks else []
    found = {name: masks.get(name.rpartition(".")[0], "") for name in images}
    return found if any(found.values()) else {}


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    """Write images/<split>, masks/<split> and a config.yaml with the classes."""
    table, report = fit(table, HOLDS, NAME)
    drawing = Drawing(table, NAME, report)
    path.mkdir(parents=True, exist_ok=True)
    for row, (name, source, split) in enumerate(
        zip(table.file_names, table.images["path"], table.images["split"], strict=True)
    ):
        folders = [path / folder / split for folder in ("images", "masks")]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        place(Path(source), folders[0] / name)
        Image.fromarray(drawing.draw(row)).save((folders[1] / name).with_suffix(".png"))
    _write_config(path / "config.yaml", table, drawing.numbers)
    return report.findings()


def _write_config(path: Path, table: AnnotationTable, numbers: Sequence[int]) -> None:
    splits: Mapping[str, Any] = {
        split: {folder: f"{folder}/{split}" for folder in ("images", "masks")} for split in table.splits if split
    }
    content = {**splits, "classes": dict(zip(numbers, table.classes, strict=True))}
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
