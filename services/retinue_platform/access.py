"""Objects are found through the caller's projects: one that is foreign is as absent as one that does not exist."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, and_, literal, select
from sqlalchemy.orm import Session

from retinue_platform.auth import Identity
from retinue_platform.tables import DatasetRow, JobRow, MemberRow, ProjectRow, UploadRow
from retinue_sdk.api import Role
from retinue_sdk.errors import ForbiddenError, NotFoundError

Found = TypeVar("Found", ProjectRow, UploadRow, DatasetRow, JobRow)

_RANK = {Role.VIEWER: 1, Role.EDITOR: 2, Role.OWNER: 3}
_NAMES = {ProjectRow: "project", UploadRow: "upload", DatasetRow: "dataset", JobRow: "job"}


def find(session: Session, caller: Identity, kind: type[Found], ident: UUID, needed: Role = Role.VIEWER) -> Found:
    """The object, if the caller has at least the role `needed` in its project; else 404, or 403 `role_required`."""
    return find_with_role(session, caller, kind, ident, needed)[0]


def find_with_role(
    session: Session, caller: Identity, kind: type[Found], ident: UUID, needed: Role = Role.VIEWER
) -> tuple[Found, Role]:
    """As `find`, with the caller's role. One query, so that foreign and absent take the same time too."""
    query = select(kind, role_of(caller)).where(kind.id == ident)
    if not caller.admin:
        query = query.join(MemberRow, membership(caller, kind.id if kind is ProjectRow else _project_of(kind)))
    found = session.execute(query).first()
    if found is None:
        raise NotFoundError(f"There is no such {_NAMES[kind]}.", where=str(ident))
    row, role = found[0], Role(found[1])
    if _RANK[role] < _RANK[needed]:
        raise ForbiddenError(
            f"This needs the role {needed} in the project; yours is {role}.",
            code="role_required",
            hint=f"Ask an owner of the project to make you {needed}.",
        )
    return row, role


def role_of(caller: Identity) -> ColumnElement[str]:
    """The column of the caller's role, in a query that joins `membership` (an administrator needs no join)."""
    return literal(Role.OWNER.value) if caller.admin else MemberRow.role.expression


def membership(caller: Identity, project_id: Any) -> ColumnElement[bool]:
    """The join to the caller's own line of `members`."""
    return and_(MemberRow.project_id == project_id, MemberRow.user == caller.name)


def _project_of(kind: Any) -> Any:
    return kind.project_id
