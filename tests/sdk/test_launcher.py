"""The local launcher: one process per attempt, whatever dies in between."""

import json
import os
import signal
import threading
import time
import uuid
from pathlib import Path

import pytest

from retinue_sdk.errors import BadRequestError, ConflictError, NotFoundError
from retinue_sdk.schema import Status, TrainRequest
from retinue_sdk.trainer.attempts import Attempt
from retinue_sdk.trainer.launcher import LocalLauncher
from retinue_sdk.trainer.processes import alive, kill_attempt, start_time
from tests.faults import volumes
from tests.trainers.harness import wait_for
from tests.trainers.points.service import FRAMEWORK

TERMINAL = {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.LOST}


@pytest.fixture
def launcher(tmp_path):
    made = LocalLauncher(tmp_path / "runs", FRAMEWORK.command(), FRAMEWORK.environment)
    made.runs.mkdir()
    yield made
    for path in made.runs.glob("*/*/spec.json"):
        attempt = Attempt(path.parent)
        if not attempt.over:
            kill_attempt(attempt.path, attempt.process)
    for process in made.spawned.values():
        process.wait(5)


def request(attempt: int = 1, job_id: uuid.UUID | None = None, **parameters) -> TrainRequest:
    filled = {"points": 10_000, "rate": 100, "fail": "", **parameters}
    body = {
        "job_id": job_id or uuid.uuid4(),
        "attempt": attempt,
        "task": "classify",
        "model": "counter",
        "parameters": filled,
        "dataset": {"kind": "folder", "path": "/data"},
        "resources": {"grace_seconds": 1},
    }
    return TrainRequest.model_validate(body)


def fine() -> None:
    """Nothing to object."""


def started(launcher, wanted):
    launcher.start(wanted, fine)
    return wait_for(lambda: (state := launcher.state(wanted.job_id)).status == Status.RUNNING and state)


def ended(launcher, wanted, seconds=10.0):
    return wait_for(lambda: (state := launcher.state(wanted.job_id)).status in TERMINAL and state, seconds)


def directory(launcher, wanted):
    return Attempt(launcher.runs / str(wanted.job_id) / str(wanted.attempt))


def test_a_training_from_start_to_end(launcher):
    wanted = request(points=20, rate=1000)
    assert launcher.start(wanted, fine).status == Status.STARTING
    state = ended(launcher, wanted)
    assert (state.status, state.reason) == (Status.SUCCEEDED, "succeeded")
    assert {c.stream: c.after for c in state.cursors}["events"] == 20 + 10 + 1
    assert state.started_at < state.ended_at


