"""Annotations as the tags that CVAT has for them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from retinue_sdk import geometry, raster
from retinue_sdk.formats.cvat_labels import Inputs
from retinue_sdk.formats.files import SPLITS
from retinue_sdk.formats.items import Item, digits
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.text_files import attributes_of
from retinue_sdk.formats.xml_files import escape, quote
from retinue_sdk.geometry import Floats

IN_IMAGE = ("id", "name", "width", "height")
IN_TAG = {"occluded": (bool, int), "z_order": (int,), "group_id": (int,), "source": (str,)}  # written in the tag itself
TOLERANCE = 1e-6  # of its longer side, by which an oriented box may be no rectangle


@dataclass
class Tags:
    """Writes images and their annotations; `names` are the keypoints of each class that has some."""

    names: Mapping[str, Sequence[str]]
    report: Report

    def image(
        self, number: int, name: str, split: str, size: tuple[int, int], attributes: str, items: Sequence[Item]
    ) -> str:
        """One <image> of this size (width, height); of its attributes text becomes attributes of the tag."""
        said = attributes_of(attributes)
        own = {key: value for key, value in said.items() if _is_in_image(key, value, split)}
        if len(own) < len(said):
            self.report.add("loss_image_attributes", "cvat", attributes)
        values = {**({"subset": split} if split else {}), **own}
        more = "".join(f" {key}={quote(value)}" for key, value in values.items())
        head = f'<image id="{number}" name={quote(name)}{more} width="{size[0]}" height="{size[1]}">\n'
        return f"{head}{''.join(self._item(item, size) for item in items)}</image>\n"

    def _item(self, item: Item, size: tuple[int, int]) -> str:
        if item.kind == "mask" and len(item.shape) < 2:
            self.report.add("loss_shape", "cvat", f"{item.name}: a mask without a pixel")
            return ""
        tag, values, inside = self._form(item, size)
        own = {k: int(v) if k == "occluded" else v for k, v in item.attributes.items() if _is_in_tag(k, v)}
        common: dict[str, Any] = {"source": "manual", "occluded": 0, "z_order": 0, **own}
        said = _said(item)
        if len(own) + len(said) < len(item.attributes):
            self.report.add("loss_attributes", "cvat", item.name)
        more = "".join(_attribute(key, value) for key, value in said.items())
        head = "".join(f" {key}={quote(str(value))}" for key, value in {**common, **values}.items())
        return f"<{tag} label={quote(item.name)}{head}>{inside}{more}</{tag}>\n"

    def _form(self, item: Item, size: tuple[int, int]) -> tuple[str, dict[str, str], str]:
        """The tag, its values and what is inside it."""
        if item.kind == "class":
            return "tag", {}, ""
        if item.kind == "box":
            return "box", _corners(item.box), ""
        if item.kind == "obb":
            box, degrees = self._turned(item)
            return "box", {**_corners(box), "rotation": digits(degrees)}, ""
        if item.kind == "polygon":
            return "polygon", {"points": _points(item.shape.reshape(-1, 2))}, ""
        if item.kind == "mask":
            return "mask", _mask(item.shape, *size), ""
        return self._keypoints(item)

    def _keypoints(self, item: Item) -> tuple[str, dict[str, str], str]:
        points = item.shape.reshape(-1, 3)
        seen = points[points[:, 2] > 0, :2]
        hull = geometry.hulls(seen.reshape(-1), np.array([seen.size]))[0]
        if not np.allclose(hull, item.box, rtol=0, atol=TOLERANCE * max(1.0, *np.nan_to_num(item.box)), equal_nan=True):
            self.report.add("loss_box", "cvat", item.name)
        if item.name not in self.names:
            return "points", {"points": _points(points[:, :2])}, ""
        parts = [
            f'<points label={quote(name)} outside="{int(v == 0)}" occluded="{int(v == 1)}" source="manual" '
            f'points="{_points(np.array([[x, y]]))}"></points>'
            for name, (x, y, v) in zip(self.names[item.name], points.tolist(), strict=False)
        ]
        return "skeleton", {}, "".join(parts)

    def _turned(self, item: Item) -> tuple[Floats, float]:
        """An oriented box as an upright one and the degrees it is turned by, clockwise; never 0, which is a plain box."""
        points = item.shape.reshape(4, 2)
        u, v = points[1] - points[0], points[3] - points[0]
        long = max(float(np.hypot(*u)), float(np.hypot(*v)))
        skew = max(
            float(np.abs(points[0] + points[2] - points[1] - points[3]).max()), abs(float(u @ v)) / max(long, 1e-9)
        )
        if skew > TOLERANCE * max(long, 1.0):
            self.report.add("loss_shape", "cvat", item.name)
            points = geometry.least_rectangle(points).reshape(4, 2)
            u, v = points[1] - points[0], points[3] - points[0]
        if u[0] * v[1] - u[1] * v[0] < 0:
            u, v = v, u
        width, height = float(np.hypot(*u)), float(np.hypot(*v))
        angle = math.atan2(u[1], u[0]) if width >= height else math.atan2(-v[0], v[1])
        x, y = points.mean(axis=0)
        box = np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
        return box, math.degrees(angle) % 360 or 360.0


def _corners(box: Any) -> dict[str, str]:
    return {key: digits(value) for key, value in zip(("xtl", "ytl", "xbr", "ybr"), box, strict=True)}


def _points(points: Floats) -> str:
    return ";".join(f"{digits(x)},{digits(y)}" for x, y in points.tolist())


def _mask(runs: Floats, width: int, height: int) -> dict[str, str]:
    """Run lengths by row within the mask's box, beginning with background."""
    part, left, top = raster.decode_part(runs, width, height)
    rows = raster.encode(part.T)  # by column of the transposed part is by row of the part
    text = ", ".join(map(str, rows.tolist()))
    return {"rle": text, "left": str(left), "top": str(top), "width": str(part.shape[1]), "height": str(part.shape[0])}


def _is_in_image(key: str, value: Any, split: str) -> bool:
    """Whether an attribute of an image can be one of its tag, and is read as such again; a subset is one that is no split."""
    if not isinstance(value, str) or not value.isprintable():
        return False
    if key == "subset":
        return not split and bool(value) and value.lower() not in {*SPLITS, "default"}
    return key.isascii() and key.isidentifier() and key not in IN_IMAGE and not key.lower().startswith("xml")


def _is_in_tag(key: str, value: Any) -> bool:
    return type(value) in IN_TAG.get(key, ())


def _said(item: Item) -> dict[str, Any]:
    """What becomes an <attribute>: text, numbers, and true or false."""
    return {k: v for k, v in item.attributes.items() if isinstance(v, str | int | float) and not _is_in_tag(k, v)}


def input_types(items: Iterable[Item]) -> dict[str, Inputs]:
    """How each <attribute> of each class is entered, by the values it has: a checkbox, a number or text."""
    found: dict[str, Inputs] = {}
    for item in items:
        known = found.setdefault(item.name, {})
        for key, value in _said(item).items():
            kind = "checkbox" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
            known[key] = kind if known.get(key, kind) == kind else "text"
    return found


def _attribute(key: str, value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<attribute name={quote(key)}>{escape(text)}</attribute>"
