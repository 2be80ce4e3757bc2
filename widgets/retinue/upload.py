"""Sends a file to the platform in chunks; goes on from the last safe byte after any break."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from retinue.session import Session
from retinue_sdk.errors import BadRequestError, ConflictError, UnavailableError

CHUNK = 8 * 1024 * 1024
TRIES = 8


def send(session: Session, project_id: str, path: Path, progress: Callable[[int, int], None]) -> str:
    """Upload a file; returns the upload's id. `progress(bytes sent, bytes in all)` is called after each chunk.

    Raises
    ------
    BadRequestError
        When there is no such file, it is empty, or it changes while it is sent.
    UnavailableError
        When the platform stayed away through all retries; calling again later starts anew.
    """
    if not path.is_file():
        raise BadRequestError(
            "There is no file to upload here.",
            code="upload_no_file",
            where=str(path),
            hint="Give the path of an archive of images and labels: zip, tar, tar.gz or tar.zst.",
        )
    size = path.stat().st_size
    body = {"filename": path.name, "size": size}
    upload: dict[str, Any] = session.client.post(f"/projects/{project_id}/uploads", body)
    where = f"/uploads/{upload['id']}"
    with path.open("rb") as file:
        while upload["offset"] < size:
            file.seek(upload["offset"])
            chunk = file.read(CHUNK)
            if not chunk:
                raise BadRequestError(
                    "The file became shorter while it was sent.",
                    code="upload_changed",
                    where=path.name,
                    hint="Wait until it is written, then upload it again.",
                )
            upload = _put(session, where, upload, chunk)
            progress(upload["offset"], size)
    return str(upload["id"])


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
