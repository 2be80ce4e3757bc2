"""Worker processes: what reads strangers' files or whole tables runs beside the platform, limited, and may be killed.

A worker reads one line of JSON, its order, and answers with lines of JSON. It ends when its input does, so that none
outlives the platform.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import sys
import threading
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from typing import IO, Any

_LINE_LIMIT = 64 * 1024 * 1024  # a result names every class
_ENVIRONMENT = ("PATH", "LANG", "TMPDIR", "HOME", "SSL_CERT_FILE", "SSL_CERT_DIR")
CREDENTIALS = ("AWS_", "AZURE_", "GOOGLE_", "HF_")  # how the variables begin that the drivers of places read


@contextlib.asynccontextmanager
async def working(module: str, order: dict[str, Any], prefixes: tuple[str, ...] = ()) -> AsyncIterator[Process]:
    """A worker that has its order. The whole of it is gone when the block is left.

    Of the environment it gets what every process needs, and the variables that begin with one of `prefixes`.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_LIMIT,
        start_new_session=True,
        env={key: value for key, value in os.environ.items() if key in _ENVIRONMENT or key.startswith(prefixes)},
    )
    try:
        if process.stdin is None:
            raise RuntimeError("a process without the pipes asked for")
        with contextlib.suppress(ConnectionError):  # the pipe stays open: its end is the worker's
            process.stdin.write(json.dumps(order).encode() + b"\n")
            await process.stdin.drain()
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def next_answer(process: Process) -> dict[str, Any] | None:
    """What the worker says next; None when it has ended."""
    if process.stdout is None:
        raise RuntimeError("a process without the pipes asked for")
    line = await process.stdout.readline()
    answer: dict[str, Any] | None = json.loads(line) if line else None
    return answer


async def how_it_ended(process: Process) -> str:
    """In words."""
    code = await process.wait()
    return f"was killed (signal {-code})" if code < 0 else f"ended with code {code}"


def take_order() -> tuple[dict[str, Any], IO[str]]:
    """In the worker: its order, and where its answers go. The limits of the order hold from here on."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a library that prints must not speak into the answers
    orders = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115 - a file descriptor
    order: dict[str, Any] = json.loads(orders.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    _limit(order["memory_bytes"], order["cpu_seconds"])
    return order, out


def _limit(memory_bytes: int, cpu_seconds: int) -> None:
    for what, limit in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        _soft, hard = resource.getrlimit(what)
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)  # noqa: PLW2901 - the same limit, allowed
        resource.setrlimit(what, (limit, limit))


def _end_with_input() -> None:
    """The platform holds the other end: when it dies, however, so do we."""
    while os.read(0, 4096):
        pass
    os._exit(1)
