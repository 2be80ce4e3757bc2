"""KITTI 2D: training/image_2 beside training/label_2 with a line of 15 columns for each object, 16 with a score.

What is known of an object besides its box is an attribute; KITTI's own numbers for `unknown` are none.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from retinue_sdk.api import Finding
from retinue_sdk.formats import files
from retinue_sdk.formats.fit import Holds, fit
from retinue_sdk.formats.pairs import find_pairs, has_pairs
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Rows, number
from retinue_sdk.formats.text_files import (
    attributes_of,
    numbers,
    plain,
    read_columns,
    read_lines,
    shortest,
)
from retinue_sdk.table import AnnotationTable

NAME = "kitti"
TITLE = "KITTI 2D"
HOLDS = Holds(
    ("box",), attributes=True, class_order=False, class_unused=False, unsplit=False, unclassed=False, blank="_"
)
IMAGES, LABELS = ("image_2",), ("label_2",)
IGNORED = "DontCare"
# the columns before and after the box, and what stands for unknown in them
BEFORE = {"truncated": -1, "occluded": -1, "alpha": -10}
AFTER = {"height": -1, "width": -1, "length": -1, "x": -1000, "y": -1000, "z": -1000, "rotation_y": -10}
UNKNOWN = {**BEFORE, **AFTER}
FOLDERS = {"": "training", "train": "training", "val": "training", "test": "testing"}
Size = tuple[int, int]


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read 2D boxes; regions marked DontCare are a class of their own."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    pairs = find_pairs(listing, IMAGES, LABELS, ".txt", report)
    splits = _splits(root, listing, sorted(pairs), report)
    measured = files.measure(root, splits, report)
    rows = Rows(report)
    for index, key in enumerate(measured.key):
        for line, columns in read_columns(root / pairs[key], pairs[key], report) if pairs[key] else ():
            _add(rows, index, columns, (measured.width[index], measured.height[index]), pairs[key], line)
    return rows.table(measured, {"split": [splits[key] for key in measured.key]}, "label_2"), report.findings()


def sniff(path: Path) -> float:
    """Label files in label_2 beside image_2."""
    return 0.95 if has_pairs(files.list_files(files.dataset_root(path)), IMAGES, LABELS, ".txt") else 0.0


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    """Write training and testing; the lists in ImageSets tell train from val."""
    table, report = fit(table, HOLDS, NAME)
    lines, names = _lines(table, report), table.file_names
    listed: dict[str, list[str]] = {}
    for row, (name, source, split) in enumerate(zip(names, table.images["path"], table.images["split"], strict=True)):
        folders = [path / FOLDERS.get(split, split) / folder for folder in (*IMAGES, *LABELS)]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        place(Path(source), folders[0] / name)
        text = "".join(lines[table.offsets[row] : table.offsets[row + 1]])
        (folders[1] / name).with_suffix(".txt").write_text(text, encoding="utf-8")
        listed.setdefault(split or "train", []).append(PurePosixPath(name).stem)
    (path / "ImageSets").mkdir(parents=True, exist_ok=True)
    for split, stems in listed.items():
        (path / "ImageSets" / f"{split}.txt").write_text("".join(f"{stem}\n" for stem in stems), encoding="utf-8")
    return report.findings()


def _splits(root: Path, listing: list[str], keys: list[str], report: Report) -> dict[str, str]:
    """The images to read and the split of each: by the folder; for training, by the lists in ImageSets where there are any."""
    splits = dict(files.by_split(keys))
    training = {PurePosixPath(key).stem: key for key, split in splits.items() if split != "test"}
    listed: dict[str, str] = {}
    for split in ("train", "val"):
        name = next((f for f in listing if f"/{f}".lower().endswith(f"/imagesets/{split}.txt")), None)
        for line, stem in read_lines(root / name, name, report) if name else ():
            if stem not in training:
                report.add("image_missing", f"{name}:{line}", stem)
            elif listed.setdefault(training[stem], split) != split:
                report.add("split_overlap", f"{name}:{line}", f"{listed[training[stem]]}, {split}")
    unlisted = [key for key in training.values() if key not in listed] if listed else []
    for key in unlisted:
        report.add("image_unlisted", key)
        del splits[key]
    return {**splits, **listed}


def _add(rows: Rows, image: int, columns: list[str], size: Size, source: str, line: int) -> None:
    where = f"{source}:{line}"
    if len(columns) not in (15, 16):
        rows.report.add("kitti_columns", where, " ".join(columns[:20]))
        return
    values = numbers(columns[1:], where, rows.report)
    if values is None:
        return
    if columns[0] == IGNORED:
        rows.report.add("kitti_dont_care", where)
    known = dict(zip(UNKNOWN, values[:3] + values[7:14], strict=True))
    attributes = {key: plain(value) for key, value in known.items() if value != UNKNOWN[key]}
    if len(values) == 15:
        attributes["score"] = plain(values[14])
    x1, y1, x2, y2 = values[3:7]
    rows.add_box(image, columns[0], (x1, y1, x2, y2), size, source, line, attributes)


def _lines(table: AnnotationTable, report: Report) -> list[str]:
    """The line of each annotation; attributes that are no numbers of KITTI are lost, all others are numbers."""
    rows = table.annotations
    lines = []
    for box, label, text in zip(table.boxes, rows["class_id"], rows["attributes"], strict=True):
        said = attributes_of(text)
        values = {key: number(str(said[key])) for key in (*UNKNOWN, "score") if key in said}
        known = {key: value for key, value in values.items() if value is not None}
        if len(known) < len(said):
            report.add("loss_attributes", NAME, text)
        elif any(isinstance(said[key], str) for key in known):
            report.add("loss_attribute_types", NAME, text)
        before = [known.get(key, unknown) for key, unknown in BEFORE.items()]
        after = [known.get(key, unknown) for key, unknown in AFTER.items()]
        score = [known["score"]] if "score" in known else []
        columns = " ".join(shortest(value) for value in [*before, *box, *after, *score])
        lines.append(f"{table.classes[label]} {columns}\n")
    return lines
