"""All trainer services: their clients, and what each offers, remembered for when one of them is down."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from retinue_platform.settings import Settings, SettingsError
from retinue_sdk.api import Catalogue, TrainerState
from retinue_sdk.client import AsyncTrainer
from retinue_sdk.errors import NotFoundError, RetinueError, UnavailableError
from retinue_sdk.schema import ModelInfo, Task

log = logging.getLogger(__name__)

PATIENCE = 2.0  # seconds a trainer has to answer
SOON, LATER = 5.0, 60.0  # seconds until a missing or unfinished list, or a good one, is asked for again
VERDICTS = frozenset({400, 403, 404, 409, 413, 416, 422, 507})
_models = TypeAdapter(list[ModelInfo])


@dataclass
class Offer:
    """What one trainer last said, and since when it has been silent."""

    framework: str
    models: list[ModelInfo] = field(default_factory=list)
    schemas: dict[str, dict[str, Any]] = field(default_factory=dict)
    version: str | None = None
    complete: bool = False
    reachable: bool = False
    since: datetime | None = field(default_factory=lambda: datetime.now(UTC))
    reason: str | None = "It has not answered yet."

    def state(self) -> TrainerState:
        """As the catalogue shows it."""
        return TrainerState(
            framework=self.framework,
            reachable=self.reachable,
            stale=not self.reachable,
            since=self.since,
            reason=self.reason,
            complete=self.complete,
            version=self.version,
        )

    def missing(self) -> UnavailableError:
        """What a caller is told who needs this trainer now."""
        since = f" since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        return UnavailableError(
            f"The {self.framework} trainer has not answered{since}: {self.reason}",
            code="trainer_unreachable",
            where=self.framework,
        )


class Trainers:
    """All trainer services: their clients and their offers. `run` keeps the offers fresh."""

    def __init__(self, clients: Mapping[str, AsyncTrainer], folder: Path) -> None:
        self.clients = dict(clients)
        self.folder = folder
        self.offers = {framework: self._remembered(framework) for framework in clients}
        self._wake = {framework: asyncio.Event() for framework in clients}

    def client(self, framework: str) -> AsyncTrainer:
        """The client of one trainer."""
        try:
            return self.clients[framework]
        except KeyError:
            known = ", ".join(sorted(self.clients)) or "none"
            raise NotFoundError(
                f"There is no trainer for {framework!r}.",
                code="framework_unknown",
                hint=f"Frameworks of this platform: {known}.",
                where="framework",
            ) from None

    def offer(self, framework: str) -> Offer:
        """What one trainer last said."""
        self.client(framework)
        return self.offers[framework]

    def catalogue(self, task: Task | None = None) -> Catalogue:
        """Everything known now; never waits for a trainer."""
        models = [m for o in self.offers.values() for m in o.models if task is None or task in m.tasks]
        return Catalogue(trainers=[o.state() for o in self.offers.values()], models=models)

    def model(self, framework: str, name: str) -> ModelInfo:
        """A model by name."""
        offer = self.offer(framework)
        found = next((m for m in offer.models if m.name == name), None)
        if found is not None:
            return found
        if not offer.reachable:
            raise offer.missing()
        raise NotFoundError(
            f"{framework} has no model {name!r}.",
            code="model_unknown",
            hint="Pick a model of GET /models.",
            where="model",
        )

    async def schema(self, framework: str, name: str, task: Task | None) -> dict[str, Any]:
        """The JSON Schema of a model's parameters: the trainer's, or its last one while it is down."""
        offer, key = self.offer(framework), f"{name}?{task or ''}"
        try:
            async with asyncio.timeout(PATIENCE):
                schema = await self.clients[framework].schema(name, task)
        except (RetinueError, TimeoutError, ValueError) as error:
            if is_verdict(error):
                raise
            self.silent(framework, error)
            if key in offer.schemas:
                return offer.schemas[key]
            raise offer.missing() from error
        if offer.schemas.get(key) != schema:
            offer.schemas[key] = schema
            await asyncio.to_thread(self._remember, offer)
        return schema

    async def refresh(self, framework: str) -> None:
        """Ask one trainer; whatever it does, this returns within `PATIENCE`."""
        client, offer = self.clients[framework], self.offers[framework]
        try:
            async with asyncio.timeout(PATIENCE):
                ready, (complete, models) = await asyncio.gather(client.ready(), client.models())
                version = str(ready["version"])
        except (RetinueError, TimeoutError, ValueError, KeyError) as error:
            self.silent(framework, error)
            return
        offer.reachable, offer.since, offer.reason = True, None, None
        offer.version, offer.complete = version, complete
        # a trainer that has just started may list nothing yet: the remembered list is better than that
        if (models or complete) and models != offer.models:
            offer.models = models
            await asyncio.to_thread(self._remember, offer)

    def silent(self, framework: str, error: BaseException) -> None:
        """Note that a trainer did not answer; it is asked again soon."""
        offer = self.offers[framework]
        if offer.reachable or offer.since is None:
            offer.since = datetime.now(UTC)
            self._wake[framework].set()
        offer.reachable = False
        offer.reason = f"no answer within {PATIENCE:g} s." if isinstance(error, TimeoutError) else _message(error)

    async def close(self) -> None:
        """Close the connections."""
        for client in self.clients.values():
            await client.close()

    async def run(self) -> None:
        """Keep all offers fresh until cancelled; each trainer on its own, so that none waits for another."""
        async with asyncio.TaskGroup() as group:
            for framework in self.clients:
                group.create_task(self._keep(framework), name=f"catalogue-{framework}")

    async def _keep(self, framework: str) -> None:
        offer, wake = self.offers[framework], self._wake[framework]
        while True:
            wake.clear()
            await self.refresh(framework)
            good = offer.reachable and offer.complete
            try:
                async with asyncio.timeout(LATER if good else SOON):
                    await wake.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(1)  # woken because it fell silent: it may be restarting

    def _file(self, framework: str) -> Path:
        return self.folder / f"catalogue-{framework}.json"

    def _remembered(self, framework: str) -> Offer:
        offer = Offer(framework)
        try:
            saved = json.loads(self._file(framework).read_bytes())
            offer.models = _models.validate_python(saved["models"])
            offer.schemas, offer.version = dict(saved["schemas"]), saved["version"]
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
            log.warning("the remembered catalogue of %s is unreadable and was dropped: %s", framework, error)
        return offer

    def _remember(self, offer: Offer) -> None:
        models = _models.dump_python(offer.models, mode="json")
        body = json.dumps({"models": models, "schemas": offer.schemas, "version": offer.version})
        file = self._file(offer.framework)
        temporary = file.with_suffix(".tmp")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(body)
            os.replace(temporary, file)  # noqa: PTH105 - Path.replace says less about what happens to the old file
        except OSError as error:  # a full disk must not take the catalogue down
            log.warning("the catalogue of %s could not be remembered: %s", offer.framework, error)


def is_verdict(error: BaseException) -> bool:
    """Whether a trainer judged the request, so that asking again changes nothing; else the trainer itself is in trouble."""
    return isinstance(error, RetinueError) and error.problem.status in VERDICTS


def connect(settings: Settings) -> Trainers:
    """The trainers of the settings, with the token they ask for."""
    token = ""
    if settings.trainers:
        file = settings.trainer_token_file
        try:
            token = file.read_text("ascii").strip() if file else ""
        except (OSError, UnicodeError) as error:
            raise SettingsError(f"The trainers' token cannot be read: {error}.", where=str(file)) from error
        if not token:
            raise SettingsError(
                "RETINUE_TRAINERS is set, but there is no token for them.", where="RETINUE_TRAINER_TOKEN_FILE"
            )
    clients = {framework: AsyncTrainer(url, token) for framework, url in settings.trainers.items()}
    return Trainers(clients, settings.folder)


def _message(error: BaseException) -> str:
    return error.problem.message if isinstance(error, RetinueError) else str(error)
