"""Files on their way: announced, sent in chunks that can be sent again, straight to disk.

A chunk is acknowledged when its bytes are fsynced and the offset is committed; after any crash the file may be longer
than the offset, never shorter, and the next chunk starts by cutting it there.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID, uuid4

import anyio.to_thread
from fastapi import APIRouter, Header, Query, Request
from sqlalchemy import func, select

from retinue_platform import access
from retinue_platform.auth import Caller, Identity
from retinue_platform.context import Context, Platform
from retinue_platform.projects import clean_name
from retinue_platform.tables import DatasetRow, ProjectRow, UploadRow
from retinue_sdk.api import DatasetStatus, Role, Upload, UploadCreate
from retinue_sdk.disk import full_disk, too_full
from retinue_sdk.errors import BadRequestError, ConflictError, NotFoundError
from retinue_sdk.schema import LARGEST_SIZE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

router = APIRouter(tags=["uploads"])

LIFETIME = timedelta(hours=48)
SPACE_FACTOR = 2.2  # the upload, its contents, and what is stored of them
_PIECE = 1024 * 1024  # written to disk at once
_SILENCE = 60.0  # seconds within a chunk: a sender that died without a word must not keep others away


@router.post("/projects/{project_id}/uploads", name="create_upload", status_code=201)
def create_upload(platform: Platform, caller: Caller, project_id: UUID, wanted: UploadCreate) -> Upload:
    """Announce a file. Its bytes follow in chunks, from offset 0."""
    if wanted.size == 0:
        raise BadRequestError(
            "The file is empty.",
            code="dataset_empty",
            hint="Send an archive of images and labels: zip, tar, tar.gz or tar.zst.",
            where=clean_name(wanted.filename, "filename"),
        )
    limit = platform.settings.upload_limit_bytes
    if wanted.size > limit:
        raise BadRequestError(
            f"The file has {wanted.size} bytes; at most {limit} are taken.",
            code="upload_too_large",
            hint="Send the data in several datasets, or ask your administrator to raise RETINUE_UPLOAD_LIMIT_GB.",
            where="size",
        )
    row = UploadRow(
        id=uuid4(),
        project_id=project_id,
        filename=clean_name(wanted.filename, "filename"),
        size=wanted.size,
        offset=0,
        created_by=caller.name,
        expires_at=datetime.now(UTC) + LIFETIME,
    )
    with platform.db.write() as session:
        access.find(session, caller, ProjectRow, project_id, Role.EDITOR)
        _refuse_without_space(session, platform, wanted.size)
        session.add(row)
    return _upload(row)


@router.get("/uploads/{upload_id}", name="get_upload")
def get_upload(platform: Platform, caller: Caller, upload_id: UUID) -> Upload:
    """How far a file is."""
    with platform.db.read() as session:
        return _upload(access.find(session, caller, UploadRow, upload_id))


@router.put(
    "/uploads/{upload_id}",
    name="put_chunk",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def put_chunk(
    *,
    platform: Platform,
    caller: Caller,
    upload_id: UUID,
    request: Request,
    offset: Annotated[int, Query(ge=0, le=LARGEST_SIZE)],
    x_content_sha256: Annotated[str, Header(pattern="^[0-9a-fA-F]{64}$")],
) -> Upload:
    """Add the next chunk, at most 8 MiB, at the offset that the last answer gave."""
    with _alone(platform, upload_id):
        row = await anyio.to_thread.run_sync(_expect, platform, caller, upload_id, offset)
        length = await _receive(request, platform.uploads / str(upload_id), row, x_content_sha256.lower())
        return await anyio.to_thread.run_sync(_advance, platform, upload_id, offset + length)


@router.delete("/uploads/{upload_id}", name="delete_upload", status_code=204)
def delete_upload(platform: Platform, caller: Caller, upload_id: UUID) -> None:
    """Give up a file."""
    with platform.db.write() as session:
        row = access.find(session, caller, UploadRow, upload_id, Role.EDITOR)
        if row.id in importing(session):
            raise ConflictError(
                "A dataset is being made of this upload.", code="upload_in_use", hint="Wait until the import is over."
            )
        session.delete(row)
    _remove(platform.uploads / str(upload_id))


async def expire(platform: Context) -> None:
    """Background: remove what nobody has gone on with for 48 hours, at start and every hour."""
    while True:
        await anyio.to_thread.run_sync(remove_expired, platform, datetime.now(UTC), limiter=platform.background)
        await asyncio.sleep(3600)


def remove_expired(platform: Context, now: datetime) -> int:
    """Remove expired uploads, and files that no upload speaks of; the number of uploads removed."""
    with platform.db.write() as session:
        busy = importing(session)
        old = [
            row for row in session.scalars(select(UploadRow).where(UploadRow.expires_at < now)) if row.id not in busy
        ]
        for row in old:
            session.delete(row)
        session.flush()
        kept = {str(ident) for ident in session.scalars(select(UploadRow.id))}
        for path in platform.uploads.iterdir():  # within the lock: no upload is announced meanwhile
            if path.name not in kept:
                _remove(path)
    return len(old)


def importing(session: Session) -> set[UUID]:
    """The uploads that datasets are being made of."""
    query = select(DatasetRow.request).where(DatasetRow.status == DatasetStatus.IMPORTING)
    return {UUID(request["upload_id"]) for request in session.scalars(query) if request.get("upload_id")}


def refuse_unless_complete(session: Session, caller: Caller, project_id: UUID, upload_id: UUID) -> None:
    """Refuse an upload of another project, one that is not whole, and one that an import works on."""
    upload = access.find(session, caller, UploadRow, upload_id)
    if upload.project_id != project_id:
        raise NotFoundError("There is no such upload in this project.", where="upload_id")
    if upload.offset != upload.size:
        raise ConflictError(
            f"The upload is not complete: {upload.offset} of {upload.size} bytes are here.",
            code="upload_incomplete",
            hint=f"Go on sending from offset {upload.offset}.",
            where="upload_id",
        )
    if upload_id in importing(session):
        raise ConflictError(
            "A dataset is being made of this upload already.",
            code="upload_in_use",
            hint="Wait until that import is over.",
            where="upload_id",
        )


@contextmanager
def _alone(platform: Context, upload_id: UUID) -> Iterator[None]:
    """Two writers of one file would mix their bytes: the second is told so."""
    if upload_id in platform.uploading:
        raise ConflictError(
            "This upload is being written from somewhere else.",
            code="upload_busy",
            hint="Close the other page that sends it, ask for the upload's offset and go on from there.",
        )
    platform.uploading.add(upload_id)
    try:
        yield
    finally:
        platform.uploading.discard(upload_id)


def _expect(platform: Context, caller: Identity, upload_id: UUID, offset: int) -> UploadRow:
    with platform.db.read() as session:
        row = access.find(session, caller, UploadRow, upload_id, Role.EDITOR)
    if offset != row.offset:
        raise ConflictError(
            f"The upload is at offset {row.offset}, not {offset}.",
            code="upload_offset",
            hint=f"Go on from offset {row.offset}.",
            where=str(row.offset),
        )
    return row


async def _receive(request: Request, path: Path, row: UploadRow, sha256: str) -> int:
    """Write the body behind the offset and check it. The file is cut back to the offset if anything is wrong."""
    with full_disk(path.parent, row.size - row.offset):
        file = await anyio.to_thread.run_sync(_open_at, path, row.offset)
        digest, length, piece = hashlib.sha256(), 0, bytearray()
        try:
            async for block in _spoken(request):
                length += len(block)
                if row.offset + length > row.size:
                    _refuse_too_long(row)
                piece += block
                if len(piece) >= _PIECE:
                    await anyio.to_thread.run_sync(_write, file, bytes(piece), digest)
                    piece.clear()
            await anyio.to_thread.run_sync(_finish, file, bytes(piece), digest, sha256)
        except (OSError, BadRequestError):
            await anyio.to_thread.run_sync(_cut, file, row.offset)
            raise
        finally:
            os.close(file)
    return length


async def _spoken(request: Request) -> AsyncIterator[bytes]:
    """The body's pieces, none of them waited for too long."""
    blocks = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(_SILENCE):
                block = await anext(blocks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise BadRequestError(
                f"Nothing more of the chunk came for {_SILENCE:.0f} seconds.",
                code="upload_stalled",
                hint="Send this chunk again.",
                status=408,
            ) from None
        yield block


def _refuse_too_long(row: UploadRow) -> None:
    raise BadRequestError(
        f"The chunk ends behind the file's end: {row.size} bytes were announced.",
        code="upload_too_long",
        hint="Announce the file anew with its true size.",
        where=row.filename,
    )


def _open_at(path: Path, offset: int) -> int:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    if offset == 0:
        _flush_folder(path.parent)  # the file's name has to survive a power cut too
    if os.fstat(file).st_size < offset:
        os.close(file)
        raise NotFoundError(
            "The bytes of this upload are gone.", code="upload_lost", hint="Start the upload again.", status=409
        )
    _cut(file, offset)
    os.lseek(file, offset, os.SEEK_SET)
    return file


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write(file: int, piece: bytes, digest: Any) -> None:
    digest.update(piece)
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(file, rest) :]


