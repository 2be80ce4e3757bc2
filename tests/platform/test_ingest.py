"""Events reach the database in order, once, whatever the stream does."""

import asyncio
import math

import pytest
from sqlalchemy import func, select
from tests.platform.jobs_db import add_job, event, metric, open_database

from retinue_platform import ingest, metrics
from retinue_platform.tables import ArtifactRow, JobRow, PointRow


@pytest.fixture
def database(tmp_path):
    database = open_database(tmp_path)
    yield database
    database.close()


def put(database, job_id, *lines, attempt=1):
    with database.write() as session:
        return ingest.store(session, job_id, attempt, lines)


def read_job(database, job_id):
    with database.read() as session:
        return session.get(JobRow, job_id)


def points(database, job_id):
    with database.read() as session:
        query = select(PointRow.seq, PointRow.key, PointRow.value).where(PointRow.job_id == job_id)
        return [tuple(row) for row in session.execute(query.order_by(PointRow.seq, PointRow.key))]


def test_points_progress_artifacts_and_cursor_are_one_change(database):
    job_id = add_job(database, status="starting")
    sha = "a" * 64
    cursor = put(
        database,
        job_id,
        metric(1, **{"train/loss": 0.5, "lr": 0.1}),
        event(2, "progress", epoch=1, epochs=3, step=10, steps=30, eta_seconds=2.0),
        event(3, "artifact", name="best", kind="checkpoint", path="checkpoints/best.pt", size=3, sha256=sha, step=10),
        event(4, "warning", code="slow", message="The disk is slow."),
        event(5, "image", key="val", step=1, path="artifacts/a.png", predictions=[]),
        metric(6, **{"train/loss": "NaN", "big": "Infinity"}),
    )
    assert cursor == 6
    job = read_job(database, job_id)
    assert (job.cursor, job.status, job.message) == (6, "running", "The disk is slow.")
    assert job.latest == {"train/loss": "NaN", "lr": 0.1, "big": "Infinity"}
    assert job.progress["steps"] == 30
    assert points(database, job_id) == [
        (1, "lr", 0.1), (1, "train/loss", 0.5), (6, "big", math.inf), (6, "train/loss", None),
    ]  # fmt: skip
    with database.read() as session:
        assert session.scalars(select(ArtifactRow.sha256)).all() == [sha]


def test_known_events_are_ignored_and_gaps_refused(database):
    job_id = add_job(database)
    put(database, job_id, metric(1), metric(2))
    assert put(database, job_id, metric(1), metric(2, other=9), metric(3)) == 3
    assert [row[:2] for row in points(database, job_id)] == [(1, "train/loss"), (2, "train/loss"), (3, "train/loss")]
    assert put(database, job_id, metric(4), metric(6)) == 4  # what is contiguous is kept
    with pytest.raises(ingest.GapError):
        put(database, job_id, metric(6))
    assert read_job(database, job_id).cursor == 4


@pytest.mark.parametrize(("values", "attempt"), [({"attempt": 2}, 1), ({"status": "succeeded"}, 1), ({}, 2)])
def test_late_attempts_are_refused(database, values, attempt):
    job_id = add_job(database, **values)
    with pytest.raises(ingest.SupersededError):
        put(database, job_id, metric(1), attempt=attempt)
    assert points(database, job_id) == []


def test_an_event_that_is_not_understood_costs_only_itself(database):
    job_id = add_job(database)
    assert put(database, job_id, metric(1), b'{"seq": 2, "type": "novelty"}', b"garbage", metric(3)) == 3
    assert [row[0] for row in points(database, job_id)] == [1, 3]
    broken = [
        metric(4, **{"\ud800": 1}),
        metric(5).replace(b'"step": 4', b'"step": %d' % 2**63),
        metric(6).replace(b'"epoch": 1', b'"epoch": %d' % 2**31),
        b'{"seq": 7, "type": "novelty", "content": %s}' % (b"[" * 300 + b"]" * 300),
        event(8, "artifact", name="a", kind="plot", path="a" * 501, size=1, sha256="0" * 64),
        event(9, "progress", epoch=1, epochs=2, step=1, steps=2, eta_seconds=float("inf")),
    ]
    assert put(database, job_id, *broken, metric(10)) == 10
    assert [row[0] for row in points(database, job_id)] == [1, 3, 10]


