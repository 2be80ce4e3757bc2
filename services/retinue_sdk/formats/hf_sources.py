"""Hugging Face datasets that are no folder yet: an object of the `datasets` library, or a repository of the Hub.

Both become a folder that `huggingface.read` reads. The Hub needs the extra `huggingface`; `datasets` is never imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retinue_sdk.archive_member import Limits, Member, Read
from retinue_sdk.archive_plan import make_plan
from retinue_sdk.errors import DataError, NotFoundError, RetinueError, UnavailableError
from retinue_sdk.formats.hf_columns import features_of, image_column, mask_column
from retinue_sdk.formats.hf_write import GROUP_ROWS
from retinue_sdk.formats.report import Report

# what a dataset is made of; no script, no archive
PATTERNS = [
    "*.parquet",
    "*.arrow",
    "*.json",
    "*.jsonl",
    "*.csv",
    "*.jpg",
    "*.jpeg",
    "*.png",
    "*.webp",
    "*.bmp",
    "*.tif",
    "*.tiff",
]


def from_dataset(dataset: Any, folder: Path) -> Path:
    """Write a `datasets.Dataset`, `IterableDataset` or a dictionary of them by split as parquet; images go inside."""
    splits = dataset if isinstance(dataset, Mapping) else {str(getattr(dataset, "split", None) or "train"): dataset}
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for split, part in splits.items():
        _write(part, folder / "data" / f"{split}-00000-of-00001.parquet")
    return folder


def from_hub(
    repo_id: str,
    folder: Path,
    revision: str | None = None,
    endpoint: str | None = None,
    token: str | bool | None = None,
    limits: Limits | None = None,
) -> Path:
    """Download the data files of a dataset repository, at a revision, into a folder. No script of it is taken, or run.

    Parameters
    ----------
    endpoint
        Of a mirror of the Hub.
    token
        Who asks; the one of `hf auth login` by default, and nobody when it is False.
    limits
        What the files may be, as those of an archive. They are checked before one is downloaded.
    """
    if folder.exists() and any(folder.iterdir()):  # the library would give it back as it is when the Hub is away
        raise DataError(
            "The folder to download into is not empty.", code="folder_exists", hint="Name a new one.", where=str(folder)
        )
    with _told(f"{repo_id}@{revision or 'main'}"):
        from huggingface_hub import HfApi  # noqa: PLC0415 - an extra

        api = HfApi(endpoint, token=token)
        commit = api.dataset_info(repo_id, revision=revision or "main").sha
        _check(api.list_repo_tree(repo_id, repo_type="dataset", revision=commit, recursive=True), limits or Limits())
        api.snapshot_download(repo_id, repo_type="dataset", revision=commit, local_dir=folder, allow_patterns=PATTERNS)
    return folder


@contextmanager
def _told(where: str) -> Iterator[None]:
    """What goes wrong with the Hub or its library, as one of our errors."""
    try:
        from huggingface_hub import errors  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise DataError(
            "The library huggingface_hub is not installed.",
            code="huggingface_missing",
            hint="Install it: pip install 'retinue[huggingface]'.",
        ) from error
    try:
        yield
    except RetinueError:
        raise
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError) as error:
        raise NotFoundError(
            "The Hub has no such dataset, or it is not public.",
            hint="Check its name and revision; log in with `hf auth login` for one that is private or gated.",
            where=where,
        ) from error
    except Exception as error:  # the library raises those of three HTTP clients
        raise UnavailableError(
            "The dataset could not be downloaded from the Hub.",
            code="hub_unavailable",
            hint="Check the network, HF_HUB_OFFLINE and HF_ENDPOINT, or download the dataset elsewhere and name its folder.",
            where=where,
        ) from error


def _check(entries: Iterable[Any], limits: Limits) -> None:
    """Refuse names and amounts that an archive could not have either. `entries` are files and folders."""
    files = [entry for entry in entries if hasattr(entry, "size") and any(fnmatch(entry.path, p) for p in PATTERNS)]
    make_plan((Member(file.path, file.size, "file", _unread) for file in files), None, limits, Report())


def _unread() -> AbstractContextManager[Read]:
    raise AssertionError("a file that is only listed is not read")


def _write(dataset: Any, path: Path) -> None:
    """One split, with the schema that holds its features. The bytes of images that are only paths are read in."""
    batches = _tables(dataset)
    stated = getattr(dataset, "features", None)
    first = next(batches, None)
    schema = stated.arrow_schema if stated is not None else first.schema if first is not None else pa.schema([])
    features = features_of(schema)
    columns = [name for name in (image_column(schema, features), mask_column(schema, features)) if name]
    if not columns:
        raise DataError(
            "The dataset has no column of images.",
            code="column_missing",
            hint="Cast the column to `datasets.Image()`.",
            where=", ".join(schema.names),
        )
    with pq.ParquetWriter(path, schema) as writer:
        while first is not None:
            writer.write_table(_embedded(first, columns).cast(schema), row_group_size=GROUP_ROWS)
            first = next(batches, None)


def _tables(dataset: Any) -> Iterator[Any]:
    """The rows as Arrow tables, in the order that selections and shuffles gave them."""
    yield from dataset.with_format("arrow").iter(batch_size=GROUP_ROWS)


def _embedded(table: Any, columns: list[str]) -> Any:
    """The table with the bytes of all images in these columns."""
    for column in columns:
        images = table[column].to_pylist()
        if any(isinstance(image, dict) and not image["bytes"] and image["path"] for image in images):
            place = table.schema.get_field_index(column)
            field = table.schema.field(place)
            table = table.set_column(place, field, pa.array(map(_with_bytes, images), field.type))
    return table


def _with_bytes(image: dict[str, Any] | None) -> dict[str, Any] | None:
    if image is None or image["bytes"] or not image["path"]:
        return image
    path = Path(image["path"])
    try:
        return {"bytes": path.read_bytes(), "path": path.name}
    except OSError as error:
        raise DataError(
            "An image of the dataset is not there.",
            code="image_missing",
            hint="Datasets whose images are URLs must be downloaded first.",
            where=image["path"],
        ) from error
