"""COCO's JSON, cut into its records without decoding them, and what all records are checked for.

`coco_records` decodes them.
"""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from msgspec import UNSET, Raw, UnsetType

from retinue_sdk.formats.json_files import MAX_BYTES
from retinue_sdk.formats.report import Report

MAX_RECORD = 64_000_000
BAD = (msgspec.DecodeError, ValueError)
Json = dict[str, Any]
Record = TypeVar("Record")


class _File(msgspec.Struct):
    images: list[Raw]
    categories: list[Raw]
    annotations: list[Raw] | UnsetType = UNSET


_file = msgspec.json.Decoder(_File)
_record = msgspec.json.Decoder(Json)


@dataclass
class Document:
    """A file cut into records."""

    name: str
    images: Sequence[Raw]
    categories: Sequence[Raw]
    annotations: Sequence[Raw]


@contextmanager
def without_gc() -> Iterator[None]:
    """No garbage collection meanwhile: with millions of new objects it takes many times what decoding takes."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def shallow(name: str, report: Report) -> Iterator[None]:
    """Report a file with values that are nested too deeply to be followed."""
    try:
        yield
    except RecursionError:
        report.add("json_invalid", name, "nested too deeply")


def load(path: Path, name: str, report: Report) -> Document | None:
    """Cut a file into records. None for one that is no COCO, which is reported under `name`."""
    if path.stat().st_size > MAX_BYTES:
        report.add("json_too_large", name, f"{path.stat().st_size} bytes")
        return None
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        return _cut(data, name, report)
    except msgspec.ValidationError as error:
        report.add("coco_structure_invalid", name, error)
    except BAD as error:
        report.add("json_invalid", f"{name}:{_line(data, str(error))}", error)
    return None


def _line(data: bytes, message: str) -> int:
    """The line that an error of the decoder speaks of."""
    place = message.rpartition("(byte ")[2].rstrip(")")
    return data.count(b"\n", 0, int(place) if place.isdecimal() else len(data)) + 1


def _cut(data: bytes, name: str, report: Report) -> Document:
    file = _file.decode(data)
    if isinstance(file.annotations, UnsetType):
        report.add("coco_without_annotations", name)
    document = Document(name, file.images, file.categories, file.annotations or [])
    is_repeated(_around(data, document), 0, name, report)
    return document


def _around(data: bytes, document: Document) -> bytes:
    """The text of a file without its records: a list that its key came again for is still there."""
    begins, ends = [], [0]
    base = _address(data)
    lists = [raws for raws in (document.images, document.categories, document.annotations) if raws]
    for raws in sorted(lists, key=lambda raws: _address(raws[0])):
        begins.append(_address(raws[0]) - base)
        ends.append(_address(raws[-1]) - base + len(raws[-1]))
    return b"".join(data[end:begin] for end, begin in zip(ends, [*begins, len(data)], strict=True))


def _address(part: bytes | Raw) -> int:
    return int(np.frombuffer(part, dtype=np.uint8).ctypes.data)


def records(document: Document, key: str, report: Report) -> Iterator[tuple[str, Json]]:
    """Each record of a list of the file as an object, with where it stands."""
    for place, raw in enumerate(getattr(document, key)):
        text, here = bytes(raw), f"{document.name}:{key}[{place}]"
        if len(text) > MAX_RECORD:
            report.add("coco_value_invalid", here, f"{len(text)} bytes")
            continue
        try:
            record = _record.decode(text)
        except BAD as error:
            report_value(here, error, report)
            continue
        if not is_repeated(text, len(record), here, report):
            yield here, record


def typed(record: Json, kind: type[Record], where: str, report: Report) -> Record | None:
    """A record with the types that `kind` has; what is of another type is reported."""
    try:
        return msgspec.convert(record, kind)
    except msgspec.ValidationError as error:
        report_value(where, error, report)
        return None


def report_value(where: str, error: Exception, report: Report) -> None:
    """Report what the decoder says of a record, with the path in it."""
    message, _, path = str(error).partition(" - at `$")
    report.add("coco_value_invalid", where + path.rstrip("`"), message)


def is_repeated(text: bytes, keys: int, where: str, report: Report) -> bool:
    """Whether a key is twice in an object of this text; looked for only where there are more keys than came out."""
    if text.count(b'":') == keys:
        return False
    twice: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        if len(pairs) > len(dict(pairs)):
            twice.append(Counter(name for name, _ in pairs).most_common(1)[0][0])

    json.loads(
        text, strict=False, object_pairs_hook=look, parse_int=len, parse_float=len
    )  # only the keys are of interest
    if twice:
        report.add("json_key_duplicate", where, twice[0])
    return bool(twice)
