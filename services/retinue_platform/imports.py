"""Turns complete uploads into dataset versions, each in a worker process that may be killed at any moment.

A dataset that is IMPORTING is work to do: so a platform that starts again goes on by itself, from the beginning of that
import. Nothing of it is visible before one transaction makes version 1 and READY, or FAILED with the reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio.to_thread
from sqlalchemy import select

from retinue_platform.tables import DatasetRow, UploadRow, VersionRow
from retinue_sdk.api import DatasetStatus, DatasetVersion
from retinue_sdk.errors import DataError, RetinueError, from_problem

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable
    from pathlib import Path

    from retinue_platform.context import Context

log = logging.getLogger("retinue.imports")

_LINE_LIMIT = 64 * 1024 * 1024  # the result names every class
_RETRY_SECONDS = 5


async def run(platform: Context) -> None:
    """Background: keep a worker going for each dataset that is IMPORTING, oldest first."""
    workers: dict[UUID, asyncio.Task[None]] = {}
    with platform.bus.subscribe("imports") as changes:
        try:
            await _in_thread(platform, _sweep, platform)
            while True:
                wanted = await _in_thread(platform, _wanted, platform)
                _match(platform, workers, wanted)
                await changes.changed()
        finally:
            for task in workers.values():
                task.cancel()
            await asyncio.gather(*workers.values(), return_exceptions=True)


def _match(platform: Context, workers: dict[UUID, asyncio.Task[None]], wanted: list[UUID]) -> None:
    for ident, task in list(workers.items()):
        if task.done():
            del workers[ident]
        elif ident not in wanted:  # deleted meanwhile
            task.cancel()
    for ident in wanted:
        if ident not in workers and len(workers) < platform.settings.import_workers:
            workers[ident] = asyncio.create_task(_import(platform, ident), name=f"import {ident}")
            workers[ident].add_done_callback(lambda _task: platform.bus.publish("imports"))


async def _import(platform: Context, ident: UUID) -> None:
    """Import one dataset and record the outcome; what goes wrong in here is logged and tried again."""
    try:
        result = await _work(platform, ident)
        await _in_thread(platform, finish, platform, ident, result)
    except Exception:
        log.exception("import %s could not be brought to an end, trying again", ident)
        await asyncio.sleep(_RETRY_SECONDS)


async def _work(platform: Context, ident: UUID) -> DatasetVersion | RetinueError:
    order = await _in_thread(platform, _order, platform, ident)
    if isinstance(order, RetinueError):
        return order
    folder = platform.work / str(ident)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "retinue_platform.importer"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_LIMIT,
        start_new_session=True,
        env={key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR", "HOME") if key in os.environ},
    )
    try:
        async with asyncio.timeout(platform.settings.import_seconds):
            return await _listen(platform, ident, process, order)
    except TimeoutError:
        return _ended(f"The import took longer than {platform.settings.import_seconds} seconds.", "import_timeout")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        await asyncio.shield(_in_thread(platform, _remove, folder))


async def _listen(
    platform: Context, ident: UUID, process: Process, order: dict[str, Any]
) -> DatasetVersion | RetinueError:
    """Send the order, pass progress on, and give back the result. The pipe stays open: its end is the worker's."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a process without the pipes asked for")
    with contextlib.suppress(ConnectionError):
        process.stdin.write(json.dumps(order).encode() + b"\n")
        await process.stdin.drain()
    async for line in process.stdout:
        message = json.loads(line)
        if "problem" in message:
            return from_problem(message["problem"])
        if "version" in message:
            return DatasetVersion.model_validate(message["version"])
        await _in_thread(platform, _progress, platform, ident, message["stage"], message["progress"])
    code = await process.wait()
    cause = f"was killed (signal {-code})" if code < 0 else f"ended with code {code}"
    return _ended(f"The import process {cause} before it was done.", "import_killed")


def _ended(message: str, code: str) -> RetinueError:
    return DataError(
        message,
        code=code,
        hint="Try again with the same upload; if it stays, send the data in smaller datasets or ask your administrator.",
    )


def finish(platform: Context, ident: UUID, result: DatasetVersion | RetinueError) -> None:
    """The one transaction that makes a version visible, or says why there is none."""
    with platform.db.write() as session:
        row = session.get(DatasetRow, ident)
        if row is None or row.status != DatasetStatus.IMPORTING:
            return
        upload_id = UUID(row.request["upload_id"])
        if isinstance(result, RetinueError):  # the upload stays: it may be tried as another format
            row.status, row.problem = DatasetStatus.FAILED, result.problem.model_dump(mode="json")
        else:
            summary = result.model_dump(mode="json", exclude={"number", "digest", "created_at", "created_by"})
            session.add(
                VersionRow(
                    dataset_id=ident,
                    number=1,
                    digest=result.digest,
                    summary=summary,
                    created_at=datetime.now(UTC),
                    created_by=row.created_by,
                )
            )
            row.status, row.stage, row.progress = DatasetStatus.READY, "ready", 1.0
            upload = session.get(UploadRow, upload_id)
            if upload is not None:
                session.delete(upload)
    if not isinstance(result, RetinueError):
        (platform.uploads / str(upload_id)).unlink(missing_ok=True)
    platform.bus.publish(f"datasets:{row.project_id}")
    log.info("import %s: %s", ident, row.status)


def _wanted(platform: Context) -> list[UUID]:
    query = select(DatasetRow.id).where(DatasetRow.status == DatasetStatus.IMPORTING).order_by(DatasetRow.created_at)
    with platform.db.read() as session:
        return list(session.scalars(query))


def _order(platform: Context, ident: UUID) -> dict[str, Any] | RetinueError:
    """What the worker is told on its standard input."""
    with platform.db.read() as session:
        row = session.get(DatasetRow, ident)
        if row is None:
            return DataError("The dataset was deleted.")
        upload = session.get(UploadRow, UUID(row.request["upload_id"]))
    if upload is None:
        return DataError("The upload is gone.", code="upload_lost", hint="Send the file again.")
    return {
        "upload": str(platform.uploads / str(upload.id)),
        "filename": upload.filename,
        "folder": str(platform.work / str(ident)),
        "store": str(platform.settings.store),
        "format": row.request["format"],
        "seed": row.request["seed"],
        "created_by": row.created_by,
        "memory_bytes": int(platform.settings.import_memory_gb * 1024**3),
        "cpu_seconds": platform.settings.import_seconds,
    }


def _progress(platform: Context, ident: UUID, stage: str, progress: float) -> None:
    with platform.db.write() as session:
        row = session.get(DatasetRow, ident)
        if row is None or row.status != DatasetStatus.IMPORTING:
            return
        row.stage, row.progress = stage, progress
    platform.bus.publish(f"datasets:{row.project_id}")


def _sweep(platform: Context) -> None:
    """Remove what imports of an earlier process left in the scratch space."""
    for folder in platform.work.iterdir():
        _remove(folder)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


async def _in_thread(platform: Context, function: Callable[..., Any], *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(function, *arguments, limiter=platform.background)
