"""Makes every job's status what its target says. The only caller of trainers about jobs.

One loop, woken by `reconcile` on the bus and every second: it ends what was cancelled while waiting, admits waiting jobs
to free slots, and keeps one `Attempt` going for each job that lives. All of its state is in the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar
from uuid import UUID

import anyio.to_thread
from sqlalchemy import select, update

from retinue_platform import bringing, ingest
from retinue_platform.admission import Entry, admit, needed_slots
from retinue_platform.attempt import Attempt, Tools
from retinue_platform.context import Context
from retinue_platform.tables import JobRow
from retinue_sdk.errors import RetinueError
from retinue_sdk.schema import Reason, Status, Target

log = logging.getLogger(__name__)

Result = TypeVar("Result")
TICK = 1.0  # seconds between two looks when nobody wakes the loop


@dataclass(frozen=True)
class Known:
    """What the loop needs to know of a job that is not over."""

    entry: Entry
    project_id: UUID
    framework: str
    status: Status
    target: Target
    stale: bool


class Reconciler:
    """Run `run` as one task of the process; cancel it to stop. Trainings go on without it."""

    def __init__(self, context: Context) -> None:
        self.database, self.bus, self.trainers = context.db, context.bus, context.trainers
        self.slots = context.settings.slots
        self._limiter = context.background
        self._tools = Tools(
            context.db,
            context.bus,
            context.settings.store,
            self.in_thread,
            context.trainers.silent,
            partial(bringing.bring, context),
        )
        self._attempts: dict[UUID, Attempt] = {}

    async def in_thread(self, work: Callable[[], Result]) -> Result:
        """Database work, in the few threads that are the background's own."""
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)

    async def run(self) -> None:
        """Reconcile until cancelled."""
        with self.bus.subscribe("reconcile") as changes:
            async with asyncio.TaskGroup() as group:
                while True:
                    try:
                        await self._tick(group)
                    except RetinueError as error:  # the database; it is asked again
                        log.warning("the queue stands still: %s", error)
                    await changes.changed(TICK)

    async def _tick(self, group: asyncio.TaskGroup) -> None:
        jobs = await self.in_thread(self._read)
        ended = [job for job in jobs if job.status == Status.QUEUED and job.target != Target.FINISHED]
        waiting = [job for job in jobs if job.status == Status.QUEUED and job.target == Target.FINISHED]
        living = [job for job in jobs if job.status in ingest.LIVE]
        startable = [job.entry for job in waiting if self._reachable(job.framework)]
        admitted = {entry.id for entry in admit(startable, [job.entry for job in living], self.slots)}
        flagged = [
            job for job in waiting if job.stale == self._reachable(job.framework) and job.entry.id not in admitted
        ]
        starting = [job for job in waiting if job.entry.id in admitted]
        if ended or starting or flagged:
            await self.in_thread(lambda: self._write(ended, starting, flagged))
            self.bus.publish(*(name for job in (*ended, *starting, *flagged) for name in _topics(job)))
        for job in (*living, *starting):
            self._follow(group, job)

    def _reachable(self, framework: str) -> bool:
        """A job of a trainer that is down keeps its place in the queue and leaves the slot to others."""
        offer = self.trainers.offers.get(framework)
        return offer is not None and offer.reachable

    def _read(self) -> list[Known]:
        query = select(
            JobRow.id, JobRow.project_id, JobRow.framework, JobRow.status, JobRow.target, JobRow.created_by,
            JobRow.priority, JobRow.resources, JobRow.created_at, JobRow.stale_since,
        ).where(JobRow.status.in_([Status.QUEUED.value, *(status.value for status in ingest.LIVE)]))  # fmt: skip
        with self.database.read() as session:
            return [
                Known(
                    Entry(row.id, row.created_by, row.priority, needed_slots(row.resources), row.created_at),
                    row.project_id,
                    row.framework,
                    Status(row.status),
                    Target(row.target),
                    row.stale_since is not None,
                )
                for row in session.execute(query)
            ]

    def _write(self, ended: list[Known], starting: list[Known], flagged: list[Known]) -> None:
        """Each change holds only while the row is as it was read: a cancellation in between wins."""
        now = datetime.now(UTC)
        queued = update(JobRow).where(JobRow.status == Status.QUEUED.value)
        with self.database.write() as session:
            for job in ended:
                cancelled = {"status": Status.CANCELLED.value, "reason": Reason.CANCELLED.value, "ended_at": now}
                message = "Cancelled before it started."
                session.execute(queued.where(JobRow.id == job.entry.id).values(**cancelled, message=message))
            for job in starting:
                mine = queued.where(JobRow.id == job.entry.id, JobRow.target == Target.FINISHED.value)
                first = {"cursor": 0, "latest": {}, "progress": None, "stale_since": None, "message": None}
                session.execute(mine.values(status=Status.STARTING.value, attempt=JobRow.attempt + 1, **first))
            for job in flagged:
                stale = None if job.stale else now
                session.execute(queued.where(JobRow.id == job.entry.id).values(stale_since=stale))

    def _follow(self, group: asyncio.TaskGroup, job: Known) -> None:
        """Have exactly one `Attempt` going for a job that lives, and tell it to look at the target."""
        known = self._attempts.get(job.entry.id)
        if known is not None:
            if job.target != Target.FINISHED:
                known.wake()
            return
        client = self.trainers.clients.get(job.framework)
        if client is None:
            return  # its trainer was taken out of the settings; nothing is known about the job until it is back
        attempt = Attempt(self._tools, client, job.framework, job.entry.id, job.project_id)
        self._attempts[job.entry.id] = attempt
        group.create_task(self._drive(attempt), name=f"job-{job.entry.id}")

    async def _drive(self, attempt: Attempt) -> None:
        try:
            await attempt.run()
        except Exception:  # a mistake of ours in one job must not stop the others; the next tick tries again
            log.exception("job %s: unexpected error", attempt.job_id)
            await asyncio.sleep(TICK)
        finally:
            del self._attempts[attempt.job_id]
            self.bus.publish("reconcile")


def _topics(job: Known) -> tuple[str, ...]:
    return f"job:{job.entry.id}", f"jobs:{job.project_id}", "reconcile", "tracking"


async def run(context: Context) -> None:
    """The platform's background task."""
    await Reconciler(context).run()
