"""Members of a tar, plain or packed with gzip or Zstandard.

Only the library's parser of one header is used, not its reader: that takes a header of any size into memory, ends in
silence at a damaged one, and in versions that are still about takes one for the other without end.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from retinue_sdk.archive_member import (
    CHUNK,
    Kind,
    Limits,
    Member,
    Members,
    Read,
    corrupt,
    too_large,
    truncated,
    unsupported,
)
from retinue_sdk.archive_stream import Stream, open_stream, packing_of
from retinue_sdk.errors import DataError
from retinue_sdk.names import printable

BLOCK = tarfile.BLOCKSIZE
END = bytes(BLOCK)
HEADER_BYTES = 1 << 20  # of a header that is text: names are shorter
HEADERS = 8  # for one member, its own included
FILES = {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE}


def is_tar(head: bytes) -> bool:
    """Whether a file that begins so may be read by `opened`."""
    return packing_of(head) is not None or _is_header(head[:BLOCK])


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[Members]:
    """The tar's members, in its own order."""
    with path.open("rb") as file:
        packing = packing_of(file.read(8))
        if packing:
            _check_inside(open_stream(file, packing, limits).upto(BLOCK), packing, path.name)
        yield lambda: _members(open_stream(file, packing, limits))


def _check_inside(head: bytes, packing: str, where: str) -> None:
    if not head:
        raise truncated(where)
    if not _is_header(head):
        raise unsupported(f"The file is one file packed with {packing}, not a tar", where)


def _is_header(block: bytes) -> bool:
    try:
        _parsed(block)
    except DataError:
        return block == END
    return True


class _Content:
    """The bytes of one member."""

    def __init__(self, stream: Stream, size: int) -> None:
        self._stream, self._left = stream, size
        self._padding = -size % BLOCK

    def read(self, size: int) -> bytes:
        if not self._left:
            return b""
        part = self._stream.read(min(size, self._left))
        if not part:
            raise truncated()
        self._left -= len(part)
        return part

    def reading(self) -> AbstractContextManager[Read]:
        return nullcontext(self.read)

    def leave(self) -> None:
        """Skip what has not been read."""
        self._stream.skip(self._left + self._padding)


def _members(stream: Stream) -> Iterator[Member]:
    for info, records in _headers(stream):
        name = records.get("path", info.name)
        kind = _kind(info, name, records)
        size = 0 if kind == "folder" else _size(info, records)
        content = _Content(stream, size)
        yield Member(name, size, kind, content.reading)
        content.leave()


def _headers(stream: Stream) -> Iterator[tuple[tarfile.TarInfo, dict[str, str]]]:
    """The header of each member, with what other headers say of it."""
    for_all: dict[str, str] = {}
    for_next: dict[str, str] = {}
    count = 0
    while (block := stream.exactly(BLOCK)) != END:
        info = _parsed(block)
        count += 1
        if count > HEADERS:
            raise corrupt("The archive has headers without a file.")
        if info.type == tarfile.XGLTYPE:
            for_all |= _records(_text(stream, info))
        elif info.type in {tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE}:
            for_next |= _records(_text(stream, info))
        elif info.type == tarfile.GNUTYPE_LONGNAME:
            for_next["path"] = _decoded(_text(stream, info).rstrip(b"\0"))
        elif info.type == tarfile.GNUTYPE_LONGLINK:
            _text(stream, info)
        else:
            yield info, for_all | for_next
            for_next, count = {}, 0
    while block := stream.read(CHUNK):
        if block.strip(b"\0"):
            raise corrupt("Something follows the end of the archive.")


def _parsed(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise corrupt("A header in the archive is damaged, or a file has another size than its header says.") from error
    if info.size < 0:
        raise corrupt("A header in the archive has a negative size.", printable(info.name))
    return info


def _text(stream: Stream, info: tarfile.TarInfo) -> bytes:
    if info.size > HEADER_BYTES:
        raise too_large(f"a header of {info.size} bytes; the limit is {HEADER_BYTES}")
    text = stream.exactly(info.size)
    stream.skip(-info.size % BLOCK)
    return text


def _records(text: bytes) -> dict[str, str]:
    """The records of a PAX header that matter. Each is `LENGTH KEY=VALUE` and a line feed, the length being of all that."""
    found: dict[str, str] = {}
    place = 0
    while place < len(text):
        length = text[place : place + 20].partition(b" ")[0]
        end = place + int(length) if length.isdigit() else 0
        record = text[place + len(length) + 1 : end]
        if end > len(text) or not record.endswith(b"\n") or b"=" not in record:
            raise corrupt("A PAX header in the archive is damaged.")
        key, _, value = record[:-1].partition(b"=")
        if key in {b"path", b"size"}:
            found[key.decode()] = _decoded(value)
        elif key.startswith(b"GNU.sparse."):
            found["sparse"] = ""
        place = end
    return found


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")  # which `safe_parts` refuses


def _kind(info: tarfile.TarInfo, name: str, records: dict[str, str]) -> Kind:
    if info.type == tarfile.DIRTYPE or (info.type == tarfile.AREGTYPE and name.endswith("/")):  # the second is of 1979
        return "folder"
    return "file" if info.type in FILES and "sparse" not in records else "special"


def _size(info: tarfile.TarInfo, records: dict[str, str]) -> int:
    size = records.get("size", "0")
    if not (size.isascii() and size.isdigit() and len(size) < 20):
        raise corrupt("A PAX header in the archive has a size that is not a number.", printable(info.name))
    return int(size) if "size" in records else info.size
