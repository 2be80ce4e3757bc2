"""Datasets out of the platform: which formats there are, what a version would lose in one, and the zip itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from retinue.listing import Listing
from retinue.session import Session
from retinue_sdk import api


class Format:
    """A dataset format that the platform reads, and perhaps writes."""

    HEAD: ClassVar = ("format", "title", "ways")

    def __init__(self, answer: dict[str, Any]) -> None:
        self.data = data = api.DatasetFormat.model_validate(answer)
        self.row = (data.name, data.title, "import, export" if data.writes else "import")


class Loss:
    """Something that a format cannot hold."""

    HEAD: ClassVar = ("what is lost", "count", "where", "what to do", "code")

    def __init__(self, answer: dict[str, Any]) -> None:
        self.data = data = api.Finding.model_validate(answer)
        self.row = (data.message, data.count, "; ".join(data.examples[:3]), data.hint, data.code)


def formats(session: Session) -> Listing[Format]:
    """The formats that are installed on the platform."""
    return Listing([Format(answer) for answer in session.get("/formats")], Format.HEAD, "No formats.")


def losses(session: Session, version: str, form: str) -> Listing[Loss]:
    """What a version, given by its path in the API, would lose in a format."""
    found = [Loss(answer) for answer in session.get(f"{version}/losses", format=form)]
    return Listing(found, Loss.HEAD, "Nothing is lost.")


def export(session: Session, version: str, form: str, target: Path) -> Path:
    """Save a version, given by its path in the API, as a zip in a format."""
    session.client.save(f"{version}/archive", target, format=form)
    return target
