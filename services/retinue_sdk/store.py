"""The content-addressed store: `blobs/<2 hex>/<sha256>` and immutable versions `versions/<digest>/`.

Everything is first made in a staging folder, flushed to disk and then renamed, so a version is there whole or not at all,
whatever is killed when. The same content has the same digest and is stored once.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from retinue_sdk.dataset import blob_files, read_classes, version_folder
from retinue_sdk.disk import full_disk, on_disk
from retinue_sdk.elsewhere import Object, blob_file, settle, write_objects
from retinue_sdk.errors import DataError
from retinue_sdk.files import sha256, sync_folder
from retinue_sdk.schema import DatasetManifest, Task
from retinue_sdk.store_gc import hold, staging
from retinue_sdk.table import AnnotationTable

Progress = Callable[[float], None]
_PIECE = 1 << 16  # coordinates digested at once: what fits into a cache


@dataclass(frozen=True)
class Published:
    """A version in the store."""

    digest: str
    path: Path
    classes: list[str]
    tasks: list[Task]
    images: int
    annotations: int
    splits: dict[str, int]
    size_bytes: int  # of the images
    created: bool  # false when the same content was there already
    elsewhere: int  # images whose bytes are not in the store


def publish(
    table: AnnotationTable,
    store: Path,
    progress: Progress | None = None,
    *,
    link: bool = False,
    urls: Mapping[str, str] | None = None,
    away: Mapping[str, Object] | None = None,
) -> Published:
    """Store a table's images and make a version of it. `link` takes the files over by hard link: only for files of our own.

    An image with a `blob` and no `path` is in the store already: so a version is made of another one's images. Those whose
    path is among `urls` stay where the URL says, and only that is kept; `away` are those that others left so, by blob.
    """
    most = partial(_most_bytes, table, store, link=link)
    with full_disk(store, most), hold(store), staging(store) as folder:
        tell = progress or (lambda _: None)
        table, objects = _with_blobs(_ordered(table), store, folder, tell, link=link, urls=urls or {}, away=away or {})
        digest = content_digest(table)
        target = store / "versions" / digest
        created = not target.exists() and _make_version(table, digest, folder / "version", target, objects)
        if objects and not created:  # the same images are at another place too
            write_objects(target, objects)
        content = read_classes(target)
    return Published(
        digest, target, list(table.classes), table.tasks, len(table), len(table.annotations), table.splits,
        content["size_bytes"], created, int(table.images["blob"].isin(list(objects)).sum()),
    )  # fmt: skip


def load_version(
    dataset: DatasetManifest, roots: Sequence[Path] | None = None, *, whole: bool = True
) -> AnnotationTable:
    """The table of a version with `path` leading to each blob; checked against its digest.

    Every blob has to be there, unless `whole` is false: so a version is read whose images stayed elsewhere.
    """
    folder = version_folder(dataset, roots)
    content = read_classes(folder)
    classes = content["classes"]
    table = AnnotationTable.from_parquet(
        folder, [c["name"] for c in classes], [c["id"] for c in classes], [c.get("attributes", {}) for c in classes]
    )
    if content_digest(table) != dataset.digest:
        raise DataError(
            "The version's content is not what its digest says.",
            code="dataset_corrupt",
            hint="Import the dataset again.",
            where=str(folder),
        )
    paths = blob_files(dataset, table.images["blob"].tolist(), roots)
    for key, path in zip(table.images["key"].tolist(), paths, strict=True) if whole else ():
        if not os.path.isfile(path):  # noqa: PTH113 - called once per image
            raise _blob_missing(key)
    return table.with_images(path=paths)


def _blob_missing(where: str) -> DataError:
    return DataError(
        "An image of the version is not in the store.",
        code="blob_missing",
        hint="Import the dataset again.",
        where=where,
    )


def content_digest(table: AnnotationTable) -> str:
    """A digest over what the data means: not over file formats, local paths, or the lines it was read from."""
    digest = hashlib.sha256(b"retinue dataset 1\n")
    parts: list[Any] = [table.classes, table.class_ids]
    parts += [table.images[name].tolist() for name in ("key", "blob", "width", "height", "split", "group")]
    # what few datasets have is left out where it is empty: digests made before it existed stay as they are
    parts += [table.class_attributes] if any(table.class_attributes) else []
    parts += [table.images["attributes"].tolist()] if (table.images["attributes"] != "").any() else []
    arrays = [table.annotations[name].to_numpy() for name in ("image", "class_id")]
    for name in ("kind", "attributes"):  # few different texts: each once, then their numbers
        numbers, texts = pd.factorize(table.annotations[name])
        parts.append(texts.tolist())
        arrays.append(numbers)
    for part in parts:
        digest.update(json.dumps(part, separators=(",", ":"), sort_keys=True).encode() + b"\n")
    for array in arrays:
        digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
    values, offsets = table.coordinates()
    for array in (table.boxes.reshape(-1), values, offsets):
        for first in range(0, len(array), _PIECE):
            piece = array[first : first + _PIECE] + 0.0  # one zero
            piece[np.isnan(piece)] = np.nan  # one NaN
            digest.update(np.ascontiguousarray(piece, dtype="<f8").data)
    return digest.hexdigest()


def _ordered(table: AnnotationTable) -> AnnotationTable:
    """Images by key, so that the same content has one order."""
    order = np.argsort(table.images["key"].to_numpy(dtype=object), kind="stable")
    return table if np.array_equal(order, np.arange(len(order))) else table.select(order)


def _most_bytes(table: AnnotationTable, store: Path, *, link: bool) -> int:
    """What publishing may write at most: images that are not in the store by their place, and the tables."""
    blobs = f"{store.resolve()}/blobs/"
    paths = [] if link else [path for path in table.images["path"].tolist() if path and not path.startswith(blobs)]
    values, offsets = table.coordinates()
    frames = sum(int(frame.memory_usage(deep=True).sum()) for frame in (table.images, table.annotations))
    return sum(on_disk(Path(path).stat().st_size) for path in paths) + frames + values.nbytes + offsets.nbytes


def _with_blobs(
    table: AnnotationTable,
    store: Path,
    folder: Path,
    progress: Progress,
    *,
    link: bool,
    urls: Mapping[str, str],
    away: Mapping[str, Object],
) -> tuple[AnnotationTable, dict[str, Object]]:
    """Put every image into the store, but for those that stay where they are: all of these by blob."""
    digests: list[str] = []
    paths: list[str] = []
    staged: dict[str, Path] = {}
    objects = dict(away)
    blobs, there = str(store.resolve() / "blobs"), os.path.exists

    def place(digest: str) -> str:  # text: a Path for each image takes ten times as long
        return f"{blobs}/{digest[:2]}/{digest}"

    images = zip(table.images["path"].tolist(), table.images["blob"].tolist(), strict=True)
    for done, (source, known) in enumerate(images, 1):
        if known and source in ("", place(known)):
            digest = known  # it lies in the store already and is not read again
            if digest not in away and not there(place(digest)):
                raise _blob_missing(digest)
        else:
            digest = sha256(Path(source))
            if source in urls:
                objects[digest] = Object(urls[source], Path(source).stat().st_size)
            elif digest not in staged and not there(place(digest)):
                staged[digest] = _stage(Path(source), folder / digest, digest, link=link)
        digests.append(digest)
        paths.append(place(digest))
        progress(0.95 * done / len(table))
    settle(store, staged)
    progress(1.0)
    wanted = objects.keys() & set(digests)
    return table.with_images(blob=digests, path=paths), {
        blob: objects[blob] for blob in sorted(wanted) if not blob_file(store, blob).exists()
    }


def _stage(source: Path, target: Path, digest: str, *, link: bool) -> Path:
    if link:
        os.link(source, target)
    else:
        shutil.copyfile(source, target)
        if sha256(target) != digest:
            raise DataError(
                "An image changed while it was stored.",
                code="image_changed",
                hint="Import it again.",
                where=str(source),
            )
    target.chmod(0o444)
    return target


def _make_version(table: AnnotationTable, digest: str, made: Path, target: Path, objects: Mapping[str, Object]) -> bool:
    """Write a version beside its place, flush it and rename it there; false when another publisher was first."""
    made.mkdir()
    table.to_parquet(made)
    if objects:
        write_objects(made, objects)
    blobs = dict(zip(table.images["blob"].tolist(), table.images["path"].tolist(), strict=True))
    content: dict[str, Any] = {
        "digest": digest,
        "classes": [
            {"id": i, "name": n, **({"attributes": a} if a else {})}
            for i, n, a in zip(table.class_ids, table.classes, table.class_attributes, strict=True)
        ],
        "tasks": [str(task) for task in table.tasks],
        "kinds": sorted(table.annotations["kind"].unique()),
        "images": len(table),
        "annotations": len(table.annotations),
        "splits": table.splits,
        "size_bytes": sum(
            objects[blob].size if blob in objects else os.stat(path).st_size  # noqa: PTH116 - called once per image
            for blob, path in blobs.items()
        ),
    }
    (made / "classes.json").write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    for file in made.iterdir():
        file.chmod(0o444)
        sync_folder(file)
    sync_folder(made)
    try:
        made.rename(target)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            return False
        raise
    sync_folder(target.parent)
    return True
