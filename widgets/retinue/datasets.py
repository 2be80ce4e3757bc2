"""A dataset as an object: its newest version and what was found in it."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from retinue import html
from retinue.session import Session
from retinue_sdk import api
from retinue_sdk.errors import ConflictError, from_problem


class Dataset:
    """A dataset and its newest version."""

    HEAD: ClassVar = ("dataset", "status", "format", "images", "annotations", "classes", "splits", "version")

    def __init__(self, session: Session, answer: dict[str, Any]) -> None:
        self.session = session
        self.data = data = api.Dataset.model_validate(answer)
        self.id = str(data.id)
        self.name = data.name

    @property
    def row(self) -> tuple[object, ...]:
        """One line of a table."""
        if not self.data.versions:
            state = f"{self.data.status}: {self.data.stage} {self.data.progress:.0%}"
            return (self.name, self.data.problem["message"] if self.data.problem else state, "", "", "", "", "", "")
        v = self.data.versions[0]
        splits = ", ".join(f"{name} {count}" for name, count in v.splits.items())
        return (self.name, self.data.status, v.format, v.images, v.annotations, len(v.classes), splits, v.number)

    def refresh(self) -> Dataset:
        """Ask the platform again."""
        self.data = api.Dataset.model_validate(self.session.get(f"/datasets/{self.id}"))
        return self

    def wait(self, timeout: float = 3600) -> Dataset:
        """Wait until the import is over; raises what was wrong with the data."""
        end = time.monotonic() + timeout
        while self.data.status == api.DatasetStatus.IMPORTING:
            if time.monotonic() > end:
                raise ConflictError(
                    f"{self.name} is still being imported.", code="dataset_not_ready", hint="Wait a little longer."
                )
            time.sleep(0.3)
            self.refresh()
        if self.data.problem:
            raise from_problem(self.data.problem)
        return self

    def __repr__(self) -> str:
        return html.text_table(self.HEAD, [self.row])

    def _repr_html_(self) -> str:
        findings = [
            (f.severity, f.count, f.message, "; ".join(f.examples[:3]), f.hint)
            for v in self.data.versions[:1]
            for f in v.findings
        ]
        head = ("severity", "count", "what was found", "where", "what to do")
        return html.table(self.HEAD, [self.row]) + (html.table(head, findings) if findings else "")
