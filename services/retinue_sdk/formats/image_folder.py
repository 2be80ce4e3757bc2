"""Folders of classes (ImageFolder, YOLO classify): class/a.jpg, or train/class/a.jpg and val/class/a.jpg."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path, PurePosixPath

from retinue_sdk.api import Finding
from retinue_sdk.formats import files
from retinue_sdk.formats.fit import Holds, fit
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.yolo_config import find_config
from retinue_sdk.formats.yolo_layout import label_files
from retinue_sdk.names import is_hidden
from retinue_sdk.table import AnnotationTable, make_table

NAME = "image_folder"
TITLE = "Folders of classes"
LONGEST = 235  # bytes of a folder's name: file systems take 255, some of them for a number
HOLDS = Holds(("class",), class_order=False, unclassed=False)


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read one image per class folder entry; classes are the folders' names in order."""
    root, report = files.dataset_root(path), Report()
    images = [f for f in files.list_files(root) if files.is_image(f)]
    depth = 1 if _has_splits(images) else 0
    labelled: dict[str, str] = {}
    for key in images:
        folders = PurePosixPath(key).parts[:-1]
        if len(folders) > depth:
            labelled[key] = folders[depth]
            if len(folders) > depth + 1:
                report.add("class_nested", key, f"read as {folders[depth]}")
        else:
            report.add("image_without_class", key)
    measured = files.measure(root, labelled, report)
    names = sorted({*labelled.values(), *_empty_classes(root, depth, report)})
    position = {name: i for i, name in enumerate(names)}
    _report_classes(names, Counter(labelled[key] for key in measured.key), report)
    table = make_table(
        {**measured.columns(), "split": [_split(key) if depth else "" for key in measured.key]},
        {
            "image": range(len(measured.key)),
            "class_id": [position[labelled[key]] for key in measured.key],
            "kind": ["class"] * len(measured.key),
            "source": measured.key,
        },
        files.check_class_names(names, root.name, report),
    )
    return table, report.findings()


def sniff(path: Path) -> float:
    """Images that all lie in folders, and no sign of another format."""
    root = files.dataset_root(path)
    listing = files.list_files(root)
    images = [f for f in listing if files.is_image(f)]
    depth = 1 if _has_splits(images) else 0
    parts = [PurePosixPath(key).parts for key in images]
    inside = sum(len(p) > depth + 1 for p in parts)
    names = {folder.lower() for p in parts for folder in p[:-1]}
    if not images or not inside:
        return 0.0
    other = (
        names & files.STRUCTURE
        or find_config(root)
        or any(f.endswith((".xml", ".json", ".csv")) for f in listing)
        or label_files(listing)  # texts of labels beside the images
    )
    return 0.25 if other else 0.85 * inside / len(images)


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    """Write split/class/name for every image with a class; without any split, class/name."""
    table, report = fit(table, HOLDS, NAME)
    labels = table.labels()
    if lost := len(table.annotations) - int((labels >= 0).sum()):
        report.add("loss_several_classes", NAME, count=lost)
    splits = list(table.images["split"])
    if any(splits) and (lost := splits.count("")):
        report.add("loss_split", NAME, count=lost)
        splits = [split or "train" for split in splits]
    folders = _folders(table.classes, report)
    for folder in (path / split / name for split in set(splits) for name in folders):
        folder.mkdir(parents=True, exist_ok=True)
    for source, split, name, label in zip(table.images["path"], splits, table.file_names, labels, strict=True):
        if label < 0:
            report.add("loss_image", name)
        else:
            place(Path(source), path / split / folders[label] / name)
    return report.findings()


def _folders(classes: list[str], report: Report) -> list[str]:
    """A folder for each class, called as it is where a folder can be: within the dataset, not hidden, and not too long."""
    plain = [_cut(re.sub(r"[/\\\0]", "_", name)) for name in classes]
    folders = [f"_{name}" if is_hidden(name) or not name else name for name in plain]
    taken = {folder for folder, name in zip(folders, classes, strict=True) if folder == name}
    for index, name in enumerate(classes):
        if folders[index] != name:
            report.add("loss_class_names", NAME, name)
            while folders[index] in taken:
                folders[index] += f"_{index}"
            taken.add(folders[index])
    return folders


def _cut(name: str) -> str:
    return name.encode()[:LONGEST].decode(errors="ignore")


def _has_splits(images: list[str]) -> bool:
    """Whether the top folders are splits: all are called so, and hold folders of classes."""
    parts = [PurePosixPath(key).parts for key in images]
    tops = {p[0].lower() for p in parts if len(p) > 1}
    return bool(tops) and tops <= files.SPLITS.keys() and any(len(p) > 2 for p in parts)


def _split(key: str) -> str:
    return files.SPLITS[PurePosixPath(key).parts[0].lower()]


def _empty_classes(root: Path, depth: int, report: Report) -> list[str]:
    """Class folders without an image: still classes, and reported."""
    bases = [d for d in root.iterdir() if d.is_dir() and d.name.lower() in files.SPLITS] if depth else [root]
    folders = [d for base in bases for d in base.iterdir() if d.is_dir() and not is_hidden(d.name)]
    full = {d.name for d in folders if any(files.is_image(f) for f in files.list_files(d))}
    empty = sorted({d.name for d in folders} - full)
    for name in empty:
        report.add("class_empty", name)
    return empty


def _report_classes(names: list[str], counts: Counter[str], report: Report) -> None:
    if len(names) == 1:
        report.add("class_single", names[0], f"{counts[names[0]]} images")
