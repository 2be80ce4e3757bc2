"""What the lines of Retinue NDJSON say, checked and put into a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from retinue_sdk import geometry
from retinue_sdk.formats import files
from retinue_sdk.formats.ndjson_lines import Annotation, Class, Image, attributes_of, decode_image
from retinue_sdk.formats.report import Report
from retinue_sdk.geometry import Floats, Ints
from retinue_sdk.names import is_plain
from retinue_sdk.table import AnnotationTable, make_table

SHA256 = re.compile(r"[0-9a-f]{64}")
NO_BOX = (None, None, None, None)


@dataclass
class _Columns:
    """Annotations as they grow, those of one image in a row."""

    label: list[int] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    box: list[tuple[float | None, ...]] = field(default_factory=list)
    source: list[str] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    length: list[int] = field(default_factory=list)
    numbers: list[Floats] = field(default_factory=list)  # all of an image in one array

    def add(self, annotations: Sequence[Annotation], attributes: Sequence[str]) -> None:
        """The annotations of one image."""
        self.label += [-1 if a.label is None else a.label for a in annotations]
        self.kind += [a.kind for a in annotations]
        self.box += [a.box or NO_BOX for a in annotations]
        self.source += [a.source for a in annotations]
        self.line += [a.line for a in annotations]
        self.attributes += attributes
        self.length += [len(a.geometry) for a in annotations]
        self.numbers.append(np.array([n for a in annotations for n in a.geometry], dtype=np.float64))

    def geometry(self) -> tuple[Floats, Ints]:
        """All numbers in a row, and how many each annotation has."""
        return np.concatenate([np.empty(0), *self.numbers]), np.array(self.length, dtype=np.int64)

    def arrays(self, rows: npt.NDArray[np.bool_]) -> dict[str, Any]:
        """The columns of a table but for the image and the geometry, of these rows."""
        boxes = np.array(self.box, dtype=np.float64).reshape(-1, 4)[rows]
        texts = {"kind": self.kind, "source": self.source, "attributes": self.attributes}
        numbers = {"class_id": self.label, "line": self.line}
        return {
            **{name: np.array(column, dtype=object)[rows] for name, column in texts.items()},
            **{name: np.array(column, dtype=np.int64)[rows] for name, column in numbers.items()},
            **dict(zip(("x1", "y1", "x2", "y2"), boxes.T, strict=True)),
        }


@dataclass(frozen=True, slots=True)
class _Line:
    """What a line says of its image, without the annotations."""

    image: Image
    attributes: str
    where: str


class Images:
    """Takes the lines of images one after the other."""

    def __init__(self, folder: Path, report: Report) -> None:
        self._folder = folder
        self._report = report
        self._present = {f for f in files.list_files(folder) if files.is_image(f)} if folder.is_dir() else set()
        self._lines: dict[str, _Line] = {}
        self._owner: list[int] = []  # of each annotation, a place in `_lines`
        self._columns = _Columns()

    def add(self, line: bytes, where: str, classes: int) -> None:
        """A line, for a dataset of so many classes; what is wrong with it is reported, and it is left out."""
        try:
            image = decode_image(line)
            own, theirs = attributes_of(image.attributes), [attributes_of(a.attributes) for a in image.annotations]
        except ValueError as error:
            self._report.add("line_invalid", where, error)
            return
        if problem := self._problem(image, classes):
            self._report.add(problem[0], where, problem[1])
            return
        self._owner += [len(self._lines)] * len(image.annotations)
        self._columns.add(image.annotations, theirs)
        image.annotations = []
        self._lines[image.key] = _Line(image, own, where)

    def table(self, classes: Sequence[Class]) -> AnnotationTable:
        """The table of all images that can be read."""
        for key in sorted(self._present - self._lines.keys()):
            self._report.add("image_without_row", key)
        measured = files.measure(self._folder, self._lines, self._report)
        row_of = {key: row for row, key in enumerate(measured.key)}
        owners = np.array([row_of.get(key, -1) for key in self._lines] or [0])[np.array(self._owner, dtype=np.int64)]
        values, lengths = self._columns.geometry()
        good = self._fitting(owners, measured, values, lengths)
        return make_table(
            self._image_columns(measured),
            {"image": owners[good], **self._columns.arrays(good)},
            files.check_class_names([c.name for c in classes], "classes", self._report),
            [c.id for c in classes],
            geometry.from_flat(values, lengths).filter(good),
            [c.attributes for c in classes],
        )

    def _problem(self, image: Image, classes: int) -> tuple[str, str] | None:
        """The code and the value of what keeps an image from being used."""
        beyond = [a.label for a in image.annotations if a.label is not None and a.label >= classes]
        if image.key in self._lines:
            return "key_repeated", image.key
        if image.key not in self._present:
            return "image_missing", image.key
        if image.blob and not SHA256.fullmatch(image.blob):
            return "line_invalid", f"blob {image.blob}"
        if not is_plain(image.split):
            return "split_name_invalid", image.split
        return ("class_out_of_range", f"{beyond[0]} of {classes}") if beyond else None

    def _image_columns(self, measured: files.Measured) -> dict[str, Any]:
        lines = [self._lines[key] for key in measured.key]
        for line, size in zip(lines, zip(measured.width, measured.height, strict=True), strict=True):
            said = (line.image.width, line.image.height)
            if said not in (size, (0, 0)):
                self._report.add("image_size_mismatch", line.where, f"{said}, image {size}")
        images = [line.image for line in lines]
        return {
            **measured.columns(),
            "blob": [image.blob for image in images],
            "split": [image.split for image in images],
            "group": [image.group for image in images],
            "attributes": [line.attributes for line in lines],
        }

    def _fitting(self, owners: Ints, measured: files.Measured, values: Floats, lengths: Ints) -> npt.NDArray[np.bool_]:
        """Which annotations are of an image that can be read, all of whose geometries are right; others are reported."""
        kinds = np.array(self._columns.kind, dtype=object)
        pixels = np.append(np.array(measured.width, dtype=np.int64) * np.array(measured.height, dtype=np.int64), 0)
        if (owners >= 0).all() and not geometry.problems(kinds, values, lengths, pixels[owners]):
            return np.ones(len(owners), dtype=bool)
        good = owners >= 0
        starts = np.concatenate([[0], np.cumsum(lengths)])
        bounds = np.searchsorted(np.array(self._owner, dtype=np.int64), np.arange(len(self._lines) + 1))
        for line, first, last in zip(self._lines.values(), bounds, bounds[1:], strict=False):
            rows = slice(first, last)
            if not good[rows].all():  # of an image that cannot be read
                continue
            part = values[starts[first] : starts[last]]
            for problem in geometry.problems(kinds[rows], part, lengths[rows], pixels[owners[rows]]):
                self._report.add("shape_invalid", line.where, problem)
                good[rows] = False
        return good
