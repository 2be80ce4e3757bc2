"""Sends a file or a folder to the platform in chunks; goes on from the last safe byte after any break."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable
from uuid import UUID

from retinue_sdk.api import Upload
from retinue_sdk.client import Client
from retinue_sdk.errors import ConflictError, NotFoundError, UnavailableError
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
    while upload.offset < upload.size:
        upload = send_next(client, upload, parcel)
        progress(upload.offset, upload.size)
    return str(upload.id)


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
