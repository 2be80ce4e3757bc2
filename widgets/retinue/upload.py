"""Sends a file to the platform in chunks; goes on from the last safe byte after any break, its own death too."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from retinue.session import Session
from retinue_sdk.errors import BadRequestError, ConflictError, NotFoundError, UnavailableError

CHUNK = 8 * 1024 * 1024
TRIES = 8
BUSY_SECONDS = 0.5  # before another look at an upload that somebody else is writing


def send(session: Session, project_id: str, path: Path, progress: Callable[[int, int], None]) -> str:
    """Upload a file; returns the upload's id. `progress(bytes sent, bytes in all)` is called after each chunk.

    An upload of this file that was broken off less than 48 hours ago goes on; one that changed since is sent anew.

    Raises
    ------
    BadRequestError
        When there is no such file, or it is empty.
    UnavailableError
        When the platform stayed away through all retries; calling again later goes on.
    """
    if not path.is_file() or path.stat().st_size == 0:
        raise BadRequestError(
            "There is no file to upload here, or it is empty.",
            code="upload_no_file",
            where=str(path),
            hint="Give the path of an archive of images and labels: zip, tar, tar.gz or tar.zst.",
        )
    size = path.stat().st_size
    note = _note(session, project_id, path)
    upload = _broken_off(session, note)
    if upload is None:
        upload = session.client.post(f"/projects/{project_id}/uploads", {"filename": path.name, "size": size})
        with contextlib.suppress(OSError):  # a home that cannot be written: the upload goes on without
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(upload["id"])
    try:
        _send_rest(session, upload, path, progress)
    except ConflictError:  # its bytes are gone: next time from the beginning
        note.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):
        note.unlink(missing_ok=True)
    return str(upload["id"])


def _note(session: Session, project_id: str, path: Path) -> Path:
    """Where the id of this file's upload is kept until it is complete. Another size or time is another file."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    facts = path.stat()
    key = repr((session.url, project_id, str(path.resolve()), facts.st_size, facts.st_mtime_ns))
    return cache / "retinue" / "uploads" / hashlib.sha256(key.encode()).hexdigest()


def _broken_off(session: Session, note: Path) -> dict[str, Any] | None:
    """The upload that a note speaks of, if it is still there."""
    try:
        upload: dict[str, Any] = session.get(f"/uploads/{note.read_text()}")
    except (OSError, NotFoundError):
        return None
    return upload


def _send_rest(session: Session, upload: dict[str, Any], path: Path, progress: Callable[[int, int], None]) -> None:
    where, size = f"/uploads/{upload['id']}", upload["size"]
    with path.open("rb") as file:
        while upload["offset"] < size:
            file.seek(upload["offset"])
            upload = _put(session, where, upload, file.read(CHUNK))
            progress(upload["offset"], size)


def _put(session: Session, where: str, upload: dict[str, Any], chunk: bytes) -> dict[str, Any]:
    headers = {"X-Content-SHA256": hashlib.sha256(chunk).hexdigest(), "Content-Type": "application/octet-stream"}
    for attempt in range(TRIES):
        try:
            answer: dict[str, Any] = session.client.json(
                "PUT", where, params={"offset": upload["offset"]}, content=chunk, headers=headers
            )
        except ConflictError as error:
            if error.problem.code == "upload_lost":
                raise
            if error.problem.code == "upload_busy":
                time.sleep(BUSY_SECONDS)
            known: dict[str, Any] = session.get(where)
            return known
        except UnavailableError:
            if attempt == TRIES - 1:
                raise
            time.sleep(min(2.0**attempt / 4, 10))
        else:
            return answer
    raise AssertionError("the loop returns or raises")
