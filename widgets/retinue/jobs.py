"""A training job as an object, and what it leaves behind."""

from __future__ import annotations

import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from retinue import html
from retinue.follow import TERMINAL
from retinue.listing import Listing
from retinue.session import Session
from retinue_sdk import api

if TYPE_CHECKING:
    from retinue.chart import LiveChart


class Job:
    """A training job. It lives in the platform: this object is only a view of it."""

    HEAD: ClassVar = ("job", "model", "dataset", "status", "progress", "latest", "started by")

    def __init__(self, session: Session, answer: dict[str, Any]) -> None:
        self.session = session
        self.data = data = api.Job.model_validate(answer)
        self.id = str(data.id)

    @property
    def status(self) -> str:
        """Where it stands, as last seen."""
        return str(self.data.status)

    @property
    def row(self) -> tuple[object, ...]:
        """One line of a table."""
        d = self.data
        progress = f"epoch {d.progress.epoch}/{d.progress.epochs}" if d.progress else ""
        if d.queue_position is not None:
            progress = f"number {d.queue_position} in the queue"
        latest = ", ".join(
            f"{k} {html.number(v)}" for k, v in sorted(d.latest.items()) if k.startswith(("val/", "train/loss"))
        )
        status = d.status if d.message is None else f"{d.status}: {d.message}"
        return (
            d.name,
            f"{d.framework}/{d.model}",
            f"{d.dataset_name} v{d.dataset_version}",
            status,
            progress,
            latest,
            d.created_by,
        )

    def refresh(self) -> Job:
        """Ask the platform again."""
        self.data = api.Job.model_validate(self.session.get(f"/jobs/{self.id}"))
        return self

    def cancel(self, when: str = "now") -> Job:
        """Stop it now, or with `when="epoch"` after this epoch, keeping its results."""
        self.data = api.Job.model_validate(self.session.client.post(f"/jobs/{self.id}/cancel", {"when": when}))
        return self

    def wait(self, timeout: float | None = None, every: float = 0.5) -> Job:
        """Wait until it is over, however it ended; raises TimeoutError after `timeout` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while self.refresh().status not in TERMINAL:
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"{self.data.name} is still {self.status}")
            time.sleep(every)
        return self

    def chart(self) -> LiveChart:
        """Its live chart."""
        from retinue.chart import LiveChart  # noqa: PLC0415 - a terminal needs no widgets

        return LiveChart(self.id, self.session, self.data.name)

    def metrics(self) -> api.Metrics:
        """Every point of every metric, at full resolution."""
        return api.Metrics.model_validate(self.session.get(f"/jobs/{self.id}/metrics", max_points=0))

    def logs(self) -> Iterator[str]:
        """What it has printed so far, in pieces."""
        after = 0
        while True:
            answer = self.session.client.request("GET", f"/jobs/{self.id}/logs", params={"after": after})
            yield answer.text
            after, before = int(answer.headers["X-Next-Offset"]), after
            if after == before:
                return

    def artifacts(self) -> Listing[Artifact]:
        """Its checkpoints, plots and reports."""
        found = [Artifact(self, a) for a in self.session.get(f"/jobs/{self.id}/artifacts")]
        return Listing(found, Artifact.HEAD, "No artifacts yet.")

    def __repr__(self) -> str:
        return html.text_table(self.HEAD, [self.row])

    def _repr_html_(self) -> str:
        return html.table(self.HEAD, [self.row])


class Artifact:
    """A file that a job left behind."""

    HEAD: ClassVar = ("artifact", "kind", "size (bytes)", "sha256", "step")

    def __init__(self, job: Job, answer: dict[str, Any]) -> None:
        self.job = job
        self.data = data = api.Artifact.model_validate(answer)
        self.row = (data.name, data.kind, data.size, data.sha256, "" if data.step is None else data.step)

    def download(self, folder: str | Path = ".") -> Path:
        """Save it under its own name; returns the path. A half-written file never has that name.

        What is a folder comes as tar and is unpacked.
        """
        target = Path(folder) / Path(self.data.path).name
        packed = target.with_name(target.name + ".download")
        headers = self.job.session.client.save(f"/jobs/{self.job.id}/artifacts/{self.data.path}", packed)
        if headers.get("Content-Type") != "application/x-tar":
            return packed.replace(target)
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
        packed.unlink()
        return target
