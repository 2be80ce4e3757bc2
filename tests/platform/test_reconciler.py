"""The queue's order, and jobs that outlive everything that is killed around them."""

import json
import os
import random
import signal
import time
import uuid
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import update
from tests.platform.jobs_db import away
from tests.platform.stack import Stack, wait_for

from retinue_platform.admission import Entry, admit, order
from retinue_platform.tables import JobRow

START = datetime(2026, 11, 23, tzinfo=UTC)


def entry(user, minute, *, priority=0, slots=1):
    return Entry(uuid.uuid4(), user, priority, slots, START + timedelta(minutes=minute))


def test_priority_then_fair_share_then_waiting_time():
    a1, a2, a3 = (entry("ann", n) for n in range(3))
    b1 = entry("bob", 5)
    urgent = entry("cid", 9, priority=1)
    assert order([a1, a2, a3, b1, urgent], []) == [urgent, a1, b1, a2, a3]
    assert order([a1, b1], [entry("ann", 0)]) == [b1, a1]


def test_admission_fills_the_slots_in_order_and_lets_no_small_job_pass_a_large_one():
    large, small = entry("ann", 1, slots=2), entry("bob", 2)
    assert admit([large, small], [entry("cid", 0)], 2) == []
    assert admit([large, small], [], 2) == [large]
    assert admit([large, small], [], 3) == [large, small]
    assert admit([entry("ann", 1, slots=9)], [], 2)  # asked for when there were more


@pytest.fixture(scope="module")
def stack(hub, tmp_path_factory):
    """One for all tests: whatever they kill, they start again."""
    stack = Stack(hub, tmp_path_factory.mktemp("reconciler"))
    yield stack
    stack.close()


def same_as_the_ledger(stack, job_id):
    return stack.points(job_id) == stack.trainer.events(job_id)


@pytest.mark.faults
def test_killing_the_platform_loses_and_doubles_nothing(stack):
    jobs = [stack.start_job(parameters={"points": 8000, "rate": 2000})]
    jobs.append(stack.start_job(parameters={"points": 500}))
    stack.wait(jobs[0], "running")
    for _ in range(4):
        time.sleep(random.uniform(0.05, 0.6))
        stack.platform.stop(signal.SIGKILL)
        stack.platform.start()
    for job_id in jobs:
        job = stack.wait(job_id, seconds=60)
        assert (job["status"], job["attempt"]) == ("succeeded", 1), job
        assert same_as_the_ledger(stack, job_id)
        assert stack.trainer.attempts(job_id) == ["1"]


@pytest.mark.faults
def test_killing_the_trainer_service_disturbs_no_training(stack):
    job_id = stack.start_job(parameters={"points": 8000, "rate": 2000})
    stack.wait(job_id, "running")
    for down in (0.0, 1.0):
        stack.trainer.kill()
        wait_for(lambda: stack.job(job_id)["stale_since"], what="stale_since")
        assert stack.job(job_id)["status"] == "running"
        time.sleep(down)
        stack.trainer.start()
        wait_for(lambda: stack.job(job_id)["stale_since"] is None, what="the end of stale")
    job = stack.wait(job_id, seconds=60)
    assert (job["status"], job["attempt"]) == ("succeeded", 1), job
    assert same_as_the_ledger(stack, job_id)


@pytest.mark.faults
def test_a_job_that_ends_while_the_platform_is_down_is_told_in_full(stack):
    job_id = stack.start_job(parameters={"points": 2000, "rate": 2000})
    stack.wait(job_id, "running")
    stack.platform.stop(signal.SIGKILL)
    wait_for((stack.trainer.runs / job_id / "1" / "done.json").exists, what="the end")
    stack.platform.start()
    assert stack.wait(job_id)["status"] == "succeeded"
    assert same_as_the_ledger(stack, job_id)


