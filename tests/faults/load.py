"""Jobs to be disturbed: the points trainer at a steady rate, and real trainings of the three frameworks."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from hub_config.digits import write_digits

from retinue.session import Session
from retinue.upload import sending
from retinue_sdk.client import Client
from retinue_sdk.errors import RetinueError

RECIPES = Path(__file__).resolve().parents[2] / "hub_config" / "recipes"
OVER = {"succeeded", "failed", "cancelled", "lost"}


class Load:
    """A project of its own with the digits as its dataset, spoken to with a hub token."""

    def __init__(self, settings: Any, token: str, folder: Path) -> None:
        session = Session(settings.platform_url, token)
        self.client: Client = session.client
        self.project = self.client.post("/projects", {"name": f"faults {uuid4().hex[:6]}"})
        write_digits(folder / "digits.zip")
        with sending(session, self.project["id"], folder / "digits.zip", lambda _done, _size: None) as upload:
            body = {"name": "digits", "upload_id": upload}
            dataset = self.client.post(f"/projects/{self.project['id']}/datasets", body)
        while dataset["status"] == "importing":
            time.sleep(0.2)
            dataset = self.client.get(f"/datasets/{dataset['id']}")
        assert dataset["status"] == "ready", dataset["problem"]
        self.dataset = dataset

    def start(self, framework: str, *, seed: int = 0, **parameters: Any) -> dict[str, Any]:
        """A job of this framework: its recipe with these parameters on top."""
        recipe = {"framework": framework, "model": "counter", "task": "classify", "parameters": {}}
        if (file := RECIPES / f"digits-{framework}.json").exists():
            recipe = json.loads(file.read_text())
        recipe["parameters"] |= parameters
        job: dict[str, Any] = self.client.post(
            f"/projects/{self.project['id']}/jobs", {**recipe, "dataset_id": self.dataset["id"], "seed": seed}
        )
        return job

    def get(self, job: dict[str, Any], patience: float = 30) -> dict[str, Any]:
        """The job now; the platform may be away for a moment."""
        deadline = time.monotonic() + patience
        while True:
            try:
                answer: dict[str, Any] = self.client.get(f"/jobs/{job['id']}")
            except RetinueError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return answer

    def wait(self, job: dict[str, Any], *statuses: str, timeout: float = 300, every: float = 0.1) -> dict[str, Any]:
        """The job, once it has one of these statuses, by default once it is over; asked for every so many seconds."""
        deadline = time.monotonic() + timeout
        wanted = set(statuses) or OVER
        while (now := self.get(job))["status"] not in wanted:
            assert time.monotonic() < deadline, f"after {timeout} s: {now['status']} {now['message']}"
            assert now["status"] not in OVER, f"{now['status']}: {now['message']}"
            time.sleep(every)
        return now

    def wait_points(self, job: dict[str, Any], timeout: float = 120) -> None:
        """Until it has reported something."""
        deadline = time.monotonic() + timeout
        while not (now := self.get(job))["latest"]:
            assert time.monotonic() < deadline, f"no point after {timeout} s: {now['status']} {now['message']}"
            assert now["status"] not in OVER, f"{now['status']}: {now['message']}"
            time.sleep(0.1)
