"""The versions of a dataset: what is added makes a new one, an old one can be the newest again, any two can be compared."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from sqlalchemy import select

from retinue_platform import access
from retinue_platform.auth import Caller, Identity
from retinue_platform.callers import PATIENCE, turn, while_there
from retinue_platform.context import Context, Platform
from retinue_platform.datasets import (
    find_version,
    newest_version,
    refuse_trashed,
    to_dataset,
    to_version,
    versions_of,
)
from retinue_platform.projects import clean_text
from retinue_platform.sources import refuse_unless_open
from retinue_platform.tables import DatasetRow, VersionRow
from retinue_platform.workers import how_it_ended, next_answer
from retinue_sdk.api import (
    Dataset,
    DatasetStatus,
    DatasetVersion,
    Role,
    VersionDiff,
    VersionRestore,
)
from retinue_sdk.errors import ConflictError, UnavailableError, from_problem
from retinue_sdk.intake import VersionCreate
from retinue_sdk.schema import LARGEST_VERSION

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

router = APIRouter(tags=["datasets"])

_DIFF_SECONDS = 120


@router.get("/datasets/{dataset_id}/versions", name="list_dataset_versions")
def list_dataset_versions(
    platform: Platform,
    caller: Caller,
    dataset_id: UUID,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[int, Query(ge=1, le=LARGEST_VERSION)] = LARGEST_VERSION,
) -> list[DatasetVersion]:
    """The versions of a dataset, newest first; `before` is the last number of the page before."""
    query = select(VersionRow).where(VersionRow.dataset_id == dataset_id, VersionRow.number < before)
    with platform.db.read() as session:
        access.find(session, caller, DatasetRow, dataset_id)
        return [to_version(row) for row in session.scalars(query.order_by(VersionRow.number.desc()).limit(limit))]


@router.get("/datasets/{dataset_id}/versions/{number}", name="get_dataset_version")
def get_dataset_version(platform: Platform, caller: Caller, dataset_id: UUID, number: int) -> DatasetVersion:
    """One version."""
    with platform.db.read() as session:
        access.find(session, caller, DatasetRow, dataset_id)
        return to_version(find_version(session, dataset_id, number))


@router.post("/datasets/{dataset_id}/versions", name="create_dataset_version", status_code=202)
def create_dataset_version(platform: Platform, caller: Caller, dataset_id: UUID, wanted: VersionCreate) -> Dataset:
    """Add a complete upload or a source to a version of a dataset: an archive, a folder, a video or a single image.

    The dataset is importing until there is a new version, or a problem; its other versions can be used meanwhile.
    """
    with platform.db.write() as session:
        row = access.find(session, caller, DatasetRow, dataset_id, Role.EDITOR)
        newest = _free(session, row)
        parent = newest.number
        if wanted.parent is not None:
            parent = find_version(session, dataset_id, wanted.parent, "parent").number
        refuse_unless_open(platform, session, caller, row.project_id, wanted)
        note = clean_text(wanted.note, "note")
        row.request = wanted.model_dump(mode="json") | {"parent": parent, "note": note, "by": caller.name}
        row.status, row.stage, row.progress, row.problem = DatasetStatus.IMPORTING, "waiting", 0.0, None
        dataset = to_dataset(row, versions_of(session, VersionRow.dataset_id == dataset_id)[dataset_id])
    platform.bus.publish("imports", f"datasets:{row.project_id}")
    return dataset


@router.post("/datasets/{dataset_id}/versions/{number}/restore", name="restore_dataset_version", status_code=201)
def restore_dataset_version(
    platform: Platform, caller: Caller, dataset_id: UUID, number: int, wanted: VersionRestore | None = None
) -> DatasetVersion:
    """Make the content of a version the newest again, as a new version. The newest itself is given back as it is."""
    note = (wanted or VersionRestore()).note
    with platform.db.write() as session:
        row = access.find(session, caller, DatasetRow, dataset_id, Role.EDITOR)
        source, newest = find_version(session, dataset_id, number), _free(session, row)
        if source.digest == newest.digest:
            return to_version(newest)
        made = VersionRow(
            dataset_id=dataset_id,
            number=newest.number + 1,
            parent=newest.number,
            note=f"Version {number} restored." if note is None else clean_text(note, "note"),
            digest=source.digest,
            summary={name: value for name, value in source.summary.items() if name != "merged"},
            created_at=datetime.now(UTC),
            created_by=caller.name,
        )
        session.add(made)
        row.problem = None
    platform.bus.publish(f"datasets:{row.project_id}")
    return to_version(made)


@router.get("/datasets/{dataset_id}/versions/{a}/diff/{b}", name="diff_dataset_versions")
async def diff_dataset_versions(
    request: Request,
    platform: Platform,
    caller: Caller,
    dataset_id: UUID,
    a: int,
    b: int,
    *,
    limit: Annotated[int, Query(ge=0, le=1000, description="of each list")] = 100,
    offset: Annotated[int, Query(ge=0, le=LARGEST_VERSION, description="in each list")] = 0,
) -> VersionDiff:
    """What is other in version b than in version a: counts, and the images that were added, removed, modified and moved."""
    a_folder, b_folder = await anyio.to_thread.run_sync(_folders, platform, caller, dataset_id, (a, b))
    order = {
        "a": str(a_folder),
        "b": str(b_folder),
        "limit": limit,
        "offset": offset,
        "memory_bytes": int(platform.settings.import_memory_gb * 1024**3),
        "cpu_seconds": _DIFF_SECONDS,
    }
    answer = await while_there(request.receive, _compared(platform, order))
    if "problem" in answer:
        raise from_problem(answer["problem"])
    return VersionDiff(a=a, b=b, **answer["diff"])


async def _compared(platform: Context, order: dict[str, Any]) -> dict[str, Any]:
    try:
        async with (
            turn(platform.comparing, _busy()),
            asyncio.timeout(_DIFF_SECONDS),
            platform.workers.working("differ", order) as worker,
        ):
            answer = await next_answer(worker)
            how = "" if answer else await how_it_ended(worker)
    except TimeoutError:
        answer, how = None, f"took longer than {_DIFF_SECONDS} seconds"
    if answer is None:
        raise UnavailableError(
            f"The comparison {how}.", code="comparison_failed", hint="Try again; if it stays, ask your administrator."
        )
    return answer


def _busy() -> UnavailableError:
    return UnavailableError(
        f"The platform compares one pair of versions at a time, and the last has not ended within {PATIENCE:g} seconds.",
        code="comparisons_busy",
        hint="Try again in some minutes.",
    )


def _folders(platform: Context, caller: Identity, dataset_id: UUID, numbers: tuple[int, int]) -> tuple[Path, Path]:
    with platform.db.read() as session:
        access.find(session, caller, DatasetRow, dataset_id)
        a, b = (find_version(session, dataset_id, number).digest for number in numbers)
    versions = platform.settings.store / "versions"
    return versions / a, versions / b


def _free(session: Session, row: DatasetRow) -> VersionRow:
    """The newest version of a dataset that may get another one now. Raises for one that may not."""
    refuse_trashed(row)
    newest = newest_version(session, row)
    if row.status == DatasetStatus.IMPORTING:
        raise ConflictError(
            f"Something is being added to the dataset {row.name!r}.",
            code="dataset_busy",
            hint="Wait until that import is over, then try again.",
        )
    return newest
