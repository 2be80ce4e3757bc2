"""Records of COCO: text to typed images, categories and annotations, and every reason why one cannot be used.

Annotations are decoded some hundreds at a time, so that memory stays near the size of the file. Only a part with something
unknown or wrong in it is gone through record by record.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import UNSET, Meta, Raw, UnsetType

from retinue_sdk.formats import coco_json
from retinue_sdk.formats.coco_json import BAD, Document, Json, is_repeated, records, report_value, typed, without_gc
from retinue_sdk.formats.image_names import leads_outside
from retinue_sdk.formats.json_files import is_deep
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import to_json

PART = 300_000  # bytes decoded at a time: few enough for the cache of a processor
NO_ID = -(2**63)
Id = Annotated[int, Meta(ge=NO_ID + 1, le=2**63 - 1)]
Size = Annotated[int, Meta(ge=0, le=2**31 - 1)]
PLAIN = re.compile(r"\w[\w-]*\.\w+")  # most names, of which nothing need be asked


class Image(msgspec.Struct):
    """What an image must say; all else becomes its attributes. Without a size, the file's is taken."""

    id: Id
    file_name: str
    width: Size = 0
    height: Size = 0


class Category(msgspec.Struct):
    """What a category must say; all else becomes attributes of the class."""

    id: Id
    name: str


class Runs(msgspec.Struct, gc=False):
    """A mask: height and width, and run lengths or COCO's compressed text of them."""

    size: tuple[Size, Size]
    counts: list[Size] | str


class Annotation(msgspec.Struct, gc=False):
    """An annotation. `attributes` is not of COCO, but what CVAT and Datumaro write; here it also takes unknown keys."""

    image_id: Id
    category_id: Id
    id: Id | UnsetType = UNSET
    bbox: tuple[float, float, float, float] | UnsetType | None = UNSET
    segmentation: list[list[float]] | Runs | UnsetType | None = UNSET
    keypoints: list[float] | UnsetType | None = UNSET
    num_keypoints: Id | UnsetType | None = UNSET
    area: int | float | UnsetType | None = UNSET
    iscrowd: int | float | bool | UnsetType | None = UNSET
    attributes: Json | UnsetType | None = UNSET


class _Known(Annotation, forbid_unknown_fields=True, gc=False):
    """An annotation with nothing in it that COCO does not know."""


FIELDS = Annotation.__struct_fields__
_COLUMNS = [attrgetter(name) for name in FIELDS]
_object = msgspec.json.Decoder(dict[str, Raw])
_annotation = msgspec.json.Decoder(Annotation)
_annotations = msgspec.json.Decoder(list[_Known])


@dataclass
class Listed:
    """An image as a file lists it."""

    id: int
    key: str
    size: tuple[int, int]
    attributes: str
    where: str


def images_of(document: Document, report: Report) -> list[Listed]:
    """The images of a file whose name can be used. An id or a name that comes again is reported and left out."""
    with without_gc():
        return list(_listed(document, report))


def _listed(document: Document, report: Report) -> Iterator[Listed]:
    ids: set[int] = set()
    keys: set[str] = set()
    for where, record in records(document, "images", report):
        image = typed(record, Image, where, report)
        if image is None:
            continue
        key = _key(image.file_name)
        if not key:
            report.add("list_path_escapes", f"{where}.file_name", image.file_name)
        elif image.id in ids:
            report.add("coco_id_duplicate", f"{where}.id", image.id)
        elif key in keys:
            report.add("coco_image_repeated", f"{where}.file_name", image.file_name)
        else:
            ids.add(image.id)
            keys.add(key)
            other = {k: v for k, v in record.items() if k not in Image.__struct_fields__}
            attributes = to_json({**other, "coco_id": image.id})
            yield Listed(image.id, key, (image.width, image.height), attributes, where)


def _key(file_name: str) -> str:
    """The file name as a path below some folder; empty for one that is none."""
    if PLAIN.fullmatch(file_name):
        return file_name
    key = posixpath.normpath(file_name.replace("\\", "/"))
    return "" if leads_outside(file_name) or key == "." else key


def categories_of(document: Document, report: Report) -> Iterator[tuple[str, Category, Json]]:
    """The categories of a file with where they stand and what else they say."""
    ids: set[int] = set()
    for where, record in records(document, "categories", report):
        category = typed(record, Category, where, report)
        if category is None:
            continue
        if category.id in ids:
            report.add("coco_id_duplicate", f"{where}.id", category.id)
            continue
        ids.add(category.id)
        if is_deep(record):
            raise RecursionError("a category is nested too deeply")
        yield where, category, {k: v for k, v in record.items() if k not in Category.__struct_fields__}


def annotations_of(document: Document, report: Report) -> Iterator[tuple[list[int], list[Annotation]]]:
    """The annotations of a file a part at a time, with their places in its list."""
    raws = document.annotations
    for start, stop in _parts(raws):
        items = _together(b"[%b]" % b",".join(raws[start:stop]))
        yield (list(range(start, stop)), items) if items else _one_by_one(document, start, stop, report)


def _together(part: bytes) -> list[Annotation]:
    """All annotations of a part, or none when something in it must be looked at."""
    if len(part) > coco_json.MAX_RECORD:
        return []
    try:
        items: list[Any] = _annotations.decode(part)
    except BAD:
        return []
    return items if part.count(b'":') == _keys(items) else []


def _parts(raws: Sequence[Raw]) -> list[tuple[int, int]]:
    sizes = np.fromiter(map(len, raws), dtype=np.int64, count=len(raws))
    cuts = np.flatnonzero(np.diff(np.cumsum(sizes) // PART)) + 1
    bounds = [0, *cuts.tolist(), len(raws)]
    return [(a, b) for a, b in pairwise(bounds) if a < b]


def _keys(items: list[Annotation]) -> int:
    """How many keys these were decoded from. More of them in the text means that one came twice."""
    columns = [list(map(get, items)) for get in _COLUMNS]
    masks = list(map(type, columns[FIELDS.index("segmentation")])).count(Runs)
    return sum(len(column) - column.count(UNSET) for column in columns) + 2 * masks


def _one_by_one(document: Document, start: int, stop: int, report: Report) -> tuple[list[int], list[Annotation]]:
    places: list[int] = []
    items: list[Annotation] = []
    for place in range(start, stop):
        where = f"{document.name}:annotations[{place}]"
        item = _carefully(bytes(document.annotations[place]), where, report)
        if item is not None:
            places.append(place)
            items.append(item)
    return places, items


def _carefully(text: bytes, where: str, report: Report) -> Annotation | None:
    """One annotation with its unknown keys, or what is wrong with it."""
    if len(text) > coco_json.MAX_RECORD:
        report.add("coco_value_invalid", where, f"{len(text)} bytes")
        return None
    try:
        fields = _object.decode(text)
        if is_repeated(text, len(fields), where, report):
            return None
        if bytes(fields.get("segmentation", b"")).startswith(b"[") and not _is_nested(fields["segmentation"]):
            report.add("coco_polygon_flat", f"{where}.segmentation")
            fields["segmentation"] = Raw(b"[%b]" % bytes(fields["segmentation"]))
        item = _annotation.decode(msgspec.json.encode(fields))
    except BAD as error:
        report_value(where, error, report)
        return None
    other = {key: msgspec.json.decode(raw) for key, raw in fields.items() if key not in FIELDS}
    if other:
        item.attributes = {**(item.attributes or {}), **other}
    return item


def _is_nested(segmentation: Raw) -> bool:
    """Whether it holds lists, as it should, rather than numbers."""
    return bytes(segmentation)[1:].lstrip()[:1] in (b"[", b"]")
