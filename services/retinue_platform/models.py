"""The catalogue: what all trainers offer. Answered from memory, so that it never waits for a trainer that is down."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from retinue_platform.auth import Caller
from retinue_platform.context import Platform
from retinue_sdk.api import Catalogue
from retinue_sdk.schema import Task

router = APIRouter(tags=["models"])


@router.get("/models", name="list_models")
async def list_models(platform: Platform, caller: Caller, task: Task | None = None) -> Catalogue:  # noqa: ARG001 - any caller may look
    """The models of all trainers, and which trainer is missing since when."""
    return platform.trainers.catalogue(task)


@router.get("/models/{framework}/{name:path}/schema", name="get_schema")
async def get_schema(
    platform: Platform,
    caller: Caller,  # noqa: ARG001 - any caller may look
    framework: str,
    name: str,
    task: Task | None = None,
) -> dict[str, Any]:
    """The JSON Schema of a model's parameters; the last known one while its trainer is down."""
    return await platform.trainers.schema(framework, name, task)
