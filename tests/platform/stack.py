"""The platform with a real trainer service beside it, each a process of its own."""

import contextlib
import json
import time
import uuid

import httpx
from sqlalchemy import select
from tests.platform.jobs_db import NOW, dataset_row
from tests.platform.running import Running
from tests.trainers.harness import PointsService

from retinue_platform.db import Database
from retinue_platform.tables import VersionRow
from retinue_sdk.store_gc import hold

OVER = ("succeeded", "failed", "cancelled", "lost")


class Trainer(PointsService):
    """The points trainer's service, reading the platform's store."""

    def __init__(self, folder, store):
        folder.mkdir(parents=True)
        super().__init__(folder, RETINUE_TRAINER_ROOTS=str(store))
        self.started = False

    def start(self):
        self.started = True
        return super().start()

    def attempts(self, job_id):
        return sorted(path.name for path in (self.runs / job_id).iterdir() if path.name.isdecimal())

    def events(self, job_id, attempt=1):
        """The values of events.jsonl: {(seq, key): value}."""
        lines = (self.runs / job_id / str(attempt) / "events.jsonl").read_text().splitlines()
        events = [json.loads(line) for line in lines]
        return {(e["seq"], k): v for e in events if e["type"] == "metric" for k, v in e["values"].items()}


class Stack:
    """A platform, one trainer, and a project of alice's with a dataset that is ready."""

    def __init__(self, hub, folder, *, trainer=True, **environment):
        self.data = folder / "data"
        self.store = self.data / "store"
        self.trainer = Trainer(folder / "trainer", self.store)
        if trainer:
            self.trainer.start()
        self.platform = Running(
            hub,
            self.data,
            RETINUE_TRAINERS=json.dumps({"points": self.trainer.url}),
            RETINUE_TRAINER_TOKEN_FILE=str(self.trainer.token_file),
            **environment,
        )
        self.alice = self.platform.user("alice")
        self.project = self.alice.post("/projects", json={"name": uuid.uuid4().hex}).json()["id"]
        self.dataset = self.add_dataset(self.project)
        if trainer:
            wait_for(lambda: self.alice.get("/models").json()["models"], what="the catalogue")

    def add_dataset(self, project_id, tasks=("classify",), *, version=True, **values):
        """A dataset that is ready: a row, and as much of a version as the points trainer looks at."""
        row = dataset_row(uuid.UUID(project_id), **values)
        with hold(self.store), self.database() as database, database.write() as session:
            session.add(row)
            session.flush()
            if version:
                session.add(self._version(row.id, tasks))
        return str(row.id)

    def _version(self, dataset_id, tasks):
        digest = uuid.uuid4().hex * 2
        folder = self.store / "versions" / digest
        folder.mkdir(parents=True)
        facts = {
            "digest": digest, "classes": [{"id": 0, "name": "a"}], "tasks": list(tasks), "splits": {"train": 1},
            "kinds": ["class"], "images": 1, "annotations": 1, "size_bytes": 1,
        }  # fmt: skip
        (folder / "classes.json").write_text(json.dumps(facts))
        summary = {
            "format": "drawn", "tasks": list(tasks), "classes": [], "images": 1, "annotations": 1, "splits": {},
            "size_bytes": 1, "findings": [], "split_rule": None,
        }  # fmt: skip
        return VersionRow(
            dataset_id=dataset_id, number=1, digest=digest, summary=summary, created_at=NOW, created_by="alice"
        )

    @contextlib.contextmanager
    def database(self):
        """The platform's database, opened from here beside it."""
        database = Database(f"sqlite:///{self.data / 'platform' / 'retinue.sqlite'}")
        try:
            yield database
        finally:
            database.close()

    def wanted(self, **changes):
        body = {"framework": "points", "model": "counter", "task": "classify", "dataset_id": self.dataset}
        parameters = {"points": 20, **changes.pop("parameters", {})}
        return {**body, "parameters": parameters, **changes}

    def post(self, *, key=None, user=None, **changes):
        headers = {"Idempotency-Key": key} if key else {}
        return (user or self.alice).post(f"/projects/{self.project}/jobs", json=self.wanted(**changes), headers=headers)

    def start_job(self, **changes):
        answer = self.post(**changes)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def job(self, job_id):
        return self.alice.get(f"/jobs/{job_id}").json()

    def wait(self, job_id, *statuses, seconds=30):
        """The job once its status is one of these, by default a terminal one."""
        wanted = statuses or OVER
        return wait_for(lambda: (job := self.job(job_id))["status"] in wanted and job, seconds, f"job {wanted}")

    def points(self, job_id):
        """What the platform has, as `Trainer.events` gives it; a point that is there twice fails."""
        found = {}
        for series in self.alice.get(f"/jobs/{job_id}/metrics").json()["series"]:
            for seq, value in zip(series["seq"], series["value"], strict=True):
                assert (seq, series["key"]) not in found
                found[seq, series["key"]] = value
        return found

    def rows(self, query):
        with self.database() as database, database.read() as session:
            return session.execute(query).all()

    def row(self, kind, **where):
        (found,) = self.rows(select(kind).filter_by(**where))
        return found[0]

    def close(self):
        self.platform.close()
        if self.trainer.started:
            self.trainer.__exit__(None, None, None)


def wait_for(check, seconds=20, what="it"):
    """What `check` gives once it is true; errors of the network count as not yet."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        try:
            if found := check():
                return found
        except (httpx.HTTPError, json.JSONDecodeError) as error:
            last = error
        time.sleep(0.03)
    raise AssertionError(f"{what} did not come about in {seconds} s ({last})")
