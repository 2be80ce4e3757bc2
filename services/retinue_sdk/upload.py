"""Sends a file or a folder to the platform in chunks; goes on from the last safe byte after any break."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from retinue_sdk.api import Upload
from retinue_sdk.client import Client
from retinue_sdk.errors import ConflictError, NotFoundError, UnavailableError
from retinue_sdk.parcel import Parcel

CHUNK = 8 * 1024 * 1024
TRIES = 8

Progress = Callable[[int, int], None]


def send(client: Client, project_id: str, parcel: Parcel, progress: Progress, note: Path) -> str:
    """Upload all of it; returns the upload's id. `progress(bytes sent, bytes in all)` is called after each chunk.

    `note` is a file that keeps the id: calling again goes on with it, until `forget`.

    Raises
    ------
    UnavailableError
        When the platform stayed away through all retries; calling again later goes on.
    ConflictError
        When a file changed meanwhile.
    """
    upload = announce(client, project_id, parcel, _noted(note))
    with contextlib.suppress(OSError):  # a home that cannot be written: the upload goes on without
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(str(upload.id))
    try:
        while upload.offset < upload.size:
            upload = send_next(client, upload, parcel)
            progress(upload.offset, upload.size)
    except ConflictError:  # its bytes are gone, or are others now: next time from the beginning
        forget(note)
        raise
    return str(upload.id)


def _noted(note: Path) -> UUID | None:
    try:
        return UUID(note.read_text())
    except (OSError, ValueError):
        return None


def forget(note: Path) -> None:
    """Have the next call begin another upload: this one is used."""
    with contextlib.suppress(OSError):
        note.unlink(missing_ok=True)


def announce(client: Client, project_id: str, parcel: Parcel, begun: UUID | None = None) -> Upload:
    """Tell the platform of it, or go on with an upload that was begun, if it is there and of the same name and size."""
    if begun is not None:
        with contextlib.suppress(NotFoundError):
            known = Upload.model_validate(client.get(f"/uploads/{begun}"))
            if (known.filename, known.size) == (parcel.name, parcel.size):
                return known
    body = {"filename": parcel.name, "size": parcel.size}
    return Upload.model_validate(client.post(f"/projects/{project_id}/uploads", body))


def send_next(client: Client, upload: Upload, parcel: Parcel) -> Upload:
    """Send the next chunk, again and again while the platform is away; how far the upload is then."""
    chunk = parcel.read(upload.offset, CHUNK)
    where = f"/uploads/{upload.id}"
    headers = {"X-Content-SHA256": hashlib.sha256(chunk).hexdigest(), "Content-Type": "application/octet-stream"}
    for attempt in range(TRIES):
        try:
            answer = client.json("PUT", where, params={"offset": upload.offset}, content=chunk, headers=headers)
            return Upload.model_validate(answer)
        except (ConflictError, UnavailableError) as error:
            if error.problem.code == "upload_offset":  # an answer was lost, the bytes were not
                return Upload.model_validate(client.get(where))
            if attempt == TRIES - 1 or error.problem.code == "upload_lost":
                raise
            time.sleep(min(2.0**attempt / 4, 10))
    raise AssertionError("the loop returns or raises")
