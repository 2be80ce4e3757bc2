"""Datasets: made of a complete upload by an import (see `imports`), read, deleted while nothing refers to them."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from fastapi import APIRouter
from sqlalchemy import select

from retinue_platform import access
from retinue_platform.auth import Caller
from retinue_platform.context import Platform
from retinue_platform.projects import clean_name
from retinue_platform.tables import DatasetRow, JobRow, ProjectRow, UploadRow, VersionRow
from retinue_platform.uploads import importing
from retinue_sdk.api import Dataset, DatasetCreate, DatasetStatus, DatasetVersion, Role
from retinue_sdk.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

router = APIRouter(tags=["datasets"])

_NAMED_JOBS = 10


@router.get("/projects/{project_id}/datasets", name="list_datasets")
def list_datasets(platform: Platform, caller: Caller, project_id: UUID) -> list[Dataset]:
    """The datasets of a project, newest first."""
    with platform.db.read() as session:
        access.find(session, caller, ProjectRow, project_id)
        return of_project(session, project_id)


@router.post("/projects/{project_id}/datasets", name="create_dataset", status_code=202)
def create_dataset(platform: Platform, caller: Caller, project_id: UUID, wanted: DatasetCreate) -> Dataset:
    """Make a dataset of a complete upload. It is ready, or failed with the reason, when its import is over.

    A failed dataset of the same name gives way.
    """
    name = clean_name(wanted.name)
    row = DatasetRow(
        id=uuid4(),
        project_id=project_id,
        name=name,
        name_key=name.casefold(),
        status=DatasetStatus.IMPORTING,
        stage="waiting",
        progress=0.0,
        problem=None,
        request=wanted.model_dump(mode="json"),
        created_at=datetime.now(UTC),
        created_by=caller.name,
    )
    with platform.db.write() as session:
        access.find(session, caller, ProjectRow, project_id, Role.EDITOR)
        _refuse_unless_complete(session, caller, project_id, wanted.upload_id)
        _make_way(session, row)
        session.add(row)
    platform.bus.publish("imports", f"datasets:{project_id}")
    return _dataset(row, [])


@router.get("/datasets/{dataset_id}", name="get_dataset")
def get_dataset(platform: Platform, caller: Caller, dataset_id: UUID) -> Dataset:
    """One dataset with its versions, newest first."""
    with platform.db.read() as session:
        row = access.find(session, caller, DatasetRow, dataset_id)
        return _dataset(row, _versions(session, VersionRow.dataset_id == dataset_id)[dataset_id])


@router.get("/datasets/{dataset_id}/versions/{number}", name="get_dataset_version")
def get_dataset_version(platform: Platform, caller: Caller, dataset_id: UUID, number: int) -> DatasetVersion:
    """One version."""
    with platform.db.read() as session:
        access.find(session, caller, DatasetRow, dataset_id)
        row = session.get(VersionRow, (dataset_id, number)) if abs(number) < 2**31 else None
        if row is None:
            raise NotFoundError(f"The dataset has no version {number}.", where=str(number))
        return _version(row)


@router.delete("/datasets/{dataset_id}", name="delete_dataset", status_code=204)
def delete_dataset(platform: Platform, caller: Caller, dataset_id: UUID) -> None:
    """Remove a dataset with its versions; an import that is running is stopped."""
    with platform.db.write() as session:
        row = access.find(session, caller, DatasetRow, dataset_id, Role.EDITOR)
        _refuse_in_use(session, dataset_id)
        session.delete(row)
    platform.bus.publish("imports", f"datasets:{row.project_id}")


def of_project(session: Session, project_id: UUID) -> list[Dataset]:
    """A project's datasets as the API shows them, newest first."""
    rows = session.scalars(
        select(DatasetRow).where(DatasetRow.project_id == project_id).order_by(DatasetRow.created_at.desc())
    ).all()
    mine = select(DatasetRow.id).where(DatasetRow.project_id == project_id)
    versions = _versions(session, VersionRow.dataset_id.in_(mine))
    return [_dataset(row, versions[row.id]) for row in rows]


def _versions(session: Session, where: Any) -> dict[UUID, list[VersionRow]]:
    found: dict[UUID, list[VersionRow]] = defaultdict(list)
    for row in session.scalars(select(VersionRow).where(where).order_by(VersionRow.number.desc())):
        found[row.dataset_id].append(row)
    return found


def _dataset(row: DatasetRow, versions: Sequence[VersionRow]) -> Dataset:
    return Dataset(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        status=DatasetStatus(row.status),
        progress=row.progress,
        stage=row.stage,
        problem=row.problem,
        versions=[_version(version) for version in versions],
        created_at=row.created_at,
        created_by=row.created_by,
    )


def _version(row: VersionRow) -> DatasetVersion:
    return DatasetVersion.model_validate(
        row.summary
        | {
            "number": row.number,
            "digest": row.digest,
            "created_at": row.created_at,
            "created_by": row.created_by,
        }
    )


def _refuse_unless_complete(session: Session, caller: Caller, project_id: UUID, upload_id: UUID) -> None:
    upload = access.find(session, caller, UploadRow, upload_id)
    if upload.project_id != project_id:
        raise NotFoundError("There is no such upload in this project.", where="upload_id")
    if upload.offset != upload.size:
        raise ConflictError(
            f"The upload is not complete: {upload.offset} of {upload.size} bytes are here.",
            code="upload_incomplete",
            hint=f"Go on sending from offset {upload.offset}.",
            where="upload_id",
        )
    if upload_id in importing(session):
        raise ConflictError(
            "A dataset is being made of this upload already.",
            code="upload_in_use",
            hint="Wait until that import is over.",
            where="upload_id",
        )


def _make_way(session: Session, row: DatasetRow) -> None:
    same = session.scalar(
        select(DatasetRow).where(DatasetRow.project_id == row.project_id, DatasetRow.name_key == row.name_key)
    )
    if same is None:
        return
    if same.status != DatasetStatus.FAILED:
        raise ConflictError(
            "The project has a dataset of that name already.",
            code="dataset_exists",
            hint="Choose another name, or delete that dataset first.",
            where="name",
        )
    session.delete(same)
    session.flush()


def _refuse_in_use(session: Session, dataset_id: UUID) -> None:
    jobs = session.scalars(select(JobRow.name).where(JobRow.dataset_id == dataset_id).order_by(JobRow.created_at)).all()
    if jobs:
        named = ", ".join(jobs[:_NAMED_JOBS]) + (", ..." if len(jobs) > _NAMED_JOBS else "")
        raise ConflictError(
            f"The dataset is used by {len(jobs)} job{'s' if len(jobs) > 1 else ''}: {named}.",
            code="dataset_in_use",
            hint="A job keeps the data it was trained on; the dataset can go only when these jobs are gone.",
        )
