"""What every part of the running platform is handed: settings, database, bus, hub, and the lock on the data directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO, Annotated
from uuid import UUID

import anyio
from fastapi import Depends
from fastapi.requests import HTTPConnection

from retinue_platform import audit, trainers
from retinue_platform.auth import Hub
from retinue_platform.bus import Bus
from retinue_platform.db import BACKGROUND_THREADS, Database
from retinue_platform.settings import Settings
from retinue_sdk.errors import ConflictError, StorageFullError, UnavailableError


class Context:
    """Cheap to make, touches nothing; `open` makes the folders, takes the lock and upgrades the database."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.db = Database(settings.database)
        self.db.on_write = audit.record
        self.bus = Bus()
        self.hub = Hub(settings.hub_api_url, settings.service_name)
        self.background = anyio.CapacityLimiter(BACKGROUND_THREADS)  # for `anyio.to_thread.run_sync(..., limiter=)`
        self.uploading: set[UUID] = set()  # uploads that a request is writing now
        self.trainers = trainers.Trainers({}, settings.folder)  # those of the settings once it is open
        self._lock: IO[str] | None = None

    @property
    def uploads(self) -> Path:
        """Files on their way."""
        return self.settings.folder / "uploads"

    @property
    def work(self) -> Path:
        """Scratch space of imports, a folder each."""
        return self.settings.folder / "work"

    def open(self) -> None:
        """Get ready to serve. Raises a `RetinueError` that fits in one line; a second call does nothing."""
        if self._lock:
            return
        try:
            self.settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.settings.folder, self.uploads, self.work, self.settings.store):
                folder.mkdir(mode=0o700, exist_ok=True)
            self._lock = _take_lock(str(self.settings.folder / "lock"))
        except OSError as error:
            kind = StorageFullError if error.errno == 28 else UnavailableError
            raise kind(
                f"The data directory {self.settings.data} cannot be used: {error.strerror}.",
                hint="Set RETINUE_DATA to a directory that exists, or can be made, and that this user may write.",
                code="data_directory" if kind is UnavailableError else None,
            ) from error
        self.trainers = trainers.connect(self.settings)
        self.db.upgrade()

    async def close(self) -> None:
        """Give everything back."""
        await self.hub.close()
        await self.trainers.close()
        self.db.close()
        if self._lock:
            self._lock.close()
            self._lock = None


def _take_lock(path: str) -> IO[str]:
    """The platform is one process per data directory: its queue and its writer are."""
    file = open(path, "a+", encoding="ascii")  # noqa: PTH123, SIM115 - open for as long as the process lives
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise ConflictError(
            f"Another platform (process {holder}) uses this data directory already.",
            code="platform_running",
            hint="Stop it first, or give this one a RETINUE_DATA of its own.",
            where=path,
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _context(connection: HTTPConnection) -> Context:
    context: Context = connection.app.state.context
    return context


Platform = Annotated[Context, Depends(_context)]
