"""Jobs: ask for one, look at it, cancel it. A handler writes what should be; the reconciler makes it so."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import anyio.to_thread
from fastapi import APIRouter, Header, Query
from pydantic import BaseModel
from sqlalchemy import Select, and_, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from retinue_platform import access, metrics
from retinue_platform.admission import Entry, needed_slots, order
from retinue_platform.attempt import TERMINAL
from retinue_platform.auth import Caller, Identity
from retinue_platform.context import Context, Platform
from retinue_platform.datasets import find_version, newest_version, refuse_trashed
from retinue_platform.projects import clean_name
from retinue_platform.tables import DatasetRow, JobRow, ProjectRow, TrackingRow
from retinue_platform.trainers import is_verdict
from retinue_sdk.api import Job, JobCancel, JobCreate, Metrics, Role
from retinue_sdk.dataset import manifest
from retinue_sdk.errors import (
    BadRequestError,
    ConflictError,
    NotFoundError,
    RetinueError,
    from_problem,
)
from retinue_sdk.schema import Kind, Problem, Seq, Status, Target, TrainRequest

router = APIRouter(tags=["jobs"])

VALIDATION_SECONDS = 10.0
LIVING = (Status.STARTING.value, Status.RUNNING.value, Status.STOPPING.value)
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)]


class Validation(BaseModel):
    """Every reason a job could not start; none when it could."""

    problems: list[Problem]


@dataclass(frozen=True)
class Draft:
    """A job that is asked for, with what it refers to."""

    wanted: JobCreate
    dataset_name: str
    number: int
    digest: str
    tasks: list[str]


@router.post("/projects/{project_id}/jobs", name="create_job", status_code=202)
async def create_job(
    platform: Platform, caller: Caller, project_id: UUID, wanted: JobCreate, key: IdempotencyKey = None
) -> Job:
    """Queue a training. The same `Idempotency-Key` with the same body gives the same job again."""
    digest = _request_digest(project_id, wanted)
    known = await anyio.to_thread.run_sync(lambda: _known(platform, caller, project_id, key, digest))
    if known is not None:
        return known
    draft = await anyio.to_thread.run_sync(lambda: _draft(platform, caller, project_id, wanted))
    problems = await _problems(platform, draft)
    if problems:
        raise _refusal(problems)
    job = await anyio.to_thread.run_sync(lambda: _insert(platform, caller, project_id, draft, key=key, digest=digest))
    platform.bus.publish("reconcile", f"jobs:{project_id}")
    return job


@router.post("/projects/{project_id}/jobs/validate", name="validate_job")
async def validate_job(platform: Platform, caller: Caller, project_id: UUID, wanted: JobCreate) -> Validation:
    """Every reason this job could not start, before it is asked for."""
    try:
        draft = await anyio.to_thread.run_sync(lambda: _draft(platform, caller, project_id, wanted))
        return Validation(problems=await _problems(platform, draft))
    except (BadRequestError, ConflictError) as error:
        return Validation(problems=[error.problem])


@router.get("/projects/{project_id}/jobs", name="list_jobs")
def list_jobs(
    platform: Platform,
    caller: Caller,
    project_id: UUID,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: UUID | None = None,
) -> list[Job]:
    """A project's jobs, newest first; `before` is the last job of the page before."""
    with platform.db.read() as session:
        access.find(session, caller, ProjectRow, project_id)
        return newest(session, project_id, limit, before)


@router.get("/jobs/{job_id}", name="get_job")
def get_job(platform: Platform, caller: Caller, job_id: UUID) -> Job:
    """One job."""
    with platform.db.read() as session:
        return to_job(session, access.find(session, caller, JobRow, job_id))


@router.post("/jobs/{job_id}/cancel", name="cancel_job")
def cancel_job(platform: Platform, caller: Caller, job_id: UUID, how: JobCancel | None = None) -> Job:
    """Stop a job, now or after this epoch keeping its results. Again, or after its end, it changes nothing."""
    when = (how or JobCancel()).when
    with platform.db.write() as session:
        row = access.find(session, caller, JobRow, job_id, Role.EDITOR)
        if row.status not in TERMINAL:
            if when == "now":
                row.target = Target.CANCELLED.value
            elif row.target == Target.FINISHED:  # a cancellation is not taken back
                row.target = Target.STOPPED_AFTER_EPOCH.value
            session.flush()
        job = to_job(session, row)
    platform.bus.publish("reconcile", f"job:{job_id}", f"jobs:{job.project_id}")
    return job


