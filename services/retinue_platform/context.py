"""What every part of the running platform is handed: settings, database, bus, hub, and the lock on the data directory."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated
from uuid import UUID, uuid4

import anyio
from fastapi import Depends
from fastapi.requests import HTTPConnection

from retinue_platform import audit, sole, trainers
from retinue_platform.auth import Hub
from retinue_platform.bus import Bus
from retinue_platform.db import BACKGROUND_THREADS, Database, errors_named
from retinue_platform.settings import Settings
from retinue_platform.workers import Workers
from retinue_sdk.api import DatasetFormat
from retinue_sdk.errors import StorageFullError, UnavailableError

LEFT = "left-"  # how the names of folders begin that nobody needs any more
_EXPORTS = 4  # at once
_FETCHES = 4  # that may go on while as many imports read as may


class Context:
    """Cheap to make, touches nothing; `open` makes the folders, takes the lock and upgrades the database."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.db = Database(settings.database)
        self.db.on_write = audit.record
        self.bus = Bus()
        self.hub = Hub(settings.hub_api_url, settings.service_name)
        self.background = anyio.CapacityLimiter(BACKGROUND_THREADS)  # for `anyio.to_thread.run_sync(..., limiter=)`
        self.workers = Workers()
        self.comparing = asyncio.Semaphore(1)  # versions: whole tables are in memory then
        self.importing = asyncio.Semaphore(settings.import_workers)  # imports that read: they need the memory
        self.fetching = asyncio.Semaphore(settings.import_workers + _FETCHES)  # imports whose data is not here at first
        self.exporting = asyncio.Semaphore(_EXPORTS)  # exports: a worker and a folder each
        self.uploading: set[UUID] = set()  # uploads that a request is writing now
        self.trainers = trainers.Trainers({}, settings.folder)  # those of the settings once it is open
        self.formats: list[DatasetFormat] = []  # those installed, once somebody has asked
        self._held = ExitStack()  # the locks of `sole`
        self._open = False

    @property
    def uploads(self) -> Path:
        """Files on their way."""
        return self.settings.folder / "uploads"

    @property
    def work(self) -> Path:
        """Scratch space of imports and exports, a folder each."""
        return self.settings.folder / "work"

    def open(self) -> None:
        """Get ready to serve. Raises a `RetinueError` that fits in one line; a second call does nothing."""
        if self._open:
            return
        try:
            self.settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.settings.folder, self.uploads, self.work, self.settings.store):
                folder.mkdir(mode=0o700, exist_ok=True)
            sole.claim_folder(self._held, self.settings.folder)
            self._put_aside()
        except OSError as error:
            kind = StorageFullError if error.errno == 28 else UnavailableError
            raise kind(
                f"The data directory {self.settings.data} cannot be used: {error.strerror}.",
                hint="Set RETINUE_DATA to a directory that exists, or can be made, and that this user may write.",
                code="data_directory" if kind is UnavailableError else None,
            ) from error
        self.trainers = trainers.connect(self.settings)
        with errors_named():
            sole.claim_database(self._held, self.db, self.settings.folder)
        self.db.upgrade()
        self._open = True

    def _put_aside(self) -> None:
        """Name what a killed platform left in the scratch space as such: removing it takes time, and `imports` does it."""
        for folder in tuple(self.work.iterdir()):
            folder.rename(self.work / f"{LEFT}{uuid4().hex}")

    async def close(self) -> None:
        """Give everything back."""
        await self.hub.close()
        await self.trainers.close()
        self.workers.close()
        self._held.close()
        self.db.close()


def _context(connection: HTTPConnection) -> Context:
    context: Context = connection.app.state.context
    return context


Platform = Annotated[Context, Depends(_context)]
