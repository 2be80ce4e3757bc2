"""One attempt of one job, from its start to the trainer's last word: the only place that tells a trainer what to do.

Everything it needs to go on is in the database, so it may be killed at any line and run again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from retinue_platform import ingest
from retinue_platform.bus import Bus
from retinue_platform.db import Database, is_away
from retinue_platform.tables import JobRow
from retinue_platform.trainers import is_verdict
from retinue_sdk.client import AsyncTrainer
from retinue_sdk.dataset import manifest
from retinue_sdk.errors import NotFoundError, RetinueError
from retinue_sdk.schema import JobState, Reason, Status, Target, TrainRequest

log = logging.getLogger(__name__)

TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.LOST})
FIRST_WAIT, LONGEST_WAIT = 0.2, 2.0  # seconds between two tries while a trainer does not answer
REPEAT_CANCEL = 5.0  # seconds after which a cancellation is said again, or looked for while images are brought


@dataclass(frozen=True)
class Tools:
    """What an attempt works with, handed down by the reconciler."""

    database: Database
    bus: Bus
    store: Path
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]
    on_silence: Callable[[str, BaseException], None]  # tells the catalogue
    bring: Callable[[str, Callable[[float], Awaitable[None]]], Awaitable[None]]  # a version's images into the store


@dataclass(frozen=True)
class Row:
    """The job as it was when last read."""

    attempt: int
    cursor: int
    status: Status
    target: Target
    request: TrainRequest
    digest: str  # of the dataset version


class Attempt:
    """Drives one attempt. `run` ends when the job is terminal, gone or superseded; `wake` tells it of a new target."""

    def __init__(self, tools: Tools, trainer: AsyncTrainer, framework: str, job_id: UUID, project_id: UUID) -> None:
        self.tools, self.trainer, self.framework = tools, trainer, framework
        self.job_id, self.project_id = job_id, project_id
        self._target = asyncio.Event()
        self._wait = FIRST_WAIT

    def wake(self) -> None:
        """Look at the target again."""
        self._target.set()

    async def run(self) -> None:
        """Bring the attempt to its end, however often trainer or database fail on the way."""
        while True:
            try:
                if await self._step():
                    return
            except ingest.SupersededError:
                return
            except (RetinueError, TimeoutError, ingest.GapError) as error:
                log.info("job %s: %s; trying again in %.1f s", self.job_id, error, self._wait)
                await self._note_silence(error)
            await asyncio.sleep(self._wait)
            self._wait = min(self._wait * 2, LONGEST_WAIT)

    async def _step(self) -> bool:
        """Start or find the attempt, follow it to the end of its events, record how it ended. True: nothing is left."""
        row = await self._read()
        if row is None:  # its project was deleted
            with suppress(NotFoundError):
                await self.trainer.cancel(self.job_id)
            return True
        if row.status in TERMINAL or row.status == Status.QUEUED:
            return True
        if row.status == Status.STARTING and row.target != Target.CANCELLED:
            problem = await self._bring_images(row.digest)
            if problem is not None:
                await self._write(self._refused(row, problem))
                return True
        try:
            state = await self._begin(row)
        except RetinueError as error:
            if not is_verdict(error):
                raise
            await self._write(self._refused(row, error))
            return True
        await self._write(self._seen(state))
        canceller = asyncio.create_task(self._cancel_when_told())
        try:
            await ingest.pump(self._events(row), lambda lines: self._store(row.attempt, lines))
        finally:
            canceller.cancel()
            await asyncio.gather(canceller, return_exceptions=True)
        return await self._finish(row.attempt)

    async def _bring_images(self, digest: str) -> RetinueError | None:
        """Have the images here that stayed elsewhere; why they cannot be had, when that is so.

        Stops when the job is cancelled: then it is started and ended. A database that is away is no problem of theirs.
        """
        said = False

        async def tell(done: float) -> None:
            nonlocal said
            said = True
            with suppress(RetinueError):  # the database; it is told the next time
                await self._write({"message": f"Getting the images from their place: {done:.0%}."})

        bringing = asyncio.ensure_future(self.tools.bring(digest, tell))
        try:
            while not bringing.done():
                told = asyncio.ensure_future(self._target.wait())
                await asyncio.wait({bringing, told}, timeout=REPEAT_CANCEL, return_when=asyncio.FIRST_COMPLETED)
                told.cancel()
                self._target.clear()
                with suppress(RetinueError):  # the database; it is asked again
                    row = await self._read()
                    if row is None or row.target == Target.CANCELLED:
                        return None
            try:
                await bringing
            except RetinueError as error:
                return error
            if said:
                await self._write({"message": None})
            return None
        finally:
            bringing.cancel()
            await asyncio.gather(bringing, return_exceptions=True)

    async def _begin(self, row: Row) -> JobState:
        """Start it (again: one process whatever happens), or find it when it was started before.

        One that is to be cancelled while STARTING is started too: whether an earlier POST is still on its way to the
        trainer cannot be known, and what was started for certain can be ended for certain.
        """
        if row.status == Status.STARTING:
            return await self.trainer.train(row.request)
        return await self.trainer.job(self.job_id, row.attempt)

    async def _events(self, row: Row) -> AsyncIterator[bytes]:
        """The bytes of the event stream as they come: cutting them into lines one by one would cost more than storing."""
        params = {"attempt": row.attempt, "after": row.cursor, "follow": True}
        async with self.trainer.stream("GET", f"/jobs/{self.job_id}/events", params=params) as answer:
            async for piece in answer.aiter_raw():
                yield piece

    def _refused(self, row: Row, error: RetinueError) -> dict[str, Any]:
        """The end of an attempt that the trainer does not take, or does not know."""
        ended = {"ended_at": datetime.now(UTC), "message": str(error)}
        if row.status != Status.STARTING:
            lost = "The trainer has no trace of this job any more: its run directory is gone."
            return ended | {"status": Status.LOST, "reason": Reason.LOST, "message": lost}
        reason = Reason.DISK_FULL if error.problem.status == 507 else Reason.FAILED
        return ended | {"status": Status.FAILED, "reason": reason}

    def _seen(self, state: JobState) -> dict[str, Any]:
        """What a living attempt's state changes; a terminal one waits until its events are in."""
        changes: dict[str, Any] = {"stale_since": None}
        if state.started_at is not None:
            changes["started_at"] = state.started_at
        if state.status in {Status.RUNNING, Status.STOPPING}:
            changes["status"] = state.status
        return changes

    async def _finish(self, attempt: int) -> bool:
        """Record the end, if the trainer says so and everything up to it is stored."""
        state = await self.trainer.job(self.job_id, attempt)
        row = await self._read()
        if row is None or row.attempt != attempt:
            return row is None
        written = next((c.after for c in state.cursors if c.stream == "events" and c.attempt == attempt), 0)
        if state.status not in TERMINAL or row.cursor < written:
            return False
        self._wait = FIRST_WAIT
        await self._write({
            "status": state.status, "reason": state.reason, "message": state.message, "stale_since": None,
            "started_at": state.started_at, "ended_at": state.ended_at or datetime.now(UTC),
        })  # fmt: skip
        return True

    async def _cancel_when_told(self) -> None:
        """Say every new target to the trainer, and a cancellation again and again until the events end."""
        said: Target | None = None
        while True:
            try:
                row = await self._read()
            except RetinueError as error:  # the database: what was asked for is seen once it is back
                log.warning("job %s: whether it is to be cancelled cannot be seen now: %s", self.job_id, error)
                await asyncio.sleep(LONGEST_WAIT)
                continue
            if row is None:
                return
            if row.target != Target.FINISHED:
                epoch = row.target == Target.STOPPED_AFTER_EPOCH
                if said != row.target or not epoch:
                    with suppress(RetinueError, TimeoutError):  # silence is noticed by the stream beside this
                        await self.trainer.cancel(self.job_id, when="epoch" if epoch else "now")
                        said = row.target
                        await self._write({"status": Status.STOPPING})
            with suppress(TimeoutError):
                async with asyncio.timeout(REPEAT_CANCEL if said or row.target != Target.FINISHED else None):
                    await self._target.wait()
            self._target.clear()

    async def _store(self, attempt: int, lines: list[bytes]) -> int:
        def commit() -> int:
            with self.tools.database.write() as session:
                return ingest.store(session, self.job_id, attempt, lines)

        cursor: int = await self.tools.in_thread(commit)
        self._wait = FIRST_WAIT
        self._publish()
        return cursor

    async def _note_silence(self, error: BaseException) -> None:
        """When it is the trainer that failed: mark what people see as the last known, since now."""
        if not _is_silence(error):
            return
        self.tools.on_silence(self.framework, error)

        def mark(session: Session) -> bool:
            mine = (JobRow.id == self.job_id, JobRow.stale_since.is_(None))
            found = session.execute(
                update(JobRow).where(*mine).values(stale_since=datetime.now(UTC)).returning(JobRow.id)
            )
            return found.first() is not None

        with suppress(RetinueError):
            if await self._in_write(mark):
                self._publish()

    async def _write(self, changes: dict[str, Any]) -> None:
        """Change the job while it lives, and tell everybody when something really changed."""
        values = {key: getattr(value, "value", value) for key, value in changes.items()}
        alive = [status.value for status in ingest.LIVE]

        def change(session: Session) -> bool:
            columns = [getattr(JobRow, key) for key in values]
            query = select(*columns).where(JobRow.id == self.job_id, JobRow.status.in_(alive))
            before = session.execute(query).one_or_none()
            if before is None or tuple(before) == tuple(values.values()):
                return False
            if values.get("status") == Status.RUNNING and before.status == Status.STOPPING:
                del values["status"]  # the trainer has not seen the cancellation yet
            session.execute(update(JobRow).where(JobRow.id == self.job_id).values(**values))
            return True

        if await self._in_write(change):
            self._publish()
            self.tools.bus.publish("reconcile")

    async def _in_write(self, change: Callable[[Session], bool]) -> bool:
        def run() -> bool:
            with self.tools.database.write() as session:
                return change(session)

        done: bool = await self.tools.in_thread(run)
        return done

    async def _read(self) -> Row | None:
        def read() -> Row | None:
            with self.tools.database.read() as session:
                job = session.get(JobRow, self.job_id)
                return None if job is None else to_row(job, self.tools.store)

        row: Row | None = await self.tools.in_thread(read)
        return row

    def _publish(self) -> None:
        self.tools.bus.publish(f"job:{self.job_id}", f"jobs:{self.project_id}", "tracking")


def _is_silence(error: BaseException) -> bool:
    """Whether an error says that the trainer does not answer as it should; the database's own do not."""
    return isinstance(error, RetinueError | TimeoutError) and not is_away(error)


def to_row(job: JobRow, store: Path) -> Row:
    """The job with the request that starts it; the same job always gives the same request."""
    request = TrainRequest.model_validate({
        "job_id": job.id, "attempt": max(1, job.attempt), "task": job.task, "model": job.model,
        "parameters": job.parameters, "dataset": manifest(store, job.dataset_digest).model_dump(), "seed": job.seed,
        "resources": job.resources,
    })  # fmt: skip
    return Row(job.attempt, job.cursor, Status(job.status), Target(job.target), request, job.dataset_digest)
