"""Where data may come from besides a file of yours: what the operator of the platform has opened."""

from __future__ import annotations

from typing import ClassVar

from retinue.listing import Listing
from retinue.session import Session
from retinue_sdk.intake import Sources


class Source:
    """One way in."""

    HEAD: ClassVar = ("from", "what is read")

    def __init__(self, place: str, about: str) -> None:
        self.place = place
        self.row = (place, about)


def sources(session: Session) -> Listing[Source]:
    """The hosts that files are fetched from, the places that are copied from, and whether videos are read."""
    found = Sources.model_validate(session.get("/sources"))
    limit = f"up to {found.largest / 1e9:g} GB"
    rows = [Source(host, f"a file by URL, {limit}") for host in found.hosts]
    rows += [Source(place, f"any folder or file below it, {limit}") for place in found.places]
    rows.append(Source("your files", f"an archive, a folder{', a video' if found.videos else ''}, {limit}"))
    return Listing(rows, Source.HEAD, "Nothing.")
