"""A process that has imported what the workers need and forks each of them: one begins in milliseconds, not in a second.

`python -m retinue_platform.forkserver`, started by `workers`. Its standard input is a socket of packets: an order
{"module", "environment"} with two more sockets, the worker's standard input and output, and where its pid and exit code
go, a line each. It ends with the platform, which has the other end.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

MODULES = ("importer", "exporter", "differ", "bringer")
_PACKET = 65536


def main() -> None:
    """Import everything, then fork for each order."""
    for module in MODULES:
        importlib.import_module(f"retinue_platform.{module}")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody here waits for those who wait for the workers
    with socket.socket(fileno=0) as orders:
        while True:
            text, handles, _, _ = socket.recv_fds(orders, _PACKET, 2)
            if not text:
                return
            if not os.fork():
                _stand_over(json.loads(text), *handles)
            for handle in handles:
                os.close(handle)


def _stand_over(order: dict[str, Any], talk: int, state: int) -> NoReturn:
    """Fork the worker and tell of it: a process of its own, for only a parent hears how its child ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if not pid:
        os.close(state)
        _work(order, talk)
    os.setpgid(pid, pid)  # before anybody knows of it, or could not kill its group
    os.close(0)
    os.close(talk)
    with socket.socket(fileno=state) as told, suppress(ConnectionError):
        told.sendall(b"%d\n" % pid)
        end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # its pid is nobody else's until the platform lets go
        if end is not None:
            told.sendall(b"%d\n" % (end.si_status if end.si_code == os.CLD_EXITED else -end.si_status))
        told.recv(1)
    os._exit(0)


def _work(order: dict[str, Any], talk: int) -> NoReturn:
    """Be the worker."""
    code = 1
    try:
        with suppress(OSError):
            Path("/proc/self/comm").write_text(order["module"], encoding="ascii")  # what `ps` and `top` show
        os.dup2(talk, 0)
        os.dup2(talk, 1)
        os.close(talk)
        os.environ.update(order["environment"])
        importlib.import_module(f"retinue_platform.{order['module']}").main()
        code = 0
    except BaseException:  # noqa: BLE001 - nothing of the server's may run in the worker
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
