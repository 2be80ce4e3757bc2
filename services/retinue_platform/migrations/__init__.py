"""The schema's history, applied by Alembic when the platform starts. `env` is the only thing Alembic runs itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect, text

from retinue_sdk.errors import ConflictError

if TYPE_CHECKING:
    from alembic.config import Config


def upgrade(connection: Connection) -> None:
    """Upgrade to the newest version; refuses a database that a newer Retinue has written."""
    present = _present(connection)
    known = revisions()
    if present == known[-1]:
        return  # without importing Alembic: a restart takes a tenth of a second less
    if present is not None and present not in known:
        raise ConflictError(
            f"The database was written by a newer Retinue (schema {present}).",
            code="database_too_new",
            hint="Start that version again, or restore the backup made before it.",
        )
    from alembic import command  # noqa: PLC0415 - see above

    command.upgrade(configuration(connection), "head")


def revisions() -> list[str]:
    """All revisions, oldest first: a file's name begins with its revision, and they are numbered."""
    return sorted(path.stem.partition("_")[0] for path in (Path(__file__).parent / "versions").glob("[0-9]*.py"))


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without an ini file: the connection is handed over."""
    from alembic.config import Config  # noqa: PLC0415 - see `upgrade`

    config = Config()
    config.set_main_option("script_location", "retinue_platform:migrations")
    config.attributes["connection"] = connection
    return config


def _present(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: Any = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)
