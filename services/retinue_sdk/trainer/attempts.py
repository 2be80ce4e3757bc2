"""Attempts as they are on disk: which exist, and what state each is in. Nothing here is remembered in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from retinue_sdk.errors import NotFoundError
from retinue_sdk.files import read_json
from retinue_sdk.follow import last_seq
from retinue_sdk.schema import Cursor, Done, JobState, Kind, Reason, Status

_STATUS = {
    Reason.SUCCEEDED: Status.SUCCEEDED,
    Reason.CANCELLED: Status.CANCELLED,
    Reason.LOST: Status.LOST,
}


class Attempt:
    """One run directory. It exists once its spec.json is whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = int(path.name)
        self.job_id = UUID(path.parent.name)

    @property
    def exists(self) -> bool:
        """Whether the attempt was really made: a folder without spec.json is the trace of a death."""
        return (self.path / "spec.json").exists()

    @property
    def spec(self) -> Any:
        """What was asked for."""
        return read_json(self.path / "spec.json")

    @property
    def process(self) -> dict[str, Any] | None:
        """Who runs it, as supervise wrote it; absent until supervise lives."""
        facts = read_json(self.path / "process.json")
        return facts if isinstance(facts, dict) else None

    @property
    def over(self) -> bool:
        """Whether done.json exists."""
        return (self.path / "done.json").exists()

    @property
    def cancelled(self) -> bool:
        """Whether someone asked to end it now."""
        return (self.path / "cancel").exists()

    def state(self) -> JobState:
        """What a caller is told. done.json is read first: once it is there, the rest no longer changes."""
        done = self._done()
        process = self.process
        status = Status.STARTING
        if done is not None:
            status = _STATUS.get(done.reason, Status.FAILED)
        elif self.cancelled:
            status = Status.STOPPING
        elif process and "group" in process:
            status = Status.RUNNING
        return JobState(
            job_id=self.job_id,
            attempt=self.number,
            kind=Kind.TRAIN,
            status=status,
            reason=done and done.reason,
            message=done and done.message,
            handle=str(process["group"]["pid"]) if process and "group" in process else None,
            started_at=process["started_at"] if process else None,
            ended_at=done and done.ended_at,
            cursors=self._cursors(),
        )

    def _done(self) -> Done | None:
        content = read_json(self.path / "done.json")
        return None if content is None else Done.model_validate(content)

    def _cursors(self) -> list[Cursor]:
        log = self.path / "log.txt"
        size = 0
        with contextlib.suppress(FileNotFoundError):
            size = log.stat().st_size
        return [
            Cursor(attempt=self.number, stream="events", after=last_seq(self.path / "events.jsonl")),
            Cursor(attempt=self.number, stream="system", after=last_seq(self.path / "system.jsonl")),
            Cursor(attempt=self.number, stream="log", after=size),
        ]


def attempts(runs: Path, job_id: UUID) -> list[Attempt]:
    """The attempts of a job, oldest first."""
    folder = runs / str(job_id)
    if not folder.is_dir():
        return []
    found = [Attempt(path) for path in folder.iterdir() if path.name.isdecimal()]
    return sorted((a for a in found if a.exists), key=lambda attempt: attempt.number)


def find(runs: Path, job_id: UUID, number: int | None = None) -> Attempt:
    """The attempt asked for, or the newest one."""
    found = [a for a in attempts(runs, job_id) if number in (None, a.number)]
    if not found:
        which = f"attempt {number} of job" if number else "job"
        raise NotFoundError(f"There is no {which} {job_id} on this trainer.", where=f"/jobs/{job_id}")
    return found[-1]


def unfinished(runs: Path) -> Iterator[Attempt]:
    """Every attempt on disk that is not over."""
    for folder in runs.iterdir() if runs.is_dir() else ():
        with contextlib.suppress(ValueError):
            yield from (a for a in attempts(runs, UUID(folder.name)) if not a.over)
