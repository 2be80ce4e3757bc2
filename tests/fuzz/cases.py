"""Cases: a seed with some of its files changed. The same number gives the same case again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from random import Random

from retinue_sdk import formats
from retinue_sdk.formats import files
from tests.fuzz.damage import damaged, special
from tests.fuzz.documents import MANY, ONE
from tests.fuzz.values import text

RECORDS = 500  # in a file of many
PACKED = 0.3  # of the cases have many records in one file
MASKED = 0.3  # and as many have all of their masks changed
Content = bytes | None  # None for a file that is gone


@dataclass(frozen=True)
class Case:
    """What replaces the files of a seed."""

    seed: Path
    content: dict[str, Content]
    fragments: int


@dataclass
class Seed:
    """A dataset that is right, and which of its files mean something to its reader."""

    root: Path
    original: dict[str, bytes] = field(default_factory=dict)
    pictures: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.original = {name: (self.root / name).read_bytes() for name in files.list_files(self.root)}

    @classmethod
    def of(cls, name: str, root: Path) -> Seed:
        """A seed of a format: its reader says which files are its pictures."""
        seed = cls(root)
        table, findings = formats.get(name).read(root)
        if errors := [finding for finding in findings if finding.severity == "error"]:
            raise AssertionError(f"a seed of {name} is wrong: {errors}")
        inside = {os.path.relpath(path, root) for path in table.images["path"] if Path(path).is_relative_to(root)}
        seed.pictures = [name for name in seed.original if name in inside]
        seed.documents = [name for name in seed.original if name not in inside]
        return seed


def case(seeds: list[Seed], number: str) -> Case:
    """The case of this number, which is text."""
    random = Random(number)
    seed = random.choice(seeds)
    if not seed.documents or random.random() < 0.03:
        content = names(random, seed, RECORDS // 10 if not seed.documents else 5)
        return Case(seed.root, content, sum(value is not None for value in content.values()) or 1)
    kind = random.random()
    if kind < PACKED:
        packed = _packed(random, seed)
        if packed.fragments > 1:
            return packed
    masks = [name for name in seed.documents if name.endswith(".png")]
    if masks and kind < PACKED + MASKED:
        return Case(seed.root, {name: ONE[".png"](random, seed.original[name]) for name in masks}, len(masks))
    if random.random() < 0.05:
        name = random.choice(seed.pictures or seed.documents)
        return Case(seed.root, {name: damaged(random, seed.original[name])}, 1)
    name = random.choice(_by_kind(random, seed.documents))
    return Case(seed.root, {name: _one(random, seed, name)}, 1)


def _packed(random: Random, seed: Seed) -> Case:
    """Many records in one file."""
    usable = [name for name in seed.documents if PurePosixPath(name).suffix in MANY]
    if not usable:
        return Case(seed.root, {}, 0)
    name = random.choice(_by_kind(random, usable))
    content, count = MANY[PurePosixPath(name).suffix](random, seed.original[name], RECORDS)
    return Case(seed.root, {name: content}, count)


def _by_kind(random: Random, names: list[str]) -> list[str]:
    """The documents of one kind of file: a data.yaml comes up as often as all label files together."""
    suffix = random.choice(sorted({PurePosixPath(name).suffix for name in names}))
    return [name for name in names if PurePosixPath(name).suffix == suffix]


def _one(random: Random, seed: Seed, name: str) -> Content:
    """One document with something in it changed, damaged, or another one in its place."""
    data, suffix, kind = seed.original[name], PurePosixPath(name).suffix, random.random()
    if kind < 0.5 and suffix in ONE:
        return ONE[suffix](random, data)
    if kind < 0.88:
        return damaged(random, data)
    if kind < 0.96:
        return special(random, suffix)
    return seed.original[random.choice(list(seed.original))] if kind < 0.985 else None


def names(random: Random, seed: Seed, count: int) -> dict[str, Content]:
    """Files under other names, or names that are twice there but for their case or form."""
    content: dict[str, Content] = {}
    for _ in range(count):
        name = random.choice(list(seed.original))
        parts = name.split("/")
        place = random.randrange(len(parts))
        stem, dot, suffix = parts[place].rpartition(".")
        parts[place] = random.choice((
            text(random, stem) + dot + suffix, text(random, parts[place]), parts[place].upper(), f"{stem} {random.randrange(99)}{dot}{suffix}",
            f"{stem}/{parts[place]}", f"{text(random)}/{parts[place]}", stem + dot + random.choice(("png", "txt", "json", "xml", "PNG", "")),
        ))  # fmt: skip
        made = "/".join(part for part in "/".join(parts).split("/") if part not in ("", ".", ".."))
        if "\0" in made or not made or made in seed.original:
            continue
        content[made] = damaged(random, seed.original[name]) if random.random() < 0.2 else seed.original[name]
        if random.random() < 0.2:
            content[name] = None
    return content


@contextmanager
def placed(seed: Seed, content: dict[str, Content]) -> Iterator[Path]:
    """The folder of the seed with these files in place of its own; afterwards it is as it was."""
    made: list[Path] = []
    try:
        for name, data in content.items():
            path = seed.root / name
            if data is None:
                path.unlink()
                continue
            try:
                os.fsencode(name)
                made += [parent for parent in path.parents if parent.is_relative_to(seed.root) and not parent.exists()]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            except (OSError, UnicodeError):  # no file can be called so
                continue
            made.append(path)
        yield seed.root
    finally:
        for path in made:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        for name in content:
            if name in seed.original:
                (seed.root / name).parent.mkdir(parents=True, exist_ok=True)
                (seed.root / name).write_bytes(seed.original[name])
