"""Forks platforms and their workers from a process that has imported everything: real processes, some milliseconds each.

`python -m tests.platform.zygote SOCKET` serves until its standard input ends. Only how a process begins is other than in
production (fork instead of exec); what it does, how it is limited, killed and waited for is the code that ships.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from retinue_platform.forkserver import MODULES
from retinue_platform.workers import Workers


class Child:
    """A forked process, as far as `subprocess.Popen` is asked for here."""

    def __init__(self, connection: socket.socket) -> None:
        self.file = connection.makefile("r")
        connection.close()
        self.pid: int = json.loads(self.file.readline())["pid"]
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """None while it lives."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 0)
            return self.returncode
        return self.wait()

    def wait(self, _timeout: float | None = None) -> int:
        """Its exit code, or minus its signal."""
        if self.returncode is None:
            self.returncode = json.loads(self.file.readline())["code"]
            self.file.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """To its whole group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


class Zygote:
    """The test's end of it."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "zygote")
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.platform.zygote", self.path], stdin=subprocess.PIPE
        )
        while not Path(self.path).exists():
            assert self.process.poll() is None
            time.sleep(0.02)

    def platform(self, environment: dict[str, str], log: int, *, strikes: bool = False) -> Child:
        """A platform with this environment; with `strikes` its workers are forked here too, where they can be struck."""
        return Child(ask(self.path, {"do": "platform", "environment": environment, "strikes": strikes}, [log]))

    def strike(self, at: int) -> None:
        """Kill the next worker at its file operation of this number."""
        with ask(self.path, {"do": "strike", "at": at}, []) as connection:
            connection.recv(1)

    def close(self) -> None:
        """End it, and whatever it has forked."""
        self.process.stdin.close()  # type: ignore[union-attr]
        self.process.wait(20)


def ask(path: str, order: dict[str, object], handles: list[int]) -> socket.socket:
    """Send an order and file descriptors; the connection on which its answers come."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    socket.send_fds(connection, [json.dumps(order).encode() + b"\n"], handles or [0])
    return connection


class Worker:
    """A forked worker, as far as `workers` asks an asyncio process."""

    def __init__(self, pid: int, answers: asyncio.StreamReader, ended: asyncio.StreamReader) -> None:
        self.pid, self.answers, self._ended = pid, answers, ended
        self._code: int | None = None

    async def wait(self) -> int:
        if self._code is None:
            self._code = json.loads(await self._ended.readline())["code"]
        return self._code


@contextlib.asynccontextmanager
async def working(path: str, module: str, order: dict[str, object], _prefixes: tuple[str, ...] = ()):
    """`Workers.working`, by a fork of the zygote. Of the environment it has what the platform had."""
    order_end, orders = os.pipe()
    answers, answer_end = os.pipe()
    connection = ask(path, {"do": "worker", "module": module}, [order_end, answer_end])
    os.close(order_end)
    os.close(answer_end)
    ended, writer = await asyncio.open_unix_connection(sock=connection)
    pid = json.loads(await ended.readline())["pid"]
    stdout = asyncio.StreamReader(limit=64 * 1024 * 1024)
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stdout), os.fdopen(answers, "rb", buffering=0)
    )
    worker = Worker(pid, stdout, ended)
    try:
        with contextlib.suppress(ConnectionError):
            os.write(orders, json.dumps(order).encode() + b"\n")
        yield worker
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        await worker.wait()
        os.close(orders)
        pipe.close()
        writer.close()


# --- in the zygote --------------------------------------------------------------------------------------------------------


def serve(path: str) -> None:
    """Fork for each order; tell its asker the pid at once and the exit code at the end."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    selector = selectors.DefaultSelector()
    for handle in (listener, woken, 0):
        selector.register(handle, selectors.EVENT_READ)
    askers: dict[int, socket.socket] = {}
    at = 0
    while True:
        ready = [key.fileobj for key, _ in selector.select()]
        if woken in ready:
            os.read(woken, 4096)
            _bury(askers)
        if listener in ready:
            at = _answer(listener, path, at, askers)
        if 0 in ready and not os.read(0, 1):
            for pid in askers:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
            return


def _answer(listener: socket.socket, path: str, at: int, askers: dict[int, socket.socket]) -> int:
    """Do what the next asker wants; where the next worker is to be killed."""
    connection, _ = listener.accept()
    text, handles, _, _ = socket.recv_fds(connection, 1 << 20, 2)
    order = json.loads(text or '{"do": "nothing"}')  # a platform that was killed before it had asked
    if order["do"] in ("nothing", "strike"):
        connection.close()
    else:
        pid = os.fork()
        if not pid:
            _begin(order, handles, path, at)
        with contextlib.suppress(OSError):  # a platform that was killed meanwhile
            connection.sendall(b'{"pid": %d}\n' % pid)
        askers[pid] = connection
    for handle in handles:
        os.close(handle)
    return int(order.get("at", 0 if order["do"] == "worker" else at))


def _bury(askers: dict[int, socket.socket]) -> None:
    while askers:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with contextlib.suppress(OSError), askers.pop(pid) as connection:
            connection.sendall(b'{"code": %d}\n' % os.waitstatus_to_exitcode(status))


def _begin(order: dict, handles: list[int], path: str, at: int) -> None:
    from tests.sdk import killed

    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        if order["do"] == "platform":
            os.dup2(handles[0], 1)
            os.dup2(handles[0], 2)
            os.environ.clear()
            os.environ.update(order["environment"])
            if order["strikes"]:
                Workers.working = functools.partial(working, path)  # type: ignore[method-assign]
            importlib.import_module("retinue_platform.__main__").main()
        else:
            os.dup2(handles[0], 0)
            os.dup2(handles[1], 1)
            for handle in handles:  # or its own end of the pipe would keep it from noticing the platform's
                os.close(handle)
            killed.strike(at, signal.SIGKILL)
            importlib.import_module(f"retinue_platform.{order['module']}").main()
        code = 0
    except SystemExit as end:
        code = end.code  # type: ignore[assignment]  # a number, or nothing
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)


def main() -> None:
    """Import what the children will need, then serve."""
    from tests.sdk import killed

    for module in ("__main__", "migrations", *MODULES):
        importlib.import_module(f"retinue_platform.{module}")
    sys.addaudithook(killed.watch)
    serve(sys.argv[1])


if __name__ == "__main__":
    main()
