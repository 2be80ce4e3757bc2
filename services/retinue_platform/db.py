"""The database: sessions that read, the one path that writes, and the schema's upgrade.

SQLite takes one writer at a time, and a transaction that read before it wrote fails at once when another one wrote in
between. So every write goes through `Database.write`: one lock for the process and `BEGIN IMMEDIATE`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection as SQLiteConnection
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DataError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from retinue_sdk.disk import too_full
from retinue_sdk.errors import BadRequestError, RetinueError, StorageFullError, UnavailableError

log = logging.getLogger("retinue.database")

THREADS = 16  # route handlers at once: the thread pool's size
BACKGROUND_THREADS = 4  # reconciler, ingest, imports
_ROOM = 1024 * 1024  # bytes that a change of some rows may need
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000")


class Database:
    """Two engines on SQLite (readers cannot write, one writer), one on PostgreSQL. Cheap to make; connects when used.

    `on_write` is called with each write session before its commit (the audit's hook).
    """

    def __init__(self, url: str) -> None:
        self.on_write: Callable[[Session], None] = lambda _session: None
        self._lock = threading.Lock()
        try:
            self.url = make_url(url)
            self.sqlite = self.url.get_backend_name() == "sqlite"
            self._readers, self._writer = self._engines()
        except (ArgumentError, ImportError, SQLAlchemyError) as error:
            raise UnavailableError(
                "The database URL cannot be used.",
                hint="Set RETINUE_DATABASE_URL to sqlite:////path/file or postgresql+psycopg://user:password@host/name.",
                where="RETINUE_DATABASE_URL",
                code="database_url",
            ) from error
        self._read = sessionmaker(self._readers, expire_on_commit=False)
        self._write = sessionmaker(self._writer, expire_on_commit=False)
        event.listen(self._write, "pending_to_persistent", _note_created)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment of the database and cannot change it."""
        with errors_named(file=self.file), self._read() as session, session.begin():
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """The one way to change something: commits at the end of the block, or not at all. Keep it short."""
        with errors_named(file=self.file), self._lock, self._write() as session, session.begin():
            yield session
            self.on_write(session)

    def ping(self) -> None:
        """Raise `UnavailableError` unless the database answers."""
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def upgrade(self) -> None:
        """Bring the schema to the newest version; what is there already is checked in a millisecond."""
        from retinue_platform.migrations import upgrade  # noqa: PLC0415 - only here, keeps Alembic out of other users

        failed = "The database's schema cannot be brought up to date."
        with errors_named(failed, self.file), self._lock, self._writer.begin() as connection:
            upgrade(connection)

    def connect(self) -> Connection:
        """A connection beside the sessions, for what has to be held (PostgreSQL only: SQLite's writer has just one)."""
        return self._writer.connect()

    def close(self) -> None:
        """Close all connections."""
        self._readers.dispose()
        self._writer.dispose()

    def _engines(self) -> tuple[Engine, Engine]:
        pool = {"pool_size": THREADS + BACKGROUND_THREADS + 1, "max_overflow": 0, "pool_timeout": 30}
        if not self.sqlite:
            engine = create_engine(self.url, pool_pre_ping=True, **pool)
            return engine.execution_options(postgresql_readonly=True), engine
        readers = create_engine(self.url, **pool)
        writer = create_engine(self.url, **pool | {"pool_size": 1})
        for engine, begin, pragmas in (
            (readers, "BEGIN", (*_PRAGMAS, "query_only=ON")),
            (writer, "BEGIN IMMEDIATE", _PRAGMAS),
        ):
            event.listen(engine, "connect", _prepare(pragmas))
            event.listen(engine, "begin", _begin(begin))
        return readers, writer

    @property
    def file(self) -> Path | None:
        """SQLite's file."""
        return Path(self.url.database) if self.sqlite and self.url.database else None


@contextmanager
def errors_named(message: str = "The database does not answer.", file: Path | None = None) -> Iterator[None]:
    """What a database refuses for reasons of its machine, said to people; the log has its own words.

    `file`: SQLite's, whose volume may be full.
    """
    try:
        yield
    except DataError as error:  # PostgreSQL stores no NUL, for one
        raise BadRequestError("A text holds a character, or a number a size, that cannot be stored.") from error
    except OperationalError as error:
        reason = str(error.orig)
        if "disk is full" in reason or "No space left" in reason or "disk I/O error" in reason:
            if file is not None:
                raise too_full(file.parent, _ROOM) from error
            raise StorageFullError(
                "The database's volume is full or broken.",
                hint="Free some space on the volume of the database, then try again.",
            ) from error
        log.warning("%s %s", message, reason)
        raise UnavailableError(
            message,
            code="database_unavailable",
            hint="Try again; if it stays, ask your administrator to look at the database.",
        ) from error


def is_away(error: BaseException) -> bool:
    """Whether an error says that the database cannot be read or written now, so that asking again later helps."""
    return isinstance(error, RetinueError) and error.problem.code in ("database_unavailable", "storage_full")


def created(session: Session) -> list[Any]:
    """The rows that this write session has made so far."""
    session.flush()
    rows: list[Any] = session.info.get("created", [])
    return rows


def _note_created(session: Session, row: Any) -> None:
    session.info.setdefault("created", []).append(row)


def _prepare(pragmas: tuple[str, ...]) -> Callable[[SQLiteConnection, Any], None]:
    def prepare(connection: SQLiteConnection, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun by us, not guessed by the driver
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    return prepare


def _begin(statement: str) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return begin
