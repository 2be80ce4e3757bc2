"""The MLflow outbox against a real MLflow server."""

import asyncio
import contextlib
import math
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import defaultdict

import pytest
from sqlalchemy import select
from tests.platform.stack import Stack, wait_for
from tests.trainers.harness import free_port, plain_client

from retinue_platform.mlflow_api import Mlflow, MlflowError, metric_key
from retinue_platform.tables import TrackingRow
from retinue_sdk.errors import NotFoundError, UnavailableError

pytestmark = pytest.mark.hub


class MlflowServer:
    """`mlflow server` as the hub runs it: one worker, loopback, SQLite, nothing that phones or executes."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = plain_client(base_url=f"{self.url}/api/2.0", timeout=60)

    def start(self):
        environment = {
            **os.environ,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        command = [
            sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(self.port),
            "--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}",
            "--artifacts-destination", str(self.folder / "artifacts"),
        ]  # fmt: skip
        with (self.folder / "mlflow.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=environment, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        wait_for(lambda: self.http.get(f"{self.url}/health").status_code == 200, 120, "MLflow")
        return self

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self):
        self.http.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(20)

    def run(self, run_id):
        return self.http.get("/mlflow/runs/get", params={"run_id": run_id}).json()["run"]

    def history(self, run_id, key):
        """(step, timestamp, value) of every point of a metric, as often as MLflow has it."""
        found, token = [], None
        while True:
            params = {"run_id": run_id, "metric_key": key, "max_results": 25000} | (
                {"page_token": token} if token else {}
            )
            answer = self.http.get("/mlflow/metrics/get-history", params=params).json()
            found += [(m["step"], m["timestamp"], float(m["value"])) for m in answer.get("metrics", [])]
            token = answer.get("next_page_token")
            if not token:
                return found

    def put(self, name, **body):
        answer = self.http.post(f"/mlflow/{name}", json=body)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory):
    server = MlflowServer(tmp_path_factory.mktemp("mlflow")).start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def stack(hub, mlflow, tmp_path_factory):
    stack = Stack(hub, tmp_path_factory.mktemp("tracking"), RETINUE_MLFLOW_URL=mlflow.url)
    yield stack
    stack.close()


def tracked(stack, job_id, seconds=60):
    """The run's id once nothing is left to send."""
    finished = select(TrackingRow).filter_by(job_id=uuid.UUID(job_id), finished=True)  # no row before its first round
    wait_for(lambda: stack.rows(finished), seconds, "the end of tracking")
    return stack.job(job_id)["mlflow_run_id"]


def assert_complete(stack, mlflow, job_id, run_id):
    """Every point of the platform is in MLflow, once, with the event's time; nothing else is."""
    for series in stack.alice.get(f"/jobs/{job_id}/metrics").json()["series"]:
        times = [round(time.timestamp() * 1000) for time in map(parse, series["time"])]
        ours = list(zip(series["step"], times, map(float, series["value"]), strict=True))
        theirs = mlflow.history(run_id, series["key"])
        assert len(theirs) == len(set(theirs))
        assert set(theirs) == set(ours)


def parse(text):
    from datetime import datetime

    return datetime.fromisoformat(text)


def tags(run):
    return {tag["key"]: tag["value"] for tag in run["data"]["tags"]}


def test_a_run_holds_points_parameters_dataset_and_checkpoint(stack, mlflow):
    job_id = stack.start_job(name="tracked", parameters={"points": 1500, "rate": 3000})
    stack.wait(job_id)
    run_id = tracked(stack, job_id)
    run = mlflow.run(run_id)
    job = stack.job(job_id)
    assert run["info"]["status"] == "FINISHED"
    assert run["info"]["run_name"] == "tracked"
    found = tags(run)
    assert found["retinue.job_id"] == job_id
    assert found["retinue.dataset_digest"] == job["dataset_digest"]
    assert found["retinue.dataset_version"] == "1"
    assert found["retinue.framework"] == "points"
    (artifact,) = stack.alice.get(f"/jobs/{job_id}/artifacts").json()
    assert found["retinue.checkpoint_sha256"] == artifact["sha256"]
    params = {p["key"]: p["value"] for p in run["data"]["params"]}
    assert params["points"] == "1500"
    assert params["model"] == "counter"
    assert_complete(stack, mlflow, job_id, run_id)
    path = f"/mlflow-artifacts/artifacts/{run['info']['experiment_id']}/{run_id}/artifacts/{artifact['path']}"
    assert mlflow.http.get(path).content == b"points" * 100
    experiment = mlflow.http.get("/mlflow/experiments/get", params={"experiment_id": run["info"]["experiment_id"]})
    named = {tag["key"]: tag["value"] for tag in experiment.json()["experiment"]["tags"]}
    assert named["retinue.project_id"] == stack.project