def _finish(file: int, piece: bytes, digest: Any, sha256: str) -> None:
    _write(file, piece, digest)
    if digest.hexdigest() != sha256:
        raise BadRequestError(
            "The chunk's bytes do not match its sha256.",
            code="upload_checksum",
            hint="Send this chunk again.",
            where="X-Content-SHA256",
        )
    os.fsync(file)


def _cut(file: int, offset: int) -> None:
    os.ftruncate(file, offset)


def _advance(platform: Context, upload_id: UUID, offset: int) -> Upload:
    with platform.db.write() as session:
        row = session.get(UploadRow, upload_id)
        if row is None:
            raise NotFoundError("The upload was deleted meanwhile.")
        row.offset = offset
        row.expires_at = datetime.now(UTC) + LIFETIME
    return _upload(row)


def _refuse_without_space(session: Session, platform: Context, size: int) -> None:
    """Uploads under way have a claim on the space too."""
    pending = session.scalar(select(func.coalesce(func.sum(UploadRow.size - UploadRow.offset), 0)))
    needed = int(size * SPACE_FACTOR) + int(pending or 0)
    free = shutil.disk_usage(platform.uploads).free
    if free < needed:
        raise too_full(platform.uploads, needed)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _upload(row: UploadRow) -> Upload:
    return Upload.model_validate(row, from_attributes=True)