@router.get("/jobs/{job_id}/metrics", name="get_metrics")
def get_metrics(
    platform: Platform,
    caller: Caller,
    job_id: UUID,
    *,
    keys: Annotated[list[str] | None, Query(max_length=200)] = None,
    after: Seq = 0,
    max_points: Annotated[int, Query(ge=0, le=1_000_000, description="per series; 0 gives every point")] = 0,
) -> Metrics:
    """The metric points of the newest attempt, in full or down-sampled keeping each bucket's extremes.

    `keys` may be repeated, or hold several names separated by commas.
    """
    wanted = [name for key in keys or () for name in key.split(",") if name]
    with platform.db.read() as session:
        access.find(session, caller, JobRow, job_id)
        return metrics.read(session, job_id, keys=wanted, after=after, max_points=max_points)


def newest(session: Session, project_id: UUID, limit: int, before: UUID | None = None) -> list[Job]:
    """A project's newest jobs, or those that follow one."""
    query = _with_names().where(JobRow.project_id == project_id)
    if before is not None:
        mark = session.execute(
            select(JobRow.created_at).where(JobRow.id == before, JobRow.project_id == project_id)
        ).scalar_one_or_none()
        if mark is None:
            raise NotFoundError("There is no such job.", where="before")
        query = query.where(or_(JobRow.created_at < mark, and_(JobRow.created_at == mark, JobRow.id < before)))
    rows = session.execute(query.order_by(JobRow.created_at.desc(), JobRow.id.desc()).limit(limit)).all()
    places = positions(session) if any(row[0].status == Status.QUEUED for row in rows) else {}
    return [_job(row, name, run_id, places.get(row.id)) for row, name, run_id in rows]


def to_job(session: Session, row: JobRow) -> Job:
    """A job as the API shows it."""
    found, name, run_id = session.execute(_with_names().where(JobRow.id == row.id)).one()
    place = positions(session).get(found.id) if found.status == Status.QUEUED else None
    return _job(found, name, run_id, place)


def positions(session: Session) -> dict[UUID, int]:
    """The place of each waiting job in the queue, from 1."""
    query = select(
        JobRow.id, JobRow.created_by, JobRow.priority, JobRow.resources, JobRow.created_at, JobRow.status
    ).where(JobRow.status.in_([Status.QUEUED.value, *LIVING]))
    waiting: list[Entry] = []
    running: list[Entry] = []
    for ident, user, priority, resources, created_at, status in session.execute(query):
        entry = Entry(ident, user, priority, needed_slots(resources), created_at)
        (waiting if status == Status.QUEUED else running).append(entry)
    return {entry.id: place for place, entry in enumerate(order(waiting, running), 1)}


def _with_names() -> Select[JobRow, str, str | None]:
    return (
        select(JobRow, DatasetRow.name, TrackingRow.run_id)
        .join(DatasetRow, DatasetRow.id == JobRow.dataset_id)
        .outerjoin(TrackingRow, TrackingRow.job_id == JobRow.id)
    )


def _job(row: JobRow, dataset_name: str, run_id: str | None, place: int | None) -> Job:
    columns: dict[str, Any] = {name: getattr(row, name) for name in Job.model_fields if hasattr(row, name)}
    return Job.model_validate(
        columns | {"dataset_name": dataset_name, "mlflow_run_id": run_id, "queue_position": place}
    )


def _request_digest(project_id: UUID, wanted: JobCreate) -> str:
    body = json.dumps([str(project_id), wanted.model_dump(mode="json")], sort_keys=True)
    return hashlib.sha256(body.encode()).hexdigest()


def _known(platform: Context, caller: Identity, project_id: UUID, key: str | None, digest: str) -> Job | None:
    """The job that this key made before. Raises when it stood for another request."""
    with platform.db.read() as session:
        access.find(session, caller, ProjectRow, project_id, Role.EDITOR)
        return _by_key(session, caller, key, digest)


def _by_key(session: Session, caller: Identity, key: str | None, digest: str) -> Job | None:
    if key is None:
        return None
    query = select(JobRow).where(JobRow.created_by == caller.name, JobRow.idempotency_key == key)
    row = session.scalars(query).one_or_none()
    if row is None:
        return None
    if row.request_digest != digest:
        raise BadRequestError(
            "This Idempotency-Key was used for another request.",
            code="idempotency_key_reused",
            hint="Use a new key for a new request.",
            where="Idempotency-Key",
        )
    return to_job(session, row)


