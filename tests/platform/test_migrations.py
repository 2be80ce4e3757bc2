"""The schema comes from migrations alone, and agrees with the tables."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from retinue_platform.migrations import configuration, revisions
from retinue_platform.tables import Base
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
