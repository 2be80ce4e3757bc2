"""Shapes of CVAT: the tags inside an <image> as annotations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from retinue_sdk import geometry, raster
from retinue_sdk.formats.cvat_labels import Labels
from retinue_sdk.formats.cvat_xml import Shape
from retinue_sdk.formats.json_files import finite
from retinue_sdk.formats.part_masks import PartMasks
from retinue_sdk.formats.poses import Point, Poses
from retinue_sdk.formats.rows import Rows, number
from retinue_sdk.geometry import Floats

CORNERS = ("xtl", "ytl", "xbr", "ybr")
PART = ("left", "top", "width", "height")


@dataclass
class Shapes:
    """Turns shapes into rows. What cannot be used is reported and left out."""

    source: str
    rows: Rows
    poses: Poses
    masks: PartMasks
    labels: Labels

    def add(self, shape: Shape, image: int, size: tuple[int, int]) -> None:
        """One shape of an image of this size (width, height)."""
        where = f"{self.source}:{shape.line}"
        read = READERS.get(shape.tag)
        if read is None:
            self.rows.report.add("shape_unsupported", where, shape.tag)
        elif not shape.values.get("label"):
            self.rows.report.add("shape_incomplete", where, shape.tag)
        elif not read(self, shape, image, size):
            self.rows.report.add("shape_incomplete", where, shape.values["label"])

    def attributes(self, shape: Shape) -> dict[str, Any]:
        """What a shape says beside its form; what every shape says by default is left out."""
        values, inputs = shape.values, self.labels.inputs.get(shape.values["label"], {})
        found: dict[str, Any] = {k: _typed(v, inputs.get(k, "")) for k, v in shape.attributes.items() if k}
        if values.get("occluded", "0") == "1":
            found["occluded"] = 1
        if values.get("source", "manual") != "manual":
            found["source"] = values["source"]
        for key in ("z_order", "group_id"):
            value = number(values.get(key, ""))
            if value:
                found[key] = int(value)
        return found


def _tag(target: Shapes, shape: Shape, image: int, _: tuple[int, int]) -> bool:
    target.rows.add_class(image, shape.values["label"], target.source, shape.line, target.attributes(shape))
    return True


def _box(target: Shapes, shape: Shape, image: int, size: tuple[int, int]) -> bool:
    corners = _numbers([shape.values.get(key, "") for key in CORNERS])
    turned = _numbers([shape.values.get("rotation", "0")])
    if corners is None or turned is None:
        return False
    x1, y1, x2, y2 = corners.tolist()
    name, attributes = shape.values["label"], target.attributes(shape)
    if not turned[0]:
        target.rows.add_box(image, name, (x1, y1, x2, y2), size, target.source, shape.line, attributes)
        return True
    points = geometry.turn(geometry.corners(corners.reshape(1, 4)), float(turned[0]), ((x1 + x2) / 2, (y1 + y2) / 2))
    target.rows.add_shape(image, name, "obb", points, size, target.source, shape.line, attributes)
    return True


def _polygon(target: Shapes, shape: Shape, image: int, size: tuple[int, int]) -> bool:
    points = _points(shape)
    if points is None or len(points) < 3:
        return False
    name, attributes = shape.values["label"], target.attributes(shape)
    target.rows.add_shape(image, name, "polygon", points, size, target.source, shape.line, attributes)
    return True


def _ellipse(target: Shapes, shape: Shape, image: int, size: tuple[int, int]) -> bool:
    numbers = _numbers([shape.values.get(key, "") for key in ("cx", "cy", "rx", "ry")])
    turned = _numbers([shape.values.get("rotation", "0")])
    if numbers is None or turned is None:
        return False
    x, y, across, down = numbers.tolist()
    points = geometry.ellipse((x, y), (across, down), float(turned[0]))
    target.rows.report.add("shape_approximated", f"{target.source}:{shape.line}", shape.tag)
    name, attributes = shape.values["label"], target.attributes(shape)
    target.rows.add_shape(image, name, "polygon", points, size, target.source, shape.line, attributes)
    return True


def _keypoints(target: Shapes, shape: Shape, image: int, size: tuple[int, int]) -> bool:
    points = _points(shape)
    if points is None:
        return False
    seen = np.column_stack([points, np.full(len(points), 2.0)])
    name, attributes = shape.values["label"], target.attributes(shape)
    target.rows.add_shape(image, name, "keypoints", seen, size, target.source, shape.line, attributes)
    return True


def _skeleton(target: Shapes, shape: Shape, image: int, size: tuple[int, int]) -> bool:
    points: dict[str, Point] = {}
    for part in shape.points:
        place, name = _points(part), part.values.get("label", "")
        if place is None or len(place) != 1 or not name:
            return False
        seen = 0 if part.values.get("outside") == "1" else 1 if part.values.get("occluded") == "1" else 2
        points[name] = (float(place[0, 0]), float(place[0, 1]), seen)
    name, attributes = shape.values["label"], target.attributes(shape)
    target.poses.add(image, name, points, size, target.source, shape.line, attributes)
    return True


def _mask(target: Shapes, shape: Shape, image: int, size: tuple[int, int]) -> bool:
    numbers = _numbers([shape.values.get(key, "") for key in PART])
    runs = _numbers(shape.values.get("rle", "").split(","))
    if numbers is None or runs is None:
        return False
    left, top, width, height = map(int, numbers)
    where = f"{target.source}:{shape.line}"
    if not target.masks.fits(image, size, (left, top, width, height), where):
        return True
    if (runs < 0).any() or (runs % 1).any() or runs.sum() != width * height:
        target.rows.report.add("mask_runs_wrong", where, f"{width} x {height}")
        return True
    part = raster.decode(runs, height, width).T  # its runs go by row
    name, attributes = shape.values["label"], target.attributes(shape)
    target.masks.add(image, name, part, (left, top), size, target.source, shape.line, attributes)
    return True


READERS: Mapping[str, Callable[[Shapes, Shape, int, tuple[int, int]], bool]] = {
    "tag": _tag,
    "box": _box,
    "polygon": _polygon,
    "ellipse": _ellipse,
    "points": _keypoints,
    "skeleton": _skeleton,
    "mask": _mask,
}


def _typed(text: str, kind: str) -> Any:
    """The value of an attribute by how it is entered."""
    if kind == "checkbox" and text in {"true", "false"}:
        return text == "true"
    value = number(text) if kind == "number" else None
    if value is None:
        return text
    return int(value) if value.is_integer() else value


def _points(shape: Shape) -> Floats | None:
    """The points of a shape as (n, 2); None when it has none, or something else among them."""
    numbers = _numbers(shape.values.get("points", "").replace(";", ",").split(","))
    return numbers.reshape(-1, 2) if numbers is not None and len(numbers) % 2 == 0 else None


def _numbers(texts: list[str]) -> Floats | None:
    values = [finite(number(text)) for text in texts]
    return np.array([v for v in values if v is not None]) if None not in values else None
