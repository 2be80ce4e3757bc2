"""The HTTP application of a trainer: one implementation, one service per framework."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import importlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import FastAPI, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from retinue_sdk.api import Health
from retinue_sdk.errors import NotFoundError, UnauthenticatedError
from retinue_sdk.http import install_errors
from retinue_sdk.schema import LARGEST_ATTEMPT, JobState, ModelInfo, Problem, Seq, Task, TrainRequest
from retinue_sdk.trainer import streams
from retinue_sdk.trainer.attempts import find
from retinue_sdk.trainer.catalogue import Catalogue, version_of
from retinue_sdk.trainer.framework import Framework
from retinue_sdk.trainer.launcher import LocalLauncher
from retinue_sdk.trainer.settings import TrainerSettings
from retinue_sdk.trainer.validate import Validator

log = logging.getLogger("retinue.trainer")

WATCH_SECONDS = 0.5

WhichAttempt = Annotated[int | None, Query(ge=1, le=LARGEST_ATTEMPT)]  # the newest when absent


class Models(BaseModel):
    """GET /models/list."""

    complete: bool
    models: list[ModelInfo]


class Validation(BaseModel):
    """POST /validate."""

    problems: list[Problem]


class Ready(BaseModel):
    """GET /health/ready."""

    ready: bool
    framework: str
    version: str
    licence: str
    launcher: Literal["local"] = "local"
    capacity: int
    running: int


class Trainer:
    """What the routes share: one framework, its catalogue, its launcher."""

    def __init__(self, framework: Framework, settings: TrainerSettings) -> None:
        settings.runs.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.framework = framework
        self.settings = settings
        self.version = version_of(framework)
        self.catalogue = Catalogue(framework, settings.cache.expanduser())
        self.launcher = LocalLauncher(settings.runs, framework.command(), framework.environment)
        self.validator = Validator(framework, self.catalogue, settings.allowed_roots())
        self.stopping = asyncio.Event()  # followed streams are cut short when the service stops

    async def watch(self) -> None:
        """Take over what an earlier service left, then look twice a second who died and who never started."""
        await asyncio.to_thread(importlib.import_module, "retinue_sdk.trainer.jsonschema")  # before the first request
        look: Callable[[], object] = self.launcher.adopt
        while True:
            try:
                await asyncio.to_thread(look)
                look = self.launcher.watch
            except Exception:
                log.exception("cannot look after the attempts now")
            await asyncio.sleep(WATCH_SECONDS)

    async def keep_catalogue(self) -> None:
        """Start the catalogue's child now, and again a while after it failed."""
        while True:
            try:
                self.catalogue.refresh()  # in the main thread: the child dies with the thread that made it
            except OSError as error:
                log.warning("the catalogue cannot be made now: %s", error)
            await asyncio.sleep(30)


def make_app(framework: Framework, settings: TrainerSettings) -> FastAPI:
    """The application of one trainer service."""
    trainer = Trainer(framework, settings)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(trainer.watch()), asyncio.create_task(trainer.keep_catalogue())]
        yield
        for task in tasks:
            task.cancel()
        trainer.catalogue.close()
        if settings.stop_jobs_on_exit:
            await asyncio.to_thread(trainer.launcher.stop_all)

    app = FastAPI(
        title=f"Retinue trainer: {framework.name}", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None
    )
    app.state.trainer = trainer
    app.add_middleware(TokenRequired, token=settings.token())
    install_errors(app)
    _add_health(app, trainer)
    _add_jobs(app, trainer)
    _add_files(app, trainer)
    _add_models(app, trainer)
    return app


class TokenRequired:
    """Refuses every request without the service token, before anything of it is read. Only /health is free."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self.expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"] != "/health":
            given = Headers(scope=scope).get("authorization", "").encode("latin-1")
            if not hmac.compare_digest(given, self.expected):
                raise UnauthenticatedError(
                    "This needs the trainer's service token.",
                    hint="Send it as: Authorization: Bearer TOKEN. It is in the file named by RETINUE_TRAINER_TOKEN_FILE.",
                )
        await self.app(scope, receive, send)


def _add_health(app: FastAPI, trainer: Trainer) -> None:
    @app.get("/health")
    async def health() -> Health:
        return Health(version=trainer.version)

    @app.get("/health/ready")
    def ready() -> Ready:
        return Ready(
            ready=bool(trainer.version),
            framework=trainer.framework.name,
            version=trainer.version,
            licence=trainer.framework.licence,
            capacity=trainer.settings.slots,
            running=len(trainer.launcher.active),
        )


def _add_jobs(app: FastAPI, trainer: Trainer) -> None:
    @app.post("/train", status_code=202)
    def train(request: TrainRequest) -> JobState:
        filled = trainer.validator.fill(request)
        return trainer.launcher.start(filled, lambda: trainer.validator.require(request))

    @app.post("/validate")
    def validate(request: TrainRequest) -> Validation:
        return Validation(problems=[error.problem for error in trainer.validator.problems(request)])

    @app.get("/jobs/{job_id}")
    def job(job_id: UUID, attempt: WhichAttempt = None) -> JobState:
        return trainer.launcher.state(job_id, attempt)

    @app.delete("/jobs/{job_id}")
    def cancel(job_id: UUID, when: Literal["now", "epoch"] = "now") -> JobState:
        return trainer.launcher.cancel(job_id, when)


def _add_files(app: FastAPI, trainer: Trainer) -> None:
    runs = trainer.launcher.runs

    @app.get("/jobs/{job_id}/events")
    async def events(
        job_id: UUID,
        attempt: WhichAttempt = None,
        after: Seq = 0,
        stream: Literal["events", "system"] = "events",
        *,
        follow: bool = False,
    ) -> StreamingResponse:
        found = await asyncio.to_thread(find, runs, job_id, attempt)
        lines = streams.lines(found.path, f"{stream}.jsonl", after, trainer.stopping if follow else None)
        return StreamingResponse(lines, media_type="application/x-ndjson")

    @app.get("/jobs/{job_id}/logs")
    async def logs(
        job_id: UUID, attempt: WhichAttempt = None, after: Seq = 0, *, follow: bool = False
    ) -> StreamingResponse:
        found = await asyncio.to_thread(find, runs, job_id, attempt)
        text = streams.text(found.path, after, trainer.stopping if follow else None)
        return StreamingResponse(text, media_type="text/plain; charset=utf-8")

    @app.get("/jobs/{job_id}/artifacts/{path:path}")
    def artifact(job_id: UUID, path: str, attempt: WhichAttempt = None) -> Response:
        return streams.artifact(find(runs, job_id, attempt).path, path)


def _add_models(app: FastAPI, trainer: Trainer) -> None:
    @app.get("/models/list")
    def models(task: Task | None = None) -> Models:
        complete, found = trainer.catalogue.list(task)
        return Models(complete=complete, models=found)

    @app.get("/models/{name:path}/schema")
    def schema(request: Request, name: str, task: Task | None = None) -> dict[str, Any]:
        info = trainer.validator.model(name, task)
        if not info.tasks:
            raise NotFoundError(f"{name} has no task.", where=request.url.path)
        return trainer.framework.parameters(task or info.tasks[0], name)
