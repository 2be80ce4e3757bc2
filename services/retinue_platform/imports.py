"""Turns what comes in into dataset versions, each in a worker process that may be killed at any moment.

A dataset that is IMPORTING is work to do: so a platform that starts again goes on by itself, from the beginning of that
import. Nothing of it is visible before one transaction makes a version and READY, or says why there is none: FAILED when
it would have been the first, READY with the problem when something was to be added.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio.to_thread

from retinue_platform import import_rows
from retinue_platform.context import LEFT
from retinue_platform.db import is_away
from retinue_platform.workers import CREDENTIALS, WAITING, how_it_ended, next_answer
from retinue_sdk.api import VersionContent
from retinue_sdk.errors import DataError, RetinueError, StorageFullError, UnavailableError, from_problem
from retinue_sdk.store_gc import sweep

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from retinue_platform.context import Context
    from retinue_platform.workers import Worker

log = logging.getLogger("retinue.imports")

_RETRY_SECONDS = 5


async def run(platform: Context) -> None:
    """Background: keep a worker going for each dataset that is IMPORTING, oldest first."""
    workers: dict[UUID, asyncio.Task[None]] = {}
    with platform.bus.subscribe("imports") as changes:
        try:
            await _in_thread(platform, _sweep, platform)
            while True:
                try:
                    wanted = await _in_thread(platform, import_rows.wanted, platform)
                except RetinueError as error:  # the database; what is being imported goes on meanwhile
                    log.warning("which imports are wanted cannot be seen now: %s", error)
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
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
        if ident not in workers:  # the oldest is the first to wait for its turn
            workers[ident] = asyncio.create_task(_import(platform, ident), name=f"import {ident}")
            workers[ident].add_done_callback(lambda _task: platform.bus.publish("imports"))


async def _import(platform: Context, ident: UUID) -> None:
    """Import one dataset and record the outcome; what goes wrong in here is logged and tried again."""
    try:
        order = await _in_thread(platform, import_rows.order_of, platform, ident)
        if order is not None:
            async with contextlib.AsyncExitStack() as turns:
                await turns.enter_async_context(platform.importing if order["source"] is None else platform.fetching)
                result = await _work(platform, ident, order, turns)
            await _write_down(platform, ident, order["request"], result)
    except (UnavailableError, StorageFullError) as error:  # the version was collected, or the database cannot write now
        log.warning("import %s is done again: %s", ident, error)
        await asyncio.sleep(_RETRY_SECONDS)
    except Exception:
        log.exception("import %s could not be brought to an end, trying again", ident)
        await asyncio.sleep(_RETRY_SECONDS)


async def _write_down(
    platform: Context, ident: UUID, request: dict[str, Any], result: VersionContent | RetinueError
) -> None:
    """Record the outcome, when the database is there again: it may be the work of hours."""
    while True:
        try:
            await _in_thread(platform, import_rows.finish, platform, ident, request, result)
        except RetinueError as error:
            if not is_away(error):
                raise
            log.warning("the outcome of import %s waits to be written: %s", ident, error)
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return


async def _work(
    platform: Context, ident: UUID, order: dict[str, Any], turns: contextlib.AsyncExitStack
) -> VersionContent | RetinueError:
    if order["source"] is None and order["filename"] is None:
        return DataError("The upload is gone.", code="upload_lost", hint="Send the file again.")
    prefixes = CREDENTIALS if order["source"] is not None else ()
    try:
        async with (
            asyncio.timeout(platform.settings.import_seconds) as limit,
            platform.workers.working("importer", order, prefixes) as worker,
        ):
            return await _listen(platform, ident, worker, lambda: _turn(platform, turns, limit))
    except TimeoutError:
        return _ended(f"The import took longer than {platform.settings.import_seconds} seconds.", "import_timeout")
    finally:
        await asyncio.shield(_in_thread(platform, _clean, platform, ident))


async def _turn(platform: Context, turns: contextlib.AsyncExitStack, limit: asyncio.Timeout) -> None:
    """Wait until what was fetched may be read; that time does not count."""
    clock = asyncio.get_running_loop().time
    left = (limit.when() or 0.0) - clock()
    limit.reschedule(None)
    await turns.enter_async_context(platform.importing)
    limit.reschedule(clock() + left)


async def _listen(
    platform: Context, ident: UUID, worker: Worker, wait: Callable[[], Awaitable[None]]
) -> VersionContent | RetinueError:
    """Pass progress on, and give back the result."""
    while (message := await next_answer(worker)) is not None:
        if "problem" in message:
            return from_problem(message["problem"])
        if "version" in message:
            return VersionContent.model_validate(message["version"])
        with contextlib.suppress(RetinueError):  # the database; it is told the next time
            await _in_thread(platform, import_rows.progress, platform, ident, message["stage"], message["progress"])
        if message["stage"] == WAITING:
            await wait()
            await worker.go_on()
    return _ended(f"The import process {await how_it_ended(worker)} before it was done.", "import_killed")


def _ended(message: str, code: str) -> RetinueError:
    return DataError(
        message,
        code=code,
        hint="Try it again; if it stays, send the data in smaller datasets or ask your administrator.",
    )


def _sweep(platform: Context) -> None:
    """Remove what an earlier process left in the scratch space, and in the store's."""
    for folder in platform.work.glob(f"{LEFT}*"):
        shutil.rmtree(folder, ignore_errors=True)
    sweep(platform.settings.store)


def _clean(platform: Context, ident: UUID) -> None:
    """Remove what a worker that is no more has left, in the scratch space and in the store's."""
    shutil.rmtree(platform.work / str(ident), ignore_errors=True)
    sweep(platform.settings.store)


async def _in_thread(platform: Context, function: Callable[..., Any], *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(function, *arguments, limiter=platform.background)
