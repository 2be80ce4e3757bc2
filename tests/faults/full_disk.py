"""F15: volumes that become full at random points of an upload, an unpacking, a publication and a training.

`python -m tests.faults.full_disk` is the part that runs where it may mount: see `volumes`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import random
import shutil
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from retinue_sdk.files import sha256
from retinue_sdk.schema import JobState, TrainRequest
from tests.benchmarks import Figure
from tests.faults import volumes
from tests.faults.volumes import Volume
from tests.platform.hub import StandInHub
from tests.platform.running import Running, announce, put, wait_for
from tests.platform.test_datasets import archive, create, over
from tests.trainers.drawn import draw_digits
from tests.trainers.served import FINAL, FrameworkService

MIB = 1024 * 1024
IMAGES = 1000
SMALL = {
    "image_size": 32, "batch_size": 16, "workers": 0, "epochs": 4, "warmup_epochs": 1, "learning_rate": 0.003,
    "device": "cpu",
}  # fmt: skip


def run(points: int = 10, training: bool = True) -> list[Figure]:
    """All figures of F15."""
    said = volumes.alone("tests.faults.full_disk", str(points), "training" * training)
    return [Figure(**figure) for figure in json.loads(said.splitlines()[-1])]


class Full:
    """A platform whose own files are on one volume and whose store is on another."""

    def __init__(self, folder: Path, images: int) -> None:
        self.own = Volume(folder / "data", 80 * MIB)
        self.store = Volume(folder / "data" / "store", 40 * MIB)
        self.hub = StandInHub()
        self.platform = Running(self.hub, folder / "data")
        self.data, self.user = folder / "data", self.platform.user("ann")
        self.project = self.user.post("/projects", json={"name": "p"}).json()
        self.archive = packed(images)
        self.broken: list[str] = []
        self.seen: Counter[str] = Counter()

    def upload(self) -> dict[str, Any]:
        """The archive, complete."""
        return self.send(announce(self.user, self.project, len(self.archive)))

    def send(self, upload: dict[str, Any]) -> dict[str, Any]:
        """The rest of it."""
        while upload["offset"] < upload["size"]:
            offset = upload["offset"]
            answer = put(self.user, upload, offset, self.archive[offset : offset + MIB])
            if answer.is_error:
                return {**upload, "problem": answer.json()}
            upload = answer.json()
        return upload

    def told(self, what: str, problem: dict[str, Any] | None, place: str) -> None:
        """Whether a problem says which volume and how much is missing."""
        message = (problem or {}).get("message", "")
        if (problem or {}).get("code") != "storage_full" or place not in message or "are missing" not in message:
            self.broken.append(f"{what}: {problem}")

    def clean(self, what: str) -> None:
        """Nothing of what failed may be there."""
        folders = ("platform/work", "store/staging", "store/versions", "store/blobs")
        left = [str(path) for name in folders for path in (self.data / name).rglob("*") if path.is_file()]
        if left:
            self.broken.append(f"{what}: {len(left)} files are left, {left[0]}")

    def close(self) -> None:
        """Stop the platform."""
        self.platform.close()
        self.hub.close()
        self.store.close()
        self.own.close()


def main() -> None:
    """Print the figures as JSON."""
    points, training = int(sys.argv[1]), sys.argv[2:] == ["training"]
    chance = random.Random(15)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        full = Full(Path(folder), images=IMAGES)
        try:
            for what, once in (("upload", upload), ("unpacking", unpacking), ("publication", publication)):
                figures += _campaign(full, what, once, points, chance)
        finally:
            full.close()
        if training:
            figures += trainings(Path(folder), points, chance)
    print(json.dumps([dataclasses.asdict(figure) for figure in figures]))


def _campaign(full: Full, what: str, once: Callable[[Full, float], None], points: int, chance: random.Random):
    began = time.monotonic()
    full.broken, full.seen = [], Counter()
    for point in range(points):
        once(full, (point + chance.random()) / points)
    sys.stderr.write("".join(f"{line}\n" for line in full.broken))
    yield Figure(f"full disks during an {what}", points, "times", points, "more")
    yield Figure("... something half there, not told, or not well afterwards", len(full.broken), "", 0)
    yield from (Figure(f"... {name}", count, "times") for name, count in sorted(full.seen.items()))
    yield Figure("... in", time.monotonic() - began, "s")


def packed(images: int) -> bytes:
    """Pictures of noise, 12 KB each, which no packing makes smaller."""
    noise = random.Random(images).randbytes
    return archive({f"{'cat' if i % 2 else 'dog'}/{i}.png": _png(noise(64 * 64 * 3)) for i in range(images)})


def _png(pixels: bytes) -> bytes:
    out = io.BytesIO()
    Image.frombytes("RGB", (64, 64), pixels).save(out, "PNG")
    return out.getvalue()


def upload(full: Full, share: float) -> None:
    """The volume has room for so much of the file, and no more."""
    announced = announce(full.user, full.project, len(full.archive))
    full.own.fill(left=int(share * len(full.archive)))
    stopped = full.send(announced)
    path = full.data / "platform" / "uploads" / announced["id"]
    full.told("upload", stopped.get("problem"), str(full.data / "platform"))  # of its uploads or of its database
    if path.stat().st_size < full.user.get(f"/uploads/{announced['id']}").json()["offset"]:
        full.broken.append("upload: what was acknowledged is not there")
    full.own.make_room()
    done = full.send(stopped)
    if "problem" in done or path.read_bytes() != full.archive:
        full.broken.append(f"upload, with room again: {done}")
    full.user.delete(f"/uploads/{announced['id']}").raise_for_status()


def unpacking(full: Full, share: float) -> None:
    """The volume becomes full while the archive is unpacked, after the look whether there is room."""
    upload = full.upload()
    free, stop = full.own.free, threading.Event()
    needed = int(share * len(full.archive))

    def fill() -> None:
        while full.own.free > free - needed and not stop.is_set():
            pass
        full.own.fill()

    filler = threading.Thread(target=fill)
    filler.start()
    _import(
        full, "unpacking", upload, full.own, str(full.data / "platform" / "work"), lambda: (stop.set(), filler.join())
    )


def publication(full: Full, share: float) -> None:
    """The store's volume has room for so much of the version, and no more."""
    upload = full.upload()
    full.store.fill(left=int(share * len(full.archive)))
    _import(full, "publication", upload, full.store, str(full.data / "store"), lambda: None)


