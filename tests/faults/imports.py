"""F25: the import worker is killed at random moments, and with it the platform every other time; first versions and additions."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from retinue_sdk import store
from retinue_sdk.dataset import manifest
from tests.benchmarks import Figure
from tests.faults.kills import percentile
from tests.platform.hub import StandInHub
from tests.platform.running import Running, send, wait_for, workers_of
from tests.platform.test_datasets import archive, create, over, picture

FIRST, MORE = 1200, 400  # images
STAGES = ("waiting", "unpacking", "reading", "storing")
CLASSES = ("cat", "dog", "owl")


class Imports:
    """A platform and two archives: one for a dataset, one to add to it."""

    def __init__(self, folder: Path, first: int = FIRST, more: int = MORE) -> None:
        self.hub = StandInHub()
        self.hub.server.handle_error = lambda *_: None  # its askers are killed
        self.platform = Running(self.hub, folder / "data")
        self.data, self.user = folder / "data", self.platform.user("ann")
        self.project = self.user.post("/projects", json={"name": "p"}).json()
        self.counts = first, first + more
        self.archives = packed(0, first), packed(first, first + more)
        self.kills: Counter[str] = Counter()
        self.broken: list[str] = []
        self.seconds: list[float] = []
        self.base: str | None = None  # the dataset that is added to

    def begin(self, *, addition: bool) -> tuple[str, str, int]:
        """Send the data and have it imported: the dataset, the upload, and how many versions there will be.

        Additions are all made to version 1 of the same dataset.
        """
        upload = send(self.user, self.project, self.archives[addition])
        if addition and self.base is None:
            self.base = over(self.user, self.begin(addition=False)[0])["id"]
        return self.again(self.base if addition else None, upload["id"])

    def again(self, dataset: str | None, upload: str) -> tuple[str, str, int]:
        """Import an upload, for the first time or once more."""
        if dataset is None:
            return create(self.user, self.project, {"id": upload}).json()["id"], upload, 1
        body = {"upload_id": upload, "parent": 1, "conflict": "replace"}
        answer = self.user.post(f"/datasets/{dataset}/versions", json=body)
        return dataset, upload, len(answer.raise_for_status().json()["versions"]) + 1

    def stage(self, dataset: str) -> str:
        """What its import does now."""
        return str(self.user.get(f"/datasets/{dataset}").json()["stage"])

    def worker(self) -> psutil.Process | None:
        """The process that imports now."""
        with contextlib.suppress(psutil.Error):
            for pid in workers_of(self.platform, "importer"):
                return psutil.Process(pid)
        return None

    def whole(self, dataset: dict[str, Any]) -> list[str]:
        """What is wrong with the versions of a dataset: they are read from the store, image by image."""
        wrong = []
        for version in dataset["versions"][:1]:  # the newest: the others were looked at when they were
            table = store.load_version(manifest(self.data / "store", version["digest"]))  # checks the digest
            paths = [Path(path) for path in table.images["path"]]
            if len(paths) != self.counts[version["number"] > 1] or len(paths) != version["images"]:
                wrong.append(f"version {version['number']} has {len(paths)} images")
            wrong += [str(path) for path in paths if hashlib.sha256(path.read_bytes()).hexdigest() != path.name]
        return wrong

    def left(self) -> list[str]:
        """What is in the scratch spaces."""
        return [str(p) for folder in ("platform/work", "store/staging") for p in (self.data / folder).iterdir()]

    def close(self) -> None:
        """Stop the platform."""
        self.platform.close()
        self.hub.close()


def packed(start: int, end: int) -> bytes:
    """A folder of classes; all images differ."""
    return archive({f"{CLASSES[i % 3]}/{i}.png": picture(i, 64) for i in range(start, end)})


def run(kills: int = 50, seed: int = 25, first: int = FIRST, more: int = MORE) -> list[Figure]:
    """All figures of F25."""
    chance, began = random.Random(seed), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        imports = Imports(Path(folder), first, more)
        try:
            lengths = [measure(imports, addition=addition) for addition in (False, True)]
            for turn in range(10 * kills):  # a stage may be over before its kill
                stage, addition, platform_too = STAGES[turn % 4], bool(turn // 4 % 2), bool(turn // 8 % 2)
                after = chance.random() * lengths[addition].get(stage, 0.0)  # too short to be seen
                one(imports, stage, after, addition=addition, platform_too=platform_too)
                if sum(imports.kills.values()) == kills:
                    break
            log = imports.platform.read_log()
        finally:
            imports.close()
    assert not imports.broken, imports.broken
    assert "Traceback" not in log, log[-5000:]
    return [
        Figure("kills of the import worker", sum(imports.kills.values()), "kills", kills, "more"),
        *(Figure(f"... in {stage}", count, "kills") for stage, count in sorted(imports.kills.items())),
        Figure("... versions half there, or something left", len(imports.broken), "", 0),
        Figure("... version there after the kill, median", percentile(imports.seconds, 0.5), "s"),
        Figure("... most", max(imports.seconds), "s"),
        Figure("... in", time.monotonic() - began, "s"),
    ]


def measure(imports: Imports, *, addition: bool) -> dict[str, float]:
    """How long each stage of an import takes that nobody disturbs, in seconds."""
    ident, began = imports.begin(addition=addition)[0], {"waiting": time.monotonic()}
    while (stage := imports.stage(ident)) != "ready":
        began.setdefault(stage, time.monotonic())
        time.sleep(0.01)
    ends = [*(began[stage] for stage in STAGES if stage in began), time.monotonic()]
    return {stage: end - start for stage, start, end in zip(STAGES, ends, ends[1:], strict=False)}


def one(imports: Imports, stage: str, after: float, *, addition: bool, platform_too: bool) -> None:
    """Kill so many seconds after the stage has begun; look; let it come to its end; look again."""
    ident, upload, number = imports.begin(addition=addition)
    deadline = time.monotonic() + 60
    while imports.stage(ident) not in (stage, "ready") and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(after)
    worker = wait_for(imports.worker, lambda found: found or imports.stage(ident) == "ready", 20)
    stage = imports.stage(ident)
    killed = time.monotonic()
    if worker is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
    if platform_too:
        imports.platform.kill()
        imports.platform.start()
    if worker is not None:  # else it was faster
        imports.kills[f"{stage}{' with the platform' * platform_too}"] += 1
    seen = over(imports.user, ident)
    imports.broken += imports.whole(seen)
    if len(seen["versions"]) < number:  # it was not redone by a platform that starts again: then its problem says so
        expected = ("ready" if number > 1 else "failed", "import_killed")
        if (seen["status"], (seen["problem"] or {}).get("code")) != expected:
            imports.broken.append(f"killed in {stage}: {seen['status']} {seen['problem']}")
        seen = over(imports.user, imports.again(ident if addition else None, upload)[0])
        imports.broken += imports.whole(seen)
    if seen["status"] != "ready" or len(seen["versions"]) != number:
        imports.broken.append(f"at the end: {seen['status']} {seen['problem']} {len(seen['versions'])}")
    imports.seconds.append(time.monotonic() - killed)
    with contextlib.suppress(AssertionError):
        wait_for(imports.left, lambda left: not left, 5)
    imports.broken += imports.left()
    if not addition:
        imports.user.delete(f"/datasets/{seen['id']}", params={"purge": True}).raise_for_status()
