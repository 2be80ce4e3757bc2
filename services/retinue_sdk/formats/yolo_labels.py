"""Label files of YOLO: text to numbers, and every reason a row cannot be used.

Rows may be of any length. Many files are parsed at once by Arrow; only a file with something wrong in it is gone through
line by line. Checks run on all rows at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from retinue_sdk.formats.report import Report
from retinue_sdk.geometry import Floats, Ints

MAX_BYTES = 32_000_000
MAX_LINES = 100_000
BATCH = 8_000_000  # bytes parsed at once
TOLERANCE = 0.01  # rounding of exporters; what frameworks allow too
PIXELS = 2.0  # no rounding comes this far

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class LabelFiles:
    """The label file and the size (width, height) of each image, and where goes what is wrong in them."""

    root: Path
    sources: Sequence[str]
    sizes: Floats
    report: Report


@dataclass(frozen=True)
class Labels:
    """Rows of all label files: which image, which line, the class, and the numbers after it, row after row."""

    files: LabelFiles
    image: Ints
    line: Ints
    number: Floats
    lengths: Ints  # how many values each row has
    flat: Floats

    def __len__(self) -> int:
        return len(self.image)

    @property
    def sizes(self) -> Floats:
        """(n, 2): width and height of the image of each row."""
        return self.files.sizes[self.image]

    def table(self, width: int) -> Floats:
        """The values of rows that all have so many."""
        return self.flat.reshape(-1, width)

    def any(self, bad: Bools) -> Bools:
        """True for each row with a value that `bad` is true for."""
        rows = np.zeros(len(self), dtype=bool)
        rows[np.searchsorted(np.cumsum(self.lengths), np.flatnonzero(bad), side="right")] = True
        return rows

    def keep(self, rows: Bools) -> Labels:
        """The rows that `rows` is true for."""
        if rows.all():
            return self
        return replace(
            self,
            image=self.image[rows],
            line=self.line[rows],
            number=self.number[rows],
            lengths=self.lengths[rows],
            flat=self.flat[np.repeat(rows, self.lengths)],
        )

    def without(self, code: str, bad: Bools) -> Labels:
        """Report rows that cannot be used, and leave them out."""
        if not bad.any():
            return self
        self.warn(code, bad)
        return self.keep(~bad)

    def warn(self, code: str, found: Bools) -> None:
        """Report rows, the first ten as they are written."""
        rows = np.flatnonzero(found)
        report = self.files.report
        for row in rows[:10]:
            source, line = self.files.sources[self.image[row]], int(self.line[row])
            shown = _line(self.files.root / source, line) if report.wants_example(code) else ""
            report.add(code, f"{source}:{line}", shown)
        if len(rows) > 10:
            report.add(code, "", count=len(rows) - 10)


def read_labels(files: LabelFiles, present: set[str]) -> Labels:
    """The rows of the label file of each image; files that are not there have none."""
    parts = [_parse(batch, files) for batch in _batches(files, present)]
    return Labels(files, *_joined(parts))


def check_classes(labels: Labels, ids: Sequence[int]) -> Labels:
    """Leave out rows with what is no number, and rows whose class is not among the ids."""
    labels = labels.without("label_not_finite", labels.any(~np.isfinite(labels.flat)) | ~np.isfinite(labels.number))
    labels = labels.without("class_not_an_integer", labels.number != np.floor(labels.number))
    return labels.without("class_out_of_range", ~np.isin(labels.number, np.asarray(ids, dtype=np.float64)))


def negative(boxes: Floats) -> Bools:
    """True for boxes (x, y, width, height) with a negative side; numbers far below zero mean something else."""
    bad: Bools = ((boxes[:, 2] < 0) | (boxes[:, 3] < 0)) & (boxes.min(axis=1, initial=0) >= -1)
    return bad


def check_coordinates(labels: Labels, counted: Bools | None = None) -> Labels:
    """Leave out rows with values outside of the image. `counted` is false for values that are no coordinates."""
    beyond = (labels.flat < -TOLERANCE) | (labels.flat > 1 + TOLERANCE)
    if counted is not None:
        beyond &= counted
    if not beyond.any():
        return labels
    outside, pixels = labels.any(beyond), labels.any(beyond & (labels.flat > PIXELS))
    labels.warn("coordinate_in_pixels", pixels)
    labels.warn("coordinate_out_of_range", outside & ~pixels)
    return labels.keep(~outside)


def repeated(labels: Labels) -> Bools:
    """True for each row that says the same as an earlier one of its image."""
    limits = np.concatenate([[0], np.cumsum(labels.lengths)]).tolist()
    said = [hash(labels.flat[start:end].tobytes()) for start, end in pairwise(limits)]
    frame = pd.DataFrame({"image": labels.image, "number": labels.number, "said": np.array(said, dtype=np.int64)})
    return frame.duplicated().to_numpy(dtype=bool)


Rows = tuple[Ints, Ints, Floats, Ints, Floats]  # image, line, class, how many values follow it; these values


def _joined(parts: Sequence[Rows]) -> Rows:
    none = np.empty(0, dtype=np.int64)
    image, line, number, lengths, flat = zip((none, none, np.empty(0), none, np.empty(0)), *parts, strict=True)
    join = np.concatenate
    return join(image), join(line), join(number), join(lengths), join(flat)


def _rows(image: Ints, line: Ints, columns: Ints, values: Floats) -> Rows:
    """Rows of so many columns each, the first of which is the class."""
    first = np.cumsum(columns) - columns
    rest = np.ones(len(values), dtype=bool)
    rest[first] = False
    return image, line, values[first], columns - 1, values[rest]


def _batches(files: LabelFiles, present: set[str]) -> Iterator[list[tuple[int, bytes]]]:
    """The text of each image's label file, as many at a time as are parsed together."""
    batch: list[tuple[int, bytes]] = []
    size = 0
    for image, source in enumerate(files.sources):
        data = _read(files.root / source, source, files.report) if source in present else b""
        if data:
            batch.append((image, data))
            size += len(data)
        if size > BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _read(path: Path, source: str, report: Report) -> bytes:
    """A label file with lines that end as an editor has them end; nothing for one that cannot be used."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        report.add("label_too_long", source, f"{size} bytes")
        return b""
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = data.count(b"\n")
    if lines > MAX_LINES:
        report.add("label_too_long", source, f"{lines} lines")
    elif b"\0" in data:
        report.add("label_unreadable", source, "holds NUL bytes")
    elif not data.isascii() and not _is_utf8(data):
        report.add("label_unreadable", source, "not UTF-8")
    else:
        return data
    return b""


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _parse(batch: list[tuple[int, bytes]], files: LabelFiles) -> Rows:
    """The rows of several files."""
    try:
        columns, values = _numbers(b"\n".join(data for _, data in batch))
    except (ValueError, pa.ArrowException):  # something is no number: find the file
        if len(batch) == 1:
            return _parse_slowly(*batch[0], files)
        return _joined([_parse([one], files) for one in batch])
    counts = [data.count(b"\n") + 1 for _, data in batch]
    images = np.repeat([image for image, _ in batch], counts)
    lines = np.arange(1, len(columns) + 1) - np.repeat(np.cumsum(counts) - counts, counts)
    filled = columns > 0
    return _rows(images[filled], lines[filled], columns[filled], values)


def _numbers(data: bytes) -> tuple[Ints, Floats]:
    """How many columns each line has, and all numbers."""
    characters = np.frombuffer(data, dtype=np.uint8)
    blank = np.concatenate([[True], characters <= ord(" ")])
    starts = np.flatnonzero(blank[:-1] & ~blank[1:])
    ends = np.append(np.flatnonzero(characters == ord("\n")), len(data))
    columns = np.diff(np.searchsorted(starts, ends), prepend=0).astype(np.int64)
    words = pc.ascii_split_whitespace(pa.array([data.strip().decode("ascii")])).flatten()
    values: Floats = pc.cast(words, pa.float64()).to_numpy() if len(starts) else np.empty(0)
    if len(values) != len(starts):
        raise ValueError("what separates columns is no white space")
    return columns, values


def _parse_slowly(image: int, data: bytes, files: LabelFiles) -> Rows:
    """The rows of a file in which something is no number; those are reported."""
    lines: list[int] = []
    columns: list[int] = []
    numbers: list[float] = []
    source = files.sources[image]
    for number, line in enumerate(data.decode("utf-8").split("\n"), 1):
        words = line.split()
        try:
            values = [_number(word) for word in words]
        except ValueError:
            files.report.add("label_not_a_number", f"{source}:{number}", " ".join(words[:20]))
            continue
        if values:
            lines.append(number)
            columns.append(len(values))
            numbers += values
    ints = np.array([[image] * len(lines), lines, columns], dtype=np.int64)
    return _rows(ints[0], ints[1], ints[2], np.array(numbers, dtype=np.float64))


def _number(text: str) -> float:
    """As `float`, without the digits of other scripts and the underscores that Python would take."""
    if not text.isascii() or "_" in text:
        raise ValueError(text)
    return float(text)


def _line(path: Path, line: int) -> str:
    text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    return text.split("\n")[line - 1].strip()
