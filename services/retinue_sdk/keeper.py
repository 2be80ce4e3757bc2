"""Keeps one service running: `python -m retinue_sdk.keeper --lock DIR -- COMMAND...`.

The hub looks at its services every 30 s and leaves them running when it is killed. The keeper locks the data directory,
restarts its child within half a second, ends the child's whole group, and goes when its parent goes. Standard library only.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

FIRST_WAIT = 0.1
LONGEST_WAIT = 10.0
STEADY_SECONDS = 5.0  # a child that lived this long starts again after the first wait
KILLED_SECONDS = 1.0  # one that was killed from outside, not ended by a fault of its own, after less
GRACE_SECONDS = 10.0  # for the child after SIGTERM
POLL_SECONDS = 0.5
MARK = "RETINUE_KEEPER"  # in the environment of a service; trainings that outlive theirs do not have it
_PR_SET_PDEATHSIG = 1
_STOP = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_SIGNALS = {*_STOP, signal.SIGCHLD, signal.SIGUSR1}  # SIGUSR1: the parent, or only its thread, has ended


def lock_or_exit(folder: Path) -> int:
    """Lock the folder for the life of this process, or say who has it and exit."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / "keeper.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(descriptor, 64).decode("ascii", "replace").strip() or "unknown"
        sys.exit(f"retinue: {folder} is in use by process {holder}. Stop that one first, or use another directory.")
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


class Keeper:
    """One child in a group of its own, started again whenever it ends. `mark` tells its processes from all others."""

    def __init__(self, command: list[str], mark: str) -> None:
        self.command = command
        self.mark = mark
        self.parent = os.getppid()
        self.child: subprocess.Popen[bytes] | None = None
        self.wait = FIRST_WAIT
        self.start_at = self.started = time.monotonic()
        self.stop_by: float | None = None

    def run(self) -> int:
        """Keep it until told to stop, or until the parent is gone. Returns the exit code."""
        self.before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        _signal_on_parents_death(signal.SIGUSR1)
        self._end()  # what a keeper that was killed left behind still has our ports
        while True:
            if self.child is None and self.stop_by is None and time.monotonic() >= self.start_at:
                self._start()
            pause = POLL_SECONDS if self.child else min(POLL_SECONDS, max(0.0, self.start_at - time.monotonic()))
            got = signal.sigtimedwait(_SIGNALS, pause)
            if os.getppid() != self.parent:
                self._end()
                return 1
            if got is not None and got.si_signo in _STOP and self.stop_by is None:
                self._stop()
            if self.child is not None and _has_ended(self.child.pid):
                self._plan_restart()
            if self.stop_by is not None and (self.child is None or time.monotonic() > self.stop_by):
                self._end()
                return 0

    def _start(self) -> None:
        def in_child() -> None:
            signal.pthread_sigmask(signal.SIG_SETMASK, self.before)
            _signal_on_parents_death(signal.SIGKILL)

        try:
            self.child = subprocess.Popen(
                self.command,
                env={**os.environ, MARK: self.mark},
                process_group=0,
                preexec_fn=in_child,  # noqa: PLW1509  # there is one thread here
            )
        except OSError as error:
            sys.exit(f"retinue: {self.command[0]} cannot be started: {error}")
        self.started = time.monotonic()

    def _stop(self) -> None:
        """Ask the child to end; its group follows it."""
        self.stop_by = time.monotonic() + GRACE_SECONDS
        if self.child is not None:
            with suppress(ProcessLookupError):
                os.kill(self.child.pid, signal.SIGTERM)

    def _plan_restart(self) -> None:
        """The child has ended: end its workers too, and start it again after a wait that grows while it fails."""
        code = self._end()
        if self.stop_by is not None:
            return
        steady = KILLED_SECONDS if code == -signal.SIGKILL else STEADY_SECONDS
        if time.monotonic() - self.started > steady:
            self.wait = FIRST_WAIT
        _say(f"{' '.join(self.command[:4])} ended with {code}; it starts again in {self.wait:.1f} s")
        self.start_at = time.monotonic() + self.wait
        self.wait = min(self.wait * 2, LONGEST_WAIT)

    def _end(self) -> int | None:
        """SIGKILL the child's group and whatever of it left the group. Returns the child's exit code."""
        code = None
        if self.child is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.child.pid, signal.SIGKILL)  # before it is reaped: its number is still its own
            code = self.child.wait()
            self.child = None
        wanted = f"{MARK}={self.mark}".encode()
        for entry in os.scandir("/proc"):
            with suppress(OSError):
                if entry.name.isdigit() and wanted in Path(entry.path, "environ").read_bytes().split(b"\0"):
                    os.kill(int(entry.name), signal.SIGKILL)
        return code


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal_on_parents_death(number: int) -> None:
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def _say(text: str) -> None:
    with suppress(OSError):  # nobody may be listening any more
        sys.stderr.write(f"retinue: {text}\n")
        sys.stderr.flush()


def main() -> None:
    """Read the command line, lock, keep."""
    usage = "usage: python -m retinue_sdk.keeper [--lock DIR] -- COMMAND..."
    if "--" not in sys.argv[1:]:
        sys.exit(usage)
    at = sys.argv.index("--")
    options, command = sys.argv[1:at], sys.argv[at + 1 :]
    if not command or (options and (len(options) != 2 or options[0] != "--lock")):
        sys.exit(usage)
    mark = f"pid-{os.getpid()}"
    if options:
        folder = Path(options[1]).resolve()
        lock_or_exit(folder)
        mark = str(folder)
    sys.exit(Keeper(command, mark).run())


if __name__ == "__main__":
    main()
