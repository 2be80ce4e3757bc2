"""Sends a file or a folder to the platform in chunks; goes on from the last safe byte after any break."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from retinue.packing import Folder, PlainFile, Readable
from retinue.session import Session
from retinue_sdk.errors import BadRequestError, ConflictError, UnavailableError

CHUNK = 8 * 1024 * 1024
TRIES = 8


def way_in(session: Session, project_id: str, what: str | Path, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Where data is, as a request says it: a URL or a place as it stands, or the upload that a file or folder became."""
    if is_source(what):
        return {"source": str(what)}
    return {"upload_id": send(session, project_id, Path(what).expanduser(), progress)}


def is_source(what: str | Path) -> bool:
    """Whether it is a URL or a place, which the platform reads itself."""
    return isinstance(what, str) and "://" in what


def name_of(what: str | Path) -> str:
    """What a dataset made of it is called when nobody says: the last part, without what the kind of file adds."""
    local = Path(what).expanduser().resolve()
    if local.is_dir():
        return local.name
    path = PurePosixPath(unquote(urlsplit(str(what)).path)) if is_source(what) else local
    kind = path.suffix if path.suffix[1:2].isalpha() else ""  # not the end of a "v1.2"
    return path.name.removesuffix(kind).removesuffix(".tar") or str(what)[:100]


def send(session: Session, project_id: str, path: Path, progress: Callable[[int, int], None]) -> str:
    """Upload a file, or a folder packed on the way; the upload's id. `progress(bytes sent, in all)` is told of each chunk.

    Raises
    ------
    BadRequestError
        When there is no such file, it is empty or cannot be read.
    UnavailableError
        When the platform stayed away through all retries; calling again later starts anew.
    """
    with _readable(path):
        data: Readable | None = Folder(path) if path.is_dir() else PlainFile(path) if path.is_file() else None
    if data is None or (path.is_dir() and data.size == 0):
        raise BadRequestError(
            "There is no file to upload here, or nothing in it.",
            code="upload_no_file",
            where=str(path),
            hint="Give the path of a folder or an archive (zip, tar, tar.gz, tar.zst) of images and labels, or of a video.",
        )
    body = {"filename": data.name, "size": data.size}
    upload: dict[str, Any] = session.client.post(f"/projects/{project_id}/uploads", body)
    where = f"/uploads/{upload['id']}"
    while upload["offset"] < data.size:
        with _readable(path):
            chunk = data.read(upload["offset"], CHUNK)
        upload = _put(session, where, upload, chunk)
        progress(upload["offset"], data.size)
    return str(upload["id"])


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadRequestError(
            f"This cannot be read: {error.strerror}.",
            code="upload_unreadable",
            hint="Check the path, and that you may read what is there.",
            where=str(error.filename or path),
        ) from error


def _put(session: Session, where: str, upload: dict[str, Any], chunk: bytes) -> dict[str, Any]:
    headers = {"X-Content-SHA256": hashlib.sha256(chunk).hexdigest(), "Content-Type": "application/octet-stream"}
    for attempt in range(TRIES):
        try:
            answer: dict[str, Any] = session.client.json(
                "PUT", where, params={"offset": upload["offset"]}, content=chunk, headers=headers
            )
        except ConflictError:
            known: dict[str, Any] = session.get(where)
            return known
        except UnavailableError:
            if attempt == TRIES - 1:
                raise
            time.sleep(min(2.0**attempt / 4, 10))
        else:
            return answer
    raise AssertionError("the loop returns or raises")
