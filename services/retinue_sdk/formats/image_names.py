"""Which image a path in an annotation file means: tools write paths of the machine they ran on."""

from __future__ import annotations

import os
from collections.abc import Iterable

MAX_DEPTH = 32


class ImageNames:
    """The images that are there, found by the longest end of a path that only one of them has. Nothing is ever opened."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = set(keys)
        self._by_end: dict[str, str | None] = {}  # None where several images share this end
        for key in self._keys:
            for end in _ends(key):
                self._by_end[end] = None if end in self._by_end else key

    def find(self, name: str, *folders: str) -> str | None:
        """The image at this path below one of the folders, in this order; or else the one whose path ends most like it."""
        exact = next(filter(None, (self.at(name, folder) for folder in folders)), None)
        ends = _ends(name.replace("\\", "/"))
        return exact or next((self._by_end[end] for end in ends if end in self._by_end), None)

    def at(self, name: str, folder: str) -> str | None:
        """The image at this path below a folder."""
        key = os.path.normpath(f"{folder}/{name}".replace("\\", "/").lstrip("/"))
        return key if key in self._keys else None


def leads_outside(name: str) -> bool:
    """Whether a path as written is absolute, an address, or goes up beyond where it began."""
    name = name.replace("\\", "/")
    return name.startswith(("/", "~")) or name[1:2] == ":" or "://" in name or os.path.normpath(name).startswith("..")


def _ends(path: str) -> list[str]:
    """The last parts of a path, longest first."""
    parts = [part for part in path.split("/") if part not in {"", ".", ".."}][-MAX_DEPTH:]
    return ["/".join(parts[start:]) for start in range(len(parts))]
