"""What comes out of a packing: gzip, Zstandard or none. Read once and in order, in bounded memory, up to a limit."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Literal

import zstandard

from retinue_sdk.archive_member import CHUNK, Limits, corrupt, too_large, truncated, unsupported

GZIP, ZSTD, ZSTD_SKIPPED = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x2a\x4d\x18"
ZSTD_HEADER = 18
ZSTD_WINDOW = 1 << 27  # what its own tool takes without being told otherwise
HEADROOM = 2048  # per member: headers and padding

Packing = Literal["gzip", "Zstandard"]


def packing_of(head: bytes) -> Packing | None:
    """How a file that begins so is packed."""
    if head.startswith(GZIP):
        return "gzip"
    skipped = head[1:4] == ZSTD_SKIPPED and head[0] >> 4 == 5  # a frame for other programs, before the first of data
    return "Zstandard" if skipped or head.startswith(ZSTD) else None


class Stream:
    """What comes out of the packing, once and in order; it is never all in memory, and at most `limit` bytes."""

    def __init__(self, chunks: Iterator[bytes], limit: int, seek: Callable[[int, int], object] | None = None) -> None:
        self._chunks, self._limit, self._seek = chunks, limit, seek
        self._rest = memoryview(b"")
        self._produced = 0

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end."""
        return bytes(self._take(size))

    def upto(self, size: int) -> bytes:
        """So many bytes, or all there are."""
        parts = []
        while size > 0 and (part := self.read(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def exactly(self, size: int) -> bytes:
        """So many bytes."""
        found = self.upto(size)
        if len(found) < size:
            raise truncated()
        return found

    def skip(self, size: int) -> None:
        """Go on so many bytes. Past the end of a file this shows at the next read."""
        size -= len(self._take(min(size, len(self._rest))))
        if self._seek is not None and size:
            self._seek(size, os.SEEK_CUR)
            size = 0
        while size:
            part = self._take(size)
            if not part:
                raise truncated()
            size -= len(part)

    def _take(self, size: int) -> memoryview:
        if not self._rest and size:
            self._rest = memoryview(next(self._chunks, b""))
            self._produced += len(self._rest)
            if self._produced > self._limit:
                raise too_large(f"more than the limit of {self._limit} bytes unpacked")
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def open_stream(file: BinaryIO, packing: Packing | None, limits: Limits) -> Stream:
    """What is in `file`, from its beginning."""
    packed = file.seek(0, os.SEEK_END)
    file.seek(0)
    if packing is None:
        return Stream(iter(lambda: file.read(CHUNK), b""), packed, file.seek)
    limit = min(limits.unpacked(packed), limits.total_bytes + limits.members * HEADROOM)
    return Stream(_unpacked(_gunzip(file) if packing == "gzip" else _unzstd(file)), limit)


def _unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from chunks
    except EOFError as error:
        raise truncated() from error
    except (zlib.error, zstandard.ZstdError) as error:
        raise corrupt("The archive is damaged: it cannot be unpacked.") from error


def _gunzip(file: BinaryIO) -> Iterator[bytes]:
    """Gzip, of several parts and with zeros after it too; a header of any length costs no memory."""
    packed = file.read(CHUNK)
    while packed:
        part = zlib.decompressobj(wbits=31)
        while not part.eof:
            if not packed:
                raise EOFError
            if chunk := part.decompress(packed, CHUNK):
                yield chunk
            packed = part.unused_data if part.eof else part.unconsumed_tail or file.read(CHUNK)
        packed = packed.lstrip(b"\0")
        while not packed and (more := file.read(CHUNK)):
            packed = more.lstrip(b"\0")


def _unzstd(file: BinaryIO) -> Iterator[bytes]:
    window = zstandard.get_frame_parameters(file.read(ZSTD_HEADER)).window_size
    file.seek(0)
    if window > ZSTD_WINDOW:
        raise unsupported(f"The file is packed by Zstandard with a window of {window >> 20} MiB (--long)")
    unpacker = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    with unpacker.stream_reader(file, read_across_frames=True, closefd=False) as reader:
        while chunk := reader.read(CHUNK):
            yield chunk
