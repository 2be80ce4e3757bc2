"""Records of COCO: text to typed images, categories and annotations, and every reason why one cannot be used.

Annotations are decoded some thousands at a time, so that memory stays near the size of the file. Only a part with something
unknown or wrong in it is gone through record by record.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
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

PART = 3_000_000  # bytes decoded at a time
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
    segmentation: Raw | UnsetType = UNSET  # list[list[float]] | Runs | None, which `coco_part` sees to
    keypoints: list[float] | UnsetType | None = UNSET
    num_keypoints: Id | UnsetType | None = UNSET
    area: int | float | UnsetType | None = UNSET
    iscrowd: int | float | bool | UnsetType | None = UNSET
    attributes: Json | UnsetType | None = UNSET


class _Known(Annotation, forbid_unknown_fields=True, gc=False):
    """An annotation with nothing in it that COCO does not know."""


FIELDS = Annotation.__struct_fields__
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


@dataclass
class Decoded:
    """Annotations of a file with their places in its list."""

    places: list[int]
    items: list[Annotation]

    @cached_property
    def columns(self) -> dict[str, list[Any]]:
        """The fields of the annotations, each as a column."""
        return {name: list(map(attrgetter(name), self.items)) for name in FIELDS}


def annotations_of(document: Document, report: Report) -> Iterator[Decoded]:
    """The annotations of a file a part at a time."""
    for part in _parts(document):
        yield _together(document, part) or _one_by_one(document, part, report)


def _parts(document: Document) -> list[slice]:
    raws = document.annotations
    sizes = np.fromiter(map(len, raws), dtype=np.int64, count=len(raws))
    cuts = np.flatnonzero(np.diff(np.cumsum(sizes) // PART)) + 1
    bounds = [0, *cuts.tolist(), len(raws)]
    return [slice(a, b) for a, b in pairwise(bounds) if a < b]


def _together(document: Document, part: slice) -> Decoded | None:
    """All annotations of a part, or None when something in it must be looked at."""
    text = b"[%b]" % b",".join(document.annotations[part])
    if len(text) > coco_json.MAX_RECORD:
        return None
    try:
        items: list[Any] = _annotations.decode(text)
    except BAD:
        return None
    decoded = Decoded(list(range(part.start, part.stop)), items)
    more = text.count(b'":') - sum(len(column) - column.count(UNSET) for column in decoded.columns.values())
    # more keys in the text than came out: a mask has two of its own, or one is there twice
    return decoded if not more or more == 2 * sum(map(_is_mask, items)) else None


def _is_mask(item: Annotation) -> bool:
    return item.segmentation is not UNSET and bytes(item.segmentation).startswith(b"{")


def _one_by_one(document: Document, part: slice, report: Report) -> Decoded:
    decoded = Decoded([], [])
    for place in range(part.start, part.stop):
        where = f"{document.name}:annotations[{place}]"
        item = _carefully(bytes(document.annotations[place]), where, report)
        if item is not None:
            decoded.places.append(place)
            decoded.items.append(item)
    return decoded


def _carefully(text: bytes, where: str, report: Report) -> Annotation | None:
    """One annotation with its unknown keys, or what is wrong with it."""
    if len(text) > coco_json.MAX_RECORD:
        report.add("coco_value_invalid", where, f"{len(text)} bytes")
        return None
    try:
        fields = _object.decode(text)
        if is_repeated(text, len(fields), where, report):
            return None
        item = _annotation.decode(msgspec.json.encode(fields))
    except BAD as error:
        report_value(where, error, report)
        return None
    other = {key: msgspec.json.decode(raw) for key, raw in fields.items() if key not in FIELDS}
    if other:
        item.attributes = {**(item.attributes or {}), **other}
    return item
