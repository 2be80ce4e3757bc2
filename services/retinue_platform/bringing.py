"""Gets the images of a version into the store before somebody needs them, where they stayed at an object store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from retinue_platform.sources import all_places
from retinue_platform.workers import CREDENTIALS, how_it_ended, next_answer
from retinue_sdk.elsewhere import has_objects
from retinue_sdk.errors import DataError, from_problem

if TYPE_CHECKING:
    from retinue_platform.context import Context


async def bring(platform: Context, digest: str, tell: Callable[[float], Awaitable[None]]) -> None:
    """Have all images of a version in the store; `tell` hears how far it is, from 0 to 1, when there is anything to do.

    Raises
    ------
    RetinueError
        `source_changed` when an image is not what was imported; or why its place cannot be read.
    """
    if not has_objects(platform.settings.store / "versions" / digest):
        return
    order: dict[str, Any] = {
        "digest": digest,
        "store": str(platform.settings.store),
        "sources": all_places(platform.settings),
        "memory_bytes": int(platform.settings.import_memory_gb * 1024**3),
        "cpu_seconds": platform.settings.import_seconds,
    }
    try:
        async with (
            asyncio.timeout(platform.settings.import_seconds),
            platform.workers.working("bringer", order, CREDENTIALS) as worker,
        ):
            while (answer := await next_answer(worker)) is not None:
                if "problem" in answer:
                    raise from_problem(answer["problem"])
                if "brought" in answer:
                    return
                await tell(answer["progress"])
            how = await how_it_ended(worker)
    except TimeoutError:
        how = f"took longer than {platform.settings.import_seconds} seconds"
    raise DataError(
        f"Getting the images from their place {how}.",
        code="bringing_failed",
        hint="Try again: it goes on where it was.",
    )
