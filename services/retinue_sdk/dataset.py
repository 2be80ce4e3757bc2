"""What a trainer calls: `load` a dataset, `summary` of it for a dry run.

Importing this module, and `summary`, cost no pandas: a trainer's HTTP service answers `/validate` without it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from retinue_sdk.errors import DataError
from retinue_sdk.names import printable
from retinue_sdk.schema import DatasetFolder, DatasetManifest, Task

if TYPE_CHECKING:
    from retinue_sdk.table import AnnotationTable

SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Summary:
    """What a version's classes.json says."""

    digest: str
    tasks: list[Task]
    classes: list[str]
    splits: dict[str, int]
    images: int
    annotations: int


def manifest(store: Path, digest: str) -> DatasetManifest:
    """What a trainer on this machine is given to find a version."""
    base = store.resolve().as_uri()
    return DatasetManifest(
        url=f"{base}/versions/{digest}", blobs=f"{base}/blobs/{{sha256:.2}}/{{sha256}}", digest=digest
    )


def load(
    dataset: DatasetFolder | DatasetManifest, roots: Sequence[Path] | None = None, seed: int = 0
) -> AnnotationTable:
    """The table to train on, `path` of each image being a local file. Boxes without area are left out.

    A folder is read in its format and split 80/20 by `seed` where it has no val split. With `roots`, everything must lie
    inside them; None is for a caller that has checked already.
    """
    # pandas costs 0.4 s; the rest of this module does without
    from retinue_sdk import formats, split, store  # noqa: PLC0415
    from retinue_sdk.formats.report import refuse_blocking  # noqa: PLC0415

    if isinstance(dataset, DatasetManifest):
        table = store.load_version(dataset, roots)
    else:
        folder = check_folder(dataset, roots)
        _, table, findings = formats.read(folder, dataset.format)
        refuse_blocking(findings)
        table, _ = split.ensure(table, seed)
    return table.keep(~table.flat_boxes())


def summary(dataset: DatasetFolder | DatasetManifest, roots: Sequence[Path] | None = None) -> Summary | None:
    """Tasks, classes and splits of a version, without reading its tables. None for a folder, which says nothing unread."""
    if isinstance(dataset, DatasetFolder):
        check_folder(dataset, roots)
        return None
    content = read_classes(version_folder(dataset, roots))
    if content["digest"] != dataset.digest:
        raise DataError(
            "The version is another one than the digest says.",
            code="dataset_corrupt",
            hint="Use the digest of the version.",
        )
    return Summary(
        dataset.digest, [Task(t) for t in content["tasks"]], [c["name"] for c in content["classes"]], content["splits"],
        content["images"], content["annotations"],
    )  # fmt: skip


def check_folder(dataset: DatasetFolder, roots: Sequence[Path] | None) -> Path:
    """The folder of a dataset, which must lie inside the roots with every link in it."""
    folder = Path(dataset.path)
    inside(folder, roots)
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
        raise DataError(
            "The dataset's folder is not there.", code="dataset_missing", hint="Correct the path.", where=dataset.path
        )
    for parent, folders, names in os.walk(folder) if roots is not None else ():
        for name in (*folders, *names):
            path = Path(parent, name)
            if path.is_symlink():
                inside(path, roots)
    return folder


def version_folder(dataset: DatasetManifest, roots: Sequence[Path] | None) -> Path:
    """The local folder of a version."""
    folder = inside(_local(dataset.url), roots)
    if not folder.is_dir():
        raise DataError(
            "The dataset version is not there.",
            code="dataset_missing",
            hint="Import the dataset again.",
            where=str(folder),
        )
    return folder


def blob_files(dataset: DatasetManifest, blobs: Sequence[str], roots: Sequence[Path] | None) -> list[str]:
    """The local files of blobs. The template is filled in by replacing, for `str.format` would read attributes too.

    Its fixed part must lie inside the roots; a sha256 cannot lead out of it.
    """
    fixed, brace, rest = str(_local(dataset.blobs)).partition("{")
    base = inside(Path(fixed), roots)
    for sha256 in blobs:
        if not SHA256.fullmatch(sha256):
            raise DataError(
                "A blob's name is no sha256.",
                code="dataset_corrupt",
                hint="Import the dataset again.",
                where=sha256[:80],
            )
    template = str(base / (brace + rest))
    return [template.replace("{sha256:.2}", sha256[:2]).replace("{sha256}", sha256) for sha256 in blobs]


def read_classes(folder: Path) -> dict[str, Any]:
    """The classes.json of a version."""
    path = folder / "classes.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            "The version's classes.json cannot be read.",
            code="dataset_corrupt",
            hint="Import the dataset again.",
            where=str(path),
        ) from error
    missing = {"digest", "classes", "tasks", "splits", "images", "annotations", "size_bytes"} - content.keys()
    if missing:
        raise DataError(
            "The version's classes.json is incomplete.",
            code="dataset_corrupt",
            hint="Import the dataset again.",
            where=str(path),
        )
    return content


def inside(path: Path, roots: Sequence[Path] | None) -> Path:
    """The path, with its links resolved, if it lies inside one of the roots."""
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a NUL
        raise DataError(
            f"There can be no such path: {error}.",
            code="dataset_missing", hint="Correct the path.", where=printable(str(path)),
        ) from error  # fmt: skip
    if roots is not None and not any(resolved.is_relative_to(root.resolve()) for root in roots):
        raise DataError(
            "The path is outside the folders that datasets may be read from.",
            code="path_not_allowed",
            hint="Move the data, or ask the operator to add its folder to RETINUE_TRAINER_ROOTS.",
            where=str(path),
        )
    return resolved


def _local(url: str) -> Path:
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"}:
        raise DataError(
            "Only datasets on this machine can be read.",
            code="store_not_supported",
            hint="Use a file:// URL.",
            where=url[:200],
        )
    return Path(unquote(parts.path))