async def stream_of(*pieces, error=None):
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)
    if error:
        raise error


async def test_pump_cuts_lines_wherever_the_pieces_end():
    text = b"".join(b"%d\n" % n for n in range(10_000))
    pieces = [text[i : i + 777] for i in range(0, len(text), 777)]
    seen = []

    async def commit(lines):
        assert len(lines) <= ingest.BATCH
        seen.extend(lines)
        return len(seen)

    await ingest.pump(stream_of(*pieces, b"\n\ntorn"), commit)
    assert seen == text.splitlines()


async def test_pump_commits_a_lone_line_at_once_and_says_why_a_stream_broke():
    committed = asyncio.Event()

    async def commit(lines):
        committed.set()
        return 1

    async def stream():
        yield b"1\n"
        async with asyncio.timeout(0.08):  # sooner than PAUSE
            await committed.wait()
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await ingest.pump(stream(), commit)


async def test_pump_ends_when_cancelled_while_its_reader_waits():
    async def commit(lines):
        await asyncio.sleep(60)

    task = asyncio.create_task(ingest.pump(stream_of(*[b"1\n"] * 1000), commit))
    await asyncio.sleep(0.05)
    task.cancel()
    async with asyncio.timeout(1):
        with pytest.raises(asyncio.CancelledError):
            await task


def test_chunks_are_whole_events_without_gap_or_duplicate(database):
    job_id = add_job(database)
    put(
        database,
        job_id,
        *(metric(n, a=n, b=-n) if n % 3 else event(n, "warning", code="c", message="m") for n in range(1, 101)),
    )
    after, seen, chunks = 0, [], 0
    more = True
    while more:
        with database.read() as session:
            chunk = metrics.chunk(session, job_id, 1, after=after, cursor=100, limit=7)
        assert all(set(point["values"]) == {"a", "b"} for point in chunk.points)
        seen += [point["seq"] for point in chunk.points]
        after, more, chunks = chunk.seq, chunk.more, chunks + 1
    assert seen == [n for n in range(1, 101) if n % 3]
    assert after == 100
    assert chunks == 10


def test_down_sampling_keeps_extremes_and_nan(database):
    values = [math.sin(n / 50) for n in range(10_000)]
    values[1234], values[5678], values[8000] = 99.0, -99.0, math.nan
    kept = metrics.pick(values, 200)
    assert len(kept) <= 200
    assert {0, 1234, 5678, 8000, 9999} <= set(kept)
    assert metrics.pick(values, 0) == list(range(10_000))


def test_reading_in_full_and_sampled(database):
    job_id = add_job(database)
    put(database, job_id, *(metric(n, loss=n % 97, other=1.0) for n in range(1, 1001)))
    with database.read() as session:
        full = metrics.read(session, job_id)
        few = metrics.read(session, job_id, keys=["loss"], after=500, max_points=50)
    assert [(s.key, s.total, s.sampled, len(s.value)) for s in full.series] == [
        ("loss", 1000, False, 1000), ("other", 1000, False, 1000),
    ]  # fmt: skip
    (series,) = few.series
    assert (series.total, series.sampled, few.seq) == (500, True, 1000)
    assert len(series.seq) <= 50
    assert {min(series.value), max(series.value)} == {0, 96}
    assert series.seq[0] == 501
    assert series.seq[-1] == 1000


def test_nothing_is_doubled_when_the_same_batch_is_stored_twice(database):
    job_id = add_job(database)
    lines = [metric(n) for n in range(1, 501)]
    put(database, job_id, *lines)
    assert put(database, job_id, *lines) == 500
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(PointRow)) == 500
