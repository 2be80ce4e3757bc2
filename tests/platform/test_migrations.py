"""The schema comes from migrations alone, and agrees with the tables."""

import uuid

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from retinue_platform.migrations import configuration, revisions
from retinue_platform.tables import Base, DatasetRow, JobRow, VersionRow
from retinue_sdk.errors import ConflictError


def test_the_migrations_make_the_tables(db):
    with db._writer.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_file_names_say_the_revisions():
    scripts = ScriptDirectory.from_config(configuration())
    assert revisions() == [script.revision for script in reversed(list(scripts.walk_revisions()))]


def test_an_upgrade_can_be_repeated(db):
    db.upgrade()
    with db.read() as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == revisions()[-1]


def test_a_database_of_a_newer_version_is_refused(db):
    with db.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConflictError) as refused:
        db.upgrade()
    assert refused.value.problem.code == "database_too_new"
    assert "9999" in str(refused.value)


def test_an_upgrade_that_fails_changes_nothing(empty_sqlite):
    """All of it is one transaction."""
    with empty_sqlite.write() as session:
        session.execute(text("CREATE TABLE tracking (in_the_way TEXT)"))
    with pytest.raises(Exception, match="schema cannot be brought up to date"):
        empty_sqlite.upgrade()
    with empty_sqlite._writer.connect() as connection:
        assert inspect(connection).get_table_names() == ["tracking"]


OLD = """
INSERT INTO projects VALUES (:p, 'cells', 'cells', '', :now, 'ann');
INSERT INTO datasets VALUES (:d, :p, 'blood', 'blood', 'ready', 'ready', 1.0, NULL, '{}', :now, 'ann');
INSERT INTO dataset_versions VALUES (:d, 1, 'abc', '{"images": 7}', :now, 'ann');
INSERT INTO jobs (id, project_id, name, kind, framework, model, task, dataset_id, dataset_version, dataset_digest,
  parameters, seed, priority, resources, status, target, attempt, cursor, latest, request_digest, created_at, created_by)
  VALUES (:j, :p, 'job', 'train', 'points', 'line', 'classify', :d, 1, 'abc', '{}', 0, 0, '{}', 'succeeded', 'finished',
  1, 0, '{}', '', :now, 'ann');
"""


def test_a_database_of_the_first_release_is_upgraded_with_all_that_is_in_it(empty_db):
    p, d, j = (uuid.uuid4() for _ in range(3))
    with empty_db._writer.begin() as connection:
        command.upgrade(configuration(connection), "0001")
    as_stored = (lambda ident: ident.hex) if empty_db.sqlite else (lambda ident: ident)
    values = {"p": as_stored(p), "d": as_stored(d), "j": as_stored(j), "now": "2026-11-23 12:00:00+00"}
    with empty_db.write() as session:
        for statement in OLD.split(";")[:-1]:
            session.execute(text(statement), values)
    empty_db.upgrade()
    with empty_db.read() as session:
        dataset, version, job = session.get(DatasetRow, d), session.get(VersionRow, (d, 1)), session.get(JobRow, j)
        assert (dataset.name, dataset.trashed_at, dataset.trashed_by) == ("blood", None, None)
        assert (version.digest, version.summary, version.parent, version.note) == ("abc", {"images": 7}, None, "")
        assert (job.dataset_id, job.dataset_digest) == (d, "abc")
