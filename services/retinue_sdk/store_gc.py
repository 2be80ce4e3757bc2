"""What publishers of a store and its collector agree on: the fence between them, staging folders, and `collect` itself.

The lock of the store's own folder is the fence: publishers share it, a collector has it alone. Imports no pandas.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from retinue_sdk.dataset import SHA256
from retinue_sdk.errors import DataError
from retinue_sdk.files import sync_folder


@dataclass(frozen=True)
class Collected:
    """What `collect` removed."""

    versions: int
    blobs: int
    size_bytes: int  # of the blobs


@contextmanager
def hold(store: Path) -> Iterator[None]:
    """Keep `collect` away for the length of a block: what is published in it, or found in the store, stays till its end.

    Whoever writes down that a version is needed does so in such a block, after a look whether it is still there.
    """
    with _locked(store, fcntl.LOCK_SH):
        yield


def collect(store: Path, keep: Callable[[], Collection[str]]) -> Collected | None:
    """Remove the versions that are not to be kept and the blobs that no other version has; None while somebody publishes.

    `keep` gives the digests that are needed. It is asked behind the fence, so that nothing can have been published or
    written down since. Versions go before blobs: killed anywhere, no version is there without its blobs.
    """
    try:
        with _locked(store, fcntl.LOCK_EX | fcntl.LOCK_NB):
            return _collect(store, set(keep()))
    except _BusyError:
        return None


def sweep(store: Path) -> int:
    """Remove what killed publishers left in staging; the number of folders removed. A living one holds its folder's lock."""
    removed = 0
    for folder in sorted((store / "staging").glob("*")):
        try:
            handle = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # its owner was faster
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
        finally:
            os.close(handle)
    return removed


@contextmanager
def staging(store: Path) -> Iterator[Path]:
    """A locked folder on the store's volume; gone afterwards, or swept by the next one that comes if we are killed."""
    sweep(store)
    while True:
        folder = Path(mkdtemp(dir=store / "staging"))
        try:
            handle = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # swept between its making and its locking
            continue
        fcntl.flock(handle, fcntl.LOCK_EX)
        if folder.exists():
            break
        os.close(handle)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


class _BusyError(Exception):
    """Somebody else is inside the fence."""


@contextmanager
def _locked(store: Path, how: int) -> Iterator[None]:
    for name in ("blobs", "versions", "staging"):
        (store / name).mkdir(parents=True, exist_ok=True)
    handle = os.open(store, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, how)
        except BlockingIOError:
            raise _BusyError from None
        yield
    finally:
        os.close(handle)


def _collect(store: Path, kept: set[str]) -> Collected:
    versions = [path for path in (store / "versions").glob("*") if SHA256.fullmatch(path.name)]
    # all is read before anything is removed: a version that cannot be read may need any blob
    needed = {blob for path in versions if path.name in kept for blob in _blobs_of(path)}
    doomed = [path for path in versions if path.name not in kept]
    with staging(store) as folder:
        for path in doomed:
            path.rename(folder / path.name)
        sync_folder(store / "versions")
    blobs = [path for path in (store / "blobs").glob("??/*") if path.name not in needed and SHA256.fullmatch(path.name)]
    size = 0
    for path in blobs:
        size += path.stat().st_size
        path.unlink()
    return Collected(len(doomed), len(blobs), size)


def _blobs_of(version: Path) -> list[str]:
    import pyarrow as pa  # noqa: PLC0415 - whoever only holds the fence does without
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        names: list[str] = pq.read_table(version / "images.parquet", columns=["blob"])["blob"].to_pylist()
    except (OSError, KeyError, pa.ArrowException) as error:
        raise DataError(
            "A version that is needed cannot be read, so nothing was removed from the store.",
            code="dataset_corrupt",
            hint="Restore the store from its backup, or remove the dataset.",
            where=str(version),
        ) from error
    return names
