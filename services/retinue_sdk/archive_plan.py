"""From a stranger's entries to files on this disk: all of them are checked before one is written.

Names are never repaired: one that leads outside, collides or is not portable refuses them all. Files that no dataset
needs are left out; those that could run as code refuse it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from retinue_sdk.archive_member import CHUNK, Limits, Member, Read, special, too_large
from retinue_sdk.archive_names import Ignored, file_kind, safe_parts
from retinue_sdk.disk import on_disk
from retinue_sdk.errors import DataError
from retinue_sdk.formats.json_files import MAX_BYTES
from retinue_sdk.formats.report import Report, refuse_blocking
from retinue_sdk.names import is_hidden, printable, same_form


@dataclass(frozen=True)
class Plan:
    """Which entries are written, by their position, and where to."""

    places: dict[int, str]
    folders: list[str]  # those that have an entry of their own: an empty one may be a class without images
    total: int  # bytes of these
    room: int  # bytes that they take on a disk


def make_plan(members: Iterable[Member], most: int | None, limits: Limits, report: Report) -> Plan:
    """The plan for these entries. `most` is what their file may be unpacked to, where they come from one."""
    places: dict[int, str] = {}
    folders: list[str] = []
    names, images, size, wanted, room = _Names(), 0, 0, 0, 0
    for position, member in enumerate(members):
        size += member.size
        _check_amount(max(position + 1, names.folders), size, most, limits)
        if member.kind == "special":
            raise special(member.name)
        parts = safe_parts(member.name, limits.depth, folder=member.kind == "folder")
        if member.kind == "folder":
            if parts and not any(map(is_hidden, parts)):
                names.take_folder("/".join(parts))
                folders.append("/".join(parts))
            continue
        if member.decoded:
            report.add("archive_name_decoded", member.name)
        path = "/".join(parts)
        names.take(path, member.name)
        kind = file_kind(member.name, parts)
        if isinstance(kind, Ignored):
            report.add("files_ignored", member.name, kind.reason)
            continue
        if path.lower().endswith(".json") and member.size > MAX_BYTES:  # told before minutes of unpacking
            report.add("json_too_large", path, f"{member.size} bytes")
            refuse_blocking(report.findings())
        images += kind in ("image", "table")
        places[position] = path
        wanted += member.size
        room += on_disk(member.size)
    names.check_folders()
    if not images:
        raise DataError(
            "There is no image in the archive.",
            code="dataset_empty",
            hint="Add images as JPEG, PNG, WebP, BMP, GIF, TIFF or PPM.",
        )
    return Plan(places, folders, wanted, room)


def _check_amount(members: int, size: int, most: int | None, limits: Limits) -> None:
    if members > limits.members:
        raise too_large(f"more than {limits.members} members, which is the limit")
    if size > limits.total_bytes:
        raise too_large(f"at least {size} bytes unpacked; the limit is {limits.total_bytes}")
    if most is not None and size > most:
        raise too_large(f"at least {size} bytes unpacked; the limit is {limits.ratio} times its own size")


class _Names:
    """The names taken so far, by a form that is the same for a person or another file system."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._folders: set[str] = set()

    @property
    def folders(self) -> int:
        """How many folders they make: a name may make thirty."""
        return len(self._folders)

    def take(self, path: str, name: str) -> None:
        form = same_form(path)
        if form in self._files:
            raise _duplicate(self._files[form], name)
        self._files[form] = name
        self.take_folder(path.rpartition("/")[0])

    def take_folder(self, path: str) -> None:
        form = same_form(path)
        while form and form not in self._folders:
            self._folders.add(form)
            form = form.rpartition("/")[0]

    def check_folders(self) -> None:
        """No file may have the name of a folder."""
        for form in self._folders & self._files.keys():
            raise _duplicate(self._files[form], f"{self._files[form]}/")


def write(member: Member, target: Path, tell: Callable[[int], None] = lambda _: None) -> None:
    """Write one file; one byte more or less than declared refuses all. `tell` hears how many there are so far."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as output, member.reading() as read:
        size = _pump(read, output.write, member.size, tell)
    if size != member.size:
        raise DataError(
            f"A file has another size than the archive says ({member.size}).",
            code="archive_size_mismatch",
            hint="Pack it again.",
            where=printable(member.name),
        )


def _pump(read: Read, write_some: Callable[[bytes], object], declared: int, tell: Callable[[int], None]) -> int:
    """Copy at most one byte more than declared; the number of bytes there were."""
    size = 0
    while size <= declared and (chunk := read(min(CHUNK, declared + 1 - size))):
        write_some(chunk)
        size += len(chunk)
        tell(size)
    return size


def _duplicate(first: str, second: str) -> DataError:
    return DataError(
        f"{printable(first)!r} and {printable(second)!r} are the same name, or differ only in case or Unicode form.",
        code="archive_duplicate_name",
        hint="Rename one of them.",
        where=printable(second),
    )
