"""The one write path, on SQLite and on PostgreSQL."""

import contextlib
import threading
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DatabaseError

from retinue_platform.db import Database
from retinue_platform.sole import claim_database
from retinue_platform.tables import AuditRow, DatasetRow, JobRow, MemberRow, PointRow, ProjectRow
from retinue_sdk.errors import BadRequestError, ConflictError, RetinueError, StorageFullError, UnavailableError


def project(name="p"):
    now = datetime.now(UTC)
    return ProjectRow(id=uuid.uuid4(), name=name, name_key=name, description="", created_at=now, created_by="a")


def test_a_read_cannot_write(db):
    with pytest.raises((DatabaseError, RetinueError)), db.read() as session:
        session.add(project())  # flushed at the end of the block


def test_a_failed_write_leaves_nothing(db):
    row = project()

    def write():
        with db.write() as session:
            session.add(row)
            session.flush()
            raise KeyError

    with pytest.raises(KeyError):
        write()
    with db.read() as session:
        assert session.get(ProjectRow, row.id) is None


def test_read_then_write_from_many_threads_loses_nothing(db):
    """What fails at once in a deferred SQLite transaction, and races on PostgreSQL without the lock."""
    row = project("0")
    with db.write() as session:
        session.add(row)

    def count():
        for _ in range(25):
            with db.write() as session:
                mine = session.get(ProjectRow, row.id)
                mine.name = str(int(mine.name) + 1)
            with db.read() as session:
                session.get(ProjectRow, row.id)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with db.read() as session:
        assert session.get(ProjectRow, row.id).name == "200"


def test_a_read_sees_one_moment(db):
    row = project()
    with db.write() as session:
        session.add(row)
    with db.read() as reader:
        before = reader.scalars(select(MemberRow)).all()
        with db.write() as writer:
            writer.add(MemberRow(project_id=row.id, user="u", role="owner"))
        if db.sqlite:
            assert reader.scalars(select(MemberRow)).all() == before


def test_times_come_back_in_utc(db):
    row = project()
    with db.write() as session:
        session.add(row)
    with db.read() as session:
        assert session.get(ProjectRow, row.id).created_at == row.created_at
        assert session.get(ProjectRow, row.id).created_at.tzinfo == UTC


def test_foreign_keys_hold(db):
    with pytest.raises(DatabaseError), db.write() as session:
        session.add(MemberRow(project_id=uuid.uuid4(), user="u", role="owner"))


def test_infinities_are_stored(db, job):
    with db.write() as session:
        for seq, value in enumerate((float("inf"), float("-inf"), None, 1e-300), 1):
            session.add(PointRow(job_id=job, attempt=1, seq=seq, key="k", step=1, epoch=None, time=0, value=value))
    with db.read() as session:
        values = session.scalars(select(PointRow.value).where(PointRow.job_id == job).order_by(PointRow.seq)).all()
    assert values == [float("inf"), float("-inf"), None, 1e-300]


@pytest.mark.parametrize("statement", ["UPDATE audit SET outcome = 'x'", "DELETE FROM audit"])
def test_the_audit_is_append_only(db, statement):
    with db.write() as session:
        line = {"user": "u", "token_id": None, "action": "a", "object": "o", "outcome": "ok"}
        session.add(AuditRow(time=datetime.now(UTC), **line))
    with pytest.raises((DatabaseError, RetinueError)), db.write() as session:
        session.execute(text(statement))


def test_a_character_that_cannot_be_stored_is_a_bad_request(db):
    if db.sqlite:
        return  # it stores them all
    with pytest.raises(BadRequestError), db.write() as session:
        session.add(project("a\x00b"))


def test_a_full_volume_is_said(sqlite):
    with sqlite.write() as session:
        session.execute(text("CREATE TABLE filler (x TEXT)"))
        session.execute(text(f"PRAGMA max_page_count = {session.scalar(text('PRAGMA page_count')) + 5}"))
    with pytest.raises(StorageFullError), sqlite.write() as session:
        session.execute(text("INSERT INTO filler VALUES (zeroblob(1000000))"))
    sqlite.ping()


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://x/y", "sqlite:////nowhere/at/all.sqlite", "postgresql+psycopg://u@127.0.0.1:1/x"]
)
def test_a_database_that_is_not_there_is_said(url):
    with pytest.raises(UnavailableError), contextlib.closing(Database(url)) as db:
        db.ping()


def test_sqlite_is_durable_and_checks_foreign_keys(sqlite):
    for session in (sqlite.read(), sqlite.write()):
        with session as s:
            found = {name: s.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")}
        assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_project_goes_with_its_datasets_jobs_and_points(db, job):
    with db.write() as session:
        session.add(PointRow(job_id=job, attempt=1, seq=1, key="k", step=1, epoch=None, time=0, value=1.0))
    with db.write() as session:
        session.delete(session.get(ProjectRow, session.get(JobRow, job).project_id))
    with db.read() as session:
        assert [session.scalar(select(func.count()).select_from(t)) for t in (PointRow, JobRow, DatasetRow)] == [
            0,
            0,
            0,
        ]


def test_a_database_serves_one_platform(db, tmp_path):
    with ExitStack() as first, contextlib.closing(Database(db.url.render_as_string(False))) as same:
        claim_database(first, db, tmp_path / "elsewhere")
        with ExitStack() as second, pytest.raises(ConflictError) as refused:
            claim_database(second, same, tmp_path / "elsewhere")
        assert refused.value.problem.code == "platform_running"
        first.close()
        with ExitStack() as second:
            claim_database(second, same, tmp_path / "elsewhere")
