"""YOLO detection: images/ and labels/ with one line `class x y width height` per box, and a data.yaml.

Read in all usual layouts: images/train beside labels/train, train/images beside train/labels, lists of images in .txt.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np
import yaml

from retinue_sdk.api import Finding
from retinue_sdk.errors import DataError
from retinue_sdk.formats import files
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.yolo_config import Config, find_config, load_yaml, read_config
from retinue_sdk.formats.yolo_labels import Labels, check_labels, read_labels
from retinue_sdk.table import AnnotationTable, make_table

NAME = "yolo_detect"
TITLE = "YOLO detection"
SNIFFED = 20  # label files looked at


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read a YOLO detection dataset; boxes become pixels of the image they are in."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    config_path = find_config(root)
    config = read_config(config_path, root, report) if config_path else _without_config(root, listing, report)
    splits = _splits(root, config, listing, report)
    measured = files.measure(root, sorted(splits), report)
    present = set(listing)
    sources = [label_of(key) for key in measured.key]
    _report_pairs(measured.key, sources, present, report)
    labels = read_labels(root, sources, present, report)
    ids = _class_ids(config, labels)
    labels = check_labels(root, labels, ids, report)
    table = make_table(
        {**measured.columns(), "split": [splits[key] for key in measured.key]},
        _boxes(labels, measured, sources, ids),
        [config.names.get(i, f"class_{i}") for i in ids],
        ids,
    )
    return table, report.findings()


def label_of(key: str) -> str:
    """The label file of an image: the last `images` folder of its path becomes `labels`, the suffix .txt."""
    head, found, tail = f"/{key}".rpartition("/images/")
    stem = os.path.splitext(f"{head}/labels/{tail}" if found else f"/{key}")[0]  # noqa: PTH122 - called once per image
    return f"{stem[1:]}.txt"


def sniff(path: Path) -> float:
    """A data.yaml with names, or images/ beside labels/; less when the labels are not boxes."""
    root = files.dataset_root(path)
    listing = files.list_files(root)
    texts = [f for f in listing if f.endswith(".txt") and "labels" in PurePosixPath(f).parts[:-1]]
    config = find_config(root)
    named = config is not None and _names_in(config)
    confidence = 0.95 if named and texts else 0.6 if named else 0.7 if texts else 0.0
    return min(confidence, 0.2) if texts and not _has_boxes(root, texts) else confidence


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    """Write images/<split>, labels/<split> and a data.yaml; `place` puts an image there (a copy, or a link)."""
    report = Report()
    names = table.file_names
    boxes = (table.annotations["kind"] == "box").to_numpy()
    _report_losses(table, boxes, report)
    lines = _lines(table)
    used = [s or "train" for s in table.images["split"]]
    for kind in ("images", "labels"):
        for split in {"train", "val", *used}:
            (path / kind / split).mkdir(parents=True, exist_ok=True)
    for row, (source, split, name) in enumerate(zip(table.images["path"], used, names, strict=True)):
        place(Path(source), path / "images" / split / name)
        first, last = table.offsets[row], table.offsets[row + 1]
        text = "".join(lines[i] for i in range(first, last) if boxes[i])
        (path / "labels" / split / name).with_suffix(".txt").write_text(text, encoding="utf-8")
    content = {
        "path": ".",
        **{s: f"images/{s}" for s in sorted({"train", "val", *used})},
        "names": dict(enumerate(table.classes)),
    }
    (path / "data.yaml").write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return report.findings()


def _lines(table: AnnotationTable) -> list[str]:
    """The label line of every annotation, with digits enough to give the same pixels again."""
    owners = table.annotations["image"].to_numpy()
    width = table.images["width"].to_numpy()[owners]
    height = table.images["height"].to_numpy()[owners]
    x1, y1, x2, y2 = table.boxes.T
    columns = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
    classes = table.annotations["class_id"].to_numpy()
    return [f"{c} {x:.12g} {y:.12g} {w:.12g} {h:.12g}\n" for c, x, y, w, h in zip(classes, *columns, strict=True)]


def _report_losses(table: AnnotationTable, boxes: np.ndarray[tuple[int], np.dtype[np.bool_]], report: Report) -> None:
    if lost := int((~boxes).sum()):
        report.add("loss_kind", NAME, ", ".join(sorted(set(table.annotations["kind"][~boxes]))), count=lost)
    if lost := int((table.annotations["attributes"][boxes] != "").sum()):
        report.add("loss_attributes", NAME, count=lost)
    if table.class_ids != list(range(len(table.classes))):
        report.add("loss_class_ids", NAME)
    if lost := int((table.images["split"] == "").sum()):
        report.add("loss_split", NAME, count=lost)


def _without_config(root: Path, listing: list[str], report: Report) -> Config:
    """Class names of a dataset without data.yaml: classes.txt, or made of the ids that are used."""
    if "classes.txt" in listing:
        names = (root / "classes.txt").read_text(encoding="utf-8-sig", errors="replace").splitlines()
        return Config(
            dict(enumerate(files.check_class_names([n.strip() for n in names if n.strip()], "classes.txt", report)))
        )
    report.add("class_names_made", root.name)
    return Config({})


def _class_ids(config: Config, labels: Labels) -> list[int]:
    if config.names:
        return list(config.names)
    used = labels.numbers[:, 0]
    whole = used[np.isfinite(used) & (used == np.floor(used)) & (used >= 0) & (used < 100_000)]
    return list(range(int(whole.max()) + 1)) if len(whole) else []


def _splits(root: Path, config: Config, listing: list[str], report: Report) -> dict[str, str]:
    """The images to read and the split of each."""
    images = [f for f in listing if files.is_image(f)]
    if not config.splits:
        return dict(files.by_split(images))
    named = {split: _expand(root, entries, images, report) for split, entries in config.splits.items()}
    if "train" in named and named["train"] == named.get("val"):
        return dict.fromkeys(named["train"], "")  # a demonstration set trains and checks on one folder: no split at all
    splits: dict[str, str] = {}
    for split, keys in named.items():
        for key in keys:
            if splits.setdefault(key, split) != split:
                report.add("split_overlap", key, f"{splits[key]}, {split}")
    for key in images:
        if key not in splits:
            report.add("image_unlisted", key)
    return splits


def _expand(root: Path, entries: Iterable[str], images: list[str], report: Report) -> list[str]:
    """The images that a split's folders, lists or single files mean."""
    known, found = set(images), []
    for entry in entries:
        if entry.lower().endswith(".txt"):
            found += _listed(root, entry, known, report)
        else:
            prefix = "" if entry == "." else f"{entry}/"
            found += [key for key in images if key.startswith(prefix) or key == entry]
    return found


