"""Sends a file or a folder to the platform in chunks; goes on from the last safe byte after any break."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from uuid import UUID

from retinue_sdk.api import Upload
from retinue_sdk.client import Client
from retinue_sdk.errors import ConflictError, UnavailableError
from retinue_sdk.parcel import Parcel

CHUNK = 8 * 1024 * 1024
TRIES = 8

Progress = Callable[[int, int], None]


def send(client: Client, project_id: str, parcel: Parcel, progress: Progress) -> str:
    """Upload all of it; returns the upload's id. `progress(bytes sent, bytes in all)` is called after each chunk.

    Raises
    ------
    UnavailableError
        When the platform stayed away through all retries; calling again later starts anew.
    ConflictError
        When a file changed meanwhile.
    """
    upload = announce(client, project_id, parcel)
    transfer(client, upload, parcel, progress)
    return str(upload.id)


def announce(client: Client, project_id: str, parcel: Parcel, begun: UUID | None = None) -> Upload:
    """Tell the platform of it, or go on with an upload that was begun, when it is of the same name and size."""
    if begun is not None:
        known = Upload.model_validate(client.get(f"/uploads/{begun}"))
        if (known.filename, known.size) == (parcel.name, parcel.size):
            return known
    body = {"filename": parcel.name, "size": parcel.size}
    return Upload.model_validate(client.post(f"/projects/{project_id}/uploads", body))


def transfer(client: Client, upload: Upload, parcel: Parcel, progress: Progress) -> None:
    """Send what is missing. What `progress` raises ends it."""
    while upload.offset < upload.size:
        upload = _put(client, upload, parcel.read(upload.offset, CHUNK))
        progress(upload.offset, upload.size)


def _put(client: Client, upload: Upload, chunk: bytes) -> Upload:
    where = f"/uploads/{upload.id}"
    headers = {"X-Content-SHA256": hashlib.sha256(chunk).hexdigest(), "Content-Type": "application/octet-stream"}
    for attempt in range(TRIES):
        try:
            answer = client.json("PUT", where, params={"offset": upload.offset}, content=chunk, headers=headers)
        except ConflictError:
            return Upload.model_validate(client.get(where))
        except UnavailableError:
            if attempt == TRIES - 1:
                raise
            time.sleep(min(2.0**attempt / 4, 10))
        else:
            return Upload.model_validate(answer)
    raise AssertionError("the loop returns or raises")