@pytest.mark.faults
@pytest.mark.parametrize("posted", [False, True])
def test_killed_between_the_row_and_the_process(stack, posted):
    """The row says STARTING; whether the trainer was told is not known. One process, one attempt."""
    job_id = stack.start_job(parameters={"points": 1000, "rate": 500})
    if posted:
        stack.wait(job_id, "running")
        stack.platform.stop(signal.SIGKILL)
    else:
        stack.platform.stop(signal.SIGKILL)  # mostly before it was admitted
    with stack.database() as database, database.write() as session:
        starting = {"status": "starting", "attempt": 1}
        session.execute(update(JobRow).where(JobRow.id == uuid.UUID(job_id)).values(**starting))
    stack.platform.start()
    job = stack.wait(job_id)
    assert (job["status"], job["attempt"]) == ("succeeded", 1), job
    assert stack.trainer.attempts(job_id) == ["1"]
    assert same_as_the_ledger(stack, job_id)


@pytest.mark.faults
def test_cancelled_while_its_trainer_is_down(stack):
    job_id = stack.start_job(parameters={"points": 100_000, "rate": 100})
    stack.wait(job_id, "running")
    stack.trainer.kill()
    wait_for(lambda: stack.job(job_id)["stale_since"], what="stale_since")
    assert stack.alice.post(f"/jobs/{job_id}/cancel").json()["target"] == "cancelled"
    assert stack.job(job_id)["status"] == "running"  # nobody has seen it end
    stack.trainer.start()
    assert stack.wait(job_id)["status"] == "cancelled"
    assert same_as_the_ledger(stack, job_id)


@pytest.mark.faults
def test_cancelled_after_the_database_was_away(stack):
    """While nothing comes from the training, only the look for a cancellation notices that the database is away."""
    job_id = stack.start_job(parameters={"points": 1000, "rate": 0.02})
    stack.wait(job_id, "running")
    stack.alice.post(f"/jobs/{job_id}/cancel", json={"when": "epoch"}).raise_for_status()
    stack.wait(job_id, "stopping")
    with away(stack.data / "platform" / "retinue.sqlite", "jobs"):
        wait_for(lambda: "cancelled cannot be seen now" in stack.platform.read_log(), what="a look in vain")
    stack.alice.post(f"/jobs/{job_id}/cancel").raise_for_status()
    assert stack.wait(job_id)["status"] == "cancelled"


@pytest.mark.faults
def test_a_trainer_that_lost_the_attempt_says_so(stack):
    job_id = stack.start_job(parameters={"points": 100_000, "rate": 100})
    stack.wait(job_id, "running")
    facts = json.loads((stack.trainer.runs / job_id / "1" / "process.json").read_text())
    os.kill(facts["supervise"]["pid"], signal.SIGKILL)
    job = stack.wait(job_id)
    assert (job["status"], job["reason"]) == ("lost", "lost"), job
    assert same_as_the_ledger(stack, job_id)


def test_a_refused_start_ends_the_job(stack):
    """The trainer's verdict may have changed since it was asked when the job was made."""
    blocker = stack.start_job(parameters={"points": 100_000, "rate": 100})
    stack.wait(blocker, "running")
    job_id = stack.start_job()
    with stack.database() as database, database.write() as session:
        session.execute(update(JobRow).where(JobRow.id == uuid.UUID(job_id)).values(parameters={"points": -1}))
    stack.alice.post(f"/jobs/{blocker}/cancel").raise_for_status()
    job = stack.wait(job_id)
    assert (job["status"], job["reason"]) == ("failed", "failed"), job
    assert "points" in job["message"]


def test_one_slot_at_a_time_in_order(stack):
    ids = [stack.start_job(parameters={"points": 200}) for _ in range(3)]
    places = [stack.job(job_id)["queue_position"] for job_id in ids[1:]]
    assert places in ([1, 2], [None, 1])
    jobs = [stack.wait(job_id) for job_id in ids]
    assert all(job["status"] == "succeeded" for job in jobs)
    for before, after in pairwise(jobs):
        assert before["ended_at"] <= after["started_at"]
