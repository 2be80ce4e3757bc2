"""The images of a Hugging Face dataset: those inside its files are written to a folder of this process, see `scratch`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from retinue_sdk.archive_names import safe_parts
from retinue_sdk.disk import full_disk
from retinue_sdk.errors import DataError
from retinue_sdk.formats import files, scratch
from retinue_sdk.formats.hf_files import UNREADABLE, Source
from retinue_sdk.formats.report import Report
from retinue_sdk.names import is_hidden, same_form

DEPTH = 32
KEY_LENGTH = 1000
MAGIC = {
    b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"GIF8": ".gif", b"BM": ".bmp", b"RIFF": ".webp",
    b"II*\0": ".tif", b"MM\0*": ".tif", b"P4": ".ppm", b"P5": ".pgm", b"P6": ".ppm",
}  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """How much the files of a dataset may hold."""

    rows: int = 5_000_000
    image_bytes: int = 256 << 20
    total_bytes: int = 50 << 30


@dataclass
class Images:
    """The images that were found, in order: where each is, and which row of which source it belongs to."""

    path: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)  # what the row calls it
    source: list[int] = field(default_factory=list)
    row: list[int] = field(default_factory=list)  # beginning with 0

    def keys(self, sources: Sequence[Source]) -> list[str]:
        """A key for each: what the rows call them if no two are the same, with the split before it, or numbers."""
        splits = [sources[source].split for source in self.source]
        names = [_usable(said) for said in self.said]
        numbered = [f"{i:08d}{PurePosixPath(path).suffix}" for i, path in enumerate(self.path)]
        for prefixes in ([""] * len(names), splits):
            keys = [
                str(PurePosixPath(p, name or number)) for p, name, number in zip(prefixes, names, numbered, strict=True)
            ]
            if len({same_form(key) for key in keys}) == len(keys):
                return keys
        return [str(PurePosixPath(split, number)) for split, number in zip(splits, numbered, strict=True)]


def extract(
    root: Path, listing: Sequence[str], sources: Sequence[Source], report: Report, limits: Limits | None = None
) -> Images:
    """Find the image of every row; what is wrong with one is reported, and it is left out."""
    found = Images()
    extractor = _Extractor(root, listing, report, limits or Limits())
    with full_disk(extractor.folder):
        for number, source in enumerate(sources):
            try:
                _extract(source, number, extractor, found, report)
            except UNREADABLE as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise
                report.add("rows_unreadable", source.name, error)
    return found


def _extract(source: Source, number: int, extractor: _Extractor, found: Images, report: Report) -> None:
    row = 0
    for batch in source.rows([source.columns.image]):
        for value in batch[source.columns.image]:
            row += 1
            if len(found.path) >= extractor.limits.rows:
                report.add("rows_unreadable", f"{source.name}:{row}", f"more than {extractor.limits.rows} rows")
                return
            data, said = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, None)
            path = extractor.path(data, said, source, f"{source.name}:{row}")
            if path is not None:
                found.path.append(str(path))
                found.said.append(said if isinstance(said, str) else "")
                found.source.append(number)
                found.row.append(row - 1)


class _Extractor:
    """Gives each image a path: of a file made of its bytes, or of the one that its row names."""

    def __init__(self, root: Path, listing: Sequence[str], report: Report, limits: Limits) -> None:
        self.folder = scratch.folder()
        self.limits = limits
        self._root = root
        self._known = {name for name in listing if files.is_image(name)}
        self._report = report
        self._count = 0
        self._total = 0

    def path(self, data: Any, said: Any, source: Source, where: str) -> Path | None:
        """Where an image is; None, with a finding, for one that is not there or too large."""
        if isinstance(data, bytes) and data:
            return self._write(data, where)
        if not isinstance(said, str) or not said:
            self._report.add("row_without_image", where)
            return None
        parent = PurePosixPath(source.name).parent
        for name in (os.path.normpath(parent / said), os.path.normpath(said)):
            if name in self._known:
                return self._root / name
        self._report.add("image_missing", where, said)
        return None

    def _write(self, data: bytes, where: str) -> Path | None:
        self._total += len(data)
        if len(data) > self.limits.image_bytes or self._total > self.limits.total_bytes:
            self._report.add("image_bytes", where, f"{len(data)} bytes")
            return None
        suffix = next((suffix for magic, suffix in MAGIC.items() if data.startswith(magic)), ".png")
        path = self.folder / f"{self._count:08d}{suffix}"
        path.write_bytes(data)
        self._count += 1
        return path


def _usable(said: str) -> str:
    """A key made of what a row calls its image: the relative path, else the name; empty where neither can be used."""
    for name in (said, PurePosixPath(said.replace("\\", "/")).name):
        try:
            parts = safe_parts(name, DEPTH)
        except DataError:
            continue
        folders = parts[:-1]
        hidden = any(map(is_hidden, parts)) or any(map(files.is_image, folders))
        if files.is_image(name) and not hidden and len(name) <= KEY_LENGTH:
            return "/".join(parts)
    return ""
