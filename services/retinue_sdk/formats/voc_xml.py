"""One VOC annotation file, read with the line of each object. DTDs and entities are refused, never expanded."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax import SAXException, SAXParseException, handler
from xml.sax.xmlreader import AttributesImpl, Locator

from defusedxml import DefusedXmlException, sax

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
    if path.stat().st_size > MAX_BYTES:
        report.add("xml_invalid", name, f"{path.stat().st_size} bytes")
        return reader.file
    try:
        with path.open("rb") as stream:
            sax.parse(stream, reader, forbid_dtd=True)
    except DefusedXmlException as error:
        report.add("xml_dtd_forbidden", f"{name}:{reader.line}", type(error).__name__)
    except SAXParseException as error:
        report.add("xml_invalid", f"{name}:{error.getLineNumber()}", error.getMessage())
    except (SAXException, ValueError, LookupError) as error:
        report.add("xml_invalid", name, error)
    return reader.file


class _Reader(handler.ContentHandler):
    """Keeps the path of open tags; an object is complete when its tag closes."""

    def __init__(self, name: str, report: Report) -> None:
        super().__init__()
        self.file = VocFile(name)
        self._report = report
        self._locator: Locator | None = None
        self._open: list[str] = []
        self._text: list[str] = []
        self._values: dict[str, str] = {}
        self._object_line = 0
        self._size: dict[str, str] = {}

    @property
    def line(self) -> int:
        """The line being read."""
        return (self._locator.getLineNumber() or 0) if self._locator else 0

    def setDocumentLocator(self, locator: Locator) -> None:  # noqa: N802 - SAX's name
        self._locator = locator

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: ARG002, N802 - SAX's signature
        self._open.append(name)
        self._text.clear()
        if self._open[1:] == ["object"]:
            self._object_line, self._values = self.line, {}

    def characters(self, content: str) -> None:
        self._text.append(content)

    def endElement(self, name: str) -> None:  # noqa: ARG002, N802 - SAX's signature
        text = "".join(self._text).strip()
        self._text.clear()
        match self._open[1:]:
            case ["object"]:
                self._finish()
            case ["object", tag]:
                self._values.setdefault(tag, text)
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
        self._open.pop()

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
            attributes = {tag: text for tag, text in values.items() if text and "/" not in tag}
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
