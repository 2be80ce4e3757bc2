"""Writing files whole or not at all, and their sha256. Standard library only: `supervise` and the keeper start fast."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_atomic(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write `path` so that a reader sees the old content or all of the new one, even after a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """`write_atomic` of JSON."""
    write_atomic(path, json.dumps(value, separators=(",", ":")).encode())


def read_json(path: Path) -> Any:
    """The JSON in `path`, or None when it is absent or not (yet) whole."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def sync_folder(path: Path) -> None:
    """Make a rename inside `path` durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def entered(folder: Path) -> Iterator[int]:
    """A descriptor of a folder, made if need be: names below it are found in a fifth less time than by their whole path."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def describe(path: Path) -> tuple[int, str, dict[str, dict[str, Any]]]:
    """Size, sha256 and files of `path`. A folder's digest is that of its sorted list of files and their digests."""
    if path.is_file():
        return path.stat().st_size, sha256(path), {}
    files: dict[str, dict[str, Any]] = {
        str(file.relative_to(path)): {"size": file.stat().st_size, "sha256": sha256(file)}
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }
    if not files:
        raise FileNotFoundError(f"{path} does not exist or is empty")
    manifest = json.dumps(files, sort_keys=True, separators=(",", ":")).encode()
    return sum(entry["size"] for entry in files.values()), hashlib.sha256(manifest).hexdigest(), files


def sha256(path: Path) -> str:
    """The digest of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Lay `NAME.manifest.json` beside a file or folder."""
    write_json(path.with_name(path.name + ".manifest.json"), {"name": path.name, **manifest})


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file or folder to `target`: to a temporary name, to the disk, then renamed over what is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp")
    _remove(temporary)
    try:
        if source.is_dir():
            shutil.copytree(source, temporary)
        else:
            shutil.copyfile(source, temporary)
        for file in [temporary] if temporary.is_file() else [f for f in temporary.rglob("*") if f.is_file()]:
            sync_folder(file)  # fsync works alike on files
        if target.is_dir():  # a folder cannot be renamed over one that has files
            old = target.with_name(f".{target.name}.old")
            _remove(old)
            target.rename(old)
            temporary.rename(target)
            _remove(old)
        else:
            temporary.replace(target)
        sync_folder(target.parent)
    finally:
        _remove(temporary)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
