"""A disk that is full, told to a person; and folders that appear on it whole or not at all."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from retinue_sdk.errors import StorageFullError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def full_disk(place: Path) -> Iterator[None]:
    """Raise StorageFullError in place of the OSError of a full volume or quota."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StorageFullError(f"The volume of {place} is full.", where=str(place)) from error
        raise


def check_room(place: Path, size: int) -> None:
    """Raise StorageFullError when `size` bytes are more than the volume of `place` has left; `place` is made."""
    place.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place).free
    if size > free:
        raise StorageFullError(
            f"The dataset needs {size} bytes and the volume of {place} has {free} left.", where=str(place)
        )


@contextmanager
def appearing(dest: Path) -> Iterator[Path]:
    """A folder beside `dest`, which must not exist, that becomes it at the end; after a failure nothing of it is left."""
    if dest.exists():
        raise FileExistsError(dest)
    dest.parent.mkdir(parents=True, exist_ok=True)
    with full_disk(dest.parent):
        folder = Path(mkdtemp(prefix=f".{dest.name}.", dir=dest.parent))
        try:
            yield folder
            folder.rename(dest)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
