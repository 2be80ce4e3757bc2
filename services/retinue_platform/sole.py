"""The platform is one process: its queue and its writer are. A second one on the same data or database is refused."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from retinue_platform.db import Database
from retinue_sdk.errors import ConflictError

_ADVISORY_KEY = 0x7265_7469_6E75_65  # "retinue", among the locks of a PostgreSQL database
_PATIENCE = "3s"  # PostgreSQL notices that a client has gone, or was killed, a moment later


def claim_folder(held: ExitStack, folder: Path) -> None:
    """Hold the folder's lock until `held` is closed, or the process is gone in whatever way."""
    _lock_file(held, folder / "lock", "data directory")


def claim_database(held: ExitStack, db: Database, folder: Path) -> None:
    """Hold the database, where it is not the one that lies in `folder`."""
    if db.file is None:
        connection = held.enter_context(db.connect())
        held.callback(connection.invalidate)  # back in the pool it would still hold the lock
        connection.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE}'"))
        try:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ADVISORY_KEY})
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != "55P03":  # lock_not_available
                raise
            raise _refusal("unknown", "database", db.url.render_as_string(hide_password=True)) from None
        connection.commit()  # the lock is the connection's, not the transaction's
    elif db.file.parent.is_dir() and db.file.parent.resolve() != folder.resolve():
        _lock_file(held, db.file.with_name(db.file.name + ".lock"), "database")


def _lock_file(held: ExitStack, path: Path, what: str) -> None:
    file = held.enter_context(path.open("a+", encoding="ascii"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise _refusal(file.read().strip() or "unknown", what, str(path)) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()


def _refusal(holder: str, what: str, where: str) -> ConflictError:
    return ConflictError(
        f"Another platform (process {holder}) uses this {what} already.",
        code="platform_running",
        hint=f"Stop it first, or give this one a {what} of its own.",
        where=where,
    )
