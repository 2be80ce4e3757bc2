"""Jobs through the real platform and a real trainer service."""

import json
import os
import uuid

import pytest
from tests.platform.running import problem
from tests.platform.stack import Stack


@pytest.fixture(scope="module")
def stack(hub, tmp_path_factory):
    stack = Stack(hub, tmp_path_factory.mktemp("jobs"))
    yield stack
    stack.close()
    assert "Traceback" not in stack.platform.read_log(), stack.platform.read_log()


def test_a_job_from_beginning_to_end(stack):
    job_id = stack.start_job(name="first", parameters={"points": 50})
    job = stack.wait(job_id)
    assert (job["status"], job["reason"], job["attempt"]) == ("succeeded", "succeeded", 1), job
    assert stack.points(job_id) == stack.trainer.events(job_id)
    assert job["latest"]["val/top1"] == 1.0
    assert job["progress"]["epoch"] == 10
    assert job["ended_at"] > job["started_at"] > job["created_at"]
    assert job["queue_position"] is None
    (artifact,) = stack.alice.get(f"/jobs/{job_id}/artifacts").json()
    assert artifact["kind"] == "checkpoint"
    whole = stack.alice.get(f"/jobs/{job_id}/artifacts/{artifact['path']}")
    assert whole.content == b"points" * 100
    assert whole.headers["content-disposition"].startswith("attachment")
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in whole.headers["content-security-policy"]
    part = stack.alice.get(f"/jobs/{job_id}/artifacts/{artifact['path']}", headers={"Range": "bytes=6-11"})
    assert (part.status_code, part.content) == (206, b"points")
    problem(
        stack.alice.get(f"/jobs/{job_id}/artifacts/{artifact['path']}", headers={"Range": "bytes=9999-"}),
        416,
        "range_invalid",
    )
    log = stack.alice.get(f"/jobs/{job_id}/logs")
    assert "trained 50 points" in log.text
    rest = stack.alice.get(f"/jobs/{job_id}/logs", params={"after": log.headers["x-next-offset"]})
    assert (rest.text, rest.headers["x-next-offset"]) == ("", log.headers["x-next-offset"])


def test_metrics_by_key_cursor_and_size(stack):
    job_id = stack.start_job(parameters={"points": 2000, "rate": 1_000_000})
    stack.wait(job_id)
    answer = stack.alice.get(f"/jobs/{job_id}/metrics", params={"keys": "val/top1", "max_points": 100}).json()
    (series,) = answer["series"]
    assert series["sampled"]
    assert series["total"] == 2000
    assert len(series["seq"]) <= 100
    assert series["value"][-1] == 1.0
    later = stack.alice.get(f"/jobs/{job_id}/metrics", params={"after": answer["seq"]}).json()
    assert later["series"] == []


def test_the_same_key_gives_the_same_job(stack):
    key = uuid.uuid4().hex
    first = stack.post(key=key)
    assert stack.post(key=key).json()["id"] == first.json()["id"]
    problem(stack.post(key=key, seed=1), 422, "idempotency_key_reused")
    bob = stack.platform.user("bob")
    stack.alice.put(f"/projects/{stack.project}/members/bob", json={"role": "editor"}).raise_for_status()
    other = stack.post(key=key, user=bob)  # a key is its user's
    assert other.json()["id"] != first.json()["id"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"dataset_id": str(uuid.uuid4())}, 404, "not_found"),
        ({"dataset_version": 7}, 404, "not_found"),
        ({"framework": "nothing"}, 422, "framework_unknown"),
        ({"model": "nothing"}, 422, "model_unknown"),
        ({"task": "detect"}, 422, "task_not_of_model"),
        ({"model": "boxer", "task": "detect"}, 422, "task_not_of_dataset"),
        ({"resources": {"gpus": 9}}, 422, "resources_unavailable"),
        ({"parameters": {"points": 0}}, 422, None),
        ({"parameters": {"pionts": 5}}, 422, None),
        ({"unknown": 1}, 422, "invalid_request"),
        ({"dataset_version": 2**31}, 422, "invalid_request"),
        ({"resources": {"gpus": 10**30}}, 422, "invalid_request"),
    ],
)
def test_what_cannot_start_is_refused_with_its_place(stack, changes, status, code):
    before = len(stack.alice.get(f"/projects/{stack.project}/jobs").json())
    answer = stack.post(**changes)
    body = problem(answer, status, code or answer.json()["code"])
    assert body["where"], body
    assert len(stack.alice.get(f"/projects/{stack.project}/jobs").json()) == before
    if code != "invalid_request":
        checked = stack.alice.post(f"/projects/{stack.project}/jobs/validate", json=stack.wanted(**changes))
        if status == 422:
            assert checked.json()["problems"][0]["code"] == body["code"]
        else:
            assert checked.status_code == status


