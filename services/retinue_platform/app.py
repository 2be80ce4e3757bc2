"""The platform's HTTP application: which routers and background tasks it is made of, and in which layers.

From outside: `Guard` (ids, headers, limits) - `AuditTrail` - `Gate` (token and scope) - the routes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, FastAPI, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from retinue_platform import (
    admin,
    audit,
    auth,
    datasets,
    exports,
    health,
    imports,
    jobs,
    live,
    models,
    outputs,
    projects,
    reconciler,
    retries,
    sources,
    tracking,
    trash,
    uploads,
    versions,
)
from retinue_platform.context import Context
from retinue_platform.db import THREADS
from retinue_platform.settings import Settings
from retinue_sdk.http import DEFAULT_BODY_LIMIT, install_errors
from retinue_sdk.schema import Problem

log = logging.getLogger("retinue.platform")

# Everything of the API: each module's `router`, whose paths begin below {prefix}/api/v1.
ROUTERS: tuple[APIRouter, ...] = (
    admin.router,
    projects.router,
    uploads.router,
    datasets.router,
    sources.router,
    retries.router,
    exports.router,
    versions.router,
    trash.router,
    models.router,
    jobs.router,
    outputs.router,
)

# Runs for as long as the platform does; started again, with a pause, when it fails.
BACKGROUND: dict[str, Callable[[Context], Awaitable[None]]] = {
    "uploads": uploads.expire,
    "imports": imports.run,
    "trash": trash.run,
    "trainers": lambda context: context.trainers.run(),
    "reconciler": reconciler.run,
    "tracking": tracking.run,
}

_CHUNK_LIMIT = 8 * 1024 * 1024


def create_app(settings: Settings, context: Context | None = None) -> FastAPI:
    """The application. Nothing is opened before its lifespan begins, unless `context` is open already."""
    context = context or Context(settings)
    api = f"{settings.prefix}/api/v1"
    public = {f"{settings.prefix}/health", f"{settings.prefix}/health/ready", f"{api}/openapi.json"}
    app = FastAPI(
        title="Retinue",
        version=health.VERSION,
        description="Projects, datasets and trainings on JupyterHub.",
        openapi_url=f"{api}/openapi.json",
        docs_url=None,  # its pages come from a CDN
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        lifespan=_lifespan,
    )
    app.state.context = context
    errors: dict[int | str, dict[str, Any]] = {
        "4XX": {"model": Problem, "description": "Refused"},
        "5XX": {"model": Problem, "description": "Failed"},
    }
    app.include_router(health.router, prefix=settings.prefix)
    for router in ROUTERS:
        app.include_router(router, prefix=api, responses=errors, dependencies=[Security(HTTPBearer(auto_error=False))])
    app.include_router(live.router, prefix=api)
    app.add_middleware(auth.Gate, hub=context.hub, public=frozenset(public))
    app.add_middleware(audit.AuditTrail, db=context.db, prefix=api)
    install_errors(app, body_limit=_body_limit)
    _describe_problems(app)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    context: Context = app.state.context
    await anyio.to_thread.run_sync(context.open)
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS  # one database connection a thread
    tasks = [asyncio.create_task(_keep(name, run, context), name=name) for name, run in BACKGROUND.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await context.close()


async def _keep(name: str, run: Callable[[Context], Awaitable[None]], context: Context) -> None:
    """Run a background task; a fault in one is logged and stops nothing else."""
    pause = 0.5
    while True:
        began = asyncio.get_running_loop().time()
        try:
            await run(context)
        except Exception:
            log.exception("background task %s failed, starting it again", name)
        pause = 0.5 if asyncio.get_running_loop().time() - began > 60 else min(pause * 2, 30)
        await asyncio.sleep(pause)


def _body_limit(method: str, path: str) -> int:
    return _CHUNK_LIMIT if method == "PUT" and "/uploads/" in path else DEFAULT_BODY_LIMIT


def _operation_id(route: APIRoute) -> str:
    return route.name


def _describe_problems(app: FastAPI) -> None:
    """Say in the OpenAPI document that errors are `application/problem+json`."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        document = make()
        for path in document["paths"].values():
            for operation in path.values():
                for status in ("4XX", "5XX"):
                    content = operation["responses"].get(status, {}).get("content")
                    if content:
                        content["application/problem+json"] = (
                            content.pop("application/json", None) or content.popitem()[1]
                        )
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way
