"""Masks whose pixels are class numbers: decoded within limits, and turned into one annotation for each class in an image."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from retinue_sdk import raster
from retinue_sdk.formats import files
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Rows
from retinue_sdk.table import AnnotationTable

Indexes = npt.NDArray[Any]
Size = tuple[int, int]

MODES = ("1", "L", "P", "I", "I;16")
BACKGROUND = 0
VOID = (255, 65535)
MAX_CHANGES = 4_000_000  # from one pixel to the next below; memory grows with it
_DEPTH = 24  # where a PNG says how many bits a pixel has


@dataclass
class Masks:
    """Annotations of index masks as they are read. Without names, classes are called by their number."""

    root: Path
    rows: Rows
    names: Mapping[int, str] | None
    seen: set[int] = field(default_factory=set)

    def add(self, image: int, source: str, size: Size) -> None:
        """The classes of one mask, of an image of this size (width, height)."""
        with (self.root / source).open("rb") as stream:
            self.add_from(image, stream, source, size)

    def add_from(self, image: int, stream: BinaryIO, source: str, size: Size, line: int = 0) -> None:
        """The same of a mask that lies anywhere."""
        indexes = indexes_of(stream, f"{source}:{line}" if line else source, size, self.rows.report)
        for number, runs in (raster.encode_each(indexes) if indexes is not None else {}).items():
            name = self._name(number, source)
            if name is not None:
                self.rows.add_mask(image, name, runs, raster.box_of_runs(runs, size[1]), source, line)

    @property
    def known(self) -> dict[int, str]:
        """The class of each number, as the data names them or as they are made."""
        return dict(self.names) if self.names is not None else {n: f"class_{n}" for n in sorted(self.seen)}

    def _name(self, number: int, source: str) -> str | None:
        """The class of a number; None for background, void and, with a finding, what is no class."""
        if self.names is not None and number in self.names:
            return self.names[number]
        if number in VOID:
            self.rows.report.add("mask_void", source, number)
        elif number != BACKGROUND and self.names is not None:
            self.rows.report.add("class_out_of_range", source, number)
        elif number != BACKGROUND:
            self.seen.add(number)
            return f"class_{number}"
        return None

    def table(
        self,
        measured: files.Measured,
        images: Mapping[str, Any],
        where: str,
        class_attributes: Sequence[Mapping[str, Any]] = (),
    ) -> AnnotationTable:
        """The table of all masks; `where` names the classes."""
        if self.names is None:
            self.rows.report.add("class_names_made", where)
        return self.rows.table(measured, images, where, list(self.known.values()), list(self.known), class_attributes)


def read_indexes(path: Path, name: str, size: Size, report: Report) -> Indexes | None:
    """The class numbers of a mask (height, width); None, with a finding, for a file that is none of that size."""
    with path.open("rb") as stream:
        return indexes_of(stream, name, size, report)


def indexes_of(stream: BinaryIO, name: str, size: Size, report: Report) -> Indexes | None:
    """The same of what is read from a stream."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", Image.DecompressionBombWarning
            )  # the size is the image's, which was checked
            depth = stream.read(_DEPTH + 1)[-1:]
            stream.seek(0)
            with Image.open(stream, formats=("PNG",)) as mask:
                problem = _problem(mask, size)
                if problem is not None:
                    report.add(problem[0], name, problem[1])
                    return None
                indexes = _unscaled(np.asarray(mask), mask.mode, ord(depth))
    except (*files.UNREADABLE, Image.DecompressionBombError) as error:
        report.add("mask_unreadable", name, error)
        return None
    if np.count_nonzero(indexes[1:] != indexes[:-1]) > MAX_CHANGES:
        report.add("mask_too_detailed", name)
        return None
    return indexes


def has_indexes(path: Path) -> bool:
    """Whether a file says in its header that it is a PNG with one channel."""
    try:
        with Image.open(path, formats=("PNG",)) as mask:
            return mask.mode in MODES
    except (*files.UNREADABLE, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return False


def _problem(mask: Image.Image, size: Size) -> tuple[str, str] | None:
    if mask.mode not in MODES:
        return "mask_not_index", mask.mode
    if mask.size != size:
        return "mask_size_mismatch", f"{mask.size[0]} x {mask.size[1]}, image {size[0]} x {size[1]}"
    return None


def _unscaled(indexes: Indexes, mode: str, depth: int) -> Indexes:
    """The numbers as they are in the file: the library stretches grey of two and four bits to 0 ... 255."""
    if mode == "L" and depth in (2, 4):
        indexes = indexes // (255 // (2**depth - 1))
    return indexes.astype(np.uint8) if mode == "1" else indexes
