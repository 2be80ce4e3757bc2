"""Feeds MLflow from the database: experiment = project, run = job, every metric point, the best checkpoint.

The points themselves are the queue; `TrackingRow` remembers how far MLflow has them and moves only after MLflow said so.
MLflow down disturbs nothing, and nothing is missing afterwards: what is sent twice has the same key, step, timestamp
and value, which MLflow keeps once.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import anyio.to_thread
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from retinue_platform import metrics
from retinue_platform.context import Context
from retinue_platform.mlflow_api import METRICS_PER_BATCH, MISSING, UNREACHABLE, Mlflow, Run, metric_key
from retinue_platform.tables import ArtifactRow, DatasetRow, JobRow, PointRow, ProjectRow, TrackingRow
from retinue_sdk.errors import NotFoundError, RetinueError, UnavailableError
from retinue_sdk.schema import Status

log = logging.getLogger(__name__)

Result = TypeVar("Result")
READ = 5000  # points read at once
PAUSE = 0.5  # seconds between two rounds, so that a busy job is sent in few large batches
LONGEST_WAIT = 5.0  # seconds between two tries while MLflow does not answer
REFUSED_WAIT = 60.0  # seconds until a run that MLflow refuses is tried again
ENDS = {
    Status.SUCCEEDED: "FINISHED",
    Status.FAILED: "FAILED",
    Status.LOST: "FAILED",
    Status.CANCELLED: "KILLED",
}


@dataclass(frozen=True)
class Snapshot:
    """A job as tracking needs it."""

    job_id: UUID
    project_id: UUID
    project: str
    dataset: str
    name: str
    framework: str
    status: Status
    attempt: int
    cursor: int  # of the job
    run_id: str | None
    sent_attempt: int
    sent: int  # cursor of MLflow
    tags: dict[str, str]
    params: dict[str, str]
    begun: int
    ended: int


class Tracking:
    """`run` is one task of the platform; without an MLflow URL there is none."""

    def __init__(self, context: Context, mlflow: Mlflow) -> None:
        self.context, self.mlflow = context, mlflow
        self._experiments: dict[UUID, str] = {}
        self._postponed: dict[UUID, float] = {}

    async def run(self) -> None:
        """Send whatever is new until cancelled."""
        wait = 0.0
        with self.context.bus.subscribe("tracking") as changes:
            while True:
                try:
                    await self._round()
                    wait = 0.0
                except UnavailableError as error:
                    wait = min(max(0.5, wait * 2), LONGEST_WAIT)
                    log.info("%s Trying again in %.1f s.", error.problem.message, wait)
                await asyncio.sleep(max(PAUSE, wait))
                if not wait:
                    await changes.changed(LONGEST_WAIT if self._postponed else REFUSED_WAIT)

    async def _round(self) -> None:
        """One step for each job that MLflow does not have in full."""
        for job_id in await self._thread(self._pending):
            clock = asyncio.get_running_loop().time()
            if self._postponed.get(job_id, 0.0) > clock:
                continue
            self._postponed.pop(job_id, None)
            try:
                await self._send(job_id)
            except RetinueError as error:
                if error.problem.code in UNREACHABLE:
                    raise
                # of this run alone (its checkpoint's trainer is down, or MLflow refuses something): the others go on
                log.warning("job %s in MLflow: %s", job_id, error)
                self._postponed[job_id] = clock + _pause(error)

    def _pending(self, session: Session) -> list[UUID]:
        behind = or_(
            TrackingRow.job_id.is_(None),
            TrackingRow.attempt != JobRow.attempt,
            TrackingRow.cursor < JobRow.cursor,
            JobRow.status.in_([status.value for status in ENDS]),
        )
        query = (
            select(JobRow.id)
            .outerjoin(TrackingRow, TrackingRow.job_id == JobRow.id)
            .where(JobRow.attempt > 0, or_(TrackingRow.finished.is_(None), TrackingRow.finished.is_(False)), behind)
            .order_by(JobRow.created_at)
        )
        return list(session.scalars(query))

    async def _send(self, job_id: UUID) -> None:
        """Bring one run up to date; ends it when its job is over."""
        job = await self._thread(lambda session: _snapshot(session, job_id))
        if job is None:
            return
        try:
            run_id = job.run_id or await self._begin(job)
            await self._points(job, run_id)
            if job.status in ENDS:
                await self._end(job, run_id)
        except NotFoundError as error:
            if job.run_id is None or error.problem.code != MISSING:  # not the run, but its checkpoint's trainer
                raise
            log.warning("the MLflow run of job %s is gone: it is written anew", job_id)
            self._experiments.pop(job.project_id, None)
            await self._note(job_id, run_id=None, attempt=0, cursor=0)
            self.context.bus.publish("tracking")

    async def _begin(self, job: Snapshot) -> str:
        experiment = self._experiments.get(job.project_id)
        if experiment is None:
            experiment = await self.mlflow.experiment(str(job.project_id), job.project)
            self._experiments[job.project_id] = experiment
        try:
            run = await self.mlflow.run(experiment, str(job.job_id), job.name, job.begun, job.tags)
        except RetinueError:
            self._experiments.pop(job.project_id, None)  # perhaps it was deleted there
            raise
        await self.mlflow.log_params(run.id, job.params)
        await self._note(job.job_id, run_id=run.id, attempt=job.sent_attempt, cursor=job.sent)
        self.context.bus.publish(f"job:{job.job_id}", f"jobs:{job.project_id}")
        return run.id

    async def _points(self, job: Snapshot, run_id: str) -> None:
        """Send the points after MLflow's cursor, attempt by attempt; the cursor moves by whole events."""
        for attempt in range(max(1, job.sent_attempt), job.attempt + 1):
            cursor = job.sent if attempt == job.sent_attempt else 0
            more = True
            while more:
                rows, upper, more = await self._thread(lambda session: _points(session, job, attempt, cursor))  # noqa: B023 - awaited at once
                for start in range(0, len(rows), METRICS_PER_BATCH):
                    await self.mlflow.log_metrics(run_id, rows[start : start + METRICS_PER_BATCH])
                if upper > cursor or attempt != job.sent_attempt:
                    cursor = upper
                    await self._note(job.job_id, attempt=attempt, cursor=cursor)

    async def _end(self, job: Snapshot, run_id: str) -> None:
        """End the run, then add the checkpoint; only then nothing is left to do for it."""
        await self.mlflow.end(run_id, ENDS[job.status], job.ended)
        checkpoint = await self._thread(lambda session: best_checkpoint(session, job.job_id))
        if checkpoint is not None:
            tags = {"retinue.checkpoint": checkpoint.path, "retinue.checkpoint_sha256": checkpoint.sha256}
            await self.mlflow.set_tags(run_id, tags)
            await self._upload(job, await self.mlflow.get_run(run_id), checkpoint)
        await self._note(job.job_id, finished=True)

    async def _upload(self, job: Snapshot, run: Run, checkpoint: ArtifactRow) -> None:
        client = self.context.trainers.client(job.framework)
        try:
            async with client.artifact(job.job_id, checkpoint.path) as answer:
                size = int(answer.headers.get("content-length", 0))
                await self.mlflow.upload(run, checkpoint.path, size, answer.aiter_bytes())
        except NotFoundError:
            log.warning("the checkpoint %s of job %s is gone and cannot be sent to MLflow", checkpoint.path, job.job_id)

    async def _note(self, job_id: UUID, **values: Any) -> None:
        """Move the cursor, in a transaction of its own, after MLflow answered."""

        def write() -> None:
            with self.context.db.write() as session:
                row = session.get(TrackingRow, job_id)
                if row is None:
                    if session.get(JobRow, job_id) is None:
                        return
                    row = TrackingRow(job_id=job_id, run_id=None, attempt=0, cursor=0, finished=False)
                    session.add(row)
                for name, value in values.items():
                    setattr(row, name, value)

        await anyio.to_thread.run_sync(write, limiter=self.context.background)

    async def _thread(self, work: Callable[[Session], Result]) -> Result:
        def read() -> Result:
            with self.context.db.read() as session:
                return work(session)

        return await anyio.to_thread.run_sync(read, limiter=self.context.background)


