"""What is uploaded, to be read from any byte on: a file, or a folder as the tar of it.

The tar is never written anywhere: where each file lies in it follows from the names and sizes alone, so that a folder
needs no room of its own and an upload that broke off can go on.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Protocol

from retinue_sdk.archive_names import safe_parts
from retinue_sdk.errors import BadRequestError, ConflictError
from retinue_sdk.file_types import SUFFIXES, TABLES, TEXTS
from retinue_sdk.names import is_hidden, printable

BLOCK = tarfile.BLOCKSIZE
END = 2 * BLOCK  # of zeros, with which a tar ends
DEPTH = 32  # as for the names in an archive
WANTED = SUFFIXES.keys() | TABLES | TEXTS


class Parcel(Protocol):
    """Bytes with a name and a size."""

    name: str
    size: int
    state: str  # another one when a file was written to meanwhile

    def read(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset` on; fewer at the end only."""


def parcel(path: Path, root: Path | None = None) -> Parcel:
    """What is at `path`; with a `root`, nothing that lies elsewhere is read, whatever links say.

    Raises
    ------
    BadRequestError
        When it is neither a file nor a folder with files, or holds something that cannot be in a dataset.
    """
    root = root and root.resolve()
    place = _resolved(path, root, str(path))
    name = place.name if path.name in ("", "..") else path.name
    try:
        if place.is_dir():
            return FolderParcel(name, list(_entries(place, "", root, (place,))))
        if place.is_file():
            return FileParcel(name, place)
    except OSError as error:
        raise _unusable(f"This cannot be read: {error.strerror}.", str(error.filename)) from None
    raise _nothing("There is no file or folder to upload here.", path)


class FileParcel:
    """A file as it is."""

    def __init__(self, name: str, path: Path) -> None:
        facts = path.stat()
        self.name, self.size, self.state = name, facts.st_size, str(facts.st_mtime_ns)
        self._entry = _Entry(name, path, facts.st_size, facts.st_mtime_ns)

    def read(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset` on."""
        return self._entry.content(offset, count)


@dataclass(frozen=True)
class _Entry:
    name: str
    path: Path
    size: int
    written: int  # ns

    def header(self) -> bytes:
        info = tarfile.TarInfo(self.name)
        info.size = self.size
        return info.tobuf(tarfile.PAX_FORMAT)

    def length(self) -> int:
        """Bytes in the tar: headers, content and padding."""
        return len(self.header()) + self.size + -self.size % BLOCK

    def read(self, offset: int, count: int) -> bytes:
        """Part of them."""
        header = self.header()
        part = header[offset : offset + count]
        at = max(0, offset - len(header))
        if at < self.size and len(part) < count:
            part += self.content(at, count - len(part))
        return part + bytes(min(count, self.length() - offset) - len(part))

    def content(self, offset: int, count: int) -> bytes:
        """Bytes of the file, which must be as it was found."""
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                content = file.read(count)
                facts = os.fstat(file.fileno())
        except OSError as error:
            raise _unusable(f"This cannot be read: {error.strerror}.", self.name) from None
        if (facts.st_size, facts.st_mtime_ns) == (self.size, self.written):
            return content
        raise ConflictError(
            "A file changed while it was uploaded.",
            code="upload_file_changed",
            hint="Upload it again when nothing writes to it any more.",
            where=printable(self.name, 200),
        )


class FolderParcel:
    """The images, labels and tables of a folder as a tar. Links are followed; what is hidden or of no use in a dataset is left out."""

    def __init__(self, name: str, entries: list[_Entry]) -> None:
        if not entries:
            raise _nothing("There is no image, label or table in this folder.", name)
        self.name, self._entries = f"{name}.tar", entries
        self._starts = list(accumulate((entry.length() for entry in entries), initial=0))
        self.size = self._starts[-1] + END
        facts = repr([(entry.name, entry.size, entry.written) for entry in entries])
        self.state = hashlib.sha256(facts.encode("utf-8", "surrogateescape")).hexdigest()

    def read(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset` on."""
        count = min(count, self.size - offset)
        parts: list[bytes] = []
        for index in range(bisect_right(self._starts, offset) - 1, len(self._entries)):
            if not count:
                break
            parts.append(self._entries[index].read(offset - self._starts[index], count))
            offset, count = offset + len(parts[-1]), count - len(parts[-1])
        return b"".join(parts) + bytes(count)


def _entries(folder: Path, prefix: str, root: Path | None, above: tuple[Path, ...]) -> Iterator[_Entry]:
    """The files below, sorted by name within each folder."""
    for path in sorted(folder.iterdir()):
        name = prefix + path.name
        if is_hidden(path.name):
            continue
        place = _resolved(path, root, name) if path.is_symlink() else path  # the folder itself is resolved
        if place.is_dir():
            if place in above:
                raise _unusable("This link leads back into its own folder.", name)
            yield from _entries(place, f"{name}/", root, (*above, place))
        elif path.suffix.lower() not in WANTED:
            continue
        elif place.is_file():
            safe_parts(name, DEPTH)  # refused when it is unpacked, it need not be sent first
            facts = place.stat()
            yield _Entry(name, place, facts.st_size, facts.st_mtime_ns)
        else:
            raise _unusable("This is neither a file nor a folder, or a link to nothing.", name)


def _resolved(path: Path, root: Path | None, name: str) -> Path:
    try:
        place = path.resolve()
    except (OSError, RuntimeError, ValueError):  # links in a circle, which are a RuntimeError before Python 3.13; a NUL
        raise _unusable("This link leads nowhere.", name) from None
    if root is not None and not place.is_relative_to(root):
        raise _unusable("This lies outside of the folder that may be read.", name)
    return place


def _nothing(message: str, where: Path | str) -> BadRequestError:
    hint = "Give a folder, or an archive of images and labels: zip, tar, tar.gz or tar.zst."
    return BadRequestError(message, code="upload_no_file", hint=hint, where=printable(str(where), 200))


def _unusable(message: str, name: str) -> BadRequestError:
    hint = "Remove it from the folder, or put the files themselves there."
    return BadRequestError(message, code="upload_unusable", hint=hint, where=printable(name, 200))
