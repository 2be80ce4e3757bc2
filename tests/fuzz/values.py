"""What strangers write where a number or a text should be, and trees of JSON with something of it in them."""

from __future__ import annotations

import re
from random import Random
from typing import Any

NUMBERS = (
    "nan", "NaN", "inf", "-inf", "Infinity", "1e400", "-1e400", "1e308", "-1e308", "1e-320", "1e154", "2147483647", "2147483648",
    "-2147483649", "4294967296", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551616",
    "1" * 39, "1" * 41, "1" * 400, "9" * 5000, "-1", "0", "1", "2", "-0", "-0.0", "0.5", "1.0000001", "1.02", "+1", "1.", ".5", "0x10",
    "1_000", "\u0663", "1,5", "1e5", "007", "1e", "--1", "\u00bd", "1 2", "true", "0b1",
)  # fmt: skip
TEXTS = (
    "", " ", "\t", "\n", "\r", "\0", "a\0b", "\x85", "\x0b", "\u2028", "\ufeff", "\u00e9", "e\u0301", "\U0001f408", "\ufffe", "\u202e",
    "\ud800", "\udcff", "../../x", "/etc/passwd", "C:\\x", "a/../b", "file:///x", "http://x/y", "~", ".", "..", "~root", "x" * 201,
    "x" * 5000, "a/" * 300, "cat", "dog", "bird", "cat #1", "cat #2", "Cat", "null", "true", "no", "NaN", "'", '"', "<", "&amp;", "]]>",
    "{", "[]", "-", "#", ":", ",", ";", "|", "=", "%s{}", "\x1b[31m", "\\", "\\u0000", "train", "val", "test", "a.png", "0",
)  # fmt: skip
FLOATS = tuple(
    float(text)
    for text in ("nan", "inf", "-inf", "1e308", "-1e308", "1e154", "5e-324", "-0.0", "0.5", "1e16", "2147483648.5")
)
WHOLE = (
    0, 1, -1, 2, 3, 9, 255, 256, 65535, 65536, 99_999, 100_000, 2**31 - 1, 2**31, -(2**31) - 1, 2**32, 2**53 + 1, 2**63 - 1, 2**63,
    -(2**63) - 1, 2**64, 10**18, 10**40, 10**400,
)  # fmt: skip
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


def number(random: Random, near: float = 0.5) -> float:
    """A number that may be no place in an image, or one that nearly is the one that stood there."""
    kind = random.random()
    if kind < 0.3:
        return random.choice(WHOLE)
    if kind < 0.5:
        return random.choice(FLOATS)
    if kind < 0.7:
        return random.uniform(-1, 2)
    shift = random.choice((-1, 1, 0.5, 100, -100, 1e-9))
    return random.choice((near + shift, -near, near * 2, near * 1e6, near / 1e6)) if abs(near) < 1e300 else -near


def text(random: Random, near: Any = "") -> str:
    """A text of any kind, or one that nearly is the one that stood there."""
    if not isinstance(near, str) or not near or random.random() < 0.5:
        return random.choice(random.choice((TEXTS, TEXTS, NUMBERS)))
    place, other = random.randrange(len(near)), random.randrange(len(near))
    return random.choice((
        near[:place], near[place:], near[:place] + near[place + 1 :], near[:place] + near[other] + near[place + 1 :],
        near[:place] + random.choice(TEXTS) + near[place:], near * 2, near.swapcase(), f" {near} ", near[::-1],
    ))  # fmt: skip


def anything(random: Random, depth: int = 0) -> Any:
    """A value of any type of JSON."""
    kind = random.random()
    if kind < 0.3:
        return number(random)
    if kind < 0.6:
        return text(random)
    if kind < 0.75 or depth > 2:
        return random.choice((None, True, False, [], {}, "", [[]], [None], {"a": None}))
    if kind < 0.78:
        return nested(random.choice(("list", "dict")), random.choice((5, 40, 150, 400)))
    if kind < 0.9:
        return [anything(random, depth + 1) for _ in range(random.randrange(4))]
    return {text(random): anything(random, depth + 1) for _ in range(random.randrange(4))}


def nested(kind: str, depth: int) -> Any:
    """A list in a list, or an object in an object, so many times."""
    value: Any = 0
    for _ in range(depth):
        value = [value] if kind == "list" else {"a": value}
    return value


def changed(random: Random, value: Any) -> Any:
    """The same tree with one thing in it changed, left out, there twice, or elsewhere; the one given stays as it is."""
    if isinstance(value, dict) and value and random.random() < 0.85:
        return _changed_object(random, value)
    if isinstance(value, list) and value and random.random() < 0.85:
        return _changed_list(random, value)
    return other(random, value)


def other(random: Random, value: Any) -> Any:
    """A value in place of this one."""
    if random.random() < 0.3 or isinstance(value, dict | list | bool) or value is None:
        return anything(random)
    return text(random, value) if isinstance(value, str) else number(random, value)


def readable(value: Any) -> Any:
    """The same without what would keep a parser from reading the whole document: each record is judged by itself then."""
    if isinstance(value, str):
        return _NO_TEXT.sub("?", value)
    if isinstance(value, float):
        return value if value - value == 0 else 1e300
    if isinstance(value, int):
        return value if abs(value) <= WHOLE[-1] else WHOLE[-1]
    if isinstance(value, list):
        return [readable(item) for item in value]
    return {readable(k): readable(v) for k, v in value.items()} if isinstance(value, dict) else value


def _changed_object(random: Random, value: dict[str, Any]) -> dict[str, Any]:
    key, kind = random.choice(list(value)), random.random()
    if kind < 0.1:
        return {k: v for k, v in value.items() if k != key}
    if kind < 0.15:
        return {(text(random, k) if k == key else k): v for k, v in value.items()}
    if kind < 0.2:
        return {**value, text(random): anything(random)}
    if kind < 0.25:
        another = random.choice(list(value))
        return {**value, key: value[another], another: value[key]}
    return {**value, key: changed(random, value[key])}


def _changed_list(random: Random, value: list[Any]) -> list[Any]:
    place, kind = random.randrange(len(value)), random.random()
    before, item, after = value[:place], value[place], value[place + 1 :]
    if kind < 0.1:
        return before + after
    if kind < 0.18:
        return [*before, item, item, *after]
    if kind < 0.25:
        return [*before, anything(random), item, *after]
    if kind < 0.28:
        return value[::-1]
    if kind < 0.3:
        return value * random.choice((2, 50))
    return [*before, changed(random, item), *after]
