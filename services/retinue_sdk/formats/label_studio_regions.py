"""Results of Label Studio as annotations: regions by their id, and what is said of the whole image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from retinue_sdk import geometry
from retinue_sdk.formats import label_studio_brush as brush
from retinue_sdk.formats.json_files import finite, items, points, text
from retinue_sdk.formats.label_studio_tasks import Result
from retinue_sdk.formats.part_masks import PartMasks
from retinue_sdk.formats.poses import Point, Poses
from retinue_sdk.formats.rows import Rows

SAID = ("choices", "taxonomy", "number", "rating", "text", "datetime", "ranker", "pairwise")
PLACED = ("rle", "points", "x", "vertices")
LABELS = "labels"  # how the key of the labels of a region ends

Size = tuple[int, int]


@dataclass
class _Region:
    """All results of one id."""

    shape: Result
    labels: list[str]
    attributes: dict[str, Any]


@dataclass
class Regions:
    """Turns results into rows. What cannot be used is reported and left out."""

    rows: Rows
    poses: Poses
    masks: PartMasks

    def add(self, results: list[Result], image: int, size: Size, source: str, where: str) -> None:
        """All results of an image of this size (width, height)."""
        groups: dict[str, list[Result]] = {}
        for result in results:
            groups.setdefault(result.id, []).append(result)
        regions: dict[str, _Region] = {}
        for key, group in groups.items():
            shapes = [r for r in group if _is_shape(r.value)]
            if shapes:
                regions[key] = self._region(shapes[0], group, where)
            else:
                for result in group:
                    self._add_said(result, image, source, where)
        for key, children in _poses(regions).items():
            self._add_pose(regions[key], [regions.pop(child) for child in children], image, size, source)
            regions.pop(key)
        for region in regions.values():
            self._add_region(region, image, size, source, where)

    def _region(self, shape: Result, group: list[Result], where: str) -> _Region:
        labels = list(dict.fromkeys(label for result in group for label in _labels(result.value)))
        if not labels:
            self.rows.report.add("region_unlabelled", where, shape.tool)
            labels = [shape.tool]
        attributes: dict[str, Any] = {
            r.tool: _said(r.value) for r in group if not _is_shape(r.value) and _said(r.value)
        }
        note = [line for line in items(shape.meta.get("text")) if isinstance(line, str)]
        return _Region(shape, labels, {**attributes, **({"text": "\n".join(note)} if note else {})})

    def _add_said(self, result: Result, image: int, source: str, where: str) -> None:
        """What is said of the whole image: its classes, or a number."""
        value = result.value
        amount = finite(value.get("number", value.get("rating")))
        names = [name for name in items(value.get("choices")) if isinstance(name, str)]
        names += ["/".join(map(text, path)) for path in items(value.get("taxonomy")) if isinstance(path, list) and path]
        for name in dict.fromkeys(names):
            self.rows.add_class(image, name, source)
        if amount is not None:
            self.rows.add_value(image, result.tool, amount, source)
        elif not names:
            self.rows.report.add("shape_unsupported", where, f"{result.tool} {', '.join(map(str, value))}")

    def _add_pose(self, region: _Region, children: list[_Region], image: int, size: Size, source: str) -> None:
        box = _box(region.shape.value, size)
        found: dict[str, Point] = {}
        for child in children:
            x, y = _dot(child.shape.value, size) or (0.0, 0.0)
            found[child.labels[0]] = (x, y, 2)
        for label in region.labels:
            self.poses.add(image, label, found, size, source, 0, region.attributes, box)

    def _add_region(self, region: _Region, image: int, size: Size, source: str, where: str) -> None:
        """One shape, once for each of its labels."""
        if region.shape.rotation or "vertices" in region.shape.value:
            turned = f" on an image turned by {region.shape.rotation} degrees" if region.shape.rotation else ""
            self.rows.report.add("shape_unsupported", where, f"{region.shape.tool}{turned}")
            return
        for label in region.labels:
            if not self._add_shape(region, label, image, size, source, where):
                self.rows.report.add("shape_incomplete", where, label)

    def _add_shape(self, region: _Region, label: str, image: int, size: Size, source: str, where: str) -> bool:
        value, attributes = region.shape.value, region.attributes
        if "rle" in value:
            return self._add_mask(value, label, image, size, source, where, attributes)
        turned = finite(value.get("rotation", 0))
        if turned is None:
            return False
        box = _box(value, size)
        if box and not turned:
            self.rows.add_box(image, label, box, size, source, 0, attributes)
            return True
        kind, shape = ("obb", _turned(box, turned)) if box else _form(value, size, turned)
        if shape is None:
            return False
        if "radiusX" in value:
            self.rows.report.add("shape_approximated", where, label)
        self.rows.add_shape(image, label, kind, shape, size, source, 0, attributes)
        return True

    def _add_mask(
        self, value: Mapping[str, Any], label: str, image: int, size: Size, source: str, where: str, attributes: Any
    ) -> bool:
        numbers = value["rle"]
        if not isinstance(numbers, list) or not all(type(n) is int and 0 <= n < 256 for n in numbers):
            return False
        if not self.masks.fits(image, size, (0, 0, *size), where):
            return True
        try:
            mask = brush.decode(bytes(numbers), *size)
        except ValueError as error:
            self.rows.report.add("mask_runs_wrong", where, error)
        else:
            self.masks.add(image, label, mask, (0, 0), size, source, 0, attributes)
        return True


def _is_shape(value: Mapping[str, Any]) -> bool:
    """Whether a result is drawn; what is said of a region repeats its place."""
    return any(key in value for key in PLACED) and not any(key in value for key in SAID)


def _labels(value: Mapping[str, Any]) -> list[str]:
    """The labels in a value, whatever was drawn."""
    lists = [labels for key, labels in value.items() if key.endswith(LABELS)]
    return [label for labels in lists for label in items(labels) if isinstance(label, str) and label]


def _said(value: Mapping[str, Any]) -> Any:
    """What is said of a region; a single choice is a text."""
    found = next((value[key] for key in SAID if key in value), None)
    return found[0] if isinstance(found, list) and len(found) == 1 else found


def _poses(regions: Mapping[str, _Region]) -> dict[str, list[str]]:
    """Upright boxes that points of different labels belong to."""
    children: dict[str, list[str]] = {}
    for key, region in regions.items():
        parent = regions.get(region.shape.parent)
        if parent and _dot(region.shape.value, (1, 1)) and _box(parent.shape.value, (1, 1)):
            children.setdefault(region.shape.parent, []).append(key)
    return {
        key: found
        for key, found in children.items()
        if not regions[key].shape.value.get("rotation")
        and not regions[key].shape.rotation
        and len({regions[child].labels[0] for child in found}) == len(found)
    }


def _numbers(value: Mapping[str, Any], keys: tuple[str, ...], size: Size) -> list[float] | None:
    """Percent of the image's width and height, in turn, as pixels."""
    found = [finite(value.get(key)) for key in keys]
    return [n * size[i % 2] / 100 for i, n in enumerate(found) if n is not None] if None not in found else None