def _draft(platform: Context, caller: Identity, project_id: UUID, wanted: JobCreate) -> Draft:
    """What the request refers to. Raises for a dataset that is foreign, absent or not ready, and for a missing version."""
    with platform.db.read() as session:
        access.find(session, caller, ProjectRow, project_id, Role.EDITOR)
        dataset = session.scalars(
            select(DatasetRow).where(DatasetRow.id == wanted.dataset_id, DatasetRow.project_id == project_id)
        ).one_or_none()
        if dataset is None:
            raise NotFoundError("There is no such dataset in this project.", where="dataset_id")
        refuse_trashed(dataset)
        version = newest_version(session, dataset, "dataset_id")
        if wanted.dataset_version is not None:
            version = find_version(session, dataset.id, wanted.dataset_version, "dataset_version")
        return Draft(wanted, dataset.name, version.number, version.digest, list(version.summary["tasks"]))


async def _problems(platform: Context, draft: Draft) -> list[Problem]:
    """Why this job could not start: ours first, then the trainer's."""
    wanted, trainers = draft.wanted, platform.trainers
    try:
        model = trainers.model(wanted.framework, wanted.model)
    except NotFoundError as error:  # of a field of the request, not of the address
        return [error.problem.model_copy(update={"status": 422})]
    found = list(_mismatches(platform, draft, [str(task) for task in model.tasks]))
    if found:
        return found
    request = TrainRequest(
        job_id=uuid4(),
        attempt=1,
        task=wanted.task,
        model=wanted.model,
        parameters=wanted.parameters,
        dataset=manifest(platform.settings.store, draft.digest),
        seed=wanted.seed,
        resources=wanted.resources,
    )
    try:
        async with asyncio.timeout(VALIDATION_SECONDS):
            return await trainers.client(wanted.framework).validate(request)
    except (RetinueError, TimeoutError, ValueError) as error:
        if is_verdict(error):
            raise
        trainers.silent(wanted.framework, error)
        raise trainers.offer(wanted.framework).missing() from error


def _mismatches(platform: Context, draft: Draft, model_tasks: list[str]) -> Iterable[Problem]:
    task, slots = draft.wanted.task, platform.settings.slots
    if task not in model_tasks:
        fits = ", ".join(model_tasks)
        yield _mismatch(
            "task_not_of_model", f"The model {draft.wanted.model!r} does not {task}.", f"It can: {fits}.", "task"
        )
    if task not in draft.tasks:
        fits = ", ".join(draft.tasks) or "nothing"
        message = f"The dataset {draft.dataset_name!r} has no annotations to {task} with."
        yield _mismatch("task_not_of_dataset", message, f"It can be used to: {fits}.", "task")
    if draft.wanted.resources.gpus > slots:
        message = f"{draft.wanted.resources.gpus} GPUs were asked for; this platform has {slots}."
        yield _mismatch("resources_unavailable", message, "Ask for fewer GPUs.", "resources.gpus")


def _mismatch(code: str, message: str, hint: str, where: str) -> Problem:
    return Problem(status=422, code=code, message=message, hint=hint, where=where)


def _refusal(problems: list[Problem]) -> RetinueError:
    """All problems in one error: the first in full, the others by their message."""
    first, *others = problems
    message = " ".join([first.message, *(f"Also: {other.message}" for other in others[:9])])
    return from_problem(first.model_copy(update={"status": 422, "message": message}).model_dump())


def _insert(
    platform: Context, caller: Identity, project_id: UUID, draft: Draft, *, key: str | None, digest: str
) -> Job:
    wanted = draft.wanted
    name = clean_name(wanted.name) if wanted.name is not None else f"{wanted.model} on {draft.dataset_name}"[:120]
    row = JobRow(
        id=uuid4(), project_id=project_id, name=name, kind=Kind.TRAIN.value, framework=wanted.framework,
        model=wanted.model, task=wanted.task.value, dataset_id=wanted.dataset_id, dataset_version=draft.number,
        dataset_digest=draft.digest, parameters=wanted.parameters, seed=wanted.seed, priority=wanted.priority,
        resources=wanted.resources.model_dump(mode="json"), status=Status.QUEUED.value, target=Target.FINISHED.value,
        attempt=0, cursor=0, latest={}, idempotency_key=key, request_digest=digest, created_at=datetime.now(UTC),
        created_by=caller.name,
    )  # fmt: skip
    try:
        with platform.db.write() as session:
            # everything was checked before the trainer was asked; meanwhile it may have changed
            access.find(session, caller, ProjectRow, project_id, Role.EDITOR)
            known = _by_key(session, caller, key, digest)
            if known is not None:
                return known
            session.add(row)
            session.flush()
            return to_job(session, row)
    except IntegrityError as error:
        known = _known(platform, caller, project_id, key, digest)
        if known is not None:  # the same request, a moment earlier
            return known
        raise ConflictError("The dataset was deleted meanwhile.", where="dataset_id") from error
