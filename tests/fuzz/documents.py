"""Documents of each kind with something in them changed: one thing in `one`, hundreds of records in `many`.

`many` leaves the document readable as a whole, so that each of its records is judged by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import yaml

from tests.fuzz import binary, elements
from tests.fuzz.values import NUMBERS, anything, changed, readable, text

One = Callable[[Random, bytes], bytes]
Many = Callable[[Random, bytes, int], tuple[bytes, int]]


def line(random: Random, content: str) -> str:
    """A line of labels or cells with one column changed."""
    mark = next((mark for mark in ",;\t:" if mark in content), " ")
    words = content.split(mark)
    place, kind = random.randrange(len(words)), random.random()
    if kind < 0.1:
        words.pop(place)
    elif kind < 0.2:
        words.insert(place, words[place])
    elif kind < 0.25:
        words.insert(place, text(random))
    elif kind < 0.3:
        words *= random.choice((2, 30))
    elif kind < 0.35:
        random.shuffle(words)
    elif kind < 0.65:
        words[place] = random.choice(NUMBERS)
    elif kind < 0.8:
        words[place] = repr(
            random.choice((random.uniform(-0.1, 1.1), random.uniform(-9, 200), random.randrange(-1, 4)))
        )
    elif kind < 0.98:
        words[place] = text(random, words[place])
    else:
        mark = text(random)
    return mark.join(words)


def one_line(random: Random, data: bytes) -> bytes:
    """A file of lines with one of them changed."""
    lines = _texts(data) or [""]
    place = random.randrange(len(lines))
    lines[place] = line(random, lines[place])
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def many_lines(random: Random, data: bytes, count: int) -> tuple[bytes, int]:
    """A file whose head stays and whose other lines are so many changed ones."""
    lines = _texts(data) or ["0 0.5 0.5 0.5 0.5"]
    made = [readable(line(random, random.choice(lines))) for _ in range(count)]
    return "\n".join([lines[0], *made]).encode(), count


def one_json(random: Random, data: bytes) -> bytes:
    """JSON with one to three things changed, and the numbers that JSON has not."""
    value = json.loads(data)
    for _ in range(random.choice((1, 1, 2, 3))):
        value = changed(random, value)
    return _json(random, value)


def many_json(random: Random, data: bytes, count: int) -> tuple[bytes, int]:
    """JSON one of whose lists of objects has so many changed ones more; changed as a whole where it has none."""
    value = json.loads(data)
    lists = list(_lists(value))
    if not lists:
        return _json(random, readable(changed(random, value))), 1
    found = random.choice(lists)
    made = []
    for number in range(count):
        item = random.choice(found)
        for _ in range(random.choice((1, 1, 2))):
            item = changed(random, item)
        made.append(readable(_numbered(random, item, number)))
    found += made
    return _json(random, value), count


def one_json_line(random: Random, data: bytes) -> bytes:
    """Lines of JSON with one changed."""
    lines = data.split(b"\n")
    place = random.randrange(max(1, len(lines) - 1))
    lines[place] = _json_line(random, lines[place])
    return b"\n".join(lines)


def many_json_lines(random: Random, data: bytes, count: int) -> tuple[bytes, int]:
    """Lines of JSON of which all but the first are changed, as often as fits."""
    first, *lines = data.rstrip(b"\n").split(b"\n")
    rest = lines or [first]
    made = [_json_line(random, item) for _ in range(-(-count // len(rest))) for item in rest]
    return b"\n".join([first, *made]), len(made)


def one_yaml(random: Random, data: bytes) -> bytes:
    """YAML with one to three things changed, in blocks or in one line."""
    value = yaml.safe_load(data)
    for _ in range(random.choice((1, 1, 2, 3))):
        value = changed(random, value)
    try:
        made = yaml.safe_dump(
            value,
            default_flow_style=random.choice((None, False, True)),
            allow_unicode=random.random() < 0.5,
            sort_keys=False,
        )
        return made.encode("utf-8", "surrogatepass")
    except (yaml.YAMLError, RecursionError, ValueError):
        return _json(random, value)


def many_yaml(random: Random, data: bytes, count: int) -> tuple[bytes, int]:
    """YAML whose list or mapping of names has so many other texts more."""
    value = yaml.safe_load(data)
    found = [
        item
        for item in value.values()
        if isinstance(item, list | dict) and item and all(isinstance(n, str) for n in _names(item))
    ]
    if not found:
        return data, 1
    chosen = random.choice(found)
    made = [readable(text(random, random.choice(_names(chosen)))) for _ in range(count)]
    if isinstance(chosen, list):
        chosen += made
    else:
        chosen |= {100 + number: name for number, name in enumerate(made)}
    return yaml.safe_dump(value, allow_unicode=random.random() < 0.5, sort_keys=False).encode(), count


def _names(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _json_line(random: Random, data: bytes) -> bytes:
    try:
        value = changed(random, json.loads(data))
    except ValueError:
        return data
    made = _json(random, value).replace(b"\n", b" ")
    return made if random.random() < 0.9 else made[: random.randrange(len(made) + 1)]


def _json(random: Random, value: Any) -> bytes:
    """One object to a line, so that a failure can be cut down line by line."""
    try:
        made = json.dumps(value, ensure_ascii=random.random() < 0.5)
    except (ValueError, RecursionError):  # a whole number of more digits than Python writes
        made = json.dumps(anything(Random(0)))
    return made.replace("}, {", "},\n{").encode("utf-8", "surrogatepass")


def _lists(value: Any) -> Iterator[list[Any]]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        yield value
    for child in children:
        yield from _lists(child)


def _numbered(random: Random, item: Any, number: int) -> Any:
    """With an id that no other has, mostly."""
    if isinstance(item, dict) and isinstance(item.get("id"), int | str) and random.random() < 0.9:
        return {**item, "id": 1000 + number if isinstance(item["id"], int) else f"{number}-{item['id']}"}
    return item


def _texts(data: bytes) -> list[str]:
    return [text for text in data.decode("utf-8", "replace").split("\n") if text]


ONE: dict[str, One] = {
    ".txt": one_line, ".csv": one_line, ".tsv": one_line, ".json": one_json, ".jsonl": one_json_line, ".ndjson": one_json_line,
    ".yaml": one_yaml, ".yml": one_yaml, ".xml": elements.one, ".png": binary.picture, ".parquet": binary.one_parquet,
    ".arrow": binary.one_arrow,
}  # fmt: skip
MANY: dict[str, Many] = {
    ".txt": many_lines, ".csv": many_lines, ".tsv": many_lines, ".json": many_json, ".jsonl": many_json_lines,
    ".ndjson": many_json_lines, ".xml": elements.many, ".yaml": many_yaml, ".yml": many_yaml, ".parquet": binary.many_parquet, ".arrow": binary.many_arrow,
}  # fmt: skip
