"""What a job leaves behind, passed on from its trainer while it is read: its log, its checkpoints, its reports."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import anyio.to_thread
from fastapi import APIRouter, Header
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from sqlalchemy import select

from retinue_platform import access
from retinue_platform.auth import Caller, Identity
from retinue_platform.context import Context, Platform
from retinue_platform.tables import ArtifactRow, JobRow
from retinue_platform.trainers import is_verdict
from retinue_sdk.api import Artifact
from retinue_sdk.errors import BadRequestError, NotFoundError, RetinueError
from retinue_sdk.http import StreamEndedError
from retinue_sdk.schema import Seq

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

router = APIRouter(tags=["jobs"])

LOG_LIMIT = 1024 * 1024  # bytes of a log in one answer
_PASSED_ON = ("Content-Type", "Content-Length", "Content-Range", "Accept-Ranges", "ETag", "Last-Modified")


@router.get("/jobs/{job_id}/logs", name="get_log", response_class=PlainTextResponse)
async def get_log(platform: Platform, caller: Caller, job_id: UUID, after: Seq = 0) -> PlainTextResponse:
    """The log from a byte offset, at most 1 MiB of it. `X-Next-Offset` is where to go on; the same offset: nothing new."""
    framework, attempt = await anyio.to_thread.run_sync(lambda: _place(platform, caller, job_id))
    text = b""
    if attempt:
        with _named(platform, framework):
            pieces = platform.trainers.client(framework).logs(job_id, attempt=attempt, after=after)
            async for piece in pieces:
                text += piece
                if len(text) >= LOG_LIMIT:
                    break
    whole = text[: len(text) - _broken_end(text[-3:])] or text
    return PlainTextResponse(
        whole.decode(errors="replace"),
        headers={"X-Next-Offset": str(after + len(whole)), "Cache-Control": "no-store"},
    )


@router.get("/jobs/{job_id}/artifacts", name="list_artifacts")
def list_artifacts(platform: Platform, caller: Caller, job_id: UUID) -> list[Artifact]:
    """The files of the newest attempt, newest first."""
    with platform.db.read() as session:
        job = access.find(session, caller, JobRow, job_id)
        query = select(ArtifactRow).where(ArtifactRow.job_id == job_id, ArtifactRow.attempt == job.attempt)
        rows = session.scalars(query.order_by(ArtifactRow.time.desc(), ArtifactRow.path))
        return [Artifact.model_validate(row, from_attributes=True) for row in rows]


@router.get("/jobs/{job_id}/artifacts/{path:path}", name="get_artifact", response_class=Response)
async def get_artifact(
    platform: Platform,
    caller: Caller,
    job_id: UUID,
    path: str,
    bytes_wanted: Annotated[str | None, Header(alias="Range")] = None,
) -> Response:
    """A file, or part of it with Range; a folder comes as tar. Always a download: what a training wrote is never shown."""
    framework, attempt = await anyio.to_thread.run_sync(lambda: _place(platform, caller, job_id))
    if not attempt:
        raise NotFoundError("This job has not started, so it has no files yet.", where=path)
    return Relay(platform, framework, job_id, attempt, path=path, range_header=bytes_wanted)


class Relay(Response):
    """An answer that is read from the trainer as fast as the caller takes it, and no faster."""

    def __init__(
        self, platform: Context, framework: str, job_id: UUID, attempt: int, *, path: str, range_header: str | None
    ) -> None:
        super().__init__()
        self.platform, self.framework = platform, framework
        self.job_id, self.attempt, self.path = job_id, attempt, path
        self.asked = {"Range": range_header} if range_header else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open the file at the trainer, then pass it on."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        client = self.platform.trainers.client(self.framework)
        try:
            with _named(self.platform, self.framework):
                async with client.artifact(self.job_id, self.path, attempt=self.attempt, headers=self.asked) as answer:
                    headers = {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers}
                    headers["Content-Disposition"] = answer.headers.get("Content-Disposition", "attachment")
                    body = StreamingResponse(answer.aiter_raw(), answer.status_code, headers)
                    await body(scope, receive, watched)
        except RetinueError as error:
            if started:
                raise StreamEndedError(str(error)) from error
            raise


@contextlib.contextmanager
def _named(platform: Context, framework: str) -> Iterator[None]:
    """Say `trainer_unreachable` with its date instead of whatever the connection said."""
    try:
        yield
    except RetinueError as error:
        if error.problem.status == 416:
            raise BadRequestError(
                "The file has no such range.", code="range_invalid", status=416, hint="Ask for bytes the file has."
            ) from error
        if is_verdict(error):
            raise
        platform.trainers.silent(framework, error)
        raise platform.trainers.offer(framework).missing() from error


def _place(platform: Context, caller: Identity, job_id: UUID) -> tuple[str, int]:
    with platform.db.read() as session:
        job = access.find(session, caller, JobRow, job_id)
        return job.framework, job.attempt


def _broken_end(tail: bytes) -> int:
    """How many bytes at the end begin a character that is not whole."""
    for back in range(1, len(tail) + 1):
        byte = tail[-back]
        if byte >= 0xC0:  # the first byte of a character of 2, 3 or 4
            return back if back < (2 if byte < 0xE0 else 3 if byte < 0xF0 else 4) else 0
        if byte < 0x80:
            return 0
    return 0