def test_the_same_request_starts_one_process(launcher):
    wanted = request()
    threads = [threading.Thread(target=launcher.start, args=(wanted, fine)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = started(launcher, wanted)
    assert launcher.start(wanted, fine).handle == first.handle
    time.sleep(0.3)
    log = (directory(launcher, wanted).path / "log.txt").read_text()
    assert "supervised already" not in log
    assert len(launcher.spawned) == 1
    launcher.cancel(wanted.job_id, "now")
    assert ended(launcher, wanted).status == Status.CANCELLED
    assert launcher.start(wanted, fine).status == Status.CANCELLED


def test_another_body_is_refused(launcher):
    wanted = request()
    launcher.start(wanted, fine)
    with pytest.raises(ConflictError) as caught:
        launcher.start(wanted.model_copy(update={"seed": 5}), fine)
    assert caught.value.problem.code == "attempt_exists"


def test_a_higher_attempt_fences_the_older(launcher):
    first = request(fail="stubborn")
    old = started(launcher, first)
    second = request(2, first.job_id)
    start = time.monotonic()
    launcher.start(second, fine)
    assert time.monotonic() - start < 3
    assert start_time(int(old.handle)) is None
    assert launcher.state(first.job_id, 1).status == Status.CANCELLED
    assert "Attempt 2" in launcher.state(first.job_id, 1).message
    assert started(launcher, second).attempt == 2
    with pytest.raises(ConflictError) as caught:
        launcher.start(first, fine)
    assert caught.value.problem.code == "attempt_superseded"


def test_a_refused_request_leaves_nothing(launcher):
    wanted = request()

    def refuse() -> None:
        raise BadRequestError("no")

    with pytest.raises(BadRequestError):
        launcher.start(wanted, refuse)
    with pytest.raises(NotFoundError):
        launcher.state(wanted.job_id)
    assert [path.name for path in launcher.runs.iterdir()] == [".locks"]


def test_a_refused_attempt_does_not_fence(launcher):
    first = request()
    old = started(launcher, first)

    def refuse() -> None:
        raise BadRequestError("no")

    with pytest.raises(BadRequestError):
        launcher.start(request(2, first.job_id), refuse)
    assert launcher.state(first.job_id).handle == old.handle


def test_kill_9_of_the_training_is_failed_killed(launcher):
    wanted = request()
    state = started(launcher, wanted)
    os.kill(int(state.handle), signal.SIGKILL)
    state = ended(launcher, wanted, 5)
    assert (state.status, state.reason) == (Status.FAILED, "killed")


def test_kill_9_of_supervise_is_lost(launcher):
    wanted = request(fail="grandchildren")
    state = started(launcher, wanted)
    facts = directory(launcher, wanted).process
    os.kill(facts["supervise"]["pid"], signal.SIGKILL)
    wait_for(lambda: launcher.watch() or directory(launcher, wanted).over, 2)
    assert launcher.state(wanted.job_id).status == Status.LOST
    assert start_time(int(state.handle)) is None
    assert launcher.active == {}


def test_a_new_launcher_adopts(launcher):
    wanted = request()
    state = started(launcher, wanted)
    heir = LocalLauncher(launcher.runs, FRAMEWORK.command(), FRAMEWORK.environment)
    assert heir.adopt() == 1
    assert heir.start(wanted, fine).handle == state.handle
    heir.cancel(wanted.job_id, "now")
    assert ended(heir, wanted).status == Status.CANCELLED


@pytest.mark.parametrize("trace", ["folder", "torn spec", "spec", "lock"])
def test_a_service_killed_while_starting(launcher, trace):
    """What a kill -9 leaves at each step of a start; the next service finishes it, and the platform asks again."""
    wanted = request(points=5, rate=1000)
    path = directory(launcher, wanted).path
    path.mkdir(parents=True)
    if trace == "torn spec":
        (path / ".spec.json.77.tmp").write_text('{"job_id"')
    if trace in ("spec", "lock"):
        (path / "spec.json").write_text(json.dumps(wanted.model_dump(mode="json")))
    if trace == "lock":
        (path / "lock").touch()
    assert launcher.adopt() == (1 if trace in ("spec", "lock") else 0)
    launcher.start(wanted, fine)
    assert ended(launcher, wanted).status == Status.SUCCEEDED


def test_a_machine_that_restarted_loses_its_attempts(launcher):
    wanted = request()
    path = directory(launcher, wanted).path
    path.mkdir(parents=True)
    (path / "spec.json").write_text(json.dumps(wanted.model_dump(mode="json")))
    me = {"pid": os.getpid(), "start": start_time(os.getpid()), "boot": "of-yesterday"}
    (path / "process.json").write_text(json.dumps({"supervise": me, "group": me, "started_at": "2026-01-01T00:00:00Z"}))
    assert not alive(me)
    launcher.adopt()
    assert launcher.state(wanted.job_id).status == Status.LOST


def test_cancel_is_idempotent_and_final(launcher):
    wanted = request(fail="grandchildren")
    started(launcher, wanted)
    assert launcher.cancel(wanted.job_id, "now").status == Status.STOPPING
    assert launcher.cancel(wanted.job_id, "now").status in {Status.STOPPING, Status.CANCELLED}
    assert ended(launcher, wanted).status == Status.CANCELLED
    assert launcher.cancel(wanted.job_id, "now").status == Status.CANCELLED
    assert launcher.cancel(wanted.job_id, "epoch").status == Status.CANCELLED


def test_a_stuck_supervise_does_not_keep_a_cancelled_attempt(launcher):
    launcher.escalate_after = 0.1
    wanted = request()
    state = started(launcher, wanted)
    os.kill(directory(launcher, wanted).process["supervise"]["pid"], signal.SIGSTOP)
    launcher.cancel(wanted.job_id, "now")
    assert ended(launcher, wanted).status == Status.CANCELLED
    assert start_time(int(state.handle)) is None


def test_a_training_on_a_full_disk_is_cancelled():
    if volumes.allowed():
        seen = json.loads(volumes.alone("tests.sdk.full_runs"))
        assert (seen["free"], seen["reason"]) == (0, "cancelled")
        assert seen["seconds"] < 5
    else:  # the next test cancels what cannot be written down elsewhere
        with pytest.raises(SystemExit, match="No mount is allowed here"):
            volumes.alone("tests.sdk.full_runs")


def test_a_cancel_that_cannot_be_written_down_ends_the_training_all_the_same(launcher):
    wanted = [request(), request()]
    for each in wanted:
        started(launcher, each)
        (directory(launcher, each).path / "cancel").symlink_to("/no/such/folder/cancel")
    with pytest.raises(FileNotFoundError):
        launcher.cancel(wanted[0].job_id, "now")
    assert ended(launcher, wanted[0]).reason == "killed"
    launcher.stop_all()
    assert launcher.state(wanted[1].job_id).reason == "killed"


def test_stop_after_the_epoch_keeps_results(launcher):
    wanted = request(points=1000, rate=500)
    started(launcher, wanted)
    launcher.cancel(wanted.job_id, "epoch")
    state = ended(launcher, wanted)
    assert state.status == Status.SUCCEEDED
    assert "Stopped after an epoch" in state.message
    assert (directory(launcher, wanted).path / "checkpoints/last.bin").exists()


def test_a_cancel_right_after_the_start(launcher):
    wanted = request()
    launcher.start(wanted, fine)
    launcher.cancel(wanted.job_id, "now")
    assert ended(launcher, wanted).status == Status.CANCELLED


def test_a_supervise_that_cannot_start_is_told(tmp_path):
    broken = LocalLauncher(tmp_path, FRAMEWORK.command(), {"PYTHONHOME": "/nonexistent"})
    wanted = request()
    broken.start(wanted, fine)
    state = wait_for(lambda: (s := broken.state(wanted.job_id)).status in TERMINAL and s)
    assert state.status == Status.LOST
    assert "could not start" in state.message


def test_secrets_of_the_service_do_not_reach_training_code(launcher, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "secret")
    monkeypatch.setenv("RETINUE_TRAINER_TOKEN_FILE", "/secret")
    wanted = request()
    state = started(launcher, wanted)
    environment = Path(f"/proc/{state.handle}/environ").read_text()
    assert "JUPYTERHUB_API_TOKEN" not in environment
    assert "RETINUE_TRAINER_TOKEN_FILE" not in environment