@pytest.mark.parametrize(
    ("parameters", "place"),
    [
        ('{"fail": "\\ud800"}', ".fail"),
        ('{"\\udc00": 1}', ".\ufffd"),
        ('{"fail": %s}' % ("[" * 300 + "]" * 300), ".fail.0.0"),
        ('{"rate": NaN}', ".rate"),
        ('{"rate": 1e999}', ".rate"),
        ('{"points": 1%s}' % ("0" * 400), ".points"),
    ],
)
def test_parameters_that_no_trainer_can_be_told_are_refused_here(stack, parameters, place):
    body = json.dumps(stack.wanted(parameters={})).replace('{"points": 20}', parameters)
    assert parameters in body
    for path in ("jobs", "jobs/validate"):
        answer = stack.alice.post(
            f"/projects/{stack.project}/{path}", content=body, headers={"Content-Type": "application/json"}
        )
        assert problem(answer, 422, "invalid_request")["where"].startswith(f"body.parameters{place}")
    assert stack.alice.get("/models").json()["trainers"][0]["reachable"]


def test_files_that_cannot_be_given_and_numbers_beyond_every_column(stack):
    job_id = stack.start_job()
    stack.wait(job_id)
    folder = stack.trainer.runs / job_id / "1/checkpoints"
    os.mkfifo(folder / "pipe")
    (folder / "circle").symlink_to("circle")
    for name in ("pipe", "circle", "x" * 300, "last.bin/x"):
        problem(stack.alice.get(f"/jobs/{job_id}/artifacts/checkpoints/{name}"), 404, "not_found")
    for path in ("metrics", "logs"):
        answer = stack.alice.get(f"/jobs/{job_id}/{path}", params={"after": 2**63})
        assert problem(answer, 422, "invalid_request")["where"] == "query.after"
        assert stack.alice.get(f"/jobs/{job_id}/{path}", params={"after": 2**63 - 1}).status_code == 200
    assert stack.alice.get("/models").json()["trainers"][0]["reachable"]


def test_a_dataset_that_is_not_ready_or_foreign(stack):
    importing = stack.add_dataset(stack.project, status="importing", version=False)
    problem(stack.post(dataset_id=importing), 409, "dataset_not_ready")
    adding = stack.wanted(dataset_id=stack.add_dataset(stack.project, status="importing"))  # to what is there
    assert stack.alice.post(f"/projects/{stack.project}/jobs/validate", json=adding).json() == {"problems": []}
    other = stack.alice.post("/projects", json={"name": uuid.uuid4().hex}).json()["id"]
    problem(stack.post(dataset_id=stack.add_dataset(other)), 404, "not_found")


def test_cancelling_a_waiting_and_a_running_job_and_again(stack):
    running = stack.start_job(parameters={"points": 100_000, "rate": 100})
    stack.wait(running, "running")
    waiting = stack.start_job()
    assert stack.job(waiting)["queue_position"] == 1
    stack.alice.post(f"/jobs/{waiting}/cancel").raise_for_status()
    assert stack.wait(waiting)["message"] == "Cancelled before it started."
    assert stack.job(waiting)["attempt"] == 0
    stack.alice.post(f"/jobs/{running}/cancel", json={"when": "now"}).raise_for_status()
    job = stack.wait(running)
    assert (job["status"], job["reason"]) == ("cancelled", "cancelled")
    assert stack.points(running) == stack.trainer.events(running)
    again = stack.alice.post(f"/jobs/{running}/cancel")
    assert (again.status_code, again.json()["target"]) == (200, "cancelled")


def test_stopping_after_the_epoch_keeps_the_results(stack):
    job_id = stack.start_job(parameters={"points": 2000, "rate": 500})
    stack.wait(job_id, "running")
    stack.alice.post(f"/jobs/{job_id}/cancel", json={"when": "epoch"}).raise_for_status()
    job = stack.wait(job_id)
    assert job["status"] == "succeeded", job
    assert 0 < job["latest"]["val/top1"] < 1
    assert stack.alice.get(f"/jobs/{job_id}/artifacts").json()


@pytest.mark.parametrize(("how", "status", "reason"), [("exit", "failed", "failed"), ("nan", "failed", "nan_loss")])
def test_a_training_that_fails_says_why(stack, how, status, reason):
    job = stack.wait(stack.start_job(parameters={"fail": how}))
    assert (job["status"], job["reason"]) == (status, reason), job
    assert job["message"]


def test_pages_and_strangers(stack):
    ids = [stack.start_job() for _ in range(3)]
    first = stack.alice.get(f"/projects/{stack.project}/jobs", params={"limit": 2}).json()
    assert [job["id"] for job in first] == ids[:0:-1]
    second = stack.alice.get(f"/projects/{stack.project}/jobs", params={"limit": 1, "before": ids[1]}).json()
    assert second[0]["id"] == ids[0]
    stranger = stack.platform.user("mallory")
    for path in ("", "/metrics", "/logs", "/artifacts", "/artifacts/checkpoints/last.bin"):
        problem(stranger.get(f"/jobs/{ids[0]}{path}"), 404, "not_found")
    problem(stranger.post(f"/jobs/{ids[0]}/cancel"), 404, "not_found")
    for job_id in ids:
        stack.wait(job_id)
