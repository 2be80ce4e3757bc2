"""Folders for files that a reader has to make, such as the images inside a parquet file: datasets are never written into.

They lie where the system keeps temporary files (TMPDIR) and go with the process that made them. A process that was killed
leaves its own behind, without the lock that a living one holds; the next one that needs a folder removes them.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
from functools import cache
from pathlib import Path
from tempfile import gettempdir, mkdtemp

PREFIX = "retinue-images-"


def folder() -> Path:
    """A new, empty folder for the rest of this process."""
    return Path(mkdtemp(dir=process_folder(Path(gettempdir()))))


@cache
def process_folder(parent: Path) -> Path:
    """The folder of this process, which all others are in."""
    sweep(parent)
    while True:
        made = Path(mkdtemp(prefix=PREFIX, dir=parent))
        handle = os.open(made, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)  # held by the handle, which is never closed
        if made.exists():  # not swept between its making and its locking
            atexit.register(_remove, made, os.getpid())
            return made
        os.close(handle)


def sweep(parent: Path) -> int:
    """Remove the folders of processes that are gone; how many there were."""
    removed = 0
    for left in parent.glob(f"{PREFIX}*"):
        try:
            handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # another user's, or gone meanwhile
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(left, ignore_errors=True)
            removed += 1
        finally:
            os.close(handle)
    return removed


def _remove(made: Path, maker: int) -> None:
    if os.getpid() == maker:  # not in a child that was forked from it
        shutil.rmtree(made, ignore_errors=True)
