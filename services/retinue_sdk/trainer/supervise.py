"""Stands over one attempt: `python -m retinue_sdk.trainer.supervise RUN_DIR -- CMD`.

Holds RUN_DIR/lock for as long as the attempt lives, runs CMD in a session of its own, samples its use of the machine,
ends all of it on SIGTERM or at the time limit, and writes done.json last. Light imports only: it starts in 0.1 s.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from retinue_sdk.failure import full_volume
from retinue_sdk.files import read_json, sync_folder, write_json
from retinue_sdk.memory import KEEP_MEMORY
from retinue_sdk.trainer import processes, readonly
from retinue_sdk.trainer.verdict import Ending, judge

SAMPLE_SECONDS = 2.0
LOCK_PATIENCE = 2.0  # whoever looks whether we live holds the lock for an instant
_SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


def take_lock(run_dir: Path, patience: float = 0.0) -> int | None:
    """The descriptor of the attempt's lock, or None when somebody else has it."""
    descriptor = os.open(run_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            time.sleep(0.02)
        else:
            return descriptor


class Supervisor:
    """One attempt, from the start of its process to done.json."""

    def __init__(self, run_dir: Path, command: Sequence[str]) -> None:
        self.run_dir = run_dir
        self.command = command
        spec: dict[str, Any] = read_json(run_dir / "spec.json") or {}
        self.read_only = readonly.folders(spec, run_dir)
        self.resources: dict[str, Any] = spec.get("resources", {})
        self.time_limit: int | None = self.resources.get("time_limit_seconds")
        self.stopped: str | None = None
        self.kill_at: float | None = None
        self.status: int | None = None  # of waitpid, of the training process
        self.oom_kills = _oom_kills()

    def run(self) -> None:
        """Start, watch, end and judge the attempt."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        processes.prctl(processes.PR_SET_CHILD_SUBREAPER, 1)
        _reserve(self.run_dir)
        facts = {"supervise": processes.identity(os.getpid()), "started_at": _now()}
        write_json(self.run_dir / "process.json", facts)  # from here on, a free lock means that we are dead
        if (self.run_dir / "cancel").exists():
            self._done(None, None, "cancelled", "Cancelled before it started.")
            return
        try:
            self.pid = self._start(before)
        except OSError as error:
            self._done(None, None, "failed", f"{self.command[0]} cannot be started: {error}.")
            return
        with suppress(OSError):  # a full disk: the training goes on, and is known by its mark alone
            write_json(self.run_dir / "process.json", {**facts, "group": processes.identity(self.pid)})
        self._watch()
        self._sweep()
        self._finish()

    def _start(self, mask: set[int | signal.Signals]) -> int:
        """Start the command in its own session. It dies with us, so that a free lock means nothing of it runs."""

        def in_child() -> None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            readonly.enter(self.read_only)
            processes.prctl(processes.PR_SET_PDEATHSIG, signal.SIGKILL)

        environment = {
            **KEEP_MEMORY,
            **os.environ,
            processes.MARK: str(self.run_dir),
            "PYTHONUNBUFFERED": "1",
            "PYTHONSAFEPATH": "1",  # the run directory is the working directory, not a place to import from
        }
        with (self.run_dir / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                self.command,
                cwd=self.run_dir,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=in_child,  # noqa: PLW1509  # there is one thread here
            )
        process.returncode = 0  # we wait for it ourselves, together with whatever it leaves behind
        return process.pid

    def _watch(self) -> None:
        """Until the training process has ended: signals, deadlines, samples."""
        from retinue_sdk.trainer.sampler import Sampler  # noqa: PLC0415  # psutil loads while the training starts

        sampler = Sampler(self.run_dir, self.pid)
        started = next_sample = time.monotonic()
        limit_at = started + self.time_limit if self.time_limit else None
        while self.status is None:
            wake = min(t for t in (next_sample, limit_at, self.kill_at) if t is not None)
            got = signal.sigtimedwait(_SIGNALS, max(0.0, wake - time.monotonic()))
            if got is not None and got.si_signo != signal.SIGCHLD:
                self._stop("cancelled" if (self.run_dir / "cancel").exists() else "terminated")
            self._reap()
            now = time.monotonic()
            if limit_at is not None and now >= limit_at:
                limit_at = None
                self._stop("timeout")
            if self.kill_at is not None and now >= self.kill_at:
                self._signal(signal.SIGKILL)
                self.kill_at = now + 1.0
            if now >= next_sample:
                sampler.sample()
                next_sample = now + SAMPLE_SECONDS

    def _stop(self, why: str) -> None:
        """Ask the group to end; the grace runs from the first time."""
        if self.stopped is None:
            self.stopped = why
            cancel = read_json(self.run_dir / "cancel") or {}
            grace = cancel.get("grace_seconds", self.resources.get("grace_seconds", 3))
            self.kill_at = time.monotonic() + grace
            self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return

    def _reap(self) -> None:
        """Collect every child that ended; as subreaper we also inherit orphaned grandchildren."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.pid:
                self.status = status

    def _sweep(self) -> None:
        """Nothing outlives its attempt: end the group and every descendant, wherever it hid."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            self._signal(signal.SIGKILL)
            left = processes.descendants(os.getpid())
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self._reap()
            if not left:
                return
            time.sleep(0.005)

    def _finish(self) -> None:
        status = self.status or 0
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        cancel = read_json(self.run_dir / "cancel") or {}
        end = Ending(
            exit_code=code,
            signal=number,
            stopped=self.stopped,
            failure=read_json(self.run_dir / "failure.json"),
            log_tail=_tail(self.run_dir / "log.txt"),
            oom_killed=_oom_kills() > self.oom_kills,
            time_limit=self.time_limit,
            cancel_message=cancel.get("message"),
        )
        reason, message = judge(end)
        if reason == "disk_full":
            message = full_volume(self.run_dir)
        if reason == "succeeded" and (self.run_dir / "stop_after_epoch").exists():
            message = "Stopped after an epoch as asked; its results are kept."
        self._done(code, number, reason, message)

    def _done(self, code: int | None, number: int | None, reason: str, message: str) -> None:
        """Write the end; on a full disk it is tried until it works."""
        while True:
            try:
                write_done(self.run_dir, code, number, reason, message)
            except FileNotFoundError:
                return  # someone removed the run directory: there is nobody left to tell
            except OSError as error:
                print(f"done.json cannot be written yet: {error}", file=sys.stderr)  # noqa: T201  # stderr is the log
                time.sleep(1)
            else:
                return


def write_done(run_dir: Path, code: int | None, number: int | None, reason: str, message: str) -> None:
    """Write done.json, the last file of an attempt, over the block that was reserved for it."""
    said = message[:2000].encode(errors="replace").decode()  # a name of a file may be no text
    done = {"exit_code": code, "signal": number, "reason": reason, "message": said, "ended_at": _now()}
    text = json.dumps(done).encode()
    temporary = run_dir / "done.json.tmp"
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.pwrite(descriptor, text, 0) != len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(temporary))
        os.ftruncate(descriptor, len(text))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.rename(run_dir / "done.json")
    sync_folder(run_dir)


def _reserve(run_dir: Path) -> None:
    """Keep a block for done.json, so that a disk the training filled does not hide its end."""
    descriptor = os.open(run_dir / "done.json.tmp", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(descriptor, b" " * 4096, 0)
    except OSError:
        return
    finally:
        os.close(descriptor)


def _oom_kills() -> int:
    """How often the kernel has killed for memory in our control group; 0 where that is not told."""
    try:
        group = Path("/proc/self/cgroup").read_text("ascii").strip().rsplit(":", 1)[1].lstrip("/")
        for folder in (Path("/sys/fs/cgroup") / group, Path("/sys/fs/cgroup")):
            if (folder / "memory.events").exists():
                words = (folder / "memory.events").read_text("ascii").split()
                return int(words[words.index("oom_kill") + 1])
    except (OSError, ValueError, IndexError):
        return 0
    return 0


def _tail(path: Path, size: int = 16384) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - size))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def main() -> NoReturn:
    """Read the command line and supervise."""
    if len(sys.argv) < 4 or sys.argv[2] != "--":
        sys.exit("usage: python -m retinue_sdk.trainer.supervise RUN_DIR -- COMMAND...")
    run_dir = Path(sys.argv[1]).resolve()
    os.umask(0o077)
    if take_lock(run_dir, LOCK_PATIENCE) is None:
        sys.exit(f"{run_dir} is supervised already.")
    if (run_dir / "done.json").exists():
        sys.exit(f"{run_dir} is over already.")
    Supervisor(run_dir, sys.argv[3:]).run()
    sys.exit(0)


if __name__ == "__main__":
    main()
