"""Names of files: when two are the same to a person or a file system, and flat ones that never collide."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath


def same_form(name: str) -> str:
    """One form for names that a person, or another file system, takes for the same."""
    return unicodedata.normalize("NFC", name).casefold()


def is_plain(name: str) -> bool:
    """Whether a folder may be called so; also true for no name at all."""
    return len(name) <= 100 and not name.startswith(".") and not any(c in "/\\" or not c.isprintable() for c in name)


def unique_names(keys: Sequence[str]) -> list[str]:
    """A flat file name for each key that keeps its suffix; no two share a name or a stem, whatever their case."""
    bases = [PurePosixPath(key).name for key in keys]
    counts: dict[str, int] = {}
    for base in bases:
        stem = same_form(PurePosixPath(base).stem)
        counts[stem] = counts.get(stem, 0) + 1
    taken: set[str] = {stem for stem, count in counts.items() if count == 1}
    names: list[str] = []
    for key, base in zip(keys, bases, strict=True):
        stem, suffix = PurePosixPath(base).stem, PurePosixPath(base).suffix
        names.append(base if counts[same_form(stem)] == 1 else _free_stem(key, suffix, taken) + suffix)
    return names


def _free_stem(key: str, suffix: str, taken: set[str]) -> str:
    """A stem made of the whole path, with a number where even that is taken."""
    whole = key.removesuffix(suffix).replace("/", "__")[-180:]
    stem, number = whole, 1
    while same_form(stem) in taken:
        number += 1
        stem = f"{whole}-{number}"
    taken.add(same_form(stem))
    return stem
