"""What can be done about an import that has failed: try it again, read in another way, or put its problem away."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from retinue_platform import access
from retinue_platform.auth import Caller
from retinue_platform.context import Platform
from retinue_platform.datasets import refuse_trashed, to_dataset, versions_of
from retinue_platform.sources import refuse_unless_open
from retinue_platform.tables import DatasetRow, UploadRow, VersionRow
from retinue_sdk.api import Dataset, DatasetStatus, Role
from retinue_sdk.errors import ConflictError
from retinue_sdk.intake import DatasetRetry, Incoming

router = APIRouter(tags=["datasets"])


@router.post("/datasets/{dataset_id}/retry", name="retry_dataset", status_code=202)
def retry_dataset(platform: Platform, caller: Caller, dataset_id: UUID, wanted: DatasetRetry | None = None) -> Dataset:
    """Do the import that failed again, with the same data; perhaps read as another format, or with other frames of a video."""
    changes = (wanted or DatasetRetry()).model_dump(mode="json", exclude_unset=True)
    with platform.db.write() as session:
        row = access.find(session, caller, DatasetRow, dataset_id, Role.EDITOR)
        refuse_trashed(row)
        if row.problem is None:
            raise ConflictError(
                f"No import of the dataset {row.name!r} has failed.",
                code="nothing_to_retry",
                hint="Add data to it instead.",
            )
        if row.request.get("upload_id") and session.get(UploadRow, UUID(row.request["upload_id"])) is None:
            raise ConflictError("The upload is gone.", code="upload_lost", hint="Send the file again.")
        request = _changed(row.request, changes) | {"by": caller.name}
        refuse_unless_open(platform, session, caller, row.project_id, _incoming(request))
        row.request = request
        row.status, row.stage, row.progress, row.problem = DatasetStatus.IMPORTING, "waiting", 0.0, None
        dataset = to_dataset(row, versions_of(session, VersionRow.dataset_id == dataset_id)[dataset_id])
    platform.bus.publish("imports", f"datasets:{row.project_id}")
    return dataset


@router.delete("/datasets/{dataset_id}/problem", name="delete_problem", status_code=204)
def delete_problem(platform: Platform, caller: Caller, dataset_id: UUID) -> None:
    """Put the problem of a failed addition away; the dataset stays as it is without it."""
    with platform.db.write() as session:
        row = access.find(session, caller, DatasetRow, dataset_id, Role.EDITOR)
        if row.status == DatasetStatus.FAILED:
            raise ConflictError(
                f"The dataset {row.name!r} is nothing but its problem.",
                code="dataset_failed",
                hint="Delete it, or try its import again.",
            )
        row.problem = None
    platform.bus.publish(f"datasets:{row.project_id}")


def _changed(request: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The request with the changes; a new step for frames replaces the old one, whichever of the two it was."""
    if changes.keys() & {"every", "seconds"}:
        request = request | {"every": None, "seconds": None}
    return request | changes


def _incoming(request: dict[str, Any]) -> Incoming:
    return Incoming.model_validate({name: request[name] for name in Incoming.model_fields if name in request})
