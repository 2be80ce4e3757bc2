"""F23: the life of datasets and their versions, in random steps, with kills of the platform and of its workers.

Real are the HTTP, the database, the store, the platform's process and its background tasks, the import workers, the
trainer service and its jobs, and every SIGKILL. Only how a platform or a worker begins is other: see `zygote`. After each
step all of it is looked at, beside the platform: see `whole`.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

import httpx
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import update

from retinue_platform import trash
from retinue_platform.context import Context
from retinue_platform.settings import Settings
from retinue_platform.tables import DatasetRow
from tests.benchmarks import Figure
from tests.faults.forked import Forked, World
from tests.faults.whole import Whole
from tests.platform.running import put, wait_for
from tests.platform.test_datasets import archive, picture

FEW = st.integers(0, 11)  # which one of what there is
CONTENT = st.lists(st.integers(0, 6), min_size=1, max_size=3, unique=True).map(sorted)
CRASH = st.sampled_from(
    [None] * 14 + [0, 2, 5, 10, 20, 40]
)  # milliseconds from the request to the kill of the platform
OPERATION = st.integers(1, 160)  # of files, by a worker; an import of two images has some 140


class Life(RuleBasedStateMachine):
    """Steps through the API. What an answer has acknowledged must hold from then on, through every kill."""

    world: World
    stopping = False

    @initialize()
    def begin(self) -> None:
        data = self.world.folder / uuid.uuid4().hex
        self.platform = Forked(self.world, data)
        self.context = Context(Settings(data=data, hub_api_url="http://127.0.0.1:9/hub/api"))
        self.whole = Whole(self.context)
        self.alice = self.platform.user("alice")
        self.projects = [self.call("POST", "/projects", {"name": name})["id"] for name in "ab"]
        self.uploads: list[tuple[int, str]] = []  # project, id
        self.jobs: list[str] = []
        for project in (0, 1):
            self.create(0, project, [1, 2, 3 + project], "p", None)
        self.publish()

    # --- steps ------------------------------------------------------------------------------------------------------------

    @rule(project=st.integers(0, 1), content=CONTENT, crash=CRASH)
    def upload(self, project: int, content: list[int], crash: int | None) -> None:
        self._upload(project, packed(content), crash)

    @rule(project=st.integers(0, 1))
    def upload_nonsense(self, project: int) -> None:
        self._upload(project, b"no archive at all")

    @rule(which=FEW, project=st.integers(0, 1), content=CONTENT, name=st.sampled_from(["p", "q", None]), crash=CRASH)
    def create(self, which: int, project: int, content: list[int], name: str | None, crash: int | None) -> None:
        project, upload = self._some_upload(which, project, content)
        body = {"name": name or uuid.uuid4().hex, "upload_id": upload, "seed": which}
        made = self.call("POST", f"/projects/{self.projects[project]}/datasets", body, crash=crash)
        self._count("created" if made else "not created")

    @rule(
        which=FEW, upload=FEW, content=CONTENT, conflict=st.sampled_from(["skip", "keep_both", "replace"]), crash=CRASH
    )
    def add(self, which: int, upload: int, content: list[int], conflict: str, crash: int | None) -> None:
        if (dataset := self._dataset(which)) is None:
            return
        _, ident = self._some_upload(upload, self.projects.index(str(dataset.project_id)), content)
        body = {"upload_id": ident, "conflict": conflict}
        made = self.call("POST", f"/datasets/{dataset.id}/versions", body, crash=crash)
        self._count("added to" if made else "not added to")

    @rule()
    def publish(self) -> None:
        """Until all imports are over."""
        deadline = time.monotonic() + 60
        while self.whole.importing():
            assert time.monotonic() < deadline, self.platform.read_log()[-3000:]
            time.sleep(0.01)

    @rule(which=FEW, points=st.sampled_from([1, 50, 2000]), crash=CRASH)
    def start_job(self, which: int, points: int, crash: int | None) -> None:
        if (dataset := self._dataset(which)) is None or len(self.whole.living_jobs()) >= 3:
            return
        body = {"framework": "points", "model": "counter", "task": "classify", "dataset_id": str(dataset.id)}
        made = self.call(
            "POST", f"/projects/{dataset.project_id}/jobs", {**body, "parameters": {"points": points}}, crash=crash
        )
        if made:
            self.jobs.append(made["id"])
            self._count("jobs")

    @rule(which=FEW, crash=CRASH)
    def cancel_job(self, which: int, crash: int | None) -> None:
        if self.jobs:
            self.call("POST", f"/jobs/{self.jobs[which % len(self.jobs)]}/cancel", crash=crash)

    @rule(which=FEW, crash=CRASH)
    def delete(self, which: int, crash: int | None) -> None:
        if (dataset := self._dataset(which)) is not None:
            before = self.whole.versions_of(dataset.id)
            self.whole.may_change(dataset.id, gone=not before)
            if self.call("DELETE", f"/datasets/{dataset.id}", crash=crash) is not None:
                self.whole.expect(dataset.id, trashed=True)

    @rule(which=FEW, crash=CRASH)
    def purge(self, which: int, crash: int | None) -> None:
        """For good; a dataset that jobs were trained on stays, and they are named."""
        if (dataset := self._dataset(which)) is None:
            return
        jobs = self.whole.jobs_of(dataset.id)
        self.whole.may_change(dataset.id, gone=not jobs)
        answer = self.call("DELETE", f"/datasets/{dataset.id}", crash=crash, refused=(409,), purge=True)
        if jobs and answer is not None:
            assert answer["code"] == "dataset_in_use", answer
            assert f"used by {len(jobs)} job" in answer["message"]
            assert all(name in answer["message"] for name in jobs[:10])
            self._count("purges refused for jobs")
        elif answer is not None:
            self.whole.expect(dataset.id, gone=True)
            self._count("purged")

    @rule(which=FEW, number=st.integers(1, 4), crash=CRASH)
    def restore_version(self, which: int, number: int, crash: int | None) -> None:
        if (dataset := self._dataset(which)) is not None:
            made = self.call("POST", f"/datasets/{dataset.id}/versions/{number}/restore", crash=crash)
            if made:
                assert made["digest"] == self.whole.versions_of(dataset.id)[number]
                self._count("versions restored")

    @rule(which=FEW, name=st.sampled_from(["p", None]), crash=CRASH)
    def restore_from_trash(self, which: int, name: str | None, crash: int | None) -> None:
        if (dataset := self._dataset(which, trashed=True)) is not None:
            self.whole.may_change(dataset.id)
            if self.call("POST", f"/datasets/{dataset.id}/restore", {"name": name or uuid.uuid4().hex}, crash=crash):
                self.whole.expect(dataset.id, trashed=False)
                self._count("taken out of the trash")

    @rule(which=FEW)
    def let_the_trash_grow_old(self, which: int) -> None:
        """A month later the platform purges it by itself, when it next looks: at its next start at the latest."""
        if (dataset := self._dataset(which, trashed=True)) is not None:
            self.whole.may_change(dataset.id, gone=True)
            with self.context.db.write() as session:
                old = datetime.now(UTC) - timedelta(days=31)
                session.execute(
                    update(DatasetRow)
                    .where(DatasetRow.id == dataset.id, DatasetRow.trashed_at.is_not(None))
                    .values(trashed_at=old)
                )

    @rule()
    def collect(self) -> None:
        """The platform's collection, from a second process beside its own."""
        self._count("collected" if trash.collect(self.context) else "not collected: something was published")

    @rule()
    def crash(self) -> None:
        self._count("platform killed")
        self.platform.stop(9)
        self.platform.start()

    @rule(at=OPERATION)
    def kill_the_next_worker(self, at: int) -> None:
        self.world.zygote.strike(at)
        self._count("workers to be killed")

    # --- after each -------------------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_lost_and_nothing_is_half(self) -> None:
        self.world.done["steps"] += 1
        if self.stopping:
            Life.stopping = False
            raise KeyboardInterrupt
        self._refuse(self.whole.look())

    def teardown(self) -> None:
        """All comes to its end; then the store has what is needed and nothing else."""
        if not hasattr(self, "whole"):
            return
        try:
            self.world.zygote.strike(0)
            for job in self.jobs:
                self.call("POST", f"/jobs/{job}/cancel")
            self.publish()
            self.nothing_is_lost_and_nothing_is_half()
            wait_for(
                lambda: list(self.context.work.iterdir()), lambda left: not left, 10
            )  # of imports that were stopped
            self.platform.stop(9)
            assert trash.collect(self.context)
            self._refuse(self.whole.look(settled=True))
            self._refuse(["the platform's log has a traceback"] if "Traceback" in self.platform.read_log() else [])
        finally:
            self.platform.close()
            self.context.db.close()
            shutil.rmtree(self.platform.data)

    # --- how --------------------------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: object = None, *, crash: int | None = None, refused=(), **params):
        """The answer when it was a yes, or one of these statuses; None when it was no, or the platform was killed."""
        return self._sent(lambda: self.alice.request(method, path, json=body, params=params or None), crash, refused)

    def _sent(self, send, crash: int | None, refused=()):
        timer = None
        if crash is not None:
            self._count("platform killed during a request")
            timer = threading.Timer(crash / 1000, self.platform.process.send_signal, (9,))
            timer.start()
        answer = None
        with contextlib.suppress(*([httpx.TransportError] if timer else [])):
            answer = send()
        if timer:
            timer.join()
            self.platform.stop(9)
            self.platform.start()
        if answer is None:
            return None
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        if answer.is_error:
            self._count(answer.json()["code"])
        if answer.is_success or answer.status_code in refused:
            return answer.json() if answer.content else {}
        return None

    def _upload(self, project: int, data: bytes, crash: int | None = None) -> str | None:
        body = {"filename": "data.zip", "size": len(data)}
        made = self.call("POST", f"/projects/{self.projects[project]}/uploads", body)
        if made and self._sent(lambda: put(self.alice, made, 0, data), crash):
            self.uploads.append((project, made["id"]))
            self.whole.uploads[made["id"]] = len(data)
        return made and made["id"]

    def _some_upload(self, which: int, project: int, content: list[int]) -> tuple[int, str | None]:
        """One that is there, or a new one."""
        mine = [(place, ident) for place, ident in self.uploads if place == project]
        if which % 3 and mine:
            self.uploads.remove(chosen := mine[which % len(mine)])
            return chosen
        ident = self._upload(project, packed(content))
        with contextlib.suppress(ValueError):
            self.uploads.remove((project, ident))
        return project, ident

    def _dataset(self, which: int, *, trashed: bool = False) -> DatasetRow | None:
        found = self.whole.datasets(trashed=trashed)
        return found[which % len(found)] if found else None

    def _refuse(self, problems: list[str]) -> None:
        """Said at once: hypothesis would take the steps again first, and time is never the same twice."""
        if problems:
            log = [line for line in self.platform.read_log().splitlines() if "INFO uvicorn" not in line]
            said = "\n".join([*problems, *log[-80:]])
            sys.stderr.write(said + "\n")
            raise AssertionError(said)

    def _count(self, what: str) -> None:
        self.world.done[what] += 1


