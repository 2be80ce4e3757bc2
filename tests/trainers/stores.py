"""A store that must not change: a version in it, its modes taken away, and what it looks like to the last bit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retinue_sdk import dataset, formats, store
from retinue_sdk.schema import DatasetManifest


@contextmanager
def closed(source: Path, folder: Path, form: str) -> Iterator[DatasetManifest]:
    """A version of the dataset in `source` that came by way of a format; at the end its store is still the same."""
    version = publish(source, folder, form)
    before = state(folder / "store")
    yield version
    assert state(folder / "store") == before


def publish(source: Path, folder: Path, form: str) -> DatasetManifest:
    """Write the dataset in `source` in a format, read that, and publish it in a store below `folder` that is closed then."""
    converted = folder / form
    converted.mkdir()
    formats.writer(form).write(formats.read(source)[1], converted)
    detected, table, _ = formats.read(converted)
    assert detected == form
    digest = store.publish(table, folder / "store").digest
    for path in [folder / "store", *(folder / "store").rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    return dataset.manifest(folder / "store", digest)


def state(root: Path) -> dict[str, tuple[int, int, int, int, str]]:
    """Mode, inode, number of names, time of change and content of everything in a folder, and of the folder."""
    found = {}
    for path in [root, *sorted(root.rglob("*"))]:
        facts = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path)] = (facts.st_mode, facts.st_ino, facts.st_nlink, facts.st_mtime_ns, content)
    return found
