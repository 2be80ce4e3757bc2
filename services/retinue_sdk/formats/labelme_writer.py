"""Annotations as shapes and flags of LabelMe."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from retinue_sdk import raster
from retinue_sdk.formats.items import Item
from retinue_sdk.formats.labelme_shapes import HIDDEN, KNOWN
from retinue_sdk.formats.poses import point_names
from retinue_sdk.formats.report import Report


@dataclass
class Writer:
    """Writes the annotations of one image after the other."""

    classes: Mapping[str, Mapping[str, Any]]  # attributes of each class
    format_name: str
    report: Report

    def document(self, items: Sequence[Item], size: tuple[int, int]) -> dict[str, Any]:
        """The flags and shapes of an image of this size (width, height), and the names of the keypoints in it."""
        given = [item.attributes.get("group_id") for item in items]
        group = max((value for value in given if type(value) is int), default=0)
        shapes: list[dict[str, Any]] = []
        points: dict[str, list[str]] = {}
        for item in items:
            if item.kind == "keypoints" and not self._is_dot(item):
                group += 1
                points[item.name] = point_names(self.classes[item.name], len(item.shape) // 3)
                shapes += self._pose(item, points[item.name], group)
            elif item.kind == "mask" and len(item.shape) < 2:
                self.report.add("loss_shape", self.format_name, f"{item.name}: a mask without a pixel")
            elif item.kind != "class":
                shapes.append(self._shape(item, size))
            elif item.attributes:
                self.report.add("loss_attributes", self.format_name, item.name)
        flags = {item.name: True for item in items if item.kind == "class"}
        return {"flags": flags, "shapes": shapes, **({"keypoints": points} if points else {})}

    def _is_dot(self, item: Item) -> bool:
        """Whether keypoints are what LabelMe has as a point: one, visible, and without a name."""
        return len(item.shape) == 3 and item.shape[2] == 2 and "keypoints" not in self.classes[item.name]

    def _shape(self, item: Item, size: tuple[int, int]) -> dict[str, Any]:
        """One shape."""
        x1, y1, x2, y2 = item.box
        if item.kind == "box":
            return self._with("rectangle", item, [[x1, y1], [x2, y2]])
        if item.kind == "polygon":
            return self._with("polygon", item, item.shape.reshape(-1, 2).tolist())
        if item.kind == "keypoints":
            return self._with("point", item, [item.shape[:2].tolist()])
        part, left, top = raster.decode_part(item.shape, *size)
        height, width = part.shape
        shape = self._with("mask", item, [[left, top], [left + width - 1, top + height - 1]])
        return {**shape, "mask": _encode(part)}

    def _pose(self, item: Item, names: Sequence[str], group: int) -> list[dict[str, Any]]:
        """A rectangle and the labelled points, in one group."""
        x1, y1, x2, y2 = item.box
        if "group_id" in item.attributes:
            self.report.add("loss_attributes", self.format_name, f"{item.name}: group_id")
        shapes = [{**self._with("rectangle", item, [[x1, y1], [x2, y2]]), "group_id": group}]
        for name, (x, y, seen) in zip(names, item.shape.reshape(-1, 3).tolist(), strict=True):
            if seen:
                flags = {HIDDEN: True} if seen == 1 else {}
                shapes.append({**_shape("point", name, [[x, y]]), "flags": flags, "group_id": group})
            elif x or y:
                self.report.add("loss_points", self.format_name, f"{item.name}: {name}")
        if len(shapes) == 1:
            self.report.add("loss_shape", self.format_name, f"{item.name}: no point is labelled")
        return shapes

    def _with(self, kind: str, item: Item, points: list[list[float]]) -> dict[str, Any]:
        """A shape with the attributes of an annotation: flags are true or false, all else has a key of its own."""
        said = {key: value for key, value in item.attributes.items() if key not in KNOWN}
        if len(said) < len(item.attributes):
            self.report.add("loss_attributes", self.format_name, item.name)
        flags = {key: value for key, value in said.items() if isinstance(value, bool)}
        more = {key: value for key, value in said.items() if key not in flags}
        return {**_shape(kind, item.name, points), "flags": flags, **more}


def _shape(kind: str, label: str, points: list[list[float]]) -> dict[str, Any]:
    return {
        "label": label, "points": points, "group_id": None, "description": "", "shape_type": kind, "flags": {}, "mask": None,
    }  # fmt: skip


def _encode(mask: raster.Mask) -> str:
    """A mask as LabelMe has it: 0 and 1 in a PNG, in base64."""
    stream = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8)).save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")