@pytest.mark.faults
def test_mlflow_and_platform_killed_in_the_middle(stack, mlflow):
    job_id = stack.start_job(parameters={"points": 5000, "rate": 1000})
    wait_for(lambda: stack.job(job_id)["mlflow_run_id"], what="the run")
    mlflow.kill()
    time.sleep(0.5)
    stack.platform.stop(signal.SIGKILL)
    stack.platform.start()
    assert stack.wait(job_id, seconds=60)["status"] == "succeeded"  # MLflow is still down
    assert stack.points(job_id) == stack.trainer.events(job_id)
    mlflow.start()
    run_id = tracked(stack, job_id)
    assert mlflow.run(run_id)["info"]["status"] == "FINISHED"
    assert_complete(stack, mlflow, job_id, run_id)
    with stack.database() as database, database.write() as session:  # everything sent once more changes nothing
        row = session.get(TrackingRow, uuid.UUID(job_id))
        row.cursor, row.finished = 0, False
    stack.platform.stop()
    stack.platform.start()
    tracked(stack, job_id)
    assert_complete(stack, mlflow, job_id, run_id)


def test_a_run_deleted_for_good_is_written_anew_and_cancelled_jobs_are_killed_runs(stack, mlflow):
    job_id = stack.start_job(parameters={"points": 100_000, "rate": 200})
    stack.wait(job_id, "running")
    stack.alice.post(f"/jobs/{job_id}/cancel").raise_for_status()
    stack.wait(job_id)
    run_id = tracked(stack, job_id)
    assert mlflow.run(run_id)["info"]["status"] == "KILLED"
    with stack.database() as database, database.write() as session:
        row = session.get(TrackingRow, uuid.UUID(job_id))
        row.run_id, row.finished = uuid.uuid4().hex, False
    stack.platform.stop()
    stack.platform.start()
    again = tracked(stack, job_id)
    assert again == run_id  # found by its tag, not made twice
    assert_complete(stack, mlflow, job_id, run_id)


def test_a_trainer_that_is_no_longer_there_sends_nothing_twice(stack, mlflow):
    jobs = [stack.start_job(parameters={"points": 50}) for _ in range(2)]
    runs = []
    for job_id in jobs:
        stack.wait(job_id)
        runs.append(tracked(stack, job_id))
    trainers = stack.platform.environment.pop("RETINUE_TRAINERS")
    stack.platform.stop()
    with stack.database() as database, database.write() as session:
        rows = [session.get(TrackingRow, uuid.UUID(job_id)) for job_id in jobs]
        known = [(row.run_id, row.attempt, row.cursor) for row in rows]
        for row in rows:
            row.finished = False  # as if it had been stopped before the end
    stack.platform.start()
    try:
        for job_id in jobs:
            told = f"job {job_id} in MLflow: There is no trainer"
            wait_for(lambda told=told: told in stack.platform.read_log(), what="the missing trainer")
        time.sleep(1.5)  # some rounds
        rows = [stack.row(TrackingRow, job_id=uuid.UUID(job_id)) for job_id in jobs]
        assert [(row.run_id, row.attempt, row.cursor) for row in rows] == known
        assert not any(row.finished for row in rows)
        log = stack.platform.read_log()
        assert log.count("There is no trainer") == 2
        assert not [job_id for job_id in jobs if f"the MLflow run of job {job_id} is gone" in log]
    finally:
        stack.platform.environment["RETINUE_TRAINERS"] = trainers
        stack.platform.stop()
        stack.platform.start()
    for job_id, run_id in zip(jobs, runs, strict=True):
        assert tracked(stack, job_id) == run_id
        assert_complete(stack, mlflow, job_id, run_id)


async def test_what_mlflow_takes_and_how_it_refuses(mlflow):
    api = Mlflow(mlflow.url)
    project = str(uuid.uuid4())
    experiment = await api.experiment(project, "cells")
    assert await api.experiment(project, "renamed") == experiment
    assert await api.experiment(str(uuid.uuid4()), "cells") != experiment  # the name is taken
    run = await api.run(experiment, "job", "name", 1, {"a": "b"})
    assert await api.run(experiment, "job", "name", 1, {"a": "b"}) == run
    sent = [
        {"key": "m", "value": value, "timestamp": 5, "step": step}
        for step, value in enumerate(["NaN", "Infinity", "-Infinity", 1e-300, 0.1])
    ]
    for _ in range(2):
        await api.log_metrics(run.id, sent)
    values = defaultdict(list)
    for step, _time, value in mlflow.history(run.id, "m"):
        values[step].append(value)
    assert math.isnan(values[0][0])
    assert values[1] == [sys.float_info.max]  # MLflow's word for infinity
    assert values[2] == [-sys.float_info.max]
    assert (values[3], values[4]) == ([1e-300], [0.1])
    for name in ("a(B)", "../x", "ü/%", "/lead", "a//b", "x" * 400, "ok name: 1.5-2_3"):
        await api.log_metrics(run.id, [{"key": metric_key(name), "value": 1, "timestamp": 1, "step": 0}])
    await api.log_params(run.id, {f"p{n}": "v" * 9000 for n in range(150)})
    with pytest.raises(NotFoundError):
        await api.get_run("0" * 32)
    with pytest.raises(MlflowError):
        await api.log_metrics(run.id, [{"key": "a(B)", "value": 1, "timestamp": 1, "step": 0}])
    await api.close()
    nobody = Mlflow(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(UnavailableError):
        async with asyncio.timeout(5):
            await nobody.get_run("0" * 32)
    await nobody.close()
