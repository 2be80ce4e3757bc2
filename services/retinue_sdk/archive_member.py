"""What every container of files gives (a zip, a tar, a folder far away), what it may hold, and how it is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from retinue_sdk.errors import DataError
from retinue_sdk.names import printable

ACCEPTED = "Send a .zip (stored, deflated or bzip2-packed, not encrypted), .tar, .tar.gz or .tar.zst, or one image."
CHUNK = 1 << 20
SMALL = 1 << 20  # below this no ratio is a bomb

Progress = Callable[[float], None]
Kind = Literal["file", "folder", "special"]
Read = Callable[[int], bytes]  # at most so many bytes; none at the end


@dataclass(frozen=True)
class Limits:
    """How much a container may hold."""

    total_bytes: int = 50 << 30
    members: int = 1_000_000
    ratio: int = 200
    depth: int = 32

    def unpacked(self, packed: int) -> int:
        """The most bytes that a file of this size may be unpacked to."""
        return max(SMALL, self.ratio * packed)


@dataclass(frozen=True)
class Member:
    """One entry. Its content is read once, before the next entry is asked for."""

    name: str  # as the container has it: not to be trusted
    size: int  # as the container says
    kind: Kind
    reading: Callable[[], AbstractContextManager[Read]]
    decoded: bool = False  # the name was not marked as UTF-8 and read as such


Members = Callable[[], Iterator[Member]]  # each call gives all of them anew, in the same order


def too_large(what: str) -> DataError:
    """More than the limits allow."""
    return DataError(f"The archive holds {what}.", code="archive_too_large", hint="Send less, or several datasets.")


def truncated(where: str | None = None) -> DataError:
    """The end is missing."""
    return DataError(
        "The archive is cut off or damaged.",
        code="archive_truncated",
        hint="Upload it again, or resume the upload.",
        where=where,
    )


def corrupt(message: str, where: str | None = None) -> DataError:
    """Bytes that cannot be what was packed."""
    return DataError(message, code="archive_corrupt", hint="Pack and upload it again.", where=where)


def unsupported(what: str, where: str | None = None) -> DataError:
    """A container or a method that is known and not read."""
    return DataError(f"{what}, which is not read.", code="archive_method_unsupported", hint=ACCEPTED, where=where)


def special(name: str) -> DataError:
    """What is no plain file."""
    return DataError(
        "The archive holds a link, a device or a sparse file.",
        code="archive_special_file",
        hint="Pack plain files only.",
        where=printable(name),
    )
