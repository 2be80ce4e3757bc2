"""Imports as the database has them: which are wanted, what their workers are told, and the one transaction at their end."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import func, select

from retinue_platform import sources
from retinue_platform.tables import DatasetRow, UploadRow, VersionRow
from retinue_sdk.api import DatasetStatus, VersionContent
from retinue_sdk.errors import RetinueError, UnavailableError
from retinue_sdk.store_gc import hold

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from retinue_platform.context import Context

log = logging.getLogger("retinue.imports")


def wanted(platform: Context) -> list[UUID]:
    """The datasets that are importing, oldest first."""
    query = select(DatasetRow.id).where(DatasetRow.status == DatasetStatus.IMPORTING).order_by(DatasetRow.created_at)
    with platform.db.read() as session:
        return list(session.scalars(query))


def order_of(platform: Context, ident: UUID) -> dict[str, Any] | None:
    """What the worker is told on its standard input; without a filename when the upload is gone."""
    with platform.db.read() as session:
        row = session.get(DatasetRow, ident)
        if row is None:
            return None
        parent = session.get(VersionRow, (ident, row.request["parent"])) if "parent" in row.request else None
        return {
            **_from(platform, session, row.request),
            "folder": str(platform.work / str(ident)),
            "store": str(platform.settings.store),
            "parent": None if parent is None else parent.digest,
            "request": row.request,
            "unpacked_bytes": platform.settings.unpacked_limit_bytes,
            "memory_bytes": int(platform.settings.import_memory_gb * 1024**3),
            "cpu_seconds": platform.settings.import_seconds,
        }


def _from(platform: Context, session: Session, request: dict[str, Any]) -> dict[str, Any]:
    """Where the data is: a file that was sent, with its name, or a source."""
    if source := request.get("source"):
        return {"source": sources.order_of(platform.settings, source), "origin": sources.origin_of(source)}
    upload = session.get(UploadRow, UUID(request["upload_id"]))
    filename = None if upload is None else upload.filename
    upload_path = str(platform.uploads / request["upload_id"])
    return {"source": None, "upload": upload_path, "filename": filename, "origin": filename}


def progress(platform: Context, ident: UUID, stage: str, done: float) -> None:
    """Write down how far an import is."""
    with platform.db.write() as session:
        row = session.get(DatasetRow, ident)
        if row is None or row.status != DatasetStatus.IMPORTING:
            return
        row.stage, row.progress = stage, done
    platform.bus.publish(f"datasets:{row.project_id}")


def finish(platform: Context, ident: UUID, request: dict[str, Any], result: VersionContent | RetinueError) -> None:
    """The one transaction that makes a version visible, or says why there is none; nothing when the work is not wanted."""
    with hold(platform.settings.store), platform.db.write() as session:
        row = session.get(DatasetRow, ident)
        if row is None or row.status != DatasetStatus.IMPORTING or row.request != request:
            return
        newest = session.scalar(select(func.max(VersionRow.number)).where(VersionRow.dataset_id == ident)) or 0
        if isinstance(result, RetinueError):  # the upload stays: it may be tried as another format
            row.problem = result.problem.model_dump(mode="json")
        else:
            if not (platform.settings.store / "versions" / result.digest).is_dir():
                raise UnavailableError("The version was collected before it was written down.")
            newest += 1
            session.add(_version(row, newest, result))
            _forget(session, row)
        row.status = DatasetStatus.FAILED
        if newest:
            row.status, row.stage, row.progress = DatasetStatus.READY, "ready", 1.0
    if not isinstance(result, RetinueError) and request.get("upload_id"):
        (platform.uploads / request["upload_id"]).unlink(missing_ok=True)
    platform.bus.publish(f"datasets:{row.project_id}")
    log.info("import %s: %s", ident, row.status)


def _version(row: DatasetRow, number: int, made: VersionContent) -> VersionRow:
    return VersionRow(
        dataset_id=row.id,
        number=number,
        parent=row.request.get("parent"),
        note=row.request.get("note", ""),
        digest=made.digest,
        summary=made.model_dump(mode="json", exclude={"digest"}),
        created_at=datetime.now(UTC),
        created_by=row.request.get("by", row.created_by),
    )


def _forget(session: Session, row: DatasetRow) -> None:
    """What was only needed to get the data: the upload, and what may be secret in a URL."""
    if source := row.request.get("source"):
        row.request = row.request | {"source": sources.origin_of(source)}
    else:
        upload = session.get(UploadRow, UUID(row.request["upload_id"]))
        if upload is not None:
            session.delete(upload)
