"""ADE20K for scene parsing: images/training beside annotations/training, index masks whose 0 is anything else."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from retinue_sdk.api import Finding
from retinue_sdk.formats import files
from retinue_sdk.formats.mask_files import Masks
from retinue_sdk.formats.pairs import find_pairs, has_pairs
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Rows, to_json
from retinue_sdk.formats.text_files import read_lines
from retinue_sdk.table import AnnotationTable

NAME = "ade20k"
TITLE = "ADE20K"
IMAGES, MASKS = ("images",), ("annotations",)
CLASSES, SCENES = "objectInfo150.txt", "sceneCategories.txt"


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read one mask annotation for each class in an image; the scene is an attribute of the image."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    pairs = find_pairs(listing, IMAGES, MASKS, ".png", report)
    classes = _classes(root, report) if CLASSES in listing else None
    scenes = _scenes(root, report) if SCENES in listing else {}
    measured = files.measure(root, sorted(pairs), report)
    names = {number: name for number, (name, _) in classes.items()} if classes is not None else None
    masks = Masks(root, Rows(report), names)
    for index, key in enumerate(measured.key):
        if pairs[key]:
            masks.add(index, pairs[key], (measured.width[index], measured.height[index]))
    columns = {
        "split": [split for _, split in files.by_split(measured.key)],
        "attributes": [to_json(scenes.get(PurePosixPath(key).stem)) for key in measured.key],
    }
    kinds = [attributes for _, attributes in classes.values()] if classes is not None else []
    return masks.table(measured, columns, CLASSES, kinds), report.findings()


def sniff(path: Path) -> float:
    """Masks in annotations beside images, and one of the two lists, or the names of the images."""
    root = files.dataset_root(path)
    listing = files.list_files(root)
    masks = has_pairs(listing, IMAGES, MASKS, ".png")
    named = {CLASSES, SCENES}.intersection(listing) or any(PurePosixPath(m).name.startswith("ADE_") for m in masks)
    return 0.97 if masks and named else 0.0


def _classes(root: Path, report: Report) -> dict[int, tuple[str, dict[str, Any]]]:
    """Name and attributes of each number: the first column is the number, the last the name, the one before says `stuff`."""
    found: dict[int, tuple[str, dict[str, Any]]] = {}
    for line, content in read_lines(root / CLASSES, CLASSES, report):
        columns = [column.strip() for column in content.split("\t")]
        number = columns[0]
        if line == 1 and not number.isdigit():
            continue
        if len(columns) < 2 or not (number.isascii() and number.isdigit() and len(number) < 6) or int(number) in found:
            report.add("classes_invalid", f"{CLASSES}:{line}", content)
            continue
        kind = {"1": "stuff", "0": "thing"}.get(columns[-2]) if len(columns) > 2 else None
        found[int(number)] = columns[-1], {"supercategory": kind} if kind else {}
    return found


def _scenes(root: Path, report: Report) -> dict[str, dict[str, str]]:
    """The scene of each image by its stem."""
    pairs = [content.split() for _, content in read_lines(root / SCENES, SCENES, report)]
    return {pair[0]: {"scene": " ".join(pair[1:])} for pair in pairs if len(pair) > 1}