async def run(context: Context) -> None:
    """The platform's background task."""
    if not context.settings.mlflow_url:
        await asyncio.Event().wait()
    mlflow = Mlflow(context.settings.mlflow_url)
    try:
        await Tracking(context, mlflow).run()
    finally:
        await mlflow.close()


def _pause(error: RetinueError) -> float:
    """Seconds until a run is tried again that could not be brought up to date."""
    if error.problem.code == "framework_unknown":
        return math.inf  # the checkpoint is sent when its trainer is in the settings again: they are read at start
    return LONGEST_WAIT if isinstance(error, UnavailableError) else REFUSED_WAIT


def best_checkpoint(session: Session, job_id: UUID) -> ArtifactRow | None:
    """The checkpoint to keep: the one called best, else the newest."""
    query = select(ArtifactRow).where(ArtifactRow.job_id == job_id, ArtifactRow.kind == "checkpoint")
    rows = session.scalars(query).all()
    return max(rows, key=lambda row: (row.attempt, row.name.startswith("best"), row.time), default=None)


def _snapshot(session: Session, job_id: UUID) -> Snapshot | None:
    query = (
        select(JobRow, ProjectRow.name, DatasetRow.name, TrackingRow)
        .join(ProjectRow, ProjectRow.id == JobRow.project_id)
        .join(DatasetRow, DatasetRow.id == JobRow.dataset_id)
        .outerjoin(TrackingRow, TrackingRow.job_id == JobRow.id)
        .where(JobRow.id == job_id)
    )
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    job, project, dataset, sent = found
    return Snapshot(
        job_id, job.project_id, project, dataset, job.name, job.framework, Status(job.status), job.attempt, job.cursor,
        sent.run_id if sent else None, sent.attempt if sent else 0, sent.cursor if sent else 0,
        _run_tags(job, dataset), _params(job), _milliseconds(job.started_at or job.created_at),
        _milliseconds(job.ended_at or job.created_at),
    )  # fmt: skip


