"""CVAT's annotations.xml as it streams by: labels first, then one image after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from xml.sax import SAXException
from xml.sax.xmlreader import AttributesImpl

from retinue_sdk.formats import xml_files


@dataclass
class Label:
    """A label as <meta> describes it: name, color, type, parent, svg; and the input type of each of its attributes."""

    values: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)


@dataclass
class Shape:
    """A tag inside <image>: what is written in it and in its children."""

    tag: str
    values: dict[str, str]
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    points: list[Shape] = field(default_factory=list)  # of a skeleton


@dataclass
class Image:
    """An <image> with its shapes."""

    values: dict[str, str]
    line: int
    shapes: list[Shape] = field(default_factory=list)


class Reader(xml_files.Reader):
    """Tells of each label and of each image when its tag closes."""

    def __init__(self, on_label: Callable[[Label], None], on_image: Callable[[Image], None]) -> None:
        super().__init__()
        self.tracks = 0
        self._on_label = on_label
        self._on_image = on_image
        self._label = Label()
        self._input: dict[str, str] = {}
        self._image = Image({}, 0)
        self._key = ""

    def begin(self, attributes: AttributesImpl) -> None:
        """Take the attributes of what begins."""
        match self.open:
            case [root] if root != "annotations":
                raise SAXException("the root is not <annotations>")
            case [_, "image"]:
                self._image = Image(dict(attributes.items()), self.line)
            case [_, "image", tag]:
                self._image.shapes.append(Shape(tag, dict(attributes.items()), self.line))
            case [_, "image", "skeleton", "points"]:
                point = Shape("points", dict(attributes.items()), self.line)
                self._image.shapes[-1].points.append(point)
            case [_, "image", _, "attribute"]:
                self._key = attributes.get("name", "")
            case [_, "track"]:
                self.tracks += 1
            case [_, "meta", *_, "labels", "label"]:
                self._label = Label()
            case [_, "meta", *_, "labels", "label", "attributes", "attribute"]:
                self._input = {}
            case _:
                pass

    def end(self, text: str) -> None:
        """Finish what ends."""
        match self.open:
            case [_, "image"]:
                self._on_image(self._image)
            case [_, "image", _, "attribute"]:
                self._image.shapes[-1].attributes[self._key] = text
            case [_, "meta", *_, "labels", "label"]:
                self._on_label(self._label)
            case [_, "meta", *_, "labels", "label", key]:
                self._label.values[key] = text
            case [_, "meta", *_, "labels", "label", "attributes", "attribute", key]:
                self._input[key] = text
            case [_, "meta", *_, "labels", "label", "attributes", "attribute"]:
                self._label.inputs[self._input.get("name", "")] = self._input.get("input_type", "")
            case _:
                pass
