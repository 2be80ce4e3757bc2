"""The local launcher: an attempt is a detached `supervise` process, found again from its directory after any death.

A step that can die leaves its trace before it goes on: spec.json before the process, process.json (by supervise) before
the training, done.json last. Whoever gets an attempt's lock while process.json exists knows that its supervise is dead.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal
from uuid import UUID

from retinue_sdk.errors import ConflictError
from retinue_sdk.files import read_json, write_json
from retinue_sdk.schema import JobState, TrainRequest
from retinue_sdk.trainer import processes
from retinue_sdk.trainer.attempts import Attempt, attempts, find, unfinished
from retinue_sdk.trainer.supervise import take_lock, write_done

log = logging.getLogger("retinue.launcher")

LOST = "The process that stood over the training is gone (killed, or the machine restarted). Start it again."
NOT_STARTED = "The training's supervisor could not start. The trainer service's log shows why."
# Of the service's environment, not for user code. The keeper's mark would end the training with the service.
_PRIVATE = ("RETINUE_TRAINER_", "RETINUE_KEEPER", "JUPYTERHUB_", "MLFLOW_")


class LocalLauncher:
    """Starts, cancels and watches attempts on this machine. Its methods block: call them in a thread."""

    def __init__(self, runs: Path, command: Sequence[str], environment: dict[str, str]) -> None:
        self.runs = runs.resolve()  # the mark of an attempt's processes is its real path
        self.command = list(command)
        self.environment = environment
        self.spawned: dict[Path, subprocess.Popen[bytes]] = {}
        self.active: dict[Path, Attempt] = {}
        self.escalate_after = 5.0  # beyond the grace of a cancel, before supervise itself is taken for stuck

    def start(self, request: TrainRequest, check: Callable[[], None]) -> JobState:
        """Start an attempt once, however often it is asked for. `check` raises when a new one may not start."""
        wanted = request.model_dump(mode="json")
        with self._exclusive(request.job_id):
            known = attempts(self.runs, request.job_id)
            if known and request.attempt < known[-1].number:
                raise ConflictError(
                    f"Attempt {known[-1].number} of this job exists: attempt {request.attempt} is over for good.",
                    code="attempt_superseded",
                )
            same = next((a for a in known if a.number == request.attempt), None)
            if same is not None:
                if same.spec != wanted:
                    raise ConflictError(
                        f"Attempt {request.attempt} of this job was asked for with another body.",
                        hint="Send the same body again, or use the next attempt number.",
                        code="attempt_exists",
                    )
                return self._ensure(same).state()
            check()
            for older in known:
                self._end_now(older, f"Attempt {request.attempt} took its place.")
            attempt = Attempt(self.runs / str(request.job_id) / str(request.attempt))
            attempt.path.mkdir(parents=True, exist_ok=True)  # it may be there, without a spec, from a death
            write_json(attempt.path / "spec.json", wanted)
            return self._ensure(attempt).state()

    def state(self, job_id: UUID, number: int | None = None) -> JobState:
        """State of an attempt, the newest by default; a supervise that died is noticed here too."""
        attempt = find(self.runs, job_id, number)
        with contextlib.suppress(OSError):  # a full disk: what is known is told
            self._check(attempt)
        return attempt.state()

    def cancel(self, job_id: UUID, when: Literal["now", "epoch"]) -> JobState:
        """Ask the newest attempt to end now, or after this epoch. Asking again, or too late, changes nothing."""
        attempt = find(self.runs, job_id)
        if not attempt.over and when == "epoch":
            (attempt.path / "stop_after_epoch").touch()
        elif not attempt.over:
            try:
                if not attempt.cancelled:
                    (attempt.path / "cancel").touch()  # empty, for a full disk has room for a name
            finally:  # without the mark it ends too, as killed
                processes.send((attempt.process or {}).get("supervise"), signal.SIGTERM)
        return attempt.state()

    def adopt(self) -> int:
        """Take over what an earlier service left: running attempts are watched again. Returns how many there are."""
        for attempt in unfinished(self.runs):
            self.active[attempt.path] = attempt
        self.watch()
        return len(self.active)

    def watch(self) -> None:
        """Look once at every attempt that is not over: start what never started, end what lost its supervise."""
        for attempt in list(self.active.values()):
            try:
                self._check(attempt)
            except OSError as error:
                log.warning("cannot look at %s now: %s", attempt.path, error)
        for path, process in list(self.spawned.items()):
            if process.poll() is not None and path not in self.active:
                del self.spawned[path]

    def stop_all(self, patience: float = 4.0) -> None:
        """Cancel everything and wait for it: for a service that takes its jobs with it."""
        for attempt in list(self.active.values()):
            with contextlib.suppress(OSError):  # a full disk: who stays is killed below
                self.cancel(attempt.job_id, "now")
        deadline = time.monotonic() + patience
        while self.active and time.monotonic() < deadline:
            self.watch()
            time.sleep(0.05)
        for attempt in list(self.active.values()):
            self._end_now(attempt, "The trainer service was stopped.")

    def _ensure(self, attempt: Attempt) -> Attempt:
        """Make sure that an attempt that exists is, or was, run."""
        if not attempt.over:
            self.active[attempt.path] = attempt
            self._check(attempt)
        return attempt

    def _check(self, attempt: Attempt) -> None:
        if attempt.over:
            self.active.pop(attempt.path, None)
            return
        process = attempt.process
        if process is not None and processes.alive(process["supervise"]):
            self._escalate(attempt)
            return
        child = self.spawned.get(attempt.path)
        if child is not None and child.poll() is None:
            return  # it is on its way to the lock
        lock = take_lock(attempt.path)
        if lock is None:
            return
        try:
            self._check_locked(attempt)
        finally:
            os.close(lock)
        if attempt.over:
            self.active.pop(attempt.path, None)

    def _check_locked(self, attempt: Attempt) -> None:
        """With the lock nobody else runs it; what happened before we got it is looked at again."""
        child = self.spawned.get(attempt.path)
        if attempt.over:
            return
        if attempt.process is not None:
            self._bury(attempt)
        elif attempt.cancelled:
            write_done(attempt.path, None, None, "cancelled", "Cancelled before it started.")
        elif child is None:
            self._spawn(attempt)
        elif child.poll() is not None:
            write_done(attempt.path, child.returncode, None, "lost", NOT_STARTED)

    def _spawn(self, attempt: Attempt) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(_PRIVATE)}
        arguments = [str(attempt.path), "--", *self.command, str(attempt.path)]
        with (attempt.path / "log.txt").open("ab") as output:
            self.spawned[attempt.path] = subprocess.Popen(
                [sys.executable, "-P", "-m", "retinue_sdk.trainer.supervise", *arguments],
                env={**environment, **self.environment, processes.MARK: str(attempt.path)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _bury(self, attempt: Attempt) -> None:
        """End whatever is left of an attempt whose supervise died, and write the end that it could not."""
        if not processes.kill_attempt(attempt.path, attempt.process):
            log.error("processes of %s do not die", attempt.path)
        cancel = read_json(attempt.path / "cancel")
        if attempt.cancelled:
            write_done(attempt.path, None, None, "cancelled", (cancel or {}).get("message", "Cancelled as asked."))
        else:
            write_done(attempt.path, None, None, "lost", LOST)

    def _escalate(self, attempt: Attempt) -> None:
        """A cancel that takes far longer than its grace: supervise is stuck, and everything is killed."""
        with contextlib.suppress(FileNotFoundError):
            age = time.time() - (attempt.path / "cancel").stat().st_mtime
            if age > attempt.spec["resources"]["grace_seconds"] + self.escalate_after:
                processes.kill_attempt(attempt.path, attempt.process)

    def _end_now(self, attempt: Attempt, message: str) -> None:
        """End an attempt without grace and see it over: what fences it off from the next one."""
        if attempt.over:
            return
        if not attempt.cancelled:
            with contextlib.suppress(OSError):  # a full disk: the first of these needs no block
                (attempt.path / "cancel").touch()
                write_json(attempt.path / "cancel", {"grace_seconds": 0, "message": message})
        processes.send((attempt.process or {}).get("supervise"), signal.SIGTERM)
        deadline = time.monotonic() + 2
        while not attempt.over and time.monotonic() < deadline:
            self._check(attempt)
            time.sleep(0.02)
        while not attempt.over:
            processes.kill_attempt(attempt.path, attempt.process)
            self._check(attempt)
        self.active.pop(attempt.path, None)

    @contextlib.contextmanager
    def _exclusive(self, job_id: UUID) -> Iterator[None]:
        """One start at a time of a job, across threads and processes. Lock files are few and stay."""
        folder = self.runs / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / job_id.hex[:2], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
