"""Liveness and readiness. The only addresses, with the API's description, that ask for no token."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter

from retinue_platform.context import Platform
from retinue_sdk.api import Health

router = APIRouter(tags=["health"])
VERSION = version("retinue")


@router.get("/health", name="health")
async def health() -> Health:
    """The process answers."""
    return Health(version=VERSION)


@router.get("/health/ready", name="ready")
def ready(platform: Platform) -> Health:
    """The database answers too: requests will be served."""
    platform.db.ping()
    return Health(version=VERSION)
