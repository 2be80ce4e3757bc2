"""The files of a Hugging Face dataset: parquet as on the Hub, or Arrow as `save_to_disk` leaves it; their splits and rows.

Arrow's libraries parse them, within limits; whatever they refuse is reported with the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retinue_sdk.formats import files
from retinue_sdk.formats.hf_columns import OURS, Columns, features_of, image_column, understand
from retinue_sdk.formats.json_files import load_json, mapping, text
from retinue_sdk.formats.report import Report

MAX_JSON = 64_000_000  # bytes
BATCH = 64  # rows in memory at once: images are large
THRIFT = {"thrift_string_size_limit": 100_000_000, "thrift_container_size_limit": 1_000_000}
UNREADABLE = (pa.ArrowException, OSError, ValueError, TypeError, KeyError)
_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}")
_SPLIT = re.compile(r"\w[\w.]{0,99}")
_WORDS = re.compile(r"[-._ 0-9]+")


@dataclass(frozen=True)
class Source:
    """One file, its split, and what its columns mean."""

    path: Path
    name: str
    split: str
    columns: Columns
    stated: bool  # whether the file says how its boxes are meant

    def rows(self, columns: Sequence[str]) -> Iterator[dict[str, list[Any]]]:
        """These columns, a few rows at a time."""
        for batch in batches(self.path, columns):
            yield {name: batch.column(name).to_pylist() for name in columns}


def sources(root: Path, listing: Sequence[str], report: Report) -> list[Source]:
    """All files that hold images, of one configuration."""
    found = []
    for name in _data_files(root, listing, report):
        try:
            schema = read_schema(root / name)
            columns = understand(schema, features_of(schema, _info(root, name, listing, report)))
        except UNREADABLE as error:  # also names of columns that are no UTF-8
            report.add("rows_unreadable", name, error)
            continue
        if columns is None:
            report.add("rows_ignored", name, ", ".join(schema.names))
            continue
        split = split_of(root, name, listing, report)
        found.append(Source(root / name, name, split, columns, OURS in (schema.metadata or {})))
    return found


def data_files(listing: Sequence[str]) -> list[str]:
    """The parquet files of a listing, else the Arrow files but for caches of the library."""
    parquet = [name for name in listing if name.lower().endswith(".parquet")]
    arrow = [name for name in listing if name.lower().endswith(".arrow")]
    return parquet or [name for name in arrow if not PurePosixPath(name).name.startswith("cache-")]


def holds_images(root: Path, name: str) -> bool:
    """Whether a file has a column of images, for `sniff`."""
    try:
        schema = read_schema(root / name)
        return bool(image_column(schema, features_of(schema)))
    except UNREADABLE:
        return False


def read_schema(path: Path) -> Any:
    """The schema of a file."""
    if path.suffix.lower() == ".parquet":
        return pq.read_schema(path)
    with pa.memory_map(str(path)) as stream:
        return _reader(stream).schema


def batches(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    """Record batches of these columns."""
    if path.suffix.lower() == ".parquet":
        with pq.ParquetFile(path, **THRIFT) as parquet:
            yield from parquet.iter_batches(BATCH, columns=list(columns))
        return
    with pa.memory_map(str(path)) as stream:
        reader = _reader(stream)
        for batch in _arrow_batches(reader):
            batch.validate(full=True)  # of a stranger: offsets may lead anywhere
            for start in range(0, batch.num_rows, BATCH):
                yield batch.select(list(columns)).slice(start, BATCH)


def split_of(root: Path, name: str, listing: Sequence[str], report: Report) -> str:
    """The split of a file: what its shard, its state or its folder says, a word in its name, or empty."""
    path = PurePosixPath(name)
    if name.lower().endswith(".arrow"):
        saved = path.parent.with_name("dataset_dict.json").as_posix() in listing if path.parent.name else False
        named = path.parent.name if saved else text(_beside(root, path, "state.json", listing, report).get("_split"))
    else:
        shard = _SHARD.fullmatch(path.stem)
        named = shard[1] if shard else ""
    if named.lower() in files.SPLITS:
        return files.SPLITS[named.lower()]
    if _SPLIT.fullmatch(named):
        return named
    words = _WORDS.split(path.stem.lower())
    known = next((files.SPLITS[word] for word in words if word in files.SPLITS), "")
    return known or next(split for _, split in files.by_split([name]))


def _data_files(root: Path, listing: Sequence[str], report: Report) -> list[str]:
    """The files of one configuration: the default one, that of the root, or the first."""
    names = data_files(listing)
    by_config: dict[str, list[str]] = {}
    for name in names:
        by_config.setdefault(_config(name) if name.lower().endswith(".parquet") else "", []).append(name)
    order = sorted(by_config, key=lambda config: (config != "default", config))
    for other in order[1:]:
        report.add("config_left", root.name, f"{other or 'the root'}; {order[0] or 'the root'} was read")
    return by_config[order[0]] if order else []


def _config(name: str) -> str:
    """The folder that stands for a configuration: any but `data` and those of splits."""
    folders = [f for f in PurePosixPath(name).parts[:-1] if f.lower() != "data" and f.lower() not in files.SPLITS]
    return folders[0] if folders else ""


def _info(root: Path, name: str, listing: Sequence[str], report: Report) -> dict[str, Any]:
    return _beside(root, PurePosixPath(name), "dataset_info.json", listing, report)


def _beside(root: Path, path: PurePosixPath, other: str, listing: Sequence[str], report: Report) -> dict[str, Any]:
    """The JSON object in another file of the same folder; empty where there is none."""
    beside = path.with_name(other).as_posix()
    return mapping(load_json(root / beside, beside, report, MAX_JSON)) if beside in listing else {}


def _reader(stream: Any) -> Any:
    """Arrow as a stream, as the library writes it, or as a file."""
    head = stream.read(6)
    stream.seek(0)
    return pa.ipc.open_file(stream) if head == b"ARROW1" else pa.ipc.open_stream(stream)


def _arrow_batches(reader: Any) -> Iterator[Any]:
    if hasattr(reader, "get_batch"):
        yield from (reader.get_batch(i) for i in range(reader.num_record_batches))
    else:
        yield from reader
