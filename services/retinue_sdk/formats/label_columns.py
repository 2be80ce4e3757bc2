"""What the columns of a file of labels mean, by their names and by what is in them.

One column names the image. Labels are, in this order of preference:

* a column called label, class, category or the like: classes, unless it holds numbers that are not all whole;
* columns called value, target, score or y: numbers to learn, or classes when they hold text, or only 0 and 1;
* all other columns that hold nothing but 0 and 1: a class each, the column's name;
* all other columns of numbers: a number to learn each.

Where four columns are the corners of a box, xmin, ymin, xmax and ymax in pixels, a row is an object of that class.

A column called `value:NAME` always holds the number NAME. Cells of text may hold several classes: a JSON list, or parted
by `|` or `;`, or by `,` where that makes fewer different names than there were.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import number

IMAGE = (
    "image", "file_name", "filename", "file", "path", "filepath", "file_path", "image_path", "image_name", "img",
    "image_id", "id",
)  # fmt: skip
LABEL = ("label", "labels", "class", "classes", "class_name", "category", "categories", "tag", "tags")
VALUE = ("value", "target", "score", "y")
SPLIT = ("split", "subset", "partition")
GROUP = ("group", "group_id", "patient", "patient_id")
CORNERS = (("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"))
SIZE = ("width", "height")  # of the image, beside a box
VALUE_PREFIX = "value:"
LISTS = "JSON lists"  # in place of a separator

Cells = Mapping[str, Any]


@dataclass(frozen=True)
class Columns:
    """Which column is what."""

    image: str
    split: str = ""
    group: str = ""
    label: str = ""
    separator: str = ""  # between the classes of one cell; empty for one class per cell
    values: dict[str, str] = field(default_factory=dict)  # column to what it measures
    classes: list[str] = field(default_factory=list)  # columns of 0 and 1
    box: tuple[str, ...] = ()  # columns of x1, y1, x2, y2
    ignored: list[str] = field(default_factory=list)


def role(names: Iterable[str], wanted: Sequence[str]) -> str:
    """The first of the columns wanted that is there, whatever its case; empty for none."""
    known = {name.strip().lower(): name for name in reversed(list(names))}
    return next((known[name] for name in wanted if name in known), "")


def corners(names: Iterable[str]) -> tuple[str, ...]:
    """The four columns of a box; none where one is missing."""
    found = [tuple(role(names, (corner,)) for corner in corners) for corners in CORNERS]
    return next((columns for columns in found if all(columns)), ())


def understand(
    rows: Sequence[Cells], where: str, report: Report, *, typed: bool, labelled: bool = False
) -> Columns | None:
    """What the columns of these rows mean; what had to be guessed is reported. `typed`: a text is never a number.

    None, with a finding, when no column names the image. That none holds a label is reported unless the rows are
    `labelled` otherwise.
    """
    kinds = _kinds(rows, typed=typed)
    image = role(kinds, IMAGE)
    if not image:
        report.add("column_missing", where, f"no {', '.join(IMAGE[:5])}; there are {', '.join(list(kinds)[:10])}")
        return None
    box = corners(kinds)
    sizes = [name for name in kinds if name.strip().lower() in SIZE] if box else []
    used = {image, role(kinds, SPLIT), role(kinds, GROUP), *box, *sizes}
    explicit = {name: name.removeprefix(VALUE_PREFIX) for name in kinds if name.startswith(VALUE_PREFIX)}
    rest = [name for name in kinds if name not in used and name not in explicit]
    guess = bool(role(rest, LABEL)) or not explicit
    label, values, classes = _labels(rest, kinds, where, report) if guess else ("", {}, [])
    if not (label or values or classes or explicit or labelled):
        report.add("column_missing", where, f"no {', '.join(LABEL[:3])}, {', '.join(VALUE)}")
    separator = _separator(rows, label, where, report, typed=typed) if label else ""
    ignored = [name for name in rest if name.strip() and name not in (label, *values, *classes)]
    return Columns(
        image, role(kinds, SPLIT), role(kinds, GROUP), label, separator, {**values, **explicit}, classes, box, ignored
    )


def classes_of(cell: Any, separator: str) -> list[str] | None:
    """The classes that a cell names, none for an empty one; None for what cannot be classes."""
    if isinstance(cell, list):
        parts = [classes_of(part, "") for part in cell if not isinstance(part, list)]
        flat = [name for part in parts if part for name in part]
        return flat if len(flat) == len(cell) else None
    if cell is None or cell == "":
        return []
    if isinstance(cell, bool | int | float):
        return [json.dumps(cell)]
    if not isinstance(cell, str):
        return None
    if separator == LISTS:
        return classes_of(json.loads(cell), "")
    return [part.strip() for part in cell.split(separator) if part.strip()] if separator else [cell]


def value_of(cell: Any, *, typed: bool) -> float | None:
    """The number in a cell, or None."""
    if isinstance(cell, str):
        return None if typed else number(cell)
    return number(repr(cell)) if isinstance(cell, int | float) and not isinstance(cell, bool) else None


def is_empty(cell: Any) -> bool:
    """Whether a cell says nothing."""
    return cell is None or cell in ("", [])


def is_one(cell: Any) -> bool:
    """Whether a cell of 0 and 1 says 1."""
    return cell is True or (not is_empty(cell) and value_of(cell, typed=False) == 1)


def _labels(
    rest: list[str], kinds: Mapping[str, Counter[str]], where: str, report: Report
) -> tuple[str, dict[str, str], list[str]]:
    """The label column, or columns of values, or columns of 0 and 1: the first of the three that there is."""
    label, guess = _label(rest, kinds)
    if guess:
        report.add("labels_taken", where, f"{label}: {guess}")
    if label:
        return (label, {}, []) if "values" not in guess else ("", {label: label.strip()}, [])
    named = [name for name in rest if name.strip().lower() in VALUE]
    binary = [name for name in rest if name.strip() and kinds[name].keys() == {"binary"}]
    numeric = [name for name in rest if name.strip() and _is_numeric(kinds[name])]
    if binary and not named:
        report.add("labels_taken", where, f"{', '.join(binary)}: 0 and 1, taken as a class each")
        return "", {}, binary
    if named or numeric:
        report.add("labels_taken", where, f"{', '.join(named or numeric)}: numbers, taken as values to learn")
    return "", {name: name.strip() for name in named or numeric}, []


def _label(rest: list[str], kinds: Mapping[str, Counter[str]]) -> tuple[str, str]:
    """The column of labels, if there is one, and what had to be guessed of it, if anything."""
    if label := role(rest, LABEL):
        if not _is_numeric(kinds[label]):
            return label, ""
        fractions = kinds[label]["fraction"]
        return (
            label,
            "numbers, not all whole, taken as values to learn" if fractions else "whole numbers, taken as classes",
        )
    for name in (name for name in rest if name.strip().lower() in VALUE):
        if kinds[name].keys() == {"binary"}:
            return name, "0 and 1, taken as classes"
        if not _is_numeric(kinds[name]):
            return name, ""
    return "", ""


def _kinds(rows: Iterable[Cells], *, typed: bool) -> dict[str, Counter[str]]:
    """How many cells of each kind every column has; columns in the order they first appear."""
    plain = {*IMAGE, *SPLIT, *GROUP}
    found: dict[str, Counter[str]] = {}
    skipped: set[str] = set()
    for row in rows:
        for name, cell in row.items():
            if name in skipped:
                continue
            counts = found.get(name)
            if counts is None:
                counts = found[name] = Counter()
                if name.strip().lower() in plain:
                    skipped.add(name)
                    continue
            if not is_empty(cell):
                counts[_kind_of_text(cell) if isinstance(cell, str) and not typed else _kind(cell)] += 1
    return found


@lru_cache(maxsize=100_000)
def _kind_of_text(cell: str) -> str:
    value = number(cell)
    return "text" if value is None else _kind(value)


def _kind(cell: Any) -> str:
    if isinstance(cell, bool):
        return "binary"
    if not isinstance(cell, int | float):
        return "text"
    if cell in (0, 1):
        return "binary"
    return "fraction" if isinstance(cell, float) and not cell.is_integer() else "whole"


def _is_numeric(counts: Counter[str]) -> bool:
    """Whether at least half of the filled cells are numbers: one slip does not make a million values classes."""
    return sum(counts.values()) > 0 and 2 * counts["text"] <= sum(counts.values())


def _separator(rows: Iterable[Cells], label: str, where: str, report: Report, *, typed: bool) -> str:
    """How several classes stand in one cell of text."""
    if typed:
        return ""
    distinct = {row[label] for row in rows if row.get(label)}
    separator = _separator_of(distinct)
    if separator:
        report.add("labels_taken", where, f"{label}: several classes in a cell, parted by {separator}")
    return separator


def _separator_of(cells: set[str]) -> str:
    if cells and all(map(_is_list, cells)):
        return LISTS
    for separator in "|;":
        if any(separator in cell for cell in cells):
            return separator
    if any("," in cell for cell in cells):
        parts = {part.strip() for cell in cells for part in cell.split(",")}
        return "," if len(parts) < len(cells) else ""
    return ""


def _is_list(cell: str) -> bool:
    if not (cell.startswith("[") and cell.endswith("]")):
        return False
    try:
        return classes_of(json.loads(cell), "") is not None
    except (ValueError, RecursionError):
        return False
