"""One part of COCO's annotations as columns: its shapes go flat into one array.

An annotation has one kind here: keypoints where it has them, else a mask or a polygon, else a box, else a class of the whole
image. A segmentation beside keypoints is left out and reported. The box is `bbox`; without one it is taken around the shape.
Rings of one object that overlap are reported: COCO takes them together, here they fill by even-odd.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UNSET, Raw, UnsetType

from retinue_sdk import geometry, raster
from retinue_sdk.formats.coco_json import BAD, report_value
from retinue_sdk.formats.coco_numbers import WHITESPACE, Lists, parse
from retinue_sdk.formats.coco_records import NO_ID, Annotation, Decoded, Runs
from retinue_sdk.formats.coco_rings import Rings
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import NO_BOX, to_json
from retinue_sdk.geometry import Bools, Floats, Ints

TEXT = pa.large_string()
Numbers = list[int] | list[float]

CLASS, BOX, POLYGON, MASK, KEYPOINTS = range(5)
KINDS = ("class", "box", "polygon", "mask", "keypoints")
LEFT_OUT, UNKNOWN = -1, -2
FARTHEST = 2.0**31  # a coordinate beyond this is none, and would overflow what is made of it
NOTHING = b"[]"
EMPTY = (b"null", b"[]", b"[[]]")
_segmentation = msgspec.json.Decoder(list[list[float]] | Runs | None)


class Index:
    """Rows of the table by the ids of a file; LEFT_OUT for an id whose image cannot be used."""

    def __init__(self, rows: dict[int, int]) -> None:
        self.ids = np.array(sorted(rows), dtype=np.int64)
        self.rows = np.array([rows[number] for number in sorted(rows)], dtype=np.int64)

    def row(self, number: int) -> int:
        """The row of one id, or UNKNOWN."""
        return int(self.find(np.array([number]))[0])

    def find(self, ids: Ints) -> Ints:
        """The row of each id, or UNKNOWN."""
        if not len(self.ids):
            return np.full(len(ids), UNKNOWN, dtype=np.int64)
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[places] == ids, self.rows[places], UNKNOWN)


class Part:
    """Annotations that were decoded together. What cannot be used is reported and no longer `good`."""

    def __init__(self, name: str, decoded: Decoded, report: Report) -> None:
        self.name, self.report = name, report
        self.places, self.items, self.fields = decoded.places, decoded.items, decoded.columns
        self.good = np.ones(len(self.items), dtype=bool)
        self.ids = self._integers([NO_ID if number is UNSET else number for number in self.fields["id"]])
        self.texts = list(map(_text, self.fields["segmentation"]))
        self.kinds = self._kinds()
        self.rings: Rings | None = None  # of objects that have several

    def columns(self, images: Index, categories: Index, sizes: Ints, points: Ints) -> dict[str, Any]:
        """The columns of those that can be used."""
        image = images.find(self._integers(self.fields["image_id"]))
        label = categories.find(self._integers(self.fields["category_id"]))
        self._refuse(image == UNKNOWN, "coco_image_unknown", ".image_id")
        self._refuse(label == UNKNOWN, "coco_category_unknown", ".category_id")
        self.good &= image != LEFT_OUT
        size = sizes[np.where(self.good, image, -1)]
        values, lengths = self._flat(self._shapes(size, points[np.where(self.good, label, -1)]))
        boxes = self._boxes(size, values, lengths)
        good = self.good
        if not good.all():
            values = values[np.repeat(good, lengths)]
        x1, y1, x2, y2 = boxes[good].T
        return {
            "image": image[good],
            "class_id": label[good],
            "kind": self.kinds[good],
            "x1": x1, "y1": y1, "x2": x2, "y2": y2,
            "source": self.name,
            "attributes": pa.array(self._attributes(), TEXT).filter(pa.array(good)),
            "values": values,
            "lengths": lengths[good],
        }  # fmt: skip

    def _attributes(self) -> list[str]:
        """The attributes of each annotation; most have an area and an id and no more, and are written out."""
        areas, ids = self.fields["area"], self.fields["id"]
        if any(self.fields["attributes"]) or any(self.fields["iscrowd"]) or not all(areas) or not all(ids):
            return list(map(_said, self.items))
        return [f'{{"area":{area},"coco_id":{number}}}' for area, number in zip(areas, ids, strict=True)]

    def _kinds(self) -> Ints:
        """The kind of each annotation."""
        mask = self._integers(map(itemgetter(0), self.texts)) == ord("{")
        full = np.array([text != NOTHING for text in self.texts], dtype=bool)
        box, keypoints = (self._integers(map(bool, self.fields[name])) > 0 for name in ("bbox", "keypoints"))
        return np.select([keypoints, full & mask, full, box], [KEYPOINTS, MASK, POLYGON, BOX], CLASS)

    def _integers(self, numbers: Any) -> Ints:
        return np.fromiter(numbers, dtype=np.int64, count=len(self.items))

    def _where(self, row: int, field: str) -> str:
        return f"{self.name}:annotations[{self.places[row]}]{field}"

    def _refuse(self, bad: Any, code: str, field: str) -> None:
        self._tell(bad & self.good, code, field)
        self.good &= ~bad

    def _tell(self, rows: Bools, code: str, field: str) -> None:
        for row in np.flatnonzero(rows).tolist():
            value: Any = ""
            if self.report.wants_example(code):
                shape = field == ".segmentation"
                value = _segmentation.decode(self.texts[row]) if shape else self.fields[field[1:]][row]
            self.report.add(code, self._where(row, field), value)

    def _shapes(self, size: Ints, points: Ints) -> list[bytes]:
        """The lists of numbers of each annotation, as JSON; none for those that cannot be used."""
        polygons = ((self.kinds == POLYGON) & self.good).tolist()
        shapes = [text if polygon else NOTHING for text, polygon in zip(self.texts, polygons, strict=True)]
        for row in np.flatnonzero((self.kinds >= MASK) & self.good).tolist():
            mask = self.kinds[row] == MASK
            shape = self._runs(row, *size[row].tolist()) if mask else self._keypoints(row, int(points[row]))
            self.good[row] = shape is not None
            shapes[row] = NOTHING if shape is None else msgspec.json.encode([shape])
        return shapes

    def _polygon(self, row: int) -> bytes:
        """The text of a polygon, after what is wrong with it was reported."""
        rings = self._decoded(row)
        if rings and all(rings):
            return self.texts[row]
        if rings:
            self.report.add("coco_polygon_invalid", self._where(row, ".segmentation"), rings)
        self.good[row] = False
        return NOTHING

    def _decoded(self, row: int) -> Any:
        """A segmentation as an object; None after what is wrong with it was reported."""
        where, text = self._where(row, ".segmentation"), self.texts[row]
        if text.startswith(b"[") and not text[1:].lstrip(WHITESPACE).startswith((b"[", b"]")):
            self.report.add("coco_polygon_flat", where)
            self.texts[row] = text = b"[%b]" % text
        try:
            return _segmentation.decode(text)
        except BAD as error:
            report_value(where, error, self.report)
            return None

    def _runs(self, row: int, width: int, height: int) -> Numbers | None:
        """The run lengths of a mask that is of its image's size."""
        mask = self._decoded(row)
        if mask is None:
            return None
        try:
            runs: list[int]
            runs = mask.counts if isinstance(mask.counts, list) else raster.decompress(mask.counts.encode()).tolist()
        except ValueError as error:
            self.report.add("mask_runs_wrong", self._where(row, ".segmentation.counts"), error)
            return None
        if mask.size != (height, width):
            self.report.add(
                "mask_runs_wrong", self._where(row, ".segmentation.size"), f"{mask.size}, image {(height, width)}"
            )
            return None
        if sum(runs) != width * height:
            self.report.add("mask_runs_wrong", self._where(row, ".segmentation.counts"), f"sum {sum(runs)}")
            return None
        return runs

    def _keypoints(self, row: int, points: int) -> Numbers | None:
        """Keypoints as x, y, visibility."""
        item = self.items[row]
        flat = item.keypoints or []
        seen = flat[2::3]
        whole = len(flat) % 3 == 0 and len(flat) == (3 * points or len(flat))
        if not whole or not set(seen) <= {0, 1, 2} or max(map(abs, flat)) >= FARTHEST:
            self.report.add("coco_keypoints_invalid", self._where(row, ".keypoints"), flat[:9])
            return None
        if isinstance(item.num_keypoints, int) and item.num_keypoints != len(seen) - seen.count(0):
            self.report.add("coco_keypoints_count", self._where(row, ".num_keypoints"), item.num_keypoints)
        if self.texts[row] != NOTHING:
            if self._decoded(row) is None:
                return None
            self.report.add("coco_segmentation_dropped", self._where(row, ".segmentation"))
        return flat

    def _flat(self, shapes: list[bytes]) -> tuple[Floats, Ints]:
        """All numbers in a row and how many each annotation has, NaN between the rings of a polygon."""
        lists = _parse(shapes)
        if lists is None:
            for row in np.flatnonzero((self.kinds == POLYGON) & self.good).tolist():
                shapes[row] = self._polygon(row)
            lists = _parse(shapes)
        assert lists is not None  # noqa: S101 - what was decoded as such is
        values, sizes, owners = lists.values, lists.sizes, lists.owners
        bad = ((sizes < 6) | (sizes % 2 == 1)) & (self.kinds[owners] == POLYGON)
        far = np.abs(values) >= FARTHEST
        rows = np.concatenate([owners[bad], np.repeat(owners, sizes)[far]]) if far.any() else owners[bad]
        self._refuse(np.bincount(rows, minlength=len(shapes)) > 0, "coco_polygon_invalid", ".segmentation")
        between = np.flatnonzero(owners[1:] == owners[:-1])
        if len(between):
            self._keep_rings(values, sizes, owners, between)
            values = np.insert(values, np.repeat(np.cumsum(sizes)[between], 2), np.nan)
        sizes[between] += 2
        return values, np.bincount(owners, sizes, len(shapes)).astype(np.int64)

    def _keep_rings(self, values: Floats, sizes: Ints, owners: Ints, between: Ints) -> None:
        """Keep the rings of objects that have several."""
        several = np.zeros(len(owners), dtype=bool)
        several[between] = several[between + 1] = True
        several &= self.good[owners]
        points = values[np.repeat(several, sizes)].reshape(-1, 2)
        self.rings = Rings(points, sizes[several] // 2, np.array(self.places)[owners[several]])

    def _boxes(self, size: Ints, values: Floats, lengths: Ints) -> Floats:
        """x1, y1, x2, y2 of each annotation."""
        numbers = chain.from_iterable([box or NO_BOX for box in self.fields["bbox"]])
        boxes = np.fromiter(numbers, dtype=np.float64, count=4 * len(self.items)).reshape(-1, 4)
        with np.errstate(invalid="ignore"):
            self._refuse((boxes[:, 2:] < 0).any(axis=1), "box_negative_size", ".bbox")
            self._refuse((np.abs(boxes) >= FARTHEST).any(axis=1), "coco_value_invalid", ".bbox")
        boxes[:, 2:] += boxes[:, :2]
        ends = np.cumsum(lengths)
        for row in np.flatnonzero(np.isnan(boxes[:, 0]) & self.good & (self.kinds != CLASS)):
            boxes[row] = _around(self.kinds[row], values[ends[row] - lengths[row] : ends[row]], size[row, 1])
        self._refuse(np.isnan(boxes[:, 0]) & (self.kinds != CLASS), "coco_value_invalid", ".bbox")
        flat = (boxes[:, 2] == boxes[:, 0]) | (boxes[:, 3] == boxes[:, 1])
        self._tell(flat & self.good & (self.kinds == BOX), "box_zero_area", ".bbox")
        outside = (boxes[:, :2] < -1).any(axis=1) | (boxes[:, 2:] > size + 1).any(axis=1)
        self._tell(outside & self.good, "box_outside_image", ".bbox")
        self._tell(self.good & (self.kinds == CLASS), "coco_whole_image", ".bbox")
        return boxes


def _text(segmentation: Raw | UnsetType) -> bytes:
    """A segmentation as text; NOTHING for one with nothing in it."""
    text = NOTHING if isinstance(segmentation, UnsetType) else bytes(segmentation)
    if text[:20].strip(b"[]" + WHITESPACE) not in (b"", b"null"):
        return text  # as nearly all do, it begins with a number
    return NOTHING if text.translate(None, WHITESPACE) in EMPTY else text


def _parse(shapes: list[bytes]) -> Lists | None:
    rows = [row for row, text in enumerate(shapes) if text != NOTHING]
    lists = parse([shapes[row] for row in rows])
    return lists and replace(lists, owners=np.array(rows, dtype=np.int64)[lists.owners])


def _around(kind: int, shape: Floats, height: int) -> Floats:
    """The box around a shape."""
    if kind == MASK:
        return np.array(raster.box_of_runs(shape, height))
    points = shape.reshape(-1, 3)[shape[2::3] > 0, :2] if kind == KEYPOINTS else shape
    box: Floats = geometry.hulls(points.reshape(-1), np.array([points.size]))[0]
    return box


def _said(item: Annotation) -> str:
    """The attributes of an annotation."""
    said = dict(item.attributes or {})
    said |= {} if item.area is UNSET or item.area is None else {"area": item.area}
    said |= {} if item.id is UNSET else {"coco_id": item.id}
    return to_json(said | ({"iscrowd": 1} if item.iscrowd else {}))
