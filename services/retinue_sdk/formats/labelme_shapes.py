"""Shapes of LabelMe as annotations."""

from __future__ import annotations

import base64
import binascii
import io
import math
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from retinue_sdk import geometry
from retinue_sdk.formats.files import UNREADABLE
from retinue_sdk.formats.json_files import mapping, points, text
from retinue_sdk.formats.mask_files import MODES
from retinue_sdk.formats.part_masks import PartMasks
from retinue_sdk.formats.poses import Poses
from retinue_sdk.formats.rows import Rows
from retinue_sdk.raster import Mask

HIDDEN = "hidden"  # the flag of a point that is labelled but not seen
KNOWN = {"label", "points", "shape_type", "flags", "mask", "line_color", "fill_color", "imageData"}
POINTS = {"polygon": 3, "rectangle": 2, "circle": 2, "point": 1, "mask": 2, "rotation": 4, "oriented_rectangle": 4}

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class _Shape:
    """One shape that can be used."""

    label: str
    kind: str
    points: Points
    values: Mapping[str, Any]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The box around its points."""
        xs, ys = zip(*self.points, strict=True)
        return min(xs), min(ys), max(xs), max(ys)


@dataclass
class Shapes:
    """Turns shapes into rows. What cannot be used is reported and left out."""

    rows: Rows
    poses: Poses
    masks: PartMasks

    def add(self, shapes: list[Any], image: int, size: tuple[int, int], source: str) -> None:
        """All shapes of an image of this size (width, height)."""
        usable = [shape for shape in (self._usable(s, source) for s in shapes) if shape is not None]
        poses = _poses(usable)
        used = {id(shape) for rectangle, found in poses for shape in (rectangle, *found)}
        for shape in usable:
            if id(shape) not in used:
                self._add(shape, image, size, source)
        for rectangle, found in poses:
            places = {
                p.label: (*p.points[0], 1 if mapping(p.values.get("flags")).get(HIDDEN) is True else 2) for p in found
            }
            attributes = attributes_of(rectangle.values)
            attributes.pop("group_id", None)  # it said that these belong together
            self.poses.add(image, rectangle.label, places, size, source, 0, attributes, rectangle.box)

    def _usable(self, values: Any, source: str) -> _Shape | None:
        values = mapping(values)
        label, kind = text(values.get("label")), text(values.get("shape_type")) or "polygon"
        if kind not in POINTS:
            self.rows.report.add("shape_unsupported", source, f"{kind} {label}")
            return None
        found = points(values.get("points"))
        if not label or found is None or len(found) < POINTS[kind]:
            self.rows.report.add("shape_incomplete", source, f"{kind} {label}")
            return None
        return _Shape(label, kind, found, values)

    def _add(self, shape: _Shape, image: int, size: tuple[int, int], source: str) -> None:
        attributes = attributes_of(shape.values)
        if shape.kind == "rectangle":
            self.rows.add_box(image, shape.label, shape.box, size, source, 0, attributes)
        elif shape.kind == "mask":
            self._add_mask(shape, image, size, source, attributes)
        else:
            if shape.kind == "circle":
                self.rows.report.add("shape_approximated", source, shape.label)
            kind, form = _form(shape)
            self.rows.add_shape(image, shape.label, kind, form, size, source, 0, attributes)

    def _add_mask(
        self, shape: _Shape, image: int, size: tuple[int, int], source: str, attributes: Mapping[str, Any]
    ) -> None:
        left, top, right, bottom = (math.floor(value) for value in shape.box)
        part = (left, top, right - left + 1, bottom - top + 1)
        if not self.masks.fits(image, size, part, source):
            return
        mask = _decode(text(shape.values.get("mask")), part[2:])
        if mask is None:
            self.rows.report.add("mask_unreadable", source, shape.label)
        else:
            self.masks.add(image, shape.label, mask, (left, top), size, source, 0, attributes)


def attributes_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a shape says beside its form: its flags, group, description and whatever else a tool has put there."""
    flags = {k: v for k, v in mapping(values.get("flags")).items() if isinstance(v, bool)}
    return {**extras(values, KNOWN), **flags}


def extras(values: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """The values that are none of the known ones, and say something."""
    return {
        k: v for k, v in values.items() if k not in known and v is not None and v is not False and v not in ("", [], {})
    }


def _form(shape: _Shape) -> tuple[str, Any]:
    """The kind and geometry of a shape that is neither a rectangle nor a mask."""
    if shape.kind == "circle":
        middle, edge = shape.points[:2]
        radius = math.dist(middle, edge)
        return "polygon", geometry.ellipse(middle, (radius, radius))
    if shape.kind == "point":
        return "keypoints", (*shape.points[0], 2)
    return ("polygon", shape.points) if shape.kind == "polygon" else ("obb", shape.points[:4])


def _poses(shapes: list[_Shape]) -> list[tuple[_Shape, list[_Shape]]]:
    """The groups that are a pose: one rectangle, and points of different names."""
    groups: dict[str, list[_Shape]] = {}
    for shape in shapes:
        group = shape.values.get("group_id")
        if isinstance(group, int | str) and shape.kind in {"rectangle", "point"}:
            groups.setdefault(repr(group), []).append(shape)
    found = []
    for members in groups.values():
        rectangles = [shape for shape in members if shape.kind == "rectangle"]
        dots = [shape for shape in members if shape.kind == "point"]
        if len(rectangles) == 1 and dots and len({dot.label for dot in dots}) == len(dots):
            found.append((rectangles[0], dots))
    return found


def _decode(encoded: str, size: tuple[int, int]) -> Mask | None:
    """The pixels of a mask written as a PNG in base64; None for anything else, or one of another size."""
    try:
        content = base64.b64decode(encoded, validate=True)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", Image.DecompressionBombWarning
            )  # its size must be that of a part of the image
            with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
                return np.asarray(image) > 0 if image.mode in MODES and image.size == size else None
    except (*UNREADABLE, binascii.Error, Image.DecompressionBombError):
        return None
