"""Projects and their members."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Path
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from retinue_platform import access
from retinue_platform.auth import Caller
from retinue_platform.context import Platform
from retinue_platform.tables import DatasetRow, JobRow, MemberRow, ProjectRow, UploadRow
from retinue_sdk.api import (
    DatasetStatus,
    Me,
    Member,
    MemberPut,
    Project,
    ProjectCreate,
    ProjectUpdate,
    Role,
)
from retinue_sdk.errors import BadRequestError, ConflictError, NotFoundError
from retinue_sdk.schema import Status

router = APIRouter(tags=["projects"])

OVER = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.LOST)
UserName = Annotated[str, Path(min_length=1, max_length=255)]


@router.get("/me", name="me")
async def me(caller: Caller) -> Me:
    """Who the platform takes the caller for."""
    return Me(name=caller.name, admin=caller.admin, scopes=sorted(caller.scopes))


@router.get("/projects", name="list_projects")
def list_projects(platform: Platform, caller: Caller) -> list[Project]:
    """The projects the caller is a member of, by name."""
    query = select(ProjectRow, access.role_of(caller)).order_by(ProjectRow.name_key)
    if not caller.admin:
        query = query.join(MemberRow, access.membership(caller, ProjectRow.id))
    with platform.db.read() as session:
        return [_project(row, Role(role)) for row, role in session.execute(query)]


@router.post("/projects", name="create_project", status_code=201)
def create_project(platform: Platform, caller: Caller, wanted: ProjectCreate) -> Project:
    """Make a project; whoever makes it owns it."""
    name = clean_name(wanted.name)
    row = ProjectRow(
        id=uuid4(),
        name=name,
        name_key=name.casefold(),
        description=clean_text(wanted.description, "description"),
        created_at=datetime.now(UTC),
        created_by=caller.name,
    )
    with platform.db.write() as session:
        _refuse_taken(session, row.name_key, row.id)
        session.add(row)
        session.flush()
        session.add(MemberRow(project_id=row.id, user=caller.name, role=Role.OWNER))
    return _project(row, Role.OWNER)


@router.get("/projects/{project_id}", name="get_project")
def get_project(platform: Platform, caller: Caller, project_id: UUID) -> Project:
    """One project."""
    with platform.db.read() as session:
        return _project(*access.find_with_role(session, caller, ProjectRow, project_id))


@router.patch("/projects/{project_id}", name="update_project")
def update_project(platform: Platform, caller: Caller, project_id: UUID, change: ProjectUpdate) -> Project:
    """Change the name or the description."""
    with platform.db.write() as session:
        row, role = access.find_with_role(session, caller, ProjectRow, project_id, Role.EDITOR)
        if change.name is not None:
            row.name = clean_name(change.name)
            row.name_key = row.name.casefold()
            _refuse_taken(session, row.name_key, row.id)
        if change.description is not None:
            row.description = clean_text(change.description, "description")
    return _project(row, role)


@router.delete("/projects/{project_id}", name="delete_project", status_code=204)
def delete_project(platform: Platform, caller: Caller, project_id: UUID) -> None:
    """Remove a project with all it holds. Refused while anything in it is running."""
    with platform.db.write() as session:
        row = access.find(session, caller, ProjectRow, project_id, Role.OWNER)
        _refuse_busy(session, project_id)
        uploads = list(session.scalars(select(UploadRow.id).where(UploadRow.project_id == project_id)))
        session.delete(row)
    for upload in uploads:
        (platform.uploads / str(upload)).unlink(missing_ok=True)
    platform.bus.publish("trash")


@router.get("/projects/{project_id}/members", name="list_members")
def list_members(platform: Platform, caller: Caller, project_id: UUID) -> list[Member]:
    """Who may do what."""
    query = select(MemberRow).where(MemberRow.project_id == project_id).order_by(MemberRow.user)
    with platform.db.read() as session:
        access.find(session, caller, ProjectRow, project_id)
        return [Member(user=row.user, role=Role(row.role)) for row in session.scalars(query)]


@router.put("/projects/{project_id}/members/{user}", name="put_member")
def put_member(platform: Platform, caller: Caller, project_id: UUID, user: UserName, wanted: MemberPut) -> Member:
    """Give a user a role, new or other. The name is the hub's, and need not have logged in yet."""
    name = clean_name(user, "user")
    with platform.db.write() as session:
        access.find(session, caller, ProjectRow, project_id, Role.OWNER)
        row = session.get(MemberRow, (project_id, name))
        if row is None:
            session.add(MemberRow(project_id=project_id, user=name, role=wanted.role))
        else:
            row.role = wanted.role
            session.flush()
            _refuse_ownerless(session, project_id)
    return Member(user=name, role=wanted.role)


@router.delete("/projects/{project_id}/members/{user}", name="delete_member", status_code=204)
def delete_member(platform: Platform, caller: Caller, project_id: UUID, user: UserName) -> None:
    """Take a user out of the project."""
    with platform.db.write() as session:
        access.find(session, caller, ProjectRow, project_id, Role.OWNER)
        row = session.get(MemberRow, (project_id, user))
        if row is None:
            raise NotFoundError("There is no such member.", where=user, hint="Look at the project's members.")
        session.delete(row)
        session.flush()
        _refuse_ownerless(session, project_id)


def clean_name(text: str, field: str = "name") -> str:
    """A name without spaces around it; refuses one that is empty then, or that cannot be seen whole."""
    name = text.strip()
    if not name:
        raise BadRequestError(f"The {field} is empty.", code="invalid_name", where=field)
    if not name.isprintable():
        raise BadRequestError(f"The {field} holds a character that cannot be shown.", code="invalid_name", where=field)
    return name


def clean_text(text: str, field: str) -> str:
    """Text of several lines, without the characters no database and no page can hold."""
    if any(not c.isprintable() and c not in "\n\t" for c in text):
        raise BadRequestError(f"The {field} holds a character that cannot be shown.", code="invalid_text", where=field)
    return text


def _project(row: ProjectRow, role: Role) -> Project:
    return Project(
        id=row.id,
        name=row.name,
        description=row.description,
        role=role,
        created_at=row.created_at,
        created_by=row.created_by,
    )


def _refuse_taken(session: Session, name_key: str, mine: UUID) -> None:
    with session.no_autoflush:
        taken = session.scalar(select(ProjectRow.id).where(ProjectRow.name_key == name_key, ProjectRow.id != mine))
    if taken:
        raise ConflictError(
            "A project of that name exists already.",
            code="project_exists",
            hint="Choose another name, or ask for a role in that project.",
            where="name",
        )


def _refuse_busy(session: Session, project_id: UUID) -> None:
    jobs = session.scalars(
        select(JobRow.name).where(JobRow.project_id == project_id, JobRow.status.not_in(OVER)).limit(10)
    ).all()
    imports = session.scalars(
        select(DatasetRow.name).where(DatasetRow.project_id == project_id, DatasetRow.status == DatasetStatus.IMPORTING)
    ).all()
    if jobs or imports:
        raise ConflictError(
            f"The project is in use by {', '.join([*jobs, *imports])}.",
            code="project_in_use",
            hint="Cancel the jobs named, or wait for them, then delete the project.",
        )


def _refuse_ownerless(session: Session, project_id: UUID) -> None:
    owners = session.scalar(
        select(func.count()).where(MemberRow.project_id == project_id, MemberRow.role == Role.OWNER)
    )
    if not owners:
        raise ConflictError(
            "The project would be left without an owner.",
            code="last_owner",
            hint="Make somebody else an owner first, or delete the project.",
        )
