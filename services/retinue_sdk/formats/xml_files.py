"""XML of strangers: read as it streams by, with lines. DTDs and entities are refused, never expanded."""

from __future__ import annotations

import re
from pathlib import Path
from xml.sax import SAXException, SAXParseException, handler, saxutils
from xml.sax.xmlreader import AttributesImpl, Locator

from defusedxml import DefusedXmlException, sax

from retinue_sdk.formats.report import Report

MAX_DEPTH = 32
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # no XML can hold these


class Reader(handler.ContentHandler):
    """Keeps the tags that are open and the line being read; a format says what to do where a tag begins and ends."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self._text: list[str] = []
        self._locator: Locator | None = None

    @property
    def line(self) -> int:
        """The line being read."""
        return (self._locator.getLineNumber() or 0) if self._locator else 0

    def begin(self, attributes: AttributesImpl) -> None:
        """The last of the open tags has begun."""

    def end(self, text: str) -> None:
        """The last of the open tags ends, with this text since the last tag."""

    def setDocumentLocator(self, locator: Locator) -> None:  # noqa: D102, N802 - SAX's
        self._locator = locator

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: D102, N802 - SAX's
        self.open.append(name)
        if len(self.open) > MAX_DEPTH:
            raise SAXException("nested too deeply")
        self._text.clear()
        self.begin(attrs)

    def characters(self, content: str) -> None:  # noqa: D102 - SAX's
        self._text.append(content)

    def endElement(self, name: str) -> None:  # noqa: ARG002, D102, N802 - SAX's
        text = "".join(self._text).strip()
        self._text.clear()
        self.end(text)
        self.open.pop()


def parse(path: Path, name: str, reader: Reader, report: Report, max_bytes: int) -> None:
    """Send one file through the reader; what is wrong with it goes into the report with file and line."""
    size = path.stat().st_size
    if size > max_bytes:
        report.add("xml_invalid", name, f"{size} bytes, at most {max_bytes}")
        return
    try:
        with path.open("rb") as stream:
            sax.parse(stream, reader, forbid_dtd=True)
    except DefusedXmlException as error:
        report.add("xml_dtd_forbidden", f"{name}:{reader.line}", type(error).__name__)
    except SAXParseException as error:
        report.add("xml_invalid", f"{name}:{error.getLineNumber()}", error.getMessage())
    except (SAXException, ValueError, LookupError) as error:
        report.add("xml_invalid", f"{name}:{reader.line}", error)


def escape(text: str) -> str:
    """Text between tags."""
    return saxutils.escape(_ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text))


def quote(text: str) -> str:
    """The value of an attribute, in double quotes."""
    return saxutils.quoteattr(_ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text), {'"': "&quot;"})
