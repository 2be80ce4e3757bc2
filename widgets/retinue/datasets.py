"""A dataset as an object: its versions, what was found in it, and what can be done with it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, ClassVar

from retinue import html
from retinue.exports import Loss, export, losses
from retinue.listing import Listing
from retinue.progress import Progress, shown
from retinue.session import Session
from retinue.upload import way_in
from retinue.versions import Diff, Version
from retinue_sdk import api
from retinue_sdk.errors import ConflictError, from_problem
from retinue_sdk.names import file_name


class Dataset:
    """A dataset and its versions."""

    HEAD: ClassVar[tuple[str, ...]] = (
        "dataset",
        "status",
        "format",
        "images",
        "annotations",
        "classes",
        "splits",
        "version",
    )

    FOUND: ClassVar[tuple[str, ...]] = ("severity", "count", "what was found", "where", "what to do")

    def __init__(self, session: Session, answer: dict[str, Any]) -> None:
        self.session = session
        self.data = data = api.Dataset.model_validate(answer)
        self.id = str(data.id)
        self.name = data.name

    @property
    def row(self) -> tuple[object, ...]:
        """One line of a table."""
        state: str = self.data.status
        if self.data.status == api.DatasetStatus.IMPORTING:
            state = f"{state}: {self.data.stage} {self.data.progress:.0%}"
        if self.data.problem:
            state = f"{state}: {self.data.problem['message']}"
        if not self.data.versions:
            return (self.name, state, "", "", "", "", "", "")
        v = self.data.versions[0]
        splits = ", ".join(f"{name} {count}" for name, count in v.splits.items())
        splits += f" ({v.split_rule})" if v.split_rule else ""
        return (self.name, state, v.format, v.images, v.annotations, len(v.classes), splits, v.number)

    @property
    def versions(self) -> Listing[Version]:
        """Its versions, newest first."""
        return Listing([Version(data) for data in self.data.versions], Version.HEAD, "No version yet.")

    def diff(self, a: int, b: int | None = None, limit: int = 100) -> Diff:
        """What is other in version `b`, the newest by default, than in version `a`; `limit` images of each kind."""
        last = self.data.versions[0].number if b is None and self.data.versions else b
        return Diff(self.session.get(f"/datasets/{self.id}/versions/{a}/diff/{last}", limit=limit))

    def add(
        self,
        path: Any,
        classes: Mapping[str, str | None] | None = None,
        conflict: str = "skip",
        progress: Progress | None = None,
        **options: Any,
    ) -> Dataset:
        """Add an archive, an image or whatever `Project.upload` takes; returns when there is a new version.

        `classes` maps incoming names to existing ones, or to None to leave a class out. `conflict` says what to do with an
        image whose key is taken: skip, keep_both or replace. Options are `split` (of images that bring none), `format`,
        `seed`, `note`, `every`, `seconds` and `in_place` as for `Project.upload`, and `parent`, the version to add to when
        it is not the newest.

        Raises
        ------
        RetinueError
            What is wrong with the file; `nothing_to_add` when all of it is there already.
        """
        progress = progress or shown()
        body = {"classes": dict(classes or {}), "conflict": conflict, **options}
        with way_in(self.session, str(self.data.project_id), path, progress) as way:
            answer = self.session.client.post(f"/datasets/{self.id}/versions", way | body)
        self.data = api.Dataset.model_validate(answer)
        return self.wait(progress=progress)

    def retry(self, progress: Progress | None = None, **options: Any) -> Dataset:
        """Do the import that failed again with the same data; options are `format`, `every` and `seconds`, as before when absent.

        Raises
        ------
        RetinueError
            What is wrong with the data; `nothing_to_retry` when nothing has failed.
        """
        self.data = api.Dataset.model_validate(self.session.client.post(f"/datasets/{self.id}/retry", options))
        return self.wait(progress=progress)

    def dismiss(self) -> Dataset:
        """Put the problem of a failed addition away."""
        self.session.client.json("DELETE", f"/datasets/{self.id}/problem")
        return self.refresh()

    def losses(self, form: str, version: int | None = None) -> Listing[Loss]:
        """What a version, the newest by default, would lose in the format of this name."""
        return losses(self.session, self._path(version), form)

    def export(self, form: str, path: str | Path | None = None, version: int | None = None) -> Path:
        """Save a version, the newest by default, as a zip in the format of this name; `losses` says what it lacks."""
        target = Path(path).expanduser() if path else Path(f"{file_name(self.name)}-{form}.zip")
        return export(self.session, self._path(version), form, target)

    def _path(self, version: int | None) -> str:
        if version is None and not self.data.versions:
            raise ConflictError(
                f"{self.name} has no version yet.", code="dataset_not_ready", hint="Wait for its import."
            )
        return f"/datasets/{self.id}/versions/{version or self.data.versions[0].number}"

    def restore(self, version: int | None = None, *, note: str | None = None, name: str | None = None) -> Dataset:
        """Make an old version the newest again; without a version, take the dataset out of the trash."""
        if version is None:
            self.session.client.post(f"/datasets/{self.id}/restore", {"name": name})
        else:
            self.session.client.post(f"/datasets/{self.id}/versions/{version}/restore", {"note": note})
        return self.refresh()

    def delete(self, *, purge: bool = False) -> None:
        """Move it to the trash; with `purge` it is gone at once and for good."""
        self.session.client.json("DELETE", f"/datasets/{self.id}", params={"purge": purge})

    def refresh(self) -> Dataset:
        """Ask the platform again."""
        self.data = api.Dataset.model_validate(self.session.get(f"/datasets/{self.id}"))
        self.name = self.data.name
        return self

    def wait(self, timeout: float = 3600, progress: Progress | None = None) -> Dataset:
        """Wait until the import is over; raises what was wrong with the data.

        `progress(step, part)` is told how far it is; by default that is shown in the notebook's cell or the terminal.
        """
        progress = progress or shown()
        end = time.monotonic() + timeout
        begun = self.data.status == api.DatasetStatus.IMPORTING
        while self.data.status == api.DatasetStatus.IMPORTING:
            if time.monotonic() > end:
                raise ConflictError(
                    f"{self.name} is still being imported.", code="dataset_not_ready", hint="Wait a little longer."
                )
            progress(f"importing {self.name}: {self.data.stage}", self.data.progress)
            time.sleep(0.3)
            self.refresh()
        if self.data.problem:
            raise from_problem(self.data.problem)
        if begun:
            progress(f"importing {self.name}: done", 1.0)
        return self

    @property
    def findings(self) -> list[tuple[object, ...]]:
        """What was found in its newest version, as lines of a table."""
        return [
            (f.severity, f.count, f.message, "; ".join(f.examples[:3]), f.hint)
            for v in self.data.versions[:1]
            for f in v.findings
        ]

    @property
    def recognised(self) -> str:
        """Why its newest version was read in its format, unless somebody chose that."""
        return next((f"Read as {v.recognised}" for v in self.data.versions[:1] if v.recognised), "")

    def __repr__(self) -> str:
        found = html.text_table(self.FOUND, self.findings) if self.findings else ""
        return "\n\n".join(filter(None, [html.text_table(self.HEAD, [self.row]), self.recognised, found]))

    def _repr_html_(self) -> str:
        found = html.table(self.FOUND, self.findings) if self.findings else ""
        why = f"<p>{escape(self.recognised)}</p>" if self.recognised else ""
        return html.table(self.HEAD, [self.row]) + why + found


class TrashedDataset(Dataset):
    """A dataset in the trash: `restore()` takes it out, `delete(purge=True)` ends it."""

    HEAD: ClassVar = ("dataset", "deleted by", "deleted", "gone after", "id")

    def __init__(self, session: Session, answer: dict[str, Any]) -> None:
        super().__init__(session, answer)
        self.trashed = api.TrashedDataset.model_validate(answer)

    @property
    def row(self) -> tuple[object, ...]:
        """One line of a table."""
        data = self.trashed
        return (
            data.name,
            data.trashed_by,
            f"{data.trashed_at:%Y-%m-%d %H:%M}",
            f"{data.expires_at:%Y-%m-%d %H:%M}",
            data.id,
        )
