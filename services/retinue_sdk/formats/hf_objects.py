"""The `objects` of a Hugging Face dataset: boxes with their categories, as lists by field or as a list of objects.

A box of four numbers is x, y, width, height, as COCO writes them, unless the name of its field or of its parts says
otherwise: `bbox_xyxy`, or {xmin, ymin, xmax, ymax}. What else is said of an object is kept as its attributes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from retinue_sdk.formats.json_files import finite, mapping, object_of
from retinue_sdk.formats.label_columns import role
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Box, Rows

BOX = ("bbox", "bboxes", "box", "boxes", "bbox_xyxy", "boxes_xyxy")
CATEGORY = ("category", "categories", "category_id", "category_ids", "label", "labels", "class", "classes", "name")
NAMELESS = "object"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_SIDES = (("x", "y", "width", "height"), ("x", "y", "w", "h"))


class Objects:
    """Adds the objects of image after image.

    `names` are those of category numbers, where the data has them; `stated`, that it says how its boxes are meant.
    """

    def __init__(
        self, rows: Rows, fields: Sequence[str], names: Sequence[str], report: Report, *, stated: bool = False
    ) -> None:
        self.box = role(fields, BOX)
        self.category = role(fields, CATEGORY)
        self.names = names
        self.made_names = not self.category
        self.ignored: set[str] = set()
        self._rows = rows
        self._report = report
        self._stated = stated
        self._plain = 0  # boxes of four numbers that do not say what they are
        self._beyond = 0  # of them, those that reach over the border as x, y, width, height
        self._corners = 0  # of them, those that would fit as corners

    def add(self, image: int, size: tuple[int, int], value: Any, source: str, line: int) -> None:
        """The objects of one image."""
        where = f"{source}:{line}"
        objects = objects_of(value)
        if objects is None:
            self._report.add("objects_invalid", where, "lists of different lengths")
        for item in objects or ():
            box = self._box(item.get(self.box), size)
            name = self._name(item.get(self.category))
            if box is None or name is None:
                self._report.add(*_problem(item, self.box, self.category, where, box))
            else:
                self._rows.add_box(image, name, box, size, source, line, self._attributes(item, box))

    def conclude(self, where: str) -> None:
        """Report what was taken for granted."""
        if self._plain and not self._stated:
            self._report.add("boxes_taken", where, count=self._plain)
        if self._beyond and self._corners == self._plain:
            self._report.add("boxes_like_corners", where, count=self._beyond)
        if self.made_names:
            self._report.add("class_names_made", where)
        for name in sorted(self.ignored):
            self._report.add("column_ignored", where, f"objects.{name}")

    def _box(self, value: Any, size: tuple[int, int]) -> Box | None:
        if isinstance(value, Mapping):
            return _named_box(value)
        numbers = [finite(v) for v in value] if isinstance(value, Sequence) and not isinstance(value, str) else []
        if len(numbers) != 4 or None in numbers:
            return None
        a, b, c, d = (v for v in numbers if v is not None)
        if self.box.endswith("xyxy"):
            return a, b, c, d
        self._plain += 1
        self._beyond += a + c > size[0] + 1 or b + d > size[1] + 1
        self._corners += a <= c <= size[0] + 1 and b <= d <= size[1] + 1
        return a, b, a + c, b + d

    def _name(self, value: Any) -> str | None:
        if not self.category:
            return NAMELESS
        if isinstance(value, str):
            return value
        if isinstance(value, bool) or not isinstance(value, int):
            return None
        if not self.names:
            self.made_names = True
            return str(value)
        return self.names[value] if 0 <= value < len(self.names) else None

    def _attributes(self, item: Mapping[str, Any], box: Box) -> dict[str, Any]:
        """What is said beyond box and category. A number for the object, or the area of its box, says nothing."""
        found: dict[str, Any] = {}
        for name, value in item.items():
            if name in (self.box, self.category, "id") or value is None:
                continue
            if name == "attributes" and isinstance(value, str):
                found |= said(value) if value else {}
            elif not isinstance(value, str | bool | int | float) or (
                isinstance(value, float) and finite(value) is None
            ):
                self.ignored.add(name)
            elif name != "area" or not _is_area(value, box):
                found[name] = value
        return found


def objects_of(value: Any) -> list[dict[str, Any]] | None:
    """One mapping per object, whether they come as lists by field or one by one; None when the lists do not match."""
    if isinstance(value, Mapping):
        lists = {name: part for name, part in value.items() if isinstance(part, list)}
        lengths = {len(part) for part in lists.values()}
        if len(lengths) > 1:
            return None
        return [{name: part[i] for name, part in lists.items()} for i in range(lengths.pop() if lengths else 0)]
    return [mapping(part) for part in value] if isinstance(value, list) else []


def _named_box(value: Mapping[str, Any]) -> Box | None:
    for names in (_CORNERS, *_SIDES):
        a, b, c, d = (finite(value.get(name)) for name in names)
        if a is not None and b is not None and c is not None and d is not None:
            return (a, b, c, d) if names is _CORNERS else (a, b, a + c, b + d)
    return None


def _is_area(value: Any, box: Box) -> bool:
    area = finite(value)
    return area is not None and abs(area - (box[2] - box[0]) * (box[3] - box[1])) <= 1e-6 * max(1.0, area)


def _problem(item: Mapping[str, Any], box: str, category: str, where: str, parsed: Box | None) -> tuple[str, str, Any]:
    if parsed is None:
        return "objects_invalid", where, f"{box or 'bbox'} {item.get(box)}"
    return "class_out_of_range", where, item.get(category)


def said(text: str) -> dict[str, Any]:
    """What a text of attributes says: the object it holds, else itself."""
    try:
        return object_of(text)
    except ValueError:
        return {"attributes": text}
