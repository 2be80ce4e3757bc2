"""The schema's history, applied by Alembic when the platform starts. `env` is the only thing Alembic runs itself."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from retinue_sdk.errors import ConflictError


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without an ini file: the connection is handed over."""
    config = Config()
    config.set_main_option("script_location", "retinue_platform:migrations")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """Upgrade to the newest version; refuses a database that a newer Retinue has written."""
    config = configuration(connection)
    present = MigrationContext.configure(connection).get_current_revision()
    scripts = ScriptDirectory.from_config(config)
    if present == scripts.get_current_head():
        return
    try:
        scripts.get_revision(present or "base")
    except CommandError as error:
        raise ConflictError(
            f"The database was written by a newer Retinue (schema {present}).",
            code="database_too_new",
            hint="Start that version again, or restore the backup made before it.",
        ) from error
    command.upgrade(config, "head")
