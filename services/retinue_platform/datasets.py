"""Datasets: made of a complete upload by an import (see `imports`), and read. See `versions` and `trash` for their life."""

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
from retinue_platform.sources import refuse_unless_open
from retinue_platform.tables import DatasetRow, ProjectRow, VersionRow
from retinue_sdk.api import Dataset, DatasetStatus, DatasetVersion, Role
from retinue_sdk.errors import ConflictError, NotFoundError
from retinue_sdk.intake import DatasetCreate
from retinue_sdk.schema import LARGEST_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

router = APIRouter(tags=["datasets"])


@router.get("/projects/{project_id}/datasets", name="list_datasets")
def list_datasets(platform: Platform, caller: Caller, project_id: UUID) -> list[Dataset]:
    """The datasets of a project, newest first."""
    with platform.db.read() as session:
        access.find(session, caller, ProjectRow, project_id)
        return list_rows(session, project_id)


@router.post("/projects/{project_id}/datasets", name="create_dataset", status_code=202)
def create_dataset(platform: Platform, caller: Caller, project_id: UUID, wanted: DatasetCreate) -> Dataset:
    """Make a dataset of a complete upload or of a source. It is ready, or failed with the reason, when its import is over.

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
        trashed_at=None,
        trashed_by=None,
    )
    with platform.db.write() as session:
        access.find(session, caller, ProjectRow, project_id, Role.EDITOR)
        refuse_unless_open(platform, session, caller, project_id, wanted)
        make_way(session, project_id, name)
        session.add(row)
    platform.bus.publish("imports", f"datasets:{project_id}")
    return to_dataset(row, [])


@router.get("/datasets/{dataset_id}", name="get_dataset")
def get_dataset(platform: Platform, caller: Caller, dataset_id: UUID) -> Dataset:
    """One dataset with its versions, newest first."""
    with platform.db.read() as session:
        row = access.find(session, caller, DatasetRow, dataset_id)
        return to_dataset(row, versions_of(session, VersionRow.dataset_id == dataset_id)[dataset_id])


def list_rows(session: Session, project_id: UUID, *, trashed: bool = False) -> list[Dataset]:
    """A project's datasets as the API shows them, newest first; or those of its trash, the last deleted first."""
    at = DatasetRow.trashed_at
    mine = DatasetRow.project_id == project_id, at.is_not(None) if trashed else at.is_(None)
    newest = (at if trashed else DatasetRow.created_at).desc()
    rows = session.scalars(select(DatasetRow).where(*mine).order_by(newest)).all()
    versions = versions_of(session, VersionRow.dataset_id.in_(select(DatasetRow.id).where(*mine)))
    return [to_dataset(row, versions[row.id]) for row in rows]


def versions_of(session: Session, where: ColumnElement[bool]) -> dict[UUID, list[VersionRow]]:
    """The versions of each dataset, newest first."""
    found: dict[UUID, list[VersionRow]] = defaultdict(list)
    for row in session.scalars(select(VersionRow).where(where).order_by(VersionRow.number.desc())):
        found[row.dataset_id].append(row)
    return found


def to_dataset(row: DatasetRow, versions: Sequence[VersionRow]) -> Dataset:
    """A dataset as the API shows it."""
    columns: dict[str, Any] = {name: getattr(row, name) for name in Dataset.model_fields if hasattr(row, name)}
    return Dataset.model_validate(columns | {"versions": [to_version(version) for version in versions]})


def to_version(row: VersionRow) -> DatasetVersion:
    """A version as the API shows it."""
    columns: dict[str, Any] = {name: getattr(row, name) for name in DatasetVersion.model_fields if hasattr(row, name)}
    return DatasetVersion.model_validate(row.summary | columns)


def newest_version(session: Session, row: DatasetRow, where: str | None = None) -> VersionRow:
    """The newest version. Raises while there is none."""
    query = select(VersionRow).where(VersionRow.dataset_id == row.id).order_by(VersionRow.number.desc())
    found = session.scalars(query.limit(1)).one_or_none()
    if found is None:
        failed = row.status == DatasetStatus.FAILED
        raise ConflictError(
            f"The dataset {row.name!r} " + ("could not be imported." if failed else "is still being imported."),
            code="dataset_not_ready",
            hint="Look at the dataset's problem and import it again." if failed else "Wait until it is ready.",
            where=where,
        )
    return found


def find_version(session: Session, dataset_id: UUID, number: int, where: str | None = None) -> VersionRow:
    """The version of this number."""
    found = session.get(VersionRow, (dataset_id, number)) if 0 < number <= LARGEST_VERSION else None
    if found is None:
        raise NotFoundError(f"The dataset has no version {number}.", where=where or str(number))
    return found


def refuse_trashed(row: DatasetRow) -> None:
    """What is in the trash can be looked at and restored, not changed."""
    if row.trashed_at is not None:
        raise ConflictError(
            f"The dataset {row.name!r} is in the trash.",
            code="dataset_in_trash",
            hint="Restore it from the trash first.",
        )


def make_way(
    session: Session, project_id: UUID, name: str, hint: str = "Choose another name, or delete that dataset first."
) -> None:
    """Refuse a name that a dataset of the project has, unless that one is failed: then it goes."""
    same = session.scalar(
        select(DatasetRow).where(DatasetRow.project_id == project_id, DatasetRow.name_key == name.casefold())
    )
    if same is None:
        return
    if same.status != DatasetStatus.FAILED:
        raise ConflictError(
            "The project has a dataset of that name already.", code="dataset_exists", hint=hint, where="name"
        )
    session.delete(same)
    session.flush()
