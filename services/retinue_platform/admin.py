"""What administrators of the platform look at: the audit."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import select

from retinue_platform.auth import Caller, require_admin
from retinue_platform.context import Platform
from retinue_platform.tables import AuditRow
from retinue_sdk.api import AuditEntry
from retinue_sdk.schema import LARGEST_AUDIT

router = APIRouter(tags=["admin"])


@router.get("/audit", name="list_audit")
def list_audit(
    platform: Platform,
    caller: Caller,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=1, le=LARGEST_AUDIT)] = None,
) -> list[AuditEntry]:
    """The newest lines first; `before` an id goes on from there."""
    require_admin(caller)
    query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditRow.id < before)
    with platform.db.read() as session:
        return [AuditEntry.model_validate(row, from_attributes=True) for row in session.scalars(query)]
