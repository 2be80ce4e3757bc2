"""Deleted datasets: in the trash for a while, then gone, and with them what nothing else refers to in the store."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import anyio.to_thread
from fastapi import APIRouter
from sqlalchemy import exists, select

from retinue_platform import access
from retinue_platform.auth import Caller
from retinue_platform.context import Context, Platform
from retinue_platform.datasets import list_rows, make_way, to_dataset, versions_of
from retinue_platform.projects import clean_name
from retinue_platform.tables import DatasetRow, JobRow, ProjectRow, VersionRow
from retinue_sdk import store_gc
from retinue_sdk.api import Dataset, DatasetRestore, DatasetStatus, Role, TrashedDataset
from retinue_sdk.errors import ConflictError, RetinueError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

router = APIRouter(tags=["datasets"])
log = logging.getLogger("retinue.trash")

PURGE_SECONDS = 3600.0  # between two looks at what is old enough
COLLECT_SECONDS = 24 * 3600.0  # between two collections, when nothing was purged
SETTLE_SECONDS = 60.0  # before the first collection, and before another try while something is published or exported
_NAMED_JOBS = 10


@router.get("/projects/{project_id}/trash", name="list_trash")
def list_trash(platform: Platform, caller: Caller, project_id: UUID) -> list[TrashedDataset]:
    """The deleted datasets of a project that can still be restored, the newest of them first."""
    lifetime = timedelta(days=platform.settings.trash_days)
    with platform.db.read() as session:
        access.find(session, caller, ProjectRow, project_id)
        datasets = list_rows(session, project_id, trashed=True)
    return [
        TrashedDataset(**dict(dataset), expires_at=dataset.trashed_at + lifetime)
        for dataset in datasets
        if dataset.trashed_at is not None
    ]


@router.delete("/datasets/{dataset_id}", name="delete_dataset", status_code=204)
def delete_dataset(platform: Platform, caller: Caller, dataset_id: UUID, *, purge: bool = False) -> None:
    """Move a dataset to the trash; with `purge` an owner removes it for good. An import that is running is stopped.

    One that has no version yet has nothing to keep and is removed at once. Jobs keep the data they were trained on.
    """
    with platform.db.write() as session:
        row = access.find(session, caller, DatasetRow, dataset_id, Role.OWNER if purge else Role.EDITOR)
        kept = session.scalar(select(exists().where(VersionRow.dataset_id == dataset_id)))
        if purge or not kept:
            _refuse_in_use(session, dataset_id)
            session.delete(row)
        elif row.trashed_at is None:
            row.trashed_at, row.trashed_by = datetime.now(UTC), caller.name
            row.name_key = f"\n{row.id}"  # no name holds a line end
            row.status, row.stage, row.progress, row.problem = DatasetStatus.READY, "ready", 1.0, None
    platform.bus.publish("imports", f"datasets:{row.project_id}", *(["trash"] if purge else []))


@router.post("/datasets/{dataset_id}/restore", name="restore_dataset")
def restore_dataset(
    platform: Platform, caller: Caller, dataset_id: UUID, wanted: DatasetRestore | None = None
) -> Dataset:
    """Take a dataset out of the trash, under another name where its own is taken. One that is not in it stays as it is."""
    name = (wanted or DatasetRestore()).name
    with platform.db.write() as session:
        row = access.find(session, caller, DatasetRow, dataset_id, Role.EDITOR)
        if row.trashed_at is not None:
            row.name = row.name if name is None else clean_name(name)
            make_way(
                session, row.project_id, row.name, hint="Restore it under another `name`, or delete that dataset first."
            )
            row.name_key = row.name.casefold()
            row.trashed_at = row.trashed_by = None
        dataset = to_dataset(row, versions_of(session, VersionRow.dataset_id == dataset_id)[dataset_id])
    platform.bus.publish(f"datasets:{row.project_id}")
    return dataset


async def run(platform: Context) -> None:
    """Background: purge what has been in the trash long enough, and collect what nothing refers to after that and daily."""
    clock = asyncio.get_running_loop().time
    due = clock() + SETTLE_SECONDS
    with platform.bus.subscribe("trash") as changes:
        while True:
            purged = await anyio.to_thread.run_sync(purge, platform, datetime.now(UTC), limiter=platform.background)
            if purged or clock() >= due:
                done = await anyio.to_thread.run_sync(collect, platform, limiter=platform.background)
                due = clock() + (COLLECT_SECONDS if done else SETTLE_SECONDS)
            if await changes.changed(min(PURGE_SECONDS, max(0.0, due - clock()))):
                due = clock()


def purge(platform: Context, now: datetime) -> int:
    """Remove the datasets whose time in the trash is over and that no job refers to; how many there were."""
    over = now - timedelta(days=platform.settings.trash_days)
    with platform.db.write() as session:
        used = exists().where(JobRow.dataset_id == DatasetRow.id)
        rows = session.scalars(select(DatasetRow).where(DatasetRow.trashed_at <= over, ~used)).all()
        for row in rows:
            session.delete(row)
            log.info("dataset %s (%s) was long enough in the trash and is gone", row.id, row.name)
    return len(rows)


def collect(platform: Context) -> bool:
    """Remove from the store what no version and no job refers to; False while something is being published or exported."""
    try:
        found = store_gc.collect(platform.settings.store, lambda: _needed(platform))
    except (RetinueError, OSError) as error:
        log.warning("the store could not be collected: %s", error)
        return True
    if found is not None and (found.versions or found.blobs):
        log.info("collected %d versions, %d images, %d bytes", found.versions, found.blobs, found.size_bytes)
    return found is not None


def _needed(platform: Context) -> set[str]:
    with platform.db.read() as session:
        return {*session.scalars(select(VersionRow.digest)), *session.scalars(select(JobRow.dataset_digest))}


def _refuse_in_use(session: Session, dataset_id: UUID) -> None:
    jobs = session.scalars(select(JobRow.name).where(JobRow.dataset_id == dataset_id).order_by(JobRow.created_at)).all()
    if jobs:
        named = ", ".join(jobs[:_NAMED_JOBS]) + (", ..." if len(jobs) > _NAMED_JOBS else "")
        raise ConflictError(
            f"The dataset is used by {len(jobs)} job{'s' if len(jobs) > 1 else ''}: {named}.",
            code="dataset_in_use",
            hint="A job keeps the data it was trained on; delete the dataset without purging it: it goes to the trash.",
        )
