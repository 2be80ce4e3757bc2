"""One VOC annotation file, read with the line of each object."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.xmlreader import AttributesImpl

from retinue_sdk.formats import xml_files
from retinue_sdk.formats.report import Report

MAX_BYTES = 16_000_000
CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class VocObject:
    """A box as it is written, and the line of its <object>."""

    name: str
    box: tuple[float, float, float, float]
    line: int
    attributes: dict[str, str]  # pose, truncated, difficult ...


@dataclass
class VocFile:
    """What an annotation file says."""

    name: str
    size: tuple[int, int] | None = None
    objects: list[VocObject] = field(default_factory=list)


def parse(path: Path, name: str, report: Report) -> VocFile:
    """Read one file; what is wrong with it goes into the report with file and line."""
    reader = _Reader(name, report)
    xml_files.parse(path, name, reader, report, MAX_BYTES)
    return reader.file


class _Reader(xml_files.Reader):
    """An object is complete when its tag closes."""

    def __init__(self, name: str, report: Report) -> None:
        super().__init__()
        self.file = VocFile(name)
        self._report = report
        self._values: dict[str, str] = {}
        self._said: dict[str, str] = {}  # of one <attribute>
        self._object_line = 0
        self._size: dict[str, str] = {}

    def begin(self, attributes: AttributesImpl) -> None:  # noqa: ARG002 - VOC has none
        if self.open[1:] == ["object"]:
            self._object_line, self._values = self.line, {}

    def end(self, text: str) -> None:
        match self.open[1:]:
            case ["object"]:
                self._finish()
            case ["object", "part"]:
                self._report.add("parts_ignored", f"{self.file.name}:{self.line}")
            case ["object", tag]:
                self._values.setdefault(tag, text)
            case [
                "object",
                "attributes",
                "attribute",
                "name" | "value" as tag,
            ]:  # as CVAT writes what VOC has no tag for
                self._said[tag] = text
            case ["object", "attributes", "attribute"]:
                self._values.setdefault(self._said.get("name", ""), self._said.get("value", ""))
                self._said = {}
            case ["object", "bndbox", tag]:
                self._values[f"bndbox/{tag}"] = text
            case ["size", tag]:
                self._size[tag] = text
            case ["size"]:
                self.file.size = _size(self._size)
            case ["filename"] if "/" in text or "\\" in text or text == "..":
                self._report.add("xml_filename_escapes", f"{self.file.name}:{self.line}", text)
            case _:
                pass

    def _finish(self) -> None:
        where = f"{self.file.name}:{self._object_line}"
        values = self._values
        label = values.pop("name", "")
        corners = [values.pop(f"bndbox/{corner}", "") for corner in CORNERS]
        box = [_number(corner) for corner in corners]
        if not label or "" in corners:
            self._report.add("box_incomplete", where, label)
        elif not all(map(math.isfinite, box)):
            self._report.add("label_not_a_number", where, ", ".join(corners))
        else:
            attributes = {tag: text for tag, text in values.items() if tag and text and "/" not in tag}
            x1, y1, x2, y2 = box
            self.file.objects.append(VocObject(label, (x1, y1, x2, y2), self._object_line, attributes))


def _number(text: str) -> float:
    try:
        return float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return math.nan


def _size(values: dict[str, str]) -> tuple[int, int] | None:
    width, height = _number(values.get("width", "")), _number(values.get("height", ""))
    return (int(width), int(height)) if math.isfinite(width) and math.isfinite(height) else None
