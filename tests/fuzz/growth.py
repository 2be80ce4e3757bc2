"""Time that grows faster than the data: `python -m tests.fuzz.growth [READER ...] [--count N]`, exit status 1 when one does.

Of each kind of document of each format, some with N and with 2N of one thing are read: lines, columns of a line, objects in
each list, keys of an object, levels, elements, attributes, characters. What takes more than three times as long for twice
as many, and half a second and more, is told.
"""

from __future__ import annotations

import argparse
import copy
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from retinue_sdk import formats
from tests.fuzz.cases import Seed, placed
from tests.fuzz.checks import read
from tests.fuzz.seeds import seeds

FASTER, LEAST = 3.0, 0.5  # times as long, seconds
SECONDS = 60
Grown = Iterator[tuple[str, Callable[[int], bytes]]]


def lines(data: bytes) -> Grown:
    """More lines, longer ones, and one that is all of the file."""
    first, *rest = data.decode().splitlines() or [""]
    rest = rest or [first]
    numbered = rest[0].replace("0", "{0}", 1)
    yield "lines", lambda n: "\n".join([first, *(rest[i % len(rest)] for i in range(n))]).encode()
    yield "different lines", lambda n: "\n".join([first, *(numbered.replace("{0}", str(i)) for i in range(n))]).encode()
    mark = "," if "," in first else " "
    yield "columns", lambda n: "\n".join([first, mark.join(rest[0].split(mark) * (n // 5))]).encode()
    yield "columns of the head", lambda n: "\n".join([mark.join([first, *map(str, range(n))]), *rest]).encode()
    yield "characters", lambda n: b"x" * 20 * n


def trees(data: bytes) -> Grown:
    """More objects in each list, more numbers, keys and levels."""
    for path in _paths(json.loads(data)):
        where = ".".join(map(str, path))
        yield (
            f"items of {where}",
            lambda n, path=path: _grown(
                data, path, lambda found: [_numbered(found[i % len(found)], i) for i in range(n)]
            ),
        )
        yield (
            f"keys of {where}",
            lambda n, path=path: _grown(
                data,
                path,
                lambda found: [{**found[0], **{f"k{i}": i for i in range(n)}}] if isinstance(found[0], dict) else found,
            ),
        )
    yield "levels", lambda n: b'{"a":' * n + b"1" + b"}" * n
    yield "lists in lists", lambda n: b"[" * n + b"]" * n


def elements(data: bytes) -> Grown:
    """More elements, attributes, levels and characters."""
    text = data.decode()
    inside = text[text.index(">", text.index("<annotation")) + 1 : text.rindex("</")]
    head, tail = text[: text.index(inside)], text[text.rindex("</") :]
    yield "elements", lambda n: f"{head}{inside * max(1, n * 60 // len(inside))}{tail}".encode()
    several = 'b{}="1" '.format
    yield "attributes", lambda n: f"{head}{inside}<a {''.join(map(several, range(n)))}/>{tail}".encode()
    yield "levels", lambda n: f"{head}{'<a>' * n}{'</a>' * n}{tail}".encode()
    yield "characters", lambda n: f"{head}<a>{'x&amp;' * n}</a>{inside}{tail}".encode()


def mappings(data: bytes) -> Grown:
    """More names, keys, levels and characters of YAML, below the megabyte that is read."""
    value = yaml.safe_load(data)
    yield "names", lambda n: yaml.safe_dump({**value, "names": [f"n{i}" for i in range(n)]}).encode()
    yield "same names", lambda n: yaml.safe_dump({**value, "names": ["n"] * n}).encode()
    yield "keys", lambda n: yaml.safe_dump({**value, **{f"k{i}": i for i in range(n)}}).encode()
    yield "levels", lambda n: b"names: " + b"[" * n
    yield "levels of a block", lambda n: b"names: " + b"- " * n
    yield "characters", lambda n: yaml.safe_dump({**value, "path": "x/" * n}).encode()


GROW: dict[str, Callable[[bytes], Grown]] = {
    ".txt": lines, ".csv": lines, ".jsonl": lines, ".ndjson": lines, ".json": trees, ".xml": elements, ".yaml": mappings,
}  # fmt: skip


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    if isinstance(value, list) and value:
        yield path
    for key, child in children:
        yield from _paths(child, (*path, key))


def _grown(data: bytes, path: tuple[Any, ...], grow: Callable[[list[Any]], Any]) -> bytes:
    value = json.loads(data)
    if not path:
        return json.dumps(grow(value)).encode()
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = grow(copy.deepcopy(parent[path[-1]]))
    return json.dumps(value).encode()


def _numbered(item: Any, number: int) -> Any:
    if not isinstance(item, dict) or "id" not in item:
        return item
    return {**item, "id": number + 10 if isinstance(item["id"], int) else f"{item['id']}{number}"}


def _seconds(name: str, seed: Seed, file: str, data: bytes) -> float:
    with placed(seed, {file: data}) as root:
        started = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        read(name, root)
        signal.setitimer(signal.ITIMER_PROF, 0)
        return time.process_time() - started


def main() -> None:
    """Print what is slow, and the slowest of all."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.growth", description=__doc__)
    parser.add_argument("readers", nargs="*", metavar="READER")
    parser.add_argument("--count", type=int, default=20_000)
    args = parser.parse_args()
    found = False
    for name in args.readers or formats.all_formats():
        slowest = (0.0, "")
        with tempfile.TemporaryDirectory() as folder:
            for seed in [Seed.of(name, root) for root in seeds(name, Path(folder) / name)]:
                first = {PurePosixPath(file).suffix: file for file in reversed(seed.documents)}
                for suffix, file in first.items():
                    for what, make in GROW.get(suffix, lambda _: iter(()))(seed.original[file]):
                        one, two = (_seconds(name, seed, file, make(n)) for n in (args.count, 2 * args.count))
                        slowest = max(slowest, (two, f"{what} in {file}"))
                        if two > FASTER * one and two > LEAST:
                            found = True
                            print(f"{name}: {what} in {file}: {one:.2f} s, twice as many {two:.2f} s", flush=True)
        print(f"{name}: slowest {slowest[0]:.2f} s, {slowest[1]}", flush=True)
    sys.exit(found)


if __name__ == "__main__":
    main()
