"""Processes by identity rather than by parenthood: who is alive, and how to end all of an attempt. Linux.

A pid alone may have been given to another process; pid, start time and boot id together never are.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path
from typing import Any

MARK = "RETINUE_RUN_DIR"  # in the environment of every process of an attempt
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process (prctl(2)); where there is none, nothing."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def boot_id() -> str:
    """The id of this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def start_time(pid: int) -> int | None:
    """When `pid` started, in ticks since boot; None when there is no such process, or only its corpse."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rsplit(b")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def identity(pid: int) -> dict[str, Any]:
    """What identifies a process for good."""
    return {"pid": pid, "start": start_time(pid), "boot": boot_id()}


def alive(who: dict[str, Any] | None) -> bool:
    """Whether the process that `identity` described still runs."""
    if not who:
        return False
    return who["start"] is not None and start_time(who["pid"]) == who["start"] and boot_id() == who["boot"]


def send(who: dict[str, Any] | None, number: int) -> None:
    """Send a signal to the process that `identity` described, if it is still that one."""
    if who and alive(who):
        with contextlib.suppress(ProcessLookupError):
            os.kill(who["pid"], number)


def children(pid: int) -> list[int]:
    """Direct children of `pid`, without walking all of /proc."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(word) for word in (task / "children").read_text("ascii").split()]
    return found


def descendants(pid: int) -> list[int]:
    """All living descendants of `pid`."""
    found: list[int] = []
    waiting = children(pid)
    while waiting:
        child = waiting.pop()
        found.append(child)
        waiting += children(child)
    return found


def marked(run_dir: Path) -> list[int]:
    """Processes whose environment says that they belong to `run_dir`, in whatever session they are."""
    mark = f"{MARK}={run_dir}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def kill_attempt(run_dir: Path, process: dict[str, Any] | None, patience: float = 5.0) -> bool:
    """SIGKILL everything of an attempt, again and again until nothing of it lives. True when nothing is left."""
    deadline = time.monotonic() + patience
    group = (process or {}).get("group")
    send((process or {}).get("supervise"), signal.SIGKILL)
    while True:
        if group and alive(group):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group["pid"], signal.SIGKILL)
        left = [pid for pid in marked(run_dir) if start_time(pid) is not None]
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not left and not alive(group):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
