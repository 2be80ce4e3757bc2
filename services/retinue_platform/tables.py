"""The tables. Nothing else: sessions are in `db`, each resource's queries are in its own file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class UTCDateTime(TypeDecorator[datetime]):
    """All times are UTC: SQLite forgets the zone, PostgreSQL answers in the server's."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """A time as it came, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Columns of these Python types are stored as said here."""

    # SQLite names no constraint by itself, and a migration can only change what has a name
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UTCDateTime, dict[str, Any]: JSON, list[Any]: JSON, str: Text}  # noqa: RUF012 - SQLAlchemy reads it as a class attribute


class ProjectRow(Base):
    """A project; its name is unique whatever its case."""

    __tablename__ = "projects"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    name_key: Mapped[str] = mapped_column(unique=True)  # casefolded: "Cells" and "cells" are one name
    description: Mapped[str]
    created_at: Mapped[datetime]
    created_by: Mapped[str]


class MemberRow(Base):
    """What a user may do in a project."""

    __tablename__ = "members"
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    user: Mapped[str] = mapped_column(String(255), primary_key=True, index=True)
    role: Mapped[str]


class UploadRow(Base):
    """A file on its way: `offset` bytes of it are safely here."""

    __tablename__ = "uploads"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    filename: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    offset: Mapped[int] = mapped_column(BigInteger)
    created_by: Mapped[str]
    expires_at: Mapped[datetime]


class DatasetRow(Base):
    """A named dataset and the state of its import."""

    __tablename__ = "datasets"
    __table_args__ = (UniqueConstraint("project_id", "name_key"),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    name_key: Mapped[str]  # in the trash one that nobody can choose, so that the name is free
    status: Mapped[str]
    stage: Mapped[str]
    progress: Mapped[float]
    problem: Mapped[dict[str, Any] | None]
    request: Mapped[dict[str, Any]]  # DatasetCreate or VersionCreate: what a restarted platform imports again
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    trashed_at: Mapped[datetime | None]
    trashed_by: Mapped[str | None]


class VersionRow(Base):
    """An immutable version of a dataset; its content is in the store under its digest."""

    __tablename__ = "dataset_versions"
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    parent: Mapped[int | None]
    note: Mapped[str] = mapped_column(default="", server_default="")
    digest: Mapped[str] = mapped_column(String(64), index=True)
    summary: Mapped[dict[str, Any]]  # the rest of api.DatasetVersion
    created_at: Mapped[datetime]
    created_by: Mapped[str]


class JobRow(Base):
    """`status` is what is, `target` what should be; the reconciler makes them equal."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("created_by", "idempotency_key"),
        Index("jobs_of_project", "project_id", "created_at"),
        Index("jobs_by_status", "status"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str]
    kind: Mapped[str]
    framework: Mapped[str]
    model: Mapped[str]
    task: Mapped[str]
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id"))
    dataset_version: Mapped[int]
    dataset_digest: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    seed: Mapped[int]
    priority: Mapped[int]
    resources: Mapped[dict[str, Any]]
    status: Mapped[str]
    target: Mapped[str]
    attempt: Mapped[int]
    cursor: Mapped[int] = mapped_column(BigInteger)  # newest event seq committed, of this attempt
    reason: Mapped[str | None]
    message: Mapped[str | None]
    stale_since: Mapped[datetime | None]
    progress: Mapped[dict[str, Any] | None]
    latest: Mapped[dict[str, Any]]
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    request_digest: Mapped[str]  # of the JobCreate: the same key with another body is refused
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class PointRow(Base):
    """One metric value. `value` NULL is NaN, which SQLite cannot store; infinities are stored as they are."""

    __tablename__ = "points"
    __table_args__ = ({"sqlite_with_rowid": False},)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    key: Mapped[str] = mapped_column(String(250), primary_key=True)
    step: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[int | None]
    time: Mapped[int] = mapped_column(BigInteger)  # milliseconds since 1970, UTC
    value: Mapped[float | None]


class ArtifactRow(Base):
    """A file that an attempt has made."""

    __tablename__ = "artifacts"
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(String(500), primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    step: Mapped[int | None] = mapped_column(BigInteger)
    time: Mapped[datetime]


class TrackingRow(Base):
    """The MLflow outbox: how far a job's run is written. The points themselves are the queue."""

    __tablename__ = "tracking"
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    run_id: Mapped[str | None]
    attempt: Mapped[int]
    cursor: Mapped[int] = mapped_column(BigInteger)  # newest seq of `attempt` that MLflow has
    finished: Mapped[bool] = mapped_column(index=True)  # run ended in MLflow, nothing left to send


class AuditRow(Base):
    """Append-only: the migration adds triggers that refuse UPDATE and DELETE."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    time: Mapped[datetime]
    user: Mapped[str]
    token_id: Mapped[str | None]
    action: Mapped[str]
    object: Mapped[str]
    outcome: Mapped[str]
