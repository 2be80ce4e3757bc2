"""Files of labels beside images: which of a listing they are, and what is written into them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from retinue_sdk.formats import files
from retinue_sdk.formats.fit import Holds, fit
from retinue_sdk.formats.items import by_image
from retinue_sdk.formats.label_columns import GROUP, IMAGE, LABEL, SPLIT, VALUE, VALUE_PREFIX, corners, role
from retinue_sdk.formats.label_rows import CLASSES
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Box
from retinue_sdk.table import AnnotationTable

HOLDS = Holds(kinds=("class", "value"), groups=True, unclassed=False)
SNIFFED_BYTES = 64_000
SNIFFED_FILES = 20
SNIFFED_ROWS = 20
OTHERS = {"metadata", "sample_submission"}  # of a Hugging Face image folder; what a competition wants back
# columns of other formats' files, unless they are the corners of boxes and nothing else
BOXES = {"xmin", "ymin", "xmax", "ymax", "x1", "y1", "x2", "y2", "bbox", "boxes", "labelname", "objects", "annotations"}


def documents(listing: Iterable[str], suffixes: tuple[str, ...]) -> list[str]:
    """The files of labels in a listing."""
    names = [name for name in listing if name.lower().endswith(suffixes)]
    return [name for name in names if PurePosixPath(name).stem.lower() not in OTHERS]


def split_of(name: str) -> str:
    """The split a file is named after: val.csv, labels_test.csv; else the one of its folders."""
    stem = PurePosixPath(name).stem.lower().replace("-", "_")
    words = [word for word in stem.split("_") if word in files.SPLITS]
    return files.SPLITS[words[0]] if len(words) == 1 else next(split for _, split in files.by_split([name]))


def confidence(listing: Sequence[str], columns: Iterable[str], cells: Iterable[str]) -> float:
    """How likely columns and the images named in the first rows are those of a file of labels."""
    names = list(columns)
    lower = {name.strip().lower() for name in names}
    strange = lower & BOXES - {name.strip().lower() for name in corners(names)}
    if not role(names, IMAGE) or strange or not any(map(files.is_image, listing)):
        return 0.0
    known = {short for key in listing if files.is_image(key) for short in _shorts(key)}
    found = any(PurePosixPath(cell.strip().replace("\\", "/")).name in known for cell in cells)
    labelled = role(names, (*LABEL, *VALUE)) or any(name.startswith(VALUE_PREFIX) for name in names)
    if labelled:
        return 0.9 if found else 0.4
    return 0.5 if found and len(lower - {*IMAGE, *SPLIT, *GROUP}) > 0 else 0.0


@dataclass(frozen=True)
class Row:
    """What is written of an image."""

    image: str
    split: str
    group: str
    classes: list[str]
    values: dict[str, float]
    boxes: list[tuple[str, Box]] = field(default_factory=list)  # with the class of each


def write(
    table: AnnotationTable, path: Path, name: str, place: files.Place, holds: Holds = HOLDS
) -> tuple[list[Row], Report]:
    """Place the images below images/<split>, write classes.txt; what is to be written of each image, and the losses."""
    table, report = fit(table, holds, name)
    (path / "images").mkdir(parents=True, exist_ok=True)
    for split in set(table.images["split"]):
        (path / "images" / split).mkdir(exist_ok=True)
    rows = list(_rows(table, name, report))
    for source, row in zip(table.images["path"], rows, strict=True):
        place(Path(source), path / row.image)
    (path / CLASSES).write_text("".join(f"{name}\n" for name in table.classes), encoding="utf-8")
    return rows, report


def _rows(table: AnnotationTable, name: str, report: Report) -> Iterator[Row]:
    images = zip(table.images["split"], table.images["group"], table.file_names, by_image(table), strict=True)
    for split, group, file, items in images:
        row = Row(PurePosixPath("images", split, file).as_posix(), split, group, [], {})
        for item in items:
            if item.kind == "box":
                row.boxes.append((item.name, item.box))
            elif item.name in (row.classes if item.kind == "class" else row.values):
                report.add("loss_repeated", name)
            elif item.kind == "class":
                row.classes.append(item.name)
            else:
                row.values[item.name] = float(item.shape[0])
        yield row


def _shorts(key: str) -> tuple[str, str]:
    path = PurePosixPath(key)
    return path.name, path.stem
