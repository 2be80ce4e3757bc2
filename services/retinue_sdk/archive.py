"""Unpacks an archive of a stranger: everything is checked before a byte is written, and nothing is left behind on failure.

What a file is, its content says, not its name. A single image is taken as a folder with that image in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from retinue_sdk import archive_tar, archive_zip
from retinue_sdk.api import Finding
from retinue_sdk.archive_member import ACCEPTED, Limits, Member, Members, Progress, Read, unsupported
from retinue_sdk.archive_plan import make_plan, write
from retinue_sdk.disk import appearing, check_room
from retinue_sdk.errors import DataError
from retinue_sdk.formats.files import is_image
from retinue_sdk.formats.report import Report

__all__ = ["ACCEPTED", "Limits", "Progress", "unpack"]

UNREAD = {
    b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "RAR", b"\xfd7zXZ\0": "xz", b"BZh": "bzip2", b"LZIP": "lzip",
    b"\x04\x22\x4d\x18": "LZ4", b"\x5d\x00\x00": "LZMA", b"\x1f\x9d": "compress", b"MSCF": "cabinet",
}  # fmt: skip


def unpack(
    path: Path,
    dest: Path,
    limits: Limits | None = None,
    progress: Progress | None = None,
    name: str | None = None,
) -> tuple[Path, list[Finding]]:
    """Unpack into `dest`, which must not exist yet and appears only when everything is in it.

    Parameters
    ----------
    name
        The file's own name, if `path` has another: what a single image is called.

    Returns
    -------
    `dest`, and what was left out.
    """
    limits, report = limits or Limits(), Report()
    with _named(path.name), _opened(path, name or path.name, limits) as members:
        plan = make_plan(members(), limits.unpacked(path.stat().st_size), limits, report)
        check_room(dest.parent, plan.room)
        with appearing(dest, plan.room) as folder:
            for place in plan.folders:
                (folder / place).mkdir(parents=True, exist_ok=True)
            done = 0
            for position, member in enumerate(members()):
                if position in plan.places:
                    write(member, folder / plan.places[position])
                    done += member.size
                    if progress is not None:
                        progress(done / plan.total if plan.total else 1.0)
    return dest, report.findings()


@contextmanager
def _named(name: str) -> Iterator[None]:
    """An error that names no member is about the archive."""
    try:
        yield
    except DataError as error:
        error.problem = error.problem.model_copy(update={"where": error.problem.where or name})
        raise


def _opened(path: Path, name: str, limits: Limits) -> AbstractContextManager[Members]:
    """The members of whatever it is."""
    with path.open("rb") as stream:
        head = stream.read(1024)
    if not head:
        raise DataError("The archive is empty.", code="dataset_empty", hint=ACCEPTED, where=path.name)
    if head.startswith(b"PK"):
        return archive_zip.opened(path, limits)
    if archive_tar.is_tar(head):
        return archive_tar.opened(path, limits)
    for magic, packing in UNREAD.items():
        if head.startswith(magic):
            raise unsupported(f"The file is packed by {packing}", path.name)
    if is_image(name):
        return _single(path, name)
    raise DataError("The file is no archive that is read.", code="archive_not_zip", hint=ACCEPTED, where=path.name)


@contextmanager
def _single(path: Path, name: str) -> Iterator[Members]:
    @contextmanager
    def reading() -> Iterator[Read]:
        with path.open("rb") as stream:
            yield stream.read

    member = Member(name.replace("\\", "/").rpartition("/")[2], path.stat().st_size, "file", reading)
    yield lambda: iter([member])
