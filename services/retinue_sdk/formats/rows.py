"""Annotations as a reader finds them, one after the other, with the checks that are the same in every format."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from retinue_sdk import geometry
from retinue_sdk.formats.files import Measured, check_class_names
from retinue_sdk.formats.json_files import LARGEST, is_deep
from retinue_sdk.formats.report import Report
from retinue_sdk.table import AnnotationTable, make_table

Box = tuple[float, float, float, float]
NO_BOX: Box = (math.nan, math.nan, math.nan, math.nan)
NUMBER_LENGTH = 40
_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))
_PLAIN = {str, int, bool, type(None)}  # what both encoders write alike, and this one in an eighth of the time
_plain = msgspec.json.Encoder(order="sorted")


def number(text: str) -> float | None:
    """A number as every format writes it, that an image can have; None for anything else, digits of other scripts included."""
    text = text.strip()
    if not text.isascii() or "_" in text or len(text) > NUMBER_LENGTH:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if -LARGEST <= value <= LARGEST else None


@dataclass
class Rows:
    """Columns of annotations as they grow. A row that cannot be used is reported and not added."""

    report: Report
    image: list[int] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    box: list[Box] = field(default_factory=list)
    shape: list[npt.ArrayLike] = field(default_factory=list)
    source: list[str] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)

    def add_class(
        self, image: int, name: str, source: str = "", line: int = 0, attributes: Mapping[str, Any] | None = None
    ) -> None:
        """A class of the whole image."""
        self._add(image, name, "class", NO_BOX, (), source, line, attributes)

    def add_value(self, image: int, name: str, value: float, source: str = "", line: int = 0) -> None:
        """A number that belongs to the whole image; `name` is what it measures."""
        self._add(image, name, "value", NO_BOX, (value,), source, line, None)

    def add_box(
        self,
        image: int,
        name: str,
        box: Box,
        size: tuple[int, int],
        source: str = "",
        line: int = 0,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """A box in pixels of an image of this size (width, height)."""
        where = _where(source, line)
        if box[2] < box[0] or box[3] < box[1]:
            self.report.add("box_negative_size", where, box)
            return
        if box[2] == box[0] or box[3] == box[1]:
            self.report.add("box_zero_area", where, box)
        self._check_inside(box, size, where)
        self._add(image, name, "box", box, (), source, line, attributes)

    def add_shape(
        self,
        image: int,
        name: str,
        kind: str,
        shape: npt.ArrayLike,
        size: tuple[int, int],
        source: str = "",
        line: int = 0,
        attributes: Mapping[str, Any] | None = None,
        box: Box | None = None,
    ) -> None:
        """A polygon, an oriented box or keypoints, as `geometry` says. Their box is the one around their points by default."""
        flat = np.asarray(shape, dtype=np.float64).reshape(-1)
        where = _where(source, line)
        if box is None:
            stride = 3 if kind == "keypoints" else 2
            seen = flat.reshape(-1, 3)[flat[2::3] > 0].reshape(-1) if kind == "keypoints" else flat
            hull = geometry.hulls(seen, np.array([len(seen)]), stride)[0] if len(seen) else np.full(4, np.nan)
            box = (float(hull[0]), float(hull[1]), float(hull[2]), float(hull[3]))
        self._check_inside(box, size, where)
        self._add(image, name, kind, box, flat, source, line, attributes)

    def _check_inside(self, box: Box, size: tuple[int, int], where: str) -> None:
        if min(box[0], box[1]) < -1 or box[2] > size[0] + 1 or box[3] > size[1] + 1:
            self.report.add("box_outside_image", where, tuple(round(value, 3) for value in box))

    def add_mask(
        self,
        image: int,
        name: str,
        runs: npt.ArrayLike,
        box: Box,
        source: str = "",
        line: int = 0,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """Pixels of the image, as run lengths that sum to width x height."""
        self._add(image, name, "mask", box, runs, source, line, attributes)

    def _add(
        self,
        image: int,
        name: str,
        kind: str,
        box: Box,
        shape: npt.ArrayLike,
        source: str,
        line: int,
        attributes: Mapping[str, Any] | None,
    ) -> None:
        self.image.append(image)
        self.name.append(name)
        self.kind.append(kind)
        self.box.append(box)
        self.shape.append(shape)
        self.source.append(source)
        self.line.append(line)
        self.attributes.append(to_json(attributes))

    def table(
        self,
        measured: Measured,
        images: Mapping[str, Any],
        where: str,
        classes: Sequence[str] | None = None,
        class_ids: Sequence[int] | None = None,
        class_attributes: Sequence[Mapping[str, Any]] = (),
    ) -> AnnotationTable:
        """The table of these rows. Classes are the names used, in order, unless the data lists them; `where` names that place.

        A name that is not among the classes given is reported and its rows are left out.
        """
        known = list(classes) if classes is not None else sorted(set(self.name))
        position = {name: i for i, name in reversed(list(enumerate(known)))}
        kept = [row for row, name in enumerate(self.name) if name in position]
        for row in sorted(set(range(len(self.name))) - set(kept)) if len(kept) < len(self.name) else []:
            self.report.add("class_out_of_range", _where(self.source[row], self.line[row]), self.name[row])
        boxes = np.array([self.box[row] for row in kept], dtype=np.float64).reshape(-1, 4)
        return make_table(
            {**measured.columns(), **images},
            {
                "image": [self.image[row] for row in kept],
                "class_id": [position[self.name[row]] for row in kept],
                "kind": [self.kind[row] for row in kept],
                "x1": boxes[:, 0], "y1": boxes[:, 1], "x2": boxes[:, 2], "y2": boxes[:, 3],
                "source": [self.source[row] for row in kept],
                "line": [self.line[row] for row in kept],
                "attributes": [self.attributes[row] for row in kept],
            },
            check_class_names(known, where, self.report),
            class_ids,
            geometry.column(self.shape[row] for row in kept),
            class_attributes,
        )  # fmt: skip


def to_json(attributes: Mapping[str, Any] | None) -> str:
    """Attributes as a table holds them: one form for the same content, nothing for none.

    RecursionError for what is nested deeper than any reader follows.
    """
    if not attributes:
        return ""
    if _PLAIN.issuperset(map(type, attributes.values())):
        with suppress(UnicodeEncodeError):  # half of a surrogate pair
            return _plain.encode(attributes).decode()
    if any(isinstance(value, dict | list) for value in attributes.values()) and is_deep(attributes):
        raise RecursionError("attributes are nested too deeply")
    return _ENCODER.encode(attributes)


def _where(source: str, line: int) -> str:
    return f"{source}:{line}" if line else source