def _import(
    full: Full, what: str, upload: dict[str, Any], volume: Volume, place: str, over_with: Callable[[], object]
) -> None:
    """Import where it does not fit, look, make room, import the same upload again."""
    dataset = create(full.user, full.project, upload).json()
    with contextlib.suppress(AssertionError):
        wait_for(lambda: full.user.get(f"/datasets/{dataset['id']}").json()["status"], lambda s: s != "importing", 40)
    over_with()
    seen = full.user.get(f"/datasets/{dataset['id']}").json()
    full.seen[f"the dataset was {seen['status']}"] += 1
    if seen["status"] == "importing":  # the database has no room for its end either
        volume.make_room()
        seen = over(full.user, dataset["id"])
    if seen["status"] == "failed":
        full.told(what, seen["problem"], place)
        full.clean(what)
        volume.make_room()
        dataset = create(full.user, full.project, upload).json()
        seen = over(full.user, dataset["id"])
    volume.make_room()
    if seen["status"] != "ready" or seen["versions"][0]["images"] != IMAGES:
        full.broken.append(f"{what}, with room again: {seen['status']} {seen['problem']}")
    full.user.delete(f"/datasets/{seen['id']}", params={"purge": True}).raise_for_status()
    with contextlib.suppress(AssertionError):
        wait_for(lambda: list((full.data / "store" / "versions").iterdir()), lambda left: not left, 10)


def trainings(folder: Path, points: int, chance: random.Random):
    """A real training, of timm, whose run directory's volume becomes full at some point of what it writes."""
    began, broken, seen = time.monotonic(), [], Counter()
    volume = Volume(folder / "trainer" / "runs", 64 * MIB)
    draw_digits(folder / "trainer" / "data", per_class=6)
    with FrameworkService("retinue_timm.service", folder / "trainer") as service:
        service.ready()
        written = volume.free
        whole, _ = train(service)
        written -= volume.free
        assert whole.status == "succeeded", whole
        for point in range(points):
            share = (point + chance.random()) / points
            state, path = train(service, lambda path, share=share: full_at(volume, path, int(share * written)))
            seen[f"reason {state.reason}"] += 1
            if state.reason != "disk_full" or str(path) not in state.message or "are missing" not in state.message:
                broken.append(f"{share:.2f}: {state.status} {state.reason} {state.message}")
            for manifest in path.rglob("*.manifest.json"):  # a checkpoint that is there is whole
                facts = json.loads(manifest.read_text())
                if facts["sha256"] != sha256(manifest.with_name(facts["name"])):
                    broken.append(f"{manifest} speaks of another file")
            broken += [str(path) for path in path.rglob("checkpoints/.*")]
            volume.make_room()
            again, _ = train(service)
            if again.status != "succeeded":
                broken.append(f"with room again: {again}")
            for path in service.runs.glob("*-*"):
                shutil.rmtree(path, ignore_errors=True)
    volume.close()
    sys.stderr.write("".join(f"{line}\n" for line in broken))
    yield Figure("full disks during a training of timm", points, "times", points, "more")
    yield Figure("... something half there, not told, or not well afterwards", len(broken), "", 0)
    yield from (Figure(f"... {name}", count, "times") for name, count in sorted(seen.items()))
    yield Figure("... in", time.monotonic() - began, "s")


def train(service: FrameworkService, began: Callable[[Path], None] = lambda _path: None):
    """One training to its end, and its run directory; `began` is called once it reports."""
    body = {
        "job_id": uuid.uuid4(), "attempt": 1, "task": "classify", "model": "test_resnet", "parameters": SMALL,
        "dataset": {"kind": "folder", "path": str(service.data)},
    }  # fmt: skip
    request = TrainRequest.model_validate(body)
    path = service.runs / str(request.job_id) / "1"
    with service.client() as client:
        client.post("/train", request.model_dump(mode="json"))
        wait_for((path / "events.jsonl").exists, bool, 120)
        began(path)
        wait_for(lambda: client.get(f"/jobs/{request.job_id}")["status"], lambda status: status in FINAL, 240)
        return JobState.model_validate(client.get(f"/jobs/{request.job_id}")), path


def full_at(volume: Volume, _path: Path, left: int) -> None:
    """From now on there is room for so much and no more."""
    volume.fill(left=left)


if __name__ == "__main__":
    main()
