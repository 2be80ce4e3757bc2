"""Where data comes from besides an upload: what the operator has opened, and what a request may name of it."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
from fastapi import APIRouter

from retinue_platform.auth import Caller, Identity
from retinue_platform.context import Context, Platform
from retinue_platform.uploads import refuse_unless_complete
from retinue_sdk.fetch_policy import without_secrets
from retinue_sdk.intake import Incoming, Sources
from retinue_sdk.places import HUB, find_source, not_in_place

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from retinue_platform.settings import Settings

router = APIRouter(tags=["datasets"])


@router.get("/sources", name="get_sources")
def get_sources(platform: Platform, caller: Caller) -> Sources:  # noqa: ARG001 - any caller may look
    """The hosts that files are fetched from, the places that are copied from, and whether videos are read."""
    settings = platform.settings
    return Sources(
        hosts=list(settings.fetch_hosts),
        places=[source.url for source in settings.sources],
        videos=importlib.util.find_spec("av") is not None,
        largest=settings.upload_limit_bytes,
    )


def refuse_unless_open(
    platform: Context, session: Session, caller: Identity, project_id: UUID, wanted: Incoming
) -> None:
    """Refuse an upload that cannot be used now, and a source that nobody has opened."""
    if wanted.in_place and (wanted.source is None or _is_url(wanted.source) or wanted.source.startswith(HUB)):
        raise not_in_place()
    if wanted.upload_id is not None:
        refuse_unless_complete(session, caller, project_id, wanted.upload_id)
    if wanted.source is not None:
        refuse_closed(platform.settings, wanted.source)


def refuse_closed(settings: Settings, source: str) -> None:
    """Refuse a source that nobody has opened. The worker looks again, at addresses and what is there too."""
    if _is_url(source):
        settings.fetch_policy.admit(source)
    else:
        find_source(source, settings.sources)


def order_of(settings: Settings, source: str) -> dict[str, Any]:
    """What a worker is told of a source: of the operator's places only the one that it is in."""
    if _is_url(source):
        policy = settings.fetch_policy
        open_to = {"hosts": policy.hosts, "networks": policy.networks}
        return {"url": source, "policy": open_to | {"max_bytes": policy.max_bytes, "seconds": policy.seconds}}
    places = [place for place, p in zip(all_places(settings), settings.sources, strict=True) if p.holds(source)]
    return {"url": source, "places": places[:1], "largest": settings.upload_limit_bytes}


def all_places(settings: Settings) -> list[dict[str, Any]]:
    """The operator's places with their options, for workers that read nothing of strangers but images known by sha256."""
    return [{"url": place.url, "options": dict(place.options)} for place in settings.sources]


def origin_of(source: str) -> str:
    """What may be shown of a source."""
    return without_secrets(httpx.URL(source)) if _is_url(source) else source


def _is_url(source: str) -> bool:
    return source.partition("://")[0].lower() in {"http", "https"}