def _listed(root: Path, entry: str, known: set[str], report: Report) -> list[str]:
    found = []
    folder = PurePosixPath(entry).parent
    text = (root / entry).read_text(encoding="utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        name = line.strip().replace("\\", "/")
        if not name:
            continue
        beside = os.path.normpath(folder / name)
        key = beside if beside in known else os.path.normpath(name)
        if key in known:
            found.append(key)
        else:
            escapes = key.startswith(("/", "..")) or key[1:2] == ":"
            report.add("list_path_escapes" if escapes else "image_missing", f"{entry}:{number}", line)
    return found


def _report_pairs(keys: list[str], sources: list[str], present: set[str], report: Report) -> None:
    seen: dict[str, str] = {}
    for key, source in zip(keys, sources, strict=True):
        if source in seen:
            report.add("image_same_stem", key, seen[source])
        seen[source] = key
        if source not in present:
            report.add("image_without_label", key)
    for name in sorted(present - seen.keys()):
        if name.endswith(".txt") and "labels" in PurePosixPath(name).parts[:-1]:
            report.add("label_without_image", name)


def _boxes(labels: Labels, measured: files.Measured, sources: list[str], ids: list[int]) -> dict[str, object]:
    """Columns of annotations: pixel boxes from centre and size. `ids` are in order."""
    width = np.asarray(measured.width, dtype=np.float64)[labels.image]
    height = np.asarray(measured.height, dtype=np.float64)[labels.image]
    x, y, w, h = labels.numbers[:, 1:].T
    return {
        "image": labels.image,
        "class_id": np.searchsorted(ids, labels.numbers[:, 0]),
        "kind": "box",
        "x1": (x - w / 2) * width,
        "y1": (y - h / 2) * height,
        "x2": (x + w / 2) * width,
        "y2": (y + h / 2) * height,
        "source": np.array(sources, dtype=object)[labels.image],
        "line": labels.line,
    }


def _names_in(config: Path) -> bool:
    try:
        return "names" in load_yaml(config) or "nc" in load_yaml(config)
    except DataError:
        return True  # it is a YOLO dataset with a broken data.yaml: reading says what is wrong


def _has_boxes(root: Path, texts: list[str]) -> bool:
    """Whether most lines of some label files have five columns."""
    step = max(1, len(texts) // SNIFFED)
    columns = []
    for name in texts[::step][:SNIFFED]:
        with (root / name).open("rb") as stream:
            columns += [len(line.split()) for line in stream.read(100_000).splitlines()[:100] if line.strip()]
    return not columns or sum(c == 5 for c in columns) * 2 > len(columns)
