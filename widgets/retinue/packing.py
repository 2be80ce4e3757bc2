"""A file or a folder as bytes that can be read from anywhere: what an upload is sent from.

A folder is a tar that is made while it is read, so nothing of it is written to the disk a second time.
"""

from __future__ import annotations

import os
import tarfile
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from retinue_sdk.errors import BadRequestError
from retinue_sdk.file_types import SUFFIXES, TABLES, TEXTS

_BLOCK = 512  # of a tar: headers and contents are filled up to a multiple of it
_WANTED = SUFFIXES.keys() | TABLES | TEXTS


class Readable(Protocol):
    """What is sent."""

    name: str
    size: int

    def read(self, offset: int, count: int) -> bytes:
        """The bytes at an offset: `count` of them, fewer only at the end."""
        ...


class PlainFile:
    """A file as it is."""

    def __init__(self, path: Path) -> None:
        self.path, self.name, self.size = path, path.name, path.stat().st_size

    def read(self, offset: int, count: int) -> bytes:
        """See `Readable`."""
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(count)


@dataclass(frozen=True)
class _Entry:
    path: Path
    name: str
    size: int

    def header(self) -> bytes:
        info = tarfile.TarInfo(self.name)
        info.size = self.size
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")

    def content(self, offset: int, count: int) -> bytes:
        with self.path.open("rb") as file:
            if os.fstat(file.fileno()).st_size != self.size:
                raise BadRequestError(
                    "A file of the folder changed while it was sent.",
                    code="upload_file_changed",
                    hint="Upload the folder again when nothing writes there.",
                    where=str(self.path),
                )
            file.seek(offset)
            return file.read(count)


class Folder:
    """The images, labels and tables below a folder. Hidden files, and others that no dataset is made of, are not sent."""

    def __init__(self, path: Path) -> None:
        self.name = f"{path.resolve().name}.tar"
        self._entries = [_Entry(path / name, name, (path / name).stat().st_size) for name in _files(path)]
        self._starts, place = [], 0
        for entry in self._entries:
            self._starts.append(place)
            place += len(entry.header()) + _filled(entry.size)
        self.size = place + 2 * _BLOCK if self._entries else 0

    def read(self, offset: int, count: int) -> bytes:
        """See `Readable`."""
        parts: list[bytes] = []
        end = min(offset + count, self.size)
        while offset < end:
            number = bisect_right(self._starts, offset) - 1
            last = self._starts[number + 1] if number + 1 < len(self._starts) else self.size
            part = self._of(number, offset - self._starts[number], min(end, last) - offset)
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def _of(self, number: int, offset: int, count: int) -> bytes:
        """The bytes within an entry: of its header, its content, and the zeros behind."""
        entry = self._entries[number]
        header = entry.header()
        content = offset - len(header)
        if content < 0:
            return header[offset : offset + count]
        if content < entry.size:
            return entry.content(content, min(count, entry.size - content))
        return bytes(count)


def _filled(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _files(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if not name.startswith(".") and path.suffix.lower() in _WANTED and path.is_file():
                yield path.relative_to(root).as_posix()
