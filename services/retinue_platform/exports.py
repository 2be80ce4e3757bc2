"""Dataset versions in any format: which formats there are, what one would lose, and a zip written while it is sent.

Nothing is kept: a worker process writes the labels, links the images and packs both into the answer. It ends with the
request, and a caller who goes away ends both, whatever is being done then: waiting for a turn, writing or sending.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID, uuid4

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from retinue_platform import access
from retinue_platform.auth import Caller, Identity
from retinue_platform.callers import PATIENCE, turn, while_there
from retinue_platform.context import Context, Platform
from retinue_platform.sources import all_places
from retinue_platform.tables import DatasetRow, VersionRow
from retinue_platform.workers import CREDENTIALS, how_it_ended, next_answer
from retinue_sdk.api import DatasetFormat, Finding
from retinue_sdk.dataset import manifest
from retinue_sdk.errors import DataError, NotFoundError, UnavailableError, from_problem
from retinue_sdk.http import StreamEndedError

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from retinue_platform.workers import Worker

router = APIRouter(tags=["datasets"])

FormatName = Annotated[str, Query(alias="format", max_length=60)]
_PIECE = 256 * 1024
_SENDING = 6 * 3600.0  # seconds to take what was written: a caller that stops reading gives its turn back at last


@router.get("/formats", name="list_formats")
async def list_formats(platform: Platform, caller: Caller) -> list[DatasetFormat]:  # noqa: ARG001 - any caller may look
    """The dataset formats that are installed, and which of them can be exported to."""
    if not platform.formats:  # asked of a worker, once: the formats need pandas, and this process does without
        async with platform.workers.working("exporter", {"formats": True, **_limits(platform)}) as worker:
            answer = await _answer(worker)
            platform.formats = [DatasetFormat.model_validate(form) for form in answer["formats"]]
    return platform.formats


@router.get("/datasets/{dataset_id}/versions/{number}/losses", name="get_losses")
async def get_losses(
    request: Request, platform: Platform, caller: Caller, dataset_id: UUID, number: int, wanted: FormatName
) -> list[Finding]:
    """What a version would lose in a format; empty when it holds everything."""
    order = await anyio.to_thread.run_sync(lambda: _order(platform, caller, dataset_id, number, wanted))
    return await while_there(request.receive, _losses(platform, {**order, "archive": False}))


@router.get("/datasets/{dataset_id}/versions/{number}/archive", name="get_archive", response_class=Response)
async def get_archive(
    platform: Platform, caller: Caller, dataset_id: UUID, number: int, wanted: FormatName
) -> Response:
    """A version in a format, as a zip."""
    order = await anyio.to_thread.run_sync(lambda: _order(platform, caller, dataset_id, number, wanted))
    return Archive(platform, {**order, "archive": True})


class Archive(Response):
    """The zip, as fast as the caller takes it."""

    def __init__(self, platform: Context, order: dict[str, Any]) -> None:
        super().__init__()
        self.platform, self.order = platform, order

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Have it written, then pass it on, for as long as the caller is there."""
        await while_there(receive, self._send(send))

    async def _send(self, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        headers = {
            "Content-Disposition": f'attachment; filename="{self.order["filename"]}"',
            "Cache-Control": "no-store",
        }
        try:
            async with _written(self.platform, self.order) as (worker, _):
                await StreamingResponse(_pieces(worker), 200, headers, "application/zip").stream_response(watched)
        except DataError as error:
            if started:
                raise StreamEndedError(str(error)) from error
            raise


async def _losses(platform: Context, order: dict[str, Any]) -> list[Finding]:
    async with _written(platform, order) as (_, losses):
        return losses


@contextlib.asynccontextmanager
async def _written(platform: Context, order: dict[str, Any]) -> AsyncIterator[tuple[Worker, list[Finding]]]:
    """A worker that has written the version, and what was lost; nothing of it is left afterwards."""
    seconds = platform.settings.import_seconds
    try:
        async with (
            turn(platform.exporting, _busy()),
            asyncio.timeout(seconds) as limit,
            platform.workers.working("exporter", order, CREDENTIALS) as worker,
        ):
            answer = await _answer(worker)
            limit.reschedule(asyncio.get_running_loop().time() + _SENDING)
            yield worker, [Finding.model_validate(finding) for finding in answer["losses"]]
    except TimeoutError:
        raise DataError(
            f"The export was not written within {seconds} seconds.",
            code="export_timeout",
            hint="Try again; if it stays, ask your administrator to raise RETINUE_IMPORT_SECONDS.",
        ) from None
    finally:
        await asyncio.shield(anyio.to_thread.run_sync(lambda: shutil.rmtree(order["folder"], ignore_errors=True)))


def _busy() -> UnavailableError:
    return UnavailableError(
        f"The platform makes as many exports as it may, and none of them has ended within {PATIENCE:g} seconds.",
        code="exports_busy",
        hint="Try again in some minutes.",
    )


async def _answer(worker: Worker) -> dict[str, Any]:
    answer = await next_answer(worker)
    if answer is None:
        raise DataError(
            f"The export process {await how_it_ended(worker)} before it was done.",
            code="export_failed",
            hint="Try again; if it stays, your administrator may raise RETINUE_IMPORT_MEMORY_GB.",
        )
    if "problem" in answer:
        raise from_problem(answer["problem"])
    return answer


async def _pieces(worker: Worker) -> AsyncIterator[bytes]:
    while piece := await worker.answers.read(_PIECE):
        yield piece
    if await worker.wait() != 0:
        raise DataError("The export broke off.", code="export_failed", hint="Try again.")


def _order(platform: Context, caller: Identity, dataset_id: UUID, number: int, wanted: str) -> dict[str, Any]:
    """What the worker is told on its standard input."""
    with platform.db.read() as session:
        dataset = access.find(session, caller, DatasetRow, dataset_id)
        row = session.get(VersionRow, (dataset_id, number)) if abs(number) < 2**31 else None
        if row is None:
            raise NotFoundError(f"The dataset has no version {number}.", where=str(number))
        plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in dataset.name)
        return {
            "manifest": manifest(platform.settings.store, row.digest).model_dump(mode="json"),
            "store": str(platform.settings.store),
            "sources": all_places(platform.settings),
            "format": wanted,
            "filename": f"{plain}-v{number}-{wanted}.zip",
            "folder": str(platform.work / f"export-{uuid4()}"),
            **_limits(platform),
        }


def _limits(platform: Context) -> dict[str, int]:
    return {
        "memory_bytes": int(platform.settings.import_memory_gb * 1024**3),
        "cpu_seconds": platform.settings.import_seconds,
    }
