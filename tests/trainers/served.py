"""A real trainer service of a real framework, and one training of it from request to files."""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
import tarfile
import uuid
from pathlib import Path
from typing import Any, Self

import jsonschema
from pydantic import TypeAdapter

from retinue_sdk import schema
from retinue_sdk.schema import DatasetManifest, Status, Task, TrainRequest
from retinue_sdk.trainer.framework import Framework
from tests.trainers.harness import ROOT, PointsService, wait_for

EVENT: TypeAdapter[Any] = TypeAdapter(
    schema.MetricEvent | schema.ProgressEvent | schema.ArtifactEvent | schema.ImageEvent | schema.WarningEvent
)
FINAL = {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.LOST}
FRAMEWORK_MODULES = ("torch", "torchvision", "timm", "transformers", "accelerate", "huggingface_hub", "pandas", "numpy")


class FrameworkService(PointsService):
    """`python -m MODULE` on a free port, without the network's hub.

    The catalogue is kept where it is kept in use: counting the parameters of 1,371 models anew costs minutes of CPU.
    """

    def __init__(self, module: str, folder: Path, **environment: str) -> None:
        cache = os.environ.get("RETINUE_CACHE", "~/.cache/retinue")
        super().__init__(folder, HF_HUB_OFFLINE="1", RETINUE_CACHE=cache, **environment)
        self.module = module
        self.asked = self.client()

    def start(self) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module],
                cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        wait_for(self.answers, 60)
        return self

    def job(
        self,
        model: str,
        parameters: dict[str, Any],
        dataset: DatasetManifest | None = None,
        task: str = "classify",
        seed: int = 0,
    ) -> Job:
        """Start a training, of the service's folder of data where no version is named."""
        body = {
            "job_id": uuid.uuid4(), "attempt": 1, "task": task, "model": model, "parameters": parameters, "seed": seed,
            "dataset": dataset or {"kind": "folder", "path": str(self.data)},
        }  # fmt: skip
        return Job(self, TrainRequest.model_validate(body))

    def ready(self) -> Self:
        """Wait until the catalogue names the models; importing a framework takes seconds."""
        wait_for(lambda: self.asked.get("/models/list")["models"], 200, every=0.2)
        return self

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        self.asked.close()


class Job:
    """One training through the service's HTTP interface."""

    def __init__(self, service: FrameworkService, request: TrainRequest) -> None:
        self.client = service.asked
        self.id = request.job_id
        self.client.post("/train", request.model_dump(mode="json"))

    def state(self) -> schema.JobState:
        return schema.JobState.model_validate(self.client.get(f"/jobs/{self.id}"))

    def stop_after_epoch(self) -> None:
        self.client.json("DELETE", f"/jobs/{self.id}", params={"when": "epoch"})

    def wait(self) -> schema.JobState:
        wait_for(lambda: self.state().status in FINAL, 240, every=0.2)
        return self.state()

    def get(self, path: str) -> bytes:
        content: bytes = self.client.request("GET", f"/jobs/{self.id}/{path}").content
        return content

    def log(self) -> str:
        return self.get("logs").decode()

    def events(self, kind: str | None = None) -> list[Any]:
        """All events, each of its type, numbered without gaps; or those of one type."""
        events = [EVENT.validate_json(line) for line in self.get("events").splitlines() if line]
        assert [e.seq for e in events] == list(range(1, len(events) + 1))
        return [e for e in events if kind in (None, e.type)]

    def series(self, key: str) -> list[float]:
        return [e.values[key] for e in self.events("metric") if key in e.values]

    def folder(self, path: str, dest: Path) -> Path:
        """A folder artifact, downloaded as tar and unpacked."""
        with tarfile.open(fileobj=io.BytesIO(self.get(f"artifacts/{path}"))) as archive:
            archive.extractall(dest, filter="data")
        return dest / Path(path).name


def check_training(job: Job, epochs: int, steps: int) -> None:
    """What every training must have told: a point a step, figures and checkpoints an epoch, progress to the end."""
    state = job.wait()
    assert state.status is Status.SUCCEEDED, (state.message, job.log())
    points = [e for e in job.events("metric") if "train/loss" in e.values]
    assert [e.step for e in points] == list(range(1, epochs * steps + 1))
    assert [e.epoch for e in points] == [1 + i // steps for i in range(epochs * steps)]
    assert all(e.values["lr"] >= 0 for e in points)
    figures = [e for e in job.events("metric") if "val/top1" in e.values]
    assert [(e.epoch, e.step) for e in figures] == [(n, n * steps) for n in range(1, epochs + 1)]
    assert all(e.values.keys() == {"val/loss", "val/top1", "val/top5"} for e in figures)
    assert all(0 <= e.values["val/top1"] <= e.values["val/top5"] <= 1 for e in figures)
    progress = job.events("progress")
    assert (progress[-1].step, progress[-1].steps, progress[-1].epoch) == (epochs * steps, epochs * steps, epochs)
    times = [e.time.timestamp() for e in progress[:-1]]
    assert all(b - a >= 0.45 for a, b in itertools.pairwise(times))
    kept = [e.name.split(".")[0] for e in job.events("artifact") if e.kind == "checkpoint"]
    assert kept.count("last") == epochs
    assert 1 <= kept.count("best") <= epochs
    assert len(job.log().splitlines()) < 20 + 2 * epochs


def check_schema(framework: Framework, model: str) -> None:
    """Every parameter is described, and the defaults fit their own schema."""
    document = framework.parameters(Task.CLASSIFY, model)
    jsonschema.Draft202012Validator.check_schema(document)
    jsonschema.validate({n: p["default"] for n, p in document["properties"].items()}, document)
    assert document["additionalProperties"] is False
    for name, entry in document["properties"].items():
        assert {"type", "default", "title", "description", "group"} <= entry.keys(), name
        assert entry["description"].endswith("."), name
        if entry["type"] in ("integer", "number"):
            assert entry["minimum"] <= entry["default"] <= entry["maximum"], name
        if entry["type"] == "string":
            assert entry["default"] in entry["enum"], name
    assert {"epochs", "batch_size", "image_size", "learning_rate", "weight_decay", "pretrained"} <= document[
        "properties"
    ].keys()


def imported_by(package: str) -> list[str]:
    """Which heavy modules describing `package`'s parameters drags in."""
    code = (
        f"import sys\nfrom {package}.service import FRAMEWORK\nfrom retinue_sdk.schema import Task\n"
        f"FRAMEWORK.parameters(Task.CLASSIFY, 'resnet18')\nimport json\n"
        f"print(json.dumps([m for m in {FRAMEWORK_MODULES!r} if m in sys.modules]))"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    found: list[str] = json.loads(out.stdout)
    return found
