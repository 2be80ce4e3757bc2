"""XML with elements, attributes and texts changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from tests.fuzz.values import NUMBERS, text

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Element:
    """A tag with what is in it."""

    tag: str
    values: dict[str, str]
    text: str
    inside: tuple[Element, ...]


def one(random: Random, data: bytes) -> bytes:
    """A document with one to three things changed."""
    root = _parsed(data)
    for _ in range(random.choice((1, 1, 2, 3))):
        root = _changed(random, root)
    return _written(root).encode("utf-8", "surrogatepass")


def many(random: Random, data: bytes, count: int) -> tuple[bytes, int]:
    """A document in which some element has so many changed children more."""
    root = _parsed(data)
    chosen = random.choice([element for element in _all(root) if element.inside])
    made = tuple(_readable(_changed(random, random.choice(chosen.inside))) for _ in range(count))
    return _written(_with(root, chosen, made)).encode(), count


def _parsed(data: bytes) -> Element:
    def element(node: ET.Element) -> Element:
        return Element(node.tag, dict(node.attrib), (node.text or "").strip(), tuple(map(element, node)))

    return element(ET.fromstring(data))


def _written(element: Element) -> str:
    """One element to a line, so that a failure can be cut down line by line."""
    values = "".join(f" {name}={quoteattr(value)}" for name, value in element.values.items())
    inside = "".join(map(_written, element.inside))
    return f"<{element.tag}{values}>{escape(element.text)}{inside}</{element.tag}>\n"


def _all(element: Element) -> Iterator[Element]:
    yield element
    for child in element.inside:
        yield from _all(child)


def _with(element: Element, chosen: Element, made: tuple[Element, ...]) -> Element:
    if element is chosen:
        return replace(element, inside=element.inside + made)
    return replace(element, inside=tuple(_with(child, chosen, made) for child in element.inside))


def _readable(element: Element) -> Element:
    """The same as a parser lets it pass."""
    tag = re.sub(r"[^A-Za-z_]", "_", element.tag) or "a"
    values = {
        re.sub(r"[^A-Za-z_]", "_", name) or "a": _ILLEGAL.sub("?", value) for name, value in element.values.items()
    }
    return Element(tag, values, _ILLEGAL.sub("?", element.text), tuple(map(_readable, element.inside)))


def _changed(random: Random, element: Element) -> Element:  # noqa: PLR0911 - one for each kind of change
    kind = random.random()
    if element.inside and kind < 0.6:
        place = random.randrange(len(element.inside))
        before, child, after = element.inside[:place], element.inside[place], element.inside[place + 1 :]
        if kind < 0.06:
            return replace(element, inside=before + after)
        if kind < 0.12:
            return replace(element, inside=(*before, child, child, *after))
        if kind < 0.15:
            return replace(element, inside=element.inside * 30)
        if kind < 0.18:
            return replace(element, inside=(*before, replace(child, inside=(*child.inside, element)), *after))
        return replace(element, inside=(*before, _changed(random, child), *after))
    if element.values and kind < 0.85:
        name = random.choice(list(element.values))
        if kind < 0.65:
            return replace(element, values={k: v for k, v in element.values.items() if k != name})
        if kind < 0.68:
            return replace(
                element, values={(text(random, k) if k == name else k): v for k, v in element.values.items()}
            )
        return replace(element, values={**element.values, name: _value(random, element.values[name])})
    if kind < 0.95:
        return replace(element, text=_value(random, element.text))
    return replace(element, tag=text(random, element.tag))


def _value(random: Random, said: str) -> str:
    """A text in place of this one; of numbers in a row, one is changed."""
    words = re.split(r"([,; ]+)", said)
    if len(words) > 1 and random.random() < 0.6:
        place = random.randrange(len(words))
        words[place] = random.choice(
            (random.choice(NUMBERS), "", words[place] * 2, text(random, words[place]), str(random.randrange(-5, 70)))
        )
        return "".join(words)
    return random.choice(NUMBERS) if random.random() < 0.4 else text(random, said)