def _points(session: Session, job: Snapshot, attempt: int, after: int) -> tuple[list[dict[str, Any]], int, bool]:
    """Points after the cursor as MLflow takes them, the new cursor, and whether more follow."""
    mine = (PointRow.job_id == job.job_id, PointRow.attempt == attempt, PointRow.seq > after)
    upto = job.cursor if attempt == job.attempt else 2**62
    query = (
        select(PointRow.seq, PointRow.key, PointRow.step, PointRow.time, PointRow.value)
        .where(*mine, PointRow.seq <= upto)
        .order_by(PointRow.seq, PointRow.key)
    )
    rows = session.execute(query.limit(READ)).all()
    more = len(rows) == READ
    if more:  # the last event may be cut: leave it, unless it is so large that nothing would be left
        whole = [row for row in rows if row.seq < rows[-1].seq]
        rows = whole or session.execute(query.where(PointRow.seq == rows[-1].seq)).all()
    upper = rows[-1].seq if more or (rows and attempt != job.attempt) else max(after, min(upto, job.cursor))
    sent = [
        {"key": metric_key(row.key), "value": metrics.to_wire(row.value), "timestamp": row.time, "step": row.step}
        for row in rows
    ]
    return sent, upper, more


def _run_tags(job: JobRow, dataset: str) -> dict[str, str]:
    return {
        "retinue.project_id": str(job.project_id),
        "retinue.framework": job.framework,
        "retinue.model": job.model,
        "retinue.task": job.task,
        "retinue.dataset": dataset,
        "retinue.dataset_version": str(job.dataset_version),
        "retinue.dataset_digest": job.dataset_digest,
        "mlflow.user": job.created_by,
        "mlflow.source.name": "retinue",
    }


def _params(job: JobRow) -> dict[str, str]:
    """What the run is made of: the job's own fields, and each parameter by its path."""
    given: dict[str, Any] = {
        "framework": job.framework,
        "model": job.model,
        "task": job.task,
        "seed": job.seed,
        "dataset": job.dataset_digest,
    }
    return {key: _text(value) for key, value in _flat({**job.parameters, **given}).items()}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)
