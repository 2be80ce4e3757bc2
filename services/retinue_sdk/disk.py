"""A disk that is full, told to a person; and folders that appear on it whole or not at all."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from retinue_sdk.errors import StorageFullError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_BLOCK = 4096


def on_disk(size: int) -> int:
    """The bytes that a file of this size takes on most file systems: whole blocks. It matters for small images."""
    return -(-size // _BLOCK) * _BLOCK


def too_full(place: Path, needed: int | None) -> StorageFullError:
    """The error that says which volume is full, what is needed there and how much of that is missing, in bytes."""
    free = shutil.disk_usage(place).free
    if needed is None:
        return StorageFullError(f"The volume of {place} is full: {free} bytes are free.", where=str(place))
    missing = f", {needed - free} are missing" if free < needed else "; a quota or a limit may be in the way"
    return StorageFullError(
        f"The volume of {place} is full: {needed} bytes are needed there, {free} are free{missing}.", where=str(place)
    )


@contextmanager
def full_disk(place: Path, needed: int | Callable[[], int] | None = None) -> Iterator[None]:
    """Raise `too_full` in place of the OSError of a full volume or quota. `needed`: bytes of all that is written inside.

    What takes time to work out may be a function, called for the error only.

    What was written should be removed inside too: the error then says what has to be free for another try.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise too_full(place, needed() if callable(needed) else needed) from error
        raise


def check_room(place: Path, size: int) -> None:
    """Raise `too_full` when `size` bytes are more than the volume of `place` has left; `place` is made."""
    place.mkdir(parents=True, exist_ok=True)
    if size > shutil.disk_usage(place).free:
        raise too_full(place, size)


@contextmanager
def appearing(dest: Path, needed: int | None = None) -> Iterator[Path]:
    """A folder beside `dest`, which must not exist, that becomes it at the end; after a failure nothing of it is left.

    `needed`: bytes of all that is written into it, for the error of a full disk.
    """
    if dest.exists():
        raise FileExistsError(dest)
    dest.parent.mkdir(parents=True, exist_ok=True)
    with full_disk(dest.parent, needed):
        folder = Path(mkdtemp(prefix=f".{dest.name}.", dir=dest.parent))
        try:
            yield folder
            folder.rename(dest)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
