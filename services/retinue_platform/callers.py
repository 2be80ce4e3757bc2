"""Callers of what is made when asked for: they wait for a turn, but not for ever, and what they asked for ends with them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from starlette.types import Receive

    from retinue_sdk.errors import UnavailableError

PATIENCE = 45.0  # seconds that a caller waits for a turn
Result = TypeVar("Result")


@contextlib.asynccontextmanager
async def turn(turns: asyncio.Semaphore, busy: UnavailableError, patience: float = PATIENCE) -> AsyncIterator[None]:
    """One of so many that are made at once. Raises `busy` when none of the others ends in time."""
    try:
        async with asyncio.timeout(patience):
            await turns.acquire()
    except TimeoutError:
        raise busy from None
    try:
        yield
    finally:
        turns.release()


async def while_there(receive: Receive, work: Coroutine[Any, Any, Result]) -> Result:
    """What the work gives. It is stopped when its caller goes away: the server says so, and stops nothing by itself."""
    doing, leaving = tasks = asyncio.create_task(work), asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        leaving.result()  # raises what is wrong with the request
        raise ClientDisconnect
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
