"""Knowing and ending every process of one hub, by pid: descendants, and whatever carries one of its marks.

As a subreaper, this process becomes the parent of those whose own parent died; as marks, in the environment, are
inherited, those that an earlier hub left behind are known too. Never by name: others run the same programs here.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "RETINUE_INSTANCE"  # of the hub and all it starts
RUN_MARK = "RETINUE_RUN_DIR"  # of an attempt's processes, which get no other RETINUE_ variable
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Orphans among our descendants become our children, so that we can find and reap them (Linux; else no effect)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """In a child, before exec: ask for SIGTERM when the parent is gone, however it went."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _prctl(option: int, value: int) -> None:
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(option, value, 0, 0, 0)


@dataclass(frozen=True)
class Marks:
    """How the processes of one hub are known: its instance's id, and that their run directory is under its data."""

    instance: str
    data: Path

    def found_in(self, pid: int) -> bool:
        """Whether a process carries one of them."""
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 - procfs
                variables = file.read().split(b"\0")
        except OSError:  # gone, or another user's
            return False
        marks = (f"{MARK}={self.instance}".encode(), f"{RUN_MARK}={self.data}/".encode())
        return any(variable.startswith(marks) for variable in variables)


def belonging(marks: Marks, *, descendants: bool = True) -> list[psutil.Process]:
    """All living processes with these marks and, unless told not to, our descendants; never ourselves or an ancestor."""
    me = psutil.Process()
    spared = {me.pid, *(parent.pid for parent in me.parents())}
    found = {process.pid: process for process in me.children(recursive=True)} if descendants else {}
    for process in psutil.process_iter():
        if process.pid not in found and process.pid not in spared and marks.found_in(process.pid):
            found[process.pid] = process
    return [process for process in found.values() if _alive(process)]


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def end_all(marks: Marks, *, grace: float = 5.0, descendants: bool = True) -> int:
    """End what is left: SIGTERM, `grace` seconds, SIGKILL until nothing is left. How many there were."""
    left = belonging(marks, descendants=descendants)
    total = len(left)
    _signal(left, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while left:  # again and again: a process may start another between the listing and the signal
        time.sleep(0.1)
        if descendants:
            reap()
        left = belonging(marks, descendants=descendants)
        if time.monotonic() > deadline:
            _signal(left, signal.SIGKILL)
    return total


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)  # psutil checks that the pid was not given to another since
        except psutil.Error:
            continue


def wait_reaping(child: subprocess.Popen[bytes]) -> int:
    """Wait for `child`; orphans that became our children and end meanwhile are taken leave of."""
    while child.poll() is None:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        if ended is not None and ended.si_pid != child.pid:
            os.waitpid(ended.si_pid, 0)
    return child.wait()


def reap() -> None:
    """Take leave of orphans that became our children and have ended; a `Popen` of ours has been waited for before."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
