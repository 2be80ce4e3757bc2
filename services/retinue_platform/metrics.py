"""Reads a job's metric points: in full, down-sampled for a chart, or in chunks after a cursor for the live view."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from retinue_platform.tables import JobRow, PointRow
from retinue_sdk.api import Metrics, Series
from retinue_sdk.errors import NotFoundError


@dataclass
class Columns:
    """One series as it comes from the table, ordered by seq."""

    seq: list[int] = field(default_factory=list)
    step: list[int] = field(default_factory=list)
    epoch: list[int | None] = field(default_factory=list)
    time: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)


def to_datetime(milliseconds: int) -> datetime:
    """A point's time column as a date."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def from_column(value: float | None) -> float:
    """A point's value column as a number: NULL stands for NaN."""
    return math.nan if value is None else value


def to_wire(value: float | None) -> float | str:
    """A point's value column as JSON carries it."""
    if value is None or math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def pick(values: Sequence[float], max_points: int) -> list[int]:
    """Indices of at most `max_points` values that draw the same line: M4 (Jugel et al., VLDB 2014).

    Each of (max_points - 1) / 4 equal buckets keeps its first, last, smallest and largest value. Where a bucket holds a
    NaN its first NaN is kept instead of its first value, because a loss that went NaN is what a person looks for.
    """
    total = len(values)
    if max_points <= 0 or total <= max_points:
        return list(range(total))
    import numpy as np  # noqa: PLC0415 - a sixth of the start, and only down-sampling needs it

    array = np.asarray(values, dtype=np.float64)
    kept = {0, total - 1}
    edges = np.linspace(0, total, max(1, (max_points - 1) // 4) + 1).astype(np.int64)
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        bucket = array[low:high]
        nan = np.isnan(bucket)
        kept |= {low + int(nan.argmax()), high - 1}
        if not nan.all():
            kept |= {low + int(np.nanargmin(bucket)), low + int(np.nanargmax(bucket))}
    return sorted(kept)


def read(
    session: Session,
    job_id: UUID,
    *,
    keys: Sequence[str] = (),
    after: int = 0,
    max_points: int = 0,
) -> Metrics:
    """The points of a job's newest attempt with seq > `after`; `max_points` per series, 0 for all of them."""
    position = session.execute(select(JobRow.attempt, JobRow.cursor).where(JobRow.id == job_id)).one_or_none()
    if position is None:
        raise NotFoundError("There is no such job.", where=str(job_id))
    attempt, cursor = position
    query = (
        select(PointRow.key, PointRow.seq, PointRow.step, PointRow.epoch, PointRow.time, PointRow.value)
        .where(PointRow.job_id == job_id, PointRow.attempt == attempt, PointRow.seq > after, PointRow.seq <= cursor)
        .order_by(PointRow.seq)
    )
    if keys:
        query = query.where(PointRow.key.in_(keys))
    found: dict[str, Columns] = {}
    for key, seq, step, epoch, time, value in session.execute(query):
        columns = found.get(key) or found.setdefault(key, Columns())
        columns.seq.append(seq)
        columns.step.append(step)
        columns.epoch.append(epoch)
        columns.time.append(time)
        columns.value.append(from_column(value))
    series = [_series(key, attempt, found[key], max_points) for key in sorted(found)]
    return Metrics(job_id=job_id, attempt=attempt, seq=cursor, series=series)


def _series(key: str, attempt: int, columns: Columns, max_points: int) -> Series:
    total = len(columns.seq)
    rows = pick(columns.value, max_points)
    # model_construct: validating a million numbers that the table has typed already takes a second
    return Series.model_construct(
        key=key,
        attempt=attempt,
        seq=[columns.seq[i] for i in rows],
        step=[columns.step[i] for i in rows],
        epoch=[columns.epoch[i] for i in rows],
        time=[to_datetime(columns.time[i]) for i in rows],
        value=[columns.value[i] for i in rows],
        total=total,
        sampled=len(rows) < total,
    )


@dataclass(frozen=True)
class Chunk:
    """Points of the live view: everything with after < seq <= `seq`."""

    seq: int
    points: list[dict[str, Any]]
    more: bool


def chunk(session: Session, job_id: UUID, attempt: int, *, after: int, cursor: int, limit: int = 2000) -> Chunk:
    """The next metric events after a cursor, whole events only, at most `limit` of them."""
    mine = (PointRow.job_id == job_id, PointRow.attempt == attempt, PointRow.seq > after, PointRow.seq <= cursor)
    nearest = select(PointRow.seq).where(*mine).distinct().order_by(PointRow.seq).limit(limit).subquery()
    count, last = session.execute(select(func.count(), func.max(nearest.c.seq))).one()
    more = count == limit and last < cursor
    upper = last if more else cursor
    rows = session.execute(
        select(PointRow.seq, PointRow.step, PointRow.epoch, PointRow.time, PointRow.key, PointRow.value)
        .where(*mine, PointRow.seq <= upper)
        .order_by(PointRow.seq, PointRow.key)
    )
    points: list[dict[str, Any]] = []
    for seq, step, epoch, time, key, value in rows:
        if not points or points[-1]["seq"] != seq:
            points.append(
                {"seq": seq, "step": step, "epoch": epoch, "time": to_datetime(time).isoformat(), "values": {}}
            )
        points[-1]["values"][key] = to_wire(value)
    return Chunk(upper, points, more)
