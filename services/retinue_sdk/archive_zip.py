"""Members of a zip, zip64 too: stored, deflated or bzip2-packed, each byte of the file in one member only."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path

from retinue_sdk.archive_member import (
    ACCEPTED,
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
from retinue_sdk.errors import DataError
from retinue_sdk.names import printable

METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2}
METHOD_NAMES = {
    1: "shrink",
    6: "implode",
    9: "deflate64",
    14: "LZMA",
    93: "Zstandard",
    95: "xz",
    97: "WavPack",
    98: "PPMd",
}
ENCRYPTED = 0x41  # bits of the flags: by password, strongly
UTF8_FLAG = 0x800
FILE_TYPES = {0, 0o100000, 0o040000}  # none given, a regular file, a folder
ENTRY = b"PK\x01\x02"
ENTRY_BYTES = 300  # of the directory for each member: 46, its name and what tools add


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[Members]:
    """The zip's members, in the order of its directory."""
    with _Guarded(path, limits) as file, _opened(file, path.name) as archive:
        infos = archive.infolist()
        _check_overlap(infos)
        yield lambda: (_member(archive, info) for info in infos)


class _Guarded(io.BufferedReader):
    """The file of a zip. The library reads a directory of any size at once: it is looked at before."""

    def __init__(self, path: Path, limits: Limits) -> None:
        super().__init__(io.FileIO(path))
        self.limits: Limits | None = limits  # until the directory has been read

    def read(self, size: int | None = -1, /) -> bytes:
        if self.limits is not None and size is not None and size > 0:
            self._check_directory(size, self.limits)
        return super().read(size)

    def _check_directory(self, size: int, limits: Limits) -> None:
        if size > ENTRY_BYTES * max(limits.members, 1000):
            raise too_large(f"a directory of {size} bytes; the limit is {limits.members} members")
        start, count, seam = self.tell(), 0, b""
        for offset in range(0, size, CHUNK):
            block = seam + super().read(min(CHUNK, size - offset))
            count += block.count(ENTRY)
            seam = block[1 - len(ENTRY) :]
        self.seek(start)
        if count > limits.members:
            raise too_large(f"{count} members; the limit is {limits.members}")


def _opened(file: _Guarded, name: str) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(file)
    except UnicodeDecodeError as error:
        raise DataError(
            "A name in the archive is not UTF-8.",
            code="archive_bad_name",
            hint="Pack it with a tool that writes UTF-8 names.",
        ) from error
    except NotImplementedError as error:  # a version of zip that only newer methods need
        raise unsupported("The archive is packed by a method", name) from error
    except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
        raise truncated(name) from error
    file.limits = None
    return archive


def _check_overlap(infos: list[zipfile.ZipInfo]) -> None:
    end = 0
    for info in sorted(infos, key=lambda i: i.header_offset):
        if info.header_offset < end:
            raise too_large(f"members that overlap ({printable(info.filename)}); each byte may belong to one")
        end = info.header_offset + 30 + info.compress_size


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    name, decoded = _name(info)
    where = printable(name)
    if info.flag_bits & ENCRYPTED:
        raise DataError("The archive is encrypted.", code="archive_encrypted", hint=ACCEPTED, where=where)
    if info.compress_type not in METHODS:
        method = METHOD_NAMES.get(info.compress_type, f"method {info.compress_type}")
        raise unsupported(f"A file is packed by {method}", where)
    special = (info.external_attr >> 16) & 0o170000 not in FILE_TYPES
    folder = name.endswith(("/", "\\"))
    kind: Kind = "special" if special else "folder" if folder else "file"
    return Member(name, info.file_size, kind, lambda: _reading(archive, info, where), decoded)


def _name(info: zipfile.ZipInfo) -> tuple[str, bool]:
    """The whole name, not cut at a NUL as the library does; UTF-8 where it only looks like code page 437."""
    name = info.orig_filename
    if not info.flag_bits & UTF8_FLAG and not name.isascii():
        try:
            return name.encode("cp437").decode("utf-8"), True
        except UnicodeError:
            return name, False
    return name, False


@contextmanager
def _reading(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> Iterator[Read]:
    info = copy(info)
    info.file_size += CHUNK  # the library would cut the data here and call it damaged
    try:
        with archive.open(info) as stream:
            yield stream.read
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
        UnicodeDecodeError,
    ) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise corrupt("A file in the archive is damaged.", where) from error