def _box(value: Mapping[str, Any], size: Size) -> tuple[float, float, float, float] | None:
    """A rectangle before it is turned; None for any other shape."""
    found = _numbers(value, ("x", "y", "width", "height"), size)
    return (found[0], found[1], found[0] + found[2], found[1] + found[3]) if found else None


def _dot(value: Mapping[str, Any], size: Size) -> tuple[float, float] | None:
    """A keypoint, which has a width and no height; None for any other shape."""
    found = _numbers(value, ("x", "y"), size)
    return (found[0], found[1]) if found and "height" not in value and "radiusX" not in value else None


def _turned(box: tuple[float, float, float, float], degrees: float) -> Any:
    """The corners of a rectangle that is turned around its first one."""
    return geometry.turn(geometry.corners(np.array([box])), degrees, box[:2])


def _form(value: Mapping[str, Any], size: Size, turned: float) -> tuple[str, Any]:
    """The kind and geometry of a shape that is neither a rectangle nor a mask; no geometry when it lacks something."""
    if "points" in value:
        corners = points(value["points"])
        return "polygon", np.array(corners) * size / 100 if corners and len(corners) > 2 else None
    if "radiusX" in value:
        found = _numbers(value, ("x", "y", "radiusX", "radiusY"), size)
        return "polygon", geometry.ellipse((found[0], found[1]), (found[2], found[3]), turned) if found else None
    dot = _dot(value, size)
    return "keypoints", (*dot, 2) if dot else None
