"""Images of a version that stayed where they are: `elsewhere.parquet` in its folder says where, `bring` gets them.

The store then knows such an image by its sha256 and has no bytes of it until somebody needs them. What is brought is
what was imported, or an error: an object that changed has another sha256.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from retinue_sdk.disk import check_room, full_disk
from retinue_sdk.errors import ConflictError
from retinue_sdk.files import sync_folder
from retinue_sdk.places import Source
from retinue_sdk.store_gc import hold, staging

if TYPE_CHECKING:
    from retinue_sdk.remote import Opener

FILE = "elsewhere.parquet"
THREADS = 16
BATCH = 256  # a kill loses no more

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Object:
    """Where the bytes of an image are."""

    url: str
    size: int


def read_objects(version: Path) -> dict[str, Object]:
    """The images of a version that stayed elsewhere, by their sha256."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - whoever only asks whether there are any does without

    if not has_objects(version):
        return {}
    table = pq.read_table(version / FILE).to_pydict()
    return {blob: Object(url, size) for blob, url, size in zip(table["blob"], table["url"], table["size"], strict=True)}


def has_objects(version: Path) -> bool:
    """Whether images of a version stayed elsewhere."""
    return (version / FILE).is_file()


def write_objects(version: Path, objects: Mapping[str, Object]) -> None:
    """Write down where images are, atomically; what was known and is not named stays."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    known = read_objects(version) | dict(objects)
    part = version / f".{FILE}.{os.getpid()}"
    columns = {
        "blob": list(known),
        "url": [found.url for found in known.values()],
        "size": [found.size for found in known.values()],
    }
    pq.write_table(pa.table(columns), part)
    part.chmod(0o444)
    sync_folder(part)
    part.replace(version / FILE)
    sync_folder(version)


def bring(store: Path, digest: str, sources: Sequence[Source], progress: Progress = lambda _: None) -> int:
    """Get the images of a version that are not in the store yet, each checked by its sha256; how many there were.

    Raises
    ------
    ConflictError
        `source_changed` when one is not there any more, or has other bytes.
    RetinueError
        When a place cannot be read, or is not open any more.
    """
    if not has_objects(store / "versions" / digest):
        return 0
    from retinue_sdk.remote import Opener  # noqa: PLC0415 - needs what reads archives

    with full_disk(store), hold(store), staging(store) as folder:
        objects = read_objects(store / "versions" / digest)
        missing = {blob: found for blob, found in objects.items() if not blob_file(store, blob).exists()}
        total, done = sum(found.size for found in missing.values()), 0
        check_room(folder, total)
        opener, wanted = Opener(sources), iter(missing.items())
        with ThreadPoolExecutor(THREADS) as pool:
            while batch := list(islice(wanted, BATCH)):
                settle(store, dict(pool.map(partial(_get, opener, folder), batch)))
                done += sum(found.size for _, found in batch)
                progress(done / total if total else 1.0)
    return len(missing)


def _get(opener: Opener, folder: Path, wanted: tuple[str, Object]) -> tuple[str, Path]:
    """An image as a staged file."""
    blob, found = wanted
    digest, size, target = hashlib.sha256(), 0, folder / blob
    with target.open("wb") as file, opener.reading(found.url, found.size) as read:
        while size <= found.size and (chunk := read(1 << 20)):
            size += len(chunk)
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != blob:
        raise changed(found.url)
    target.chmod(0o444)
    return blob, target


def changed(url: str) -> ConflictError:
    """An object is not what was imported."""
    return ConflictError(
        "An image that stayed at its place has changed there, or is gone.",
        code="source_changed",
        hint="Put it back as it was, or import the dataset again.",
        where=url[:200],
    )


def settle(store: Path, staged: Mapping[str, Path]) -> None:
    """Make staged files blobs of the store; they become visible only after all of them are on the disk."""
    if staged:
        os.sync()  # one flush for all of them: a flush per file costs minutes with 100,000 images
    for digest, path in staged.items():
        target = blob_file(store, digest)
        target.parent.mkdir(exist_ok=True)
        path.replace(target)
    for prefix in {digest[:2] for digest in staged}:
        sync_folder(store / "blobs" / prefix)
    sync_folder(store / "blobs")


def blob_file(store: Path, digest: str) -> Path:
    """Where a blob lies in the store."""
    return store / "blobs" / digest[:2] / digest
