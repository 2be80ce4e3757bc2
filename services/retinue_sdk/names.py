"""Names of files: when two are the same to a person or a file system, and flat ones that never collide.

Needs no package: a Jupyter server without pandas and Pillow asks it too.
"""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

LONGEST_PATH = 500  # of an artifact, below its run directory
LONGEST_STEM = 180  # bytes: file systems allow a name 255 of them, and a suffix or a number may follow
VALUE_LENGTH = 80


def is_hidden(name: str) -> bool:
    """Names that systems leave behind and no dataset means."""
    return name.startswith(".") or name in {"__MACOSX", "Thumbs.db", "desktop.ini"}


def printable(text: str, length: int = VALUE_LENGTH) -> str:
    """Text of a stranger, fit to be shown: cut, and without control or direction characters."""
    cut = text if len(text) <= length else text[: length - 1] + "…"
    return "".join(c if c.isprintable() else "�" for c in cut)


def same_form(name: str) -> str:
    """One form for names that a person, or another file system, takes for the same."""
    return unicodedata.normalize("NFC", name).casefold()


def is_plain(name: str) -> bool:
    """Whether a folder may be called so; also true for no name at all."""
    return len(name) <= 100 and not name.startswith(".") and not any(c in "/\\" or not c.isprintable() for c in name)


def file_name(text: str) -> str:
    """Text of a stranger as the name of a file, or its beginning: in no other folder, not hidden, not too long."""
    plain = re.sub(r"[/\\\0]", "_", text).lstrip(".") or "_"
    return os.fsencode(plain)[:LONGEST_STEM].decode(errors="ignore")


def unique_names(keys: Sequence[str]) -> list[str]:
    """A flat file name for each key that keeps its suffix; no two share a name or a stem, whatever their case."""
    bases = [posixpath.splitext(key.rpartition("/")[2]) for key in keys]
    forms = [same_form(stem) for stem, _ in bases]
    counts = Counter(forms)
    taken = {form for form, count in counts.items() if count == 1}
    return [
        (stem if counts[form] == 1 else _free_stem(key, suffix, taken)) + suffix
        for key, (stem, suffix), form in zip(keys, bases, forms, strict=True)
    ]


def _free_stem(key: str, suffix: str, taken: set[str]) -> str:
    """A stem made of the whole path, with a number where even that is taken."""
    whole = os.fsencode(key.removesuffix(suffix).replace("/", "__"))[-LONGEST_STEM:].decode(errors="ignore")
    stem, number = whole, 1
    while same_form(stem) in taken:
        number += 1
        stem = f"{whole}-{number}"
    taken.add(same_form(stem))
    return stem
