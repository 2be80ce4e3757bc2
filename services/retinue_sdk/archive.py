"""Unpacks an archive of a stranger: everything is checked before a byte is written, and nothing is left behind on failure.

Only zip is accepted, stored, deflated or bzip2. Names are never repaired: one that leads outside, collides or is not
portable refuses the archive. Files that no dataset needs are not unpacked; those that could run as code refuse it.
"""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from retinue_sdk.api import Finding
from retinue_sdk.archive_names import Ignored, decoded_name, file_kind, safe_parts
from retinue_sdk.disk import full_disk
from retinue_sdk.errors import DataError, StorageFullError
from retinue_sdk.formats.report import Report, printable
from retinue_sdk.names import same_form

METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2}
ACCEPTED = "Send a .zip that is stored, deflated or bzip2-packed and not encrypted."
CHUNK = 1 << 20
FILE_TYPES = {0, 0o100000}  # none given, or a regular file
FOLDER_TYPE = 0o040000
SMALL = 1 << 20  # below this no ratio is a bomb

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold."""

    total_bytes: int = 50 << 30
    members: int = 1_000_000
    ratio: int = 200
    depth: int = 32


@dataclass(frozen=True)
class _Member:
    info: zipfile.ZipInfo
    parts: tuple[str, ...]


def unpack(
    path: Path, dest: Path, limits: Limits | None = None, progress: Progress | None = None
) -> tuple[Path, list[Finding]]:
    """Unpack into `dest`, which must not exist yet and appears only when everything is in it. Returns it and what was left out."""
    limits, report = limits or Limits(), Report()
    with _opened(path) as archive:
        infos = archive.infolist()
        _check_amount(infos, path, limits)
        members = _members(infos, limits, report)
        total = sum(m.info.file_size for m in members)
        if not any(file_kind(m.parts[-1]) in ("image", "table") for m in members):
            raise DataError(
                "There is no image in the archive.",
                code="dataset_empty",
                hint="Add images as JPEG, PNG, WebP, BMP, GIF, TIFF or PPM.",
            )
        dest.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(dest.parent).free
        if total > free:
            raise StorageFullError(
                f"The dataset needs {total} bytes and the volume of {dest.parent} has {free} left.",
                where=str(dest.parent),
            )
        with full_disk(dest.parent):
            _extract_all(archive, members, dest, total, progress or (lambda _: None))
    return dest, report.findings()


def _opened(path: Path) -> zipfile.ZipFile:
    if path.stat().st_size == 0:
        raise DataError("The archive is empty.", code="dataset_empty", hint=ACCEPTED, where=path.name)
    with path.open("rb") as stream:
        head = stream.read(4)
    if head[:2] != b"PK":
        raise DataError("The file is not a zip archive.", code="archive_not_zip", hint=ACCEPTED, where=path.name)
    try:
        return zipfile.ZipFile(path)
    except UnicodeDecodeError as error:
        raise DataError(
            "A name in the archive is not UTF-8.",
            code="archive_bad_name",
            hint="Pack it with a tool that writes UTF-8 names.",
        ) from error
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise DataError(
            "The archive is cut off or damaged.",
            code="archive_truncated",
            hint="Upload it again, or resume the upload.",
            where=path.name,
        ) from error


def _check_amount(infos: list[zipfile.ZipInfo], path: Path, limits: Limits) -> None:
    """Bombs: too many members, too many bytes, too small for what they say, or several in one place."""
    size = path.stat().st_size
    total = sum(i.file_size for i in infos)
    if len(infos) > limits.members:
        raise _too_large(f"{len(infos)} members; the limit is {limits.members}")
    if total > limits.total_bytes:
        raise _too_large(f"{total} bytes unpacked; the limit is {limits.total_bytes}")
    if total > max(SMALL, limits.ratio * size):
        raise _too_large(f"{total} bytes unpacked from {size}; the limit is {limits.ratio} times")
    end = 0
    for info in sorted(infos, key=lambda i: i.header_offset):
        if info.header_offset < end:
            raise _too_large(f"members that overlap ({printable(info.filename)}); each byte may belong to one")
        end = info.header_offset + 30 + info.compress_size


def _too_large(what: str) -> DataError:
    return DataError(f"The archive holds {what}.", code="archive_too_large", hint="Send less, or several datasets.")


def _members(infos: list[zipfile.ZipInfo], limits: Limits, report: Report) -> list[_Member]:
    """The files to unpack, all checked by name and kind."""
    members: list[_Member] = []
    seen: dict[str, str] = {}
    folders: set[str] = set()
    for info in infos:
        name = decoded_name(info, report)
        parts = safe_parts(name, limits.depth)
        _check_kind(info, name)
        if info.is_dir() or name.endswith("/"):
            continue
        form = same_form("/".join(parts))
        if form in seen:
            raise _duplicate(seen[form], name)
        seen[form] = name
        folders.update(same_form("/".join(parts[:i])) for i in range(1, len(parts)))
        if not isinstance(kind := file_kind(name, parts), Ignored):
            members.append(_Member(info, parts))
        else:
            report.add("files_ignored", name, kind.reason)
    for form in folders & seen.keys():
        raise _duplicate(seen[form], f"{seen[form]}/")
    return members


def _check_kind(info: zipfile.ZipInfo, name: str) -> None:
    where = printable(name)
    if info.flag_bits & 0x41:
        raise DataError("The archive is encrypted.", code="archive_encrypted", hint=ACCEPTED, where=where)
    kind = (info.external_attr >> 16) & 0o170000
    if kind not in FILE_TYPES and kind != FOLDER_TYPE:
        raise DataError(
            "The archive holds a link or a device.",
            code="archive_special_file",
            hint="Pack plain files only.",
            where=where,
        )
    if info.compress_type not in METHODS:
        raise DataError(
            "A file is packed by a method that is not read.",
            code="archive_method_unsupported",
            hint=ACCEPTED,
            where=where,
        )


def _duplicate(first: str, second: str) -> DataError:
    return DataError(
        f"{printable(first)!r} and {printable(second)!r} are the same name, or differ only in case or Unicode form.",
        code="archive_duplicate_name",
        hint="Rename one of them.",
        where=printable(second),
    )


def _extract_all(archive: zipfile.ZipFile, members: list[_Member], dest: Path, total: int, progress: Progress) -> None:
    """Unpack into a folder beside `dest` and rename it when it is complete; otherwise remove it."""
    if dest.exists():
        raise FileExistsError(dest)
    folder = Path(mkdtemp(prefix=f".{dest.name}.", dir=dest.parent))
    done = 0
    try:
        for member in members:
            target = folder.joinpath(*member.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            _extract(archive, member, target)
            done += member.info.file_size
            progress(done / total if total else 1.0)
        folder.rename(dest)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _extract(archive: zipfile.ZipFile, member: _Member, target: Path) -> None:
    """Unpack one file; one byte more or less than declared refuses the archive."""
    declared = member.info.file_size
    where = printable("/".join(member.parts))
    info = copy(member.info)
    info.file_size = declared + CHUNK  # the library would cut the data here and call it damaged
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as output:
        try:
            with archive.open(info) as stream:
                size = _pump(stream.read, output.write, declared)
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
            raise DataError(
                "A file in the archive is damaged.",
                code="archive_corrupt",
                hint="Pack and upload it again.",
                where=where,
            ) from error
    if size != declared:
        raise DataError(
            f"A file has another size than the archive says ({declared}).",
            code="archive_size_mismatch",
            hint="Pack it again.",
            where=where,
        )


def _pump(read: Callable[[int], bytes], write: Callable[[bytes], object], declared: int) -> int:
    """Copy at most one byte more than declared; the number of bytes there were."""
    size = 0
    while size <= declared and (chunk := read(min(CHUNK, declared + 1 - size))):
        write(chunk)
        size += len(chunk)
    return size
