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
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Any

from retinue_sdk.disk import FULL, too_full
from retinue_sdk.errors import RetinueError, UnavailableError
from retinue_sdk.memory import KEEP_MEMORY

_LINE_LIMIT = 64 * 1024 * 1024  # a result names every class
_ENVIRONMENT = ("PATH", "LANG", "TMPDIR", "HOME", "SSL_CERT_FILE", "SSL_CERT_DIR")
WAITING = "waiting"  # the stage of one that is in `wait_for_turn`
_told = threading.Event()  # in the worker: a line came after its order
CREDENTIALS = ("AWS_", "AZURE_", "GOOGLE_", "HF_")  # how the variables begin that the drivers of places read


class Worker:
    """A process that has its order."""

    def __init__(
        self, pid: int, answers: asyncio.StreamReader, orders: asyncio.StreamWriter, state: asyncio.StreamReader
    ) -> None:
        self.pid = pid
        self.answers = answers
        self._orders = orders
        self._state = state
        self._code: int | None = None

    async def tell(self, line: bytes) -> None:
        """Send it a line."""
        with contextlib.suppress(ConnectionError):  # its end is seen in its answers
            self._orders.write(line + b"\n")
            await self._orders.drain()

    async def go_on(self) -> None:
        """Let it go on where it waits, see `wait_for_turn`."""
        await self.tell(b"")

    async def wait(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        if self._code is None:
            self._code = int(await self._state.readline() or -signal.SIGKILL)  # who would have told it is gone too
        return self._code


class Workers:
    """Starts workers, each a fork of `forkserver`, which the first one starts."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None

    @contextlib.asynccontextmanager
    async def working(
        self, module: str, order: dict[str, Any], prefixes: tuple[str, ...] = ()
    ) -> AsyncIterator[Worker]:
        """A worker that has its order. The whole of it is gone when the block is left.

        Of the environment it gets what every process needs, and the variables that begin with one of `prefixes`.
        """
        environment = {key: value for key, value in os.environ.items() if key.startswith(prefixes)}
        (talk, its_talk), (state, its_state) = socket.socketpair(), socket.socketpair()
        with its_talk, its_state:
            self._fork({"module": module, "environment": environment}, [its_talk.fileno(), its_state.fileno()])
        answers, orders = await asyncio.open_unix_connection(sock=talk, limit=_LINE_LIMIT)
        told, ear = await asyncio.open_unix_connection(sock=state)
        try:
            pid = await told.readline()
            if not pid:
                raise UnavailableError("A process for this could not be started: the one that forks it was killed.")
            worker = Worker(int(pid), answers, orders, told)
            try:
                await worker.tell(json.dumps(order).encode())  # and `orders` stays open: its end is the worker's
                yield worker
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(worker.pid, signal.SIGKILL)
                await worker.wait()
        finally:
            orders.close()
            ear.close()

    def _fork(self, order: dict[str, Any], handles: list[int]) -> None:
        text = [json.dumps(order).encode()]
        if self._orders is not None:
            with contextlib.suppress(ConnectionError):  # somebody has killed the server
                socket.send_fds(self._orders, text, handles)
                return
            self.close()
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "retinue_platform.forkserver"],
                stdin=theirs.fileno(),
                env=KEEP_MEMORY
                | {key: os.environ[key] for key in (*_ENVIRONMENT, *KEEP_MEMORY) if key in os.environ}
                | {"OPENBLAS_NUM_THREADS": "1"},  # a fork takes no threads along
                start_new_session=True,  # or the Ctrl-C that ends the platform would interrupt it
            )
        socket.send_fds(self._orders, text, handles)

    def close(self) -> None:
        """End the server; the workers are whoever's who has begun them."""
        if self._orders is not None and self._server is not None:
            self._orders.close()
            self._server.kill()
            self._server.wait()


async def next_answer(worker: Worker) -> dict[str, Any] | None:
    """What the worker says next; None when it has ended."""
    line = b""
    with contextlib.suppress(ConnectionError):  # killed before it had read its order
        line = await worker.answers.readline()
    answer: dict[str, Any] | None = json.loads(line) if line else None
    return answer


async def how_it_ended(worker: Worker) -> str:
    """In words."""
    code = await worker.wait()
    return f"was killed (signal {-code})" if code < 0 else f"ended with code {code}"


def take_order() -> tuple[dict[str, Any], IO[str]]:
    """In the worker: its order, and where its answers go. The limits of the order hold from here on."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a library that prints must not speak into the answers
    orders = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115 - a file descriptor
    line = orders.readline()
    if not line:
        os._exit(1)  # whoever asked has left
    order: dict[str, Any] = json.loads(line)
    threading.Thread(target=_end_with_input, daemon=True).start()
    _limit(order["memory_bytes"], order["cpu_seconds"])
    return order, out


def wait_for_turn() -> None:
    """In the worker: wait until the platform lets it `go_on`."""
    _told.wait()
    _told.clear()


def problem_of(error: Exception, place: Path, out_of_memory: RetinueError, unforeseen: RetinueError) -> RetinueError:
    """In the worker: what a person is told of an error. `place` is where it writes, for the error of a full disk."""
    if isinstance(error, RetinueError):
        return error
    if isinstance(error, MemoryError):
        return out_of_memory
    if isinstance(error, OSError) and error.errno in FULL:
        return too_full(place, None)
    traceback.print_exception(error, file=sys.stderr)
    return unforeseen


def gigabytes(order: dict[str, Any]) -> str:
    """The memory that an order allows, in words."""
    return f"{order['memory_bytes'] / 1024**3:g} GiB"


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
        _told.set()
    os._exit(1)
