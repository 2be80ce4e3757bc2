"""A full disk, told to a person."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
