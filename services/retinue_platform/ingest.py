"""Moves a job's events from its trainer into the database: in order, each exactly once.

Points, artifacts, progress and the cursor are written in one transaction, so the cursor always says what is stored.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from retinue_platform.metrics import to_wire
from retinue_platform.tables import ArtifactRow, JobRow, PointRow
from retinue_sdk.schema import ArtifactEvent, ImageEvent, MetricEvent, ProgressEvent, Status, WarningEvent

log = logging.getLogger(__name__)

BATCH = 2000  # events in one transaction, at most
PAUSE = 0.1  # seconds between two transactions of a job, unless a whole batch is waiting
MAX_LINE = 4 * 2**20  # an event longer than this is not ours

_POINTS = PointRow.metadata.tables[PointRow.__tablename__]  # the bare table: the mapped class costs twice the time
type_adapter: TypeAdapter[MetricEvent | ProgressEvent | ArtifactEvent | ImageEvent | WarningEvent] = TypeAdapter(
    Annotated[
        MetricEvent | ProgressEvent | ArtifactEvent | ImageEvent | WarningEvent,
        Field(discriminator="type"),
    ]
)


class GapError(Exception):
    """The stream skipped a number: read again from the cursor."""


class SupersededError(Exception):
    """The job is gone, over or at a newer attempt: nothing more of this one is taken."""


@dataclass
class Batch:
    """What a run of contiguous events changes."""

    cursor: int
    points: list[dict[str, Any]] = field(default_factory=list)
    artifacts: dict[str, ArtifactEvent] = field(default_factory=dict)
    latest: dict[str, float | str] = field(default_factory=dict)
    progress: ProgressEvent | None = None
    warning: str | None = None
    gap: bool = False

    def take(self, job_id: UUID, attempt: int, line: bytes) -> None:
        """Add one line of events.jsonl; one at or before the cursor is known already."""
        try:
            event = type_adapter.validate_json(line)
        except ValidationError as error:
            self._take_unknown(line, error)
            return
        if event.seq <= self.cursor or self._skips(event.seq):
            return
        self.cursor = event.seq
        match event:
            case MetricEvent():
                milliseconds = round(event.time.timestamp() * 1000)
                for key, value in event.values.items():
                    self.latest[key] = to_wire(value)
                    self.points.append({
                        "job_id": job_id, "attempt": attempt, "seq": event.seq, "key": key[:250], "step": event.step,
                        "epoch": event.epoch, "time": milliseconds, "value": None if math.isnan(value) else value,
                    })  # fmt: skip
            case ProgressEvent():
                self.progress = event
            case ArtifactEvent():
                self.artifacts[event.path] = event
            case WarningEvent():
                self.warning = event.message
            case ImageEvent():
                pass  # the picture itself is an artifact

    def changes(self) -> dict[str, Any]:
        """What becomes of the job's row."""
        changes: dict[str, Any] = {"cursor": self.cursor, "stale_since": None}
        if self.progress is not None:
            changes["progress"] = self.progress.model_dump(mode="json")
        if self.warning is not None:
            changes["message"] = self.warning
        return changes

    def _skips(self, seq: int) -> bool:
        self.gap = self.gap or seq != self.cursor + 1
        return self.gap

    def _take_unknown(self, line: bytes, error: ValidationError) -> None:
        """An event of a newer kit, or a damaged one: its number counts, its content is dropped, training goes on."""
        try:  # json.loads, for pydantic's reader gives up at deep nesting and at halves of surrogate pairs
            seq = json.loads(line)["seq"]
        except (ValueError, KeyError, TypeError, RecursionError):
            seq = None
        if not isinstance(seq, int):
            log.warning("an event without a number was dropped: %.80r", line)
        elif seq > self.cursor and not self._skips(seq):
            log.warning("event %d is not understood and was dropped: %s", seq, error.errors()[0]["msg"])
            self.cursor = seq


def store(session: Session, job_id: UUID, attempt: int, lines: Sequence[bytes]) -> int:
    """Write events in the caller's transaction and return the new cursor.

    Raises `SupersededError` for an attempt that is not the job's newest, `GapError` when nothing follows the cursor.
    """
    row = session.execute(
        select(JobRow.attempt, JobRow.cursor, JobRow.status, JobRow.latest).where(JobRow.id == job_id)
    ).one_or_none()
    if row is None or row.attempt != attempt or Status(row.status) not in LIVE:
        raise SupersededError(f"attempt {attempt} of job {job_id}")
    batch = Batch(row.cursor)
    for line in lines:
        batch.take(job_id, attempt, line)
        if batch.gap:
            break
    if batch.cursor == row.cursor:
        if batch.gap:
            raise GapError(f"nothing follows event {row.cursor} of job {job_id}")
        return batch.cursor
    if batch.points:
        session.execute(insert(_POINTS), batch.points)
    for event in batch.artifacts.values():
        session.merge(_artifact(job_id, attempt, event))
    changes = batch.changes()
    if row.status == Status.STARTING:
        changes["status"] = Status.RUNNING.value
    if batch.latest:
        changes["latest"] = {**row.latest, **batch.latest}
    session.execute(update(JobRow).where(JobRow.id == job_id).values(**changes))
    return batch.cursor


LIVE = frozenset({Status.STARTING, Status.RUNNING, Status.STOPPING})


def _artifact(job_id: UUID, attempt: int, event: ArtifactEvent) -> ArtifactRow:
    return ArtifactRow(
        job_id=job_id,
        attempt=attempt,
        path=event.path,
        name=event.name,
        kind=event.kind,
        size=event.size,
        sha256=event.sha256,
        step=event.step,
        time=event.time,
    )


async def pump(chunks: AsyncIterator[bytes], commit: Callable[[list[bytes]], Awaitable[int]]) -> None:
    """Cut a trainer's byte stream into lines and commit them in batches until the stream ends.

    The first line of a quiet stream is committed at once. While a commit runs at most 64 chunks are read ahead; then the
    trainer's socket fills and the trainer waits, never the training.
    """
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(64)
    reader = asyncio.create_task(_read(chunks, queue))
    try:
        await _commit_all(queue, commit)
        await reader  # raises what ended the stream early
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def _read(chunks: AsyncIterator[bytes], queue: asyncio.Queue[bytes | None]) -> None:
    try:
        async for piece in chunks:
            await queue.put(piece)
    except Exception:
        await queue.put(None)
        raise
    await queue.put(None)


async def _commit_all(queue: asyncio.Queue[bytes | None], commit: Callable[[list[bytes]], Awaitable[int]]) -> None:
    clock = asyncio.get_running_loop().time
    due = 0.0
    rest = b""
    lines: list[bytes] = []
    ended = False
    while not ended:
        piece = await _next(queue, None if not lines else max(0.0, due - clock()))
        if piece is None:
            ended = True
        elif piece:
            *complete, rest = (rest + piece).split(b"\n")
            if len(rest) > MAX_LINE:
                raise GapError(f"a line of more than {MAX_LINE} bytes")
            lines += (line for line in complete if line.strip())
        while lines and (ended or len(lines) >= BATCH or clock() >= due):
            await commit(lines[:BATCH])
            del lines[:BATCH]
            due = clock() + PAUSE


async def _next(queue: asyncio.Queue[bytes | None], seconds: float | None) -> bytes | None:
    """The next piece, nothing (b"") after that time, None at the end."""
    try:
        async with asyncio.timeout(seconds):
            return await queue.get()
    except TimeoutError:
        return b""
