"""Label files of YOLO: text to numbers, and every reason a row cannot be used.

Files are parsed whole; only a file with something wrong in it is gone through line by line. Checks run on all rows at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from retinue_sdk.formats.report import Report

COLUMNS = 5
MAX_BYTES = 64_000_000
TOLERANCE = 0.01  # rounding of exporters; what frameworks allow too


@dataclass
class Labels:
    """Rows of all label files: which image, which line, and the five numbers."""

    image: npt.NDArray[np.int64]
    line: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.float64]  # class, x, y, width, height
    sources: Sequence[str]  # label file of each image

    def keep(self, mask: npt.NDArray[np.bool_]) -> Labels:
        """The rows the mask is true for."""
        return Labels(self.image[mask], self.line[mask], self.numbers[mask], self.sources)


def read_labels(root: Path, sources: Sequence[str], present: set[str], report: Report) -> Labels:
    """The rows of the label file of each image; files that are not there have none."""
    images: list[int] = []
    lines: list[int] = []
    numbers: list[float] = []
    for image, source in enumerate(sources):
        text = _text(root / source, source, report) if source in present else ""
        if not text or text.isspace():
            continue
        found, values = _parse(text, source, report)
        images += [image] * len(found)
        lines += found
        numbers += values
    return Labels(
        np.array(images, dtype=np.int64),
        np.array(lines, dtype=np.int64),
        np.array(numbers, dtype=np.float64).reshape(-1, COLUMNS),
        sources,
    )


def check_labels(root: Path, labels: Labels, ids: Sequence[int], report: Report) -> Labels:
    """Report every row that cannot be used and leave it out; boxes without area stay, with a warning."""
    number, _, _, w, h = labels.numbers.T
    coordinates = labels.numbers[:, 1:]
    with np.errstate(invalid="ignore"):
        checks = {
            "label_not_finite": ~np.isfinite(labels.numbers).all(axis=1),
            "class_not_an_integer": number != np.floor(number),
            "class_out_of_range": ~np.isin(number, np.asarray(ids, dtype=np.float64)),
            "box_negative_size": ((w < 0) | (h < 0)) & (coordinates >= -1).all(axis=1),
            "coordinate_out_of_range": ((coordinates < -TOLERANCE) | (coordinates > 1 + TOLERANCE)).any(axis=1),
        }
    good = np.ones(len(number), dtype=bool)
    for code, bad in checks.items():
        _report_rows(root, labels, bad & good, code, report)
        good &= ~bad
    kept = labels.keep(good)
    flat = (kept.numbers[:, 3] <= 0) | (kept.numbers[:, 4] <= 0)
    _report_rows(root, kept, flat, "box_zero_area", report)
    _report_rows(root, kept, _repeated(kept), "label_duplicate", report)
    return kept


def _repeated(labels: Labels) -> npt.NDArray[np.bool_]:
    """True for each row that says the same as an earlier one of its image."""
    rows = np.column_stack([labels.image, labels.numbers])
    return pd.DataFrame(rows).duplicated().to_numpy(dtype=bool)


def _report_rows(root: Path, labels: Labels, bad: npt.NDArray[np.bool_], code: str, report: Report) -> None:
    rows = np.flatnonzero(bad)
    for row in rows[:10]:
        source, line = labels.sources[labels.image[row]], int(labels.line[row])
        report.add(code, f"{source}:{line}", _line(root / source, line) if report.wants_example(code) else "")
    if len(rows) > 10:
        report.add(code, "", count=len(rows) - 10)


def _line(path: Path, line: int) -> str:
    return _lines(path.read_bytes().decode("utf-8-sig"))[line - 1].strip()


def _lines(text: str) -> list[str]:
    """Lines as an editor counts them; `splitlines` knows more ends of a line than editors do."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _text(path: Path, source: str, report: Report) -> str:
    if path.stat().st_size > MAX_BYTES:
        report.add("label_unreadable", source, f"{path.stat().st_size} bytes")
        return ""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        report.add("label_unreadable", source, "not UTF-8")
        return ""
    if "\0" in text:
        report.add("label_unreadable", source, "holds NUL bytes")
        return ""
    return text


def _parse(text: str, source: str, report: Report) -> tuple[list[int], list[float]]:
    """Line numbers and numbers of a file, five to a line."""
    rows = [(number, line.split()) for number, line in enumerate(_lines(text), 1)]
    rows = [row for row in rows if row[1]]
    if text.isascii() and "_" not in text and all(len(columns) == COLUMNS for _, columns in rows):
        try:
            return [number for number, _ in rows], [float(c) for _, columns in rows for c in columns]
        except ValueError:
            pass  # some column is not a number: find out which
    return _parse_slowly(rows, source, report)


def _parse_slowly(rows: list[tuple[int, list[str]]], source: str, report: Report) -> tuple[list[int], list[float]]:
    lines: list[int] = []
    numbers: list[float] = []
    for number, columns in rows:
        if len(columns) != COLUMNS:
            report.add("label_columns", f"{source}:{number}", " ".join(columns[:20]))
            continue
        try:
            values = [_number(column) for column in columns]
        except ValueError:
            report.add("label_not_a_number", f"{source}:{number}", " ".join(columns))
            continue
        lines.append(number)
        numbers += values
    return lines, numbers


def _number(text: str) -> float:
    """As `float`, without the digits of other scripts and the underscores that Python would take."""
    if not text.isascii() or "_" in text:
        raise ValueError(text)
    return float(text)