def packed(content: list[int]) -> bytes:
    """Small images in two classes."""
    return archive({f"{'odd' if shade % 2 else 'even'}/{shade}.png": picture(shade, 12) for shade in content})


def _stop(_number: int, _frame: object) -> None:
    Life.stopping = True


def run(steps: int = 20_000, length: int = 100) -> list[Figure]:
    """So many steps at least, or until SIGINT; the first promise that is broken is raised with the steps that led to it."""
    Life.stopping = False
    before = signal.signal(signal.SIGINT, _stop)  # between two steps: in the middle of one the platform may be away
    Life.world = World()
    began = time.monotonic()
    try:
        while Life.world.done["steps"] < steps:
            left = -(-(steps - Life.world.done["steps"]) // (length + 1))
            how = settings(
                max_examples=left,
                stateful_step_count=length,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            run_state_machine_as_test(Life, settings=how)
    except KeyboardInterrupt:
        sys.stderr.write("Stopped; the figures are of what was done.\n")
    finally:
        signal.signal(signal.SIGINT, before)
        done = Life.world.done
        Life.world.close()
    figures = [
        Figure("steps of the life of datasets, all promises held", done.pop("steps"), "steps", steps, "more"),
        Figure("... in", (time.monotonic() - began) / 60, "min"),
    ]
    return figures + [Figure(f"... {what}", count, "") for what, count in sorted(done.items())]
