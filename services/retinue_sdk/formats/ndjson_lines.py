"""The lines of Retinue NDJSON, as they are read: fields that are left out have their defaults, others are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from retinue_sdk.formats.json_files import MAX_DEPTH, object_of

VERSION = 1
MAX_LINE = 256 << 20  # bytes: an image with hundreds of large masks

LONG = 4000  # characters of attributes, beyond which a whole number may have too many

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
Natural = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
Number = float | None  # null stands for NaN
Kind = Literal["class", "box", "polygon", "mask", "keypoints", "obb", "value"]
NO_ATTRIBUTES = msgspec.Raw(b'""')


class Class(msgspec.Struct, forbid_unknown_fields=True):
    """A class of the dataset."""

    id: int
    name: str
    attributes: dict[str, Any] = {}


class Header(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="dataset"):
    """The first line."""

    version: int
    classes: list[Class]


class Annotation(msgspec.Struct, forbid_unknown_fields=True):
    """What is said of an image."""

    kind: Kind
    label: Natural | None = msgspec.field(default=None, name="class")
    box: tuple[Number, Number, Number, Number] | None = None
    geometry: list[Number] = []
    source: str = ""
    line: Int32 = 0
    attributes: msgspec.Raw = NO_ATTRIBUTES


class Image(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="image"):
    """Every further line."""

    key: str
    width: Natural = 0
    height: Natural = 0
    blob: str = ""
    split: str = ""
    group: str = ""
    attributes: msgspec.Raw = NO_ATTRIBUTES
    annotations: list[Annotation] = []


_header = msgspec.json.Decoder(Header)
_image = msgspec.json.Decoder(Image)


def decode_header(line: bytes) -> Header:
    """The first line. ValueError for what is none, or of another version."""
    header: Header = _decoded(_header, line)
    if header.version != VERSION:
        raise ValueError(f"version {header.version}; only version {VERSION} is read")
    return header


def decode_image(line: bytes) -> Image:
    """A further line. ValueError for what is none."""
    image: Image = _decoded(_image, line)
    return image


def attributes_of(raw: msgspec.Raw) -> str:
    """Attributes as a table holds them: the text of an object exactly as it stands, which a string may hold."""
    content = bytes(raw)
    if content.startswith(b'"'):
        text = msgspec.json.decode(content, type=str)
        if text:
            object_of(text)
        return text
    if not content.startswith(b"{"):
        raise ValueError("attributes are neither an object nor a string")
    text = content.decode()
    if len(text) > LONG or "\\u" in text or max(text.count("{"), text.count("[")) > MAX_DEPTH:
        object_of(text)
    return text


def _decoded(decoder: Any, line: bytes) -> Any:
    if len(line) > MAX_LINE:
        raise ValueError(f"more than {MAX_LINE} bytes")
    try:
        return decoder.decode(line)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
