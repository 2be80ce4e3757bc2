"""A trainer service as its callers see it: a real process, spoken to over HTTP."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import uuid

import httpx
import pytest

from retinue_sdk.errors import RetinueError, UnavailableError
from retinue_sdk.schema import Problem, Status, Task
from retinue_sdk.trainer.processes import descendants, start_time
from tests.trainers.harness import ROOT, TOKEN, PointsService, plain_client, wait_for

TERMINAL = {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.LOST}


def train(client, service, **parameters):
    request = service.request(**parameters)
    client.post("/train", request.model_dump(mode="json"))
    return request


def ended(client, job_id, seconds=10.0):
    return wait_for(lambda: (state := client.get(f"/jobs/{job_id}"))["status"] in TERMINAL and state, seconds)


def running(client, job_id):
    return wait_for(lambda: (state := client.get(f"/jobs/{job_id}"))["status"] == "running" and state)


def refused(client, method, path, **options) -> Problem:
    with pytest.raises(RetinueError) as caught:
        client.request(method, path, **options)
    return caught.value.problem


def test_a_training_from_request_to_checkpoint(client, service):
    request = train(client, service, points=200, rate=400)
    with client.stream("GET", f"/jobs/{request.job_id}/events", params={"follow": True}) as response:
        events = [json.loads(line) for line in response.iter_lines() if line]
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    assert [e["step"] for e in events if e["type"] == "metric"] == list(range(1, 201))
    assert client.get(f"/jobs/{request.job_id}")["status"] == "succeeded"
    checkpoint = events[-1]
    content = client.request("GET", f"/jobs/{request.job_id}/artifacts/{checkpoint['path']}")
    assert len(content.content) == checkpoint["size"]
    assert content.headers["content-disposition"].startswith("attachment")
    assert content.headers["x-content-type-options"] == "nosniff"
    log = client.request("GET", f"/jobs/{request.job_id}/logs", params={"after": 8}).text
    assert log == "200 points\n"
    system = client.request("GET", f"/jobs/{request.job_id}/events", params={"stream": "system"}).text
    assert json.loads(system.splitlines()[0])["seq"] == 1


def test_ranges_and_folders(client, service):
    request = train(client, service)
    ended(client, request.job_id)
    address = f"/jobs/{request.job_id}/artifacts"
    part = client.request("GET", f"{address}/checkpoints/last.bin", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"int")
    assert refused(client, "GET", f"{address}/checkpoints/last.bin", headers={"Range": "bytes=9999-"}).status == 416
    folder = client.request("GET", f"{address}/checkpoints")
    with tarfile.open(fileobj=io.BytesIO(folder.content)) as archive:
        assert archive.getnames() == ["checkpoints/last.bin", "checkpoints/last.bin.manifest.json"]
        assert archive.extractfile("checkpoints/last.bin").read() == b"points" * 100


@pytest.mark.parametrize(
    "path",
    ["spec.json", "checkpoints/../spec.json", "..%2f1%2fspec.json", "checkpoints/out", "/etc/passwd", "artifacts", ""],
)
def test_nothing_else_of_a_run_directory_is_given(client, service, path):
    request = train(client, service)
    ended(client, request.job_id)
    (service.runs / str(request.job_id) / "1/checkpoints/out").symlink_to("/etc/passwd")
    problem = refused(client, "GET", f"/jobs/{request.job_id}/artifacts/{path}")
    assert problem.status in (401, 404)


def test_the_same_request_twice_is_one_process(client, service):
    request = train(client, service, points=5000, rate=100)
    first = running(client, request.job_id)
    again = client.post("/train", request.model_dump(mode="json"))
    assert again["handle"] == first["handle"]
    other = request.model_copy(update={"seed": 9}).model_dump(mode="json")
    assert refused(client, "POST", "/train", json=other).code == "attempt_exists"
    client.json("DELETE", f"/jobs/{request.job_id}")
    assert ended(client, request.job_id)["status"] == "cancelled"


def test_defaults_may_be_spelt_out(client, service):
    request = train(client, service)
    body = request.model_dump(mode="json") | {"parameters": {"points": 20, "rate": 1000, "fail": ""}}
    assert client.post("/train", body)["attempt"] == 1


@pytest.mark.parametrize("fail", ["grandchildren", "stubborn"])
def test_cancel_leaves_no_process(client, service, fail):
    request = train(client, service, points=10_000, rate=100, fail=fail)
    state = running(client, request.job_id)
    wait_for(lambda: client.get(f"/jobs/{request.job_id}")["cursors"][0]["after"])
    family = [int(state["handle"]), *descendants(int(state["handle"]))]
    start = time.monotonic()
    assert client.json("DELETE", f"/jobs/{request.job_id}", params={"when": "now"})["status"] == "stopping"
    assert ended(client, request.job_id, 5)["status"] == "cancelled"
    assert time.monotonic() - start < 5
    assert [pid for pid in family if start_time(pid) is not None] == []


@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        ("exit", "failed"),
        ("error", "failed"),
        ("cuda_oom", "cuda_oom"),
        ("memory", "oom"),
        ("import", "import_error"),
        ("nan", "nan_loss"),
    ],
)
def test_failures_say_why(client, service, fail, reason):
    request = train(client, service, fail=fail)
    state = ended(client, request.job_id)
    assert (state["status"], state["reason"]) == ("failed", reason)
    assert state["message"]


def test_kill_9_of_the_training_is_told_within_5_s(client, service):
    request = train(client, service, points=10_000, rate=100)
    os.kill(int(running(client, request.job_id)["handle"]), signal.SIGKILL)
    state = ended(client, request.job_id, 5)
    assert (state["status"], state["reason"]) == ("failed", "killed")


def test_kill_9_of_supervise_is_lost_within_5_s(client, service):
    request = train(client, service, points=10_000, rate=100)
    running(client, request.job_id)
    facts = json.loads((service.runs / str(request.job_id) / "1/process.json").read_text())
    os.kill(facts["supervise"]["pid"], signal.SIGKILL)
    assert ended(client, request.job_id, 5)["status"] == "lost"


async def test_a_killed_service_disturbs_no_training(tmp_path):
    """kill -9 of the service three times; the reader goes on from its cursor without gap or duplicate."""
    with PointsService(tmp_path) as service:
        async with service.trainer() as trainer:
            request = service.request(points=3000, rate=1000)
            await trainer.train(request)
            seen: list[int] = []

            async def read() -> None:
                while True:
                    try:
                        after = len(seen)
                        async for line in trainer.events(request.job_id, attempt=1, after=after, follow=True):
                            seen.append(json.loads(line)["seq"])  # noqa: PERF401  # kept when the stream breaks
                        if (await trainer.job(request.job_id)).status in TERMINAL:
                            return
                    except UnavailableError:
                        await asyncio.sleep(0.05)

            reader = asyncio.create_task(read())
            for _ in range(3):
                await asyncio.sleep(0.3)
                await asyncio.to_thread(service.kill)
                await asyncio.to_thread(service.start)
            await asyncio.wait_for(reader, 30)
            state = await trainer.job(request.job_id)
        assert state.status == Status.SUCCEEDED
        assert seen == list(range(1, 3000 + 10 + 2))


@pytest.mark.parametrize(("setting", "status"), [("false", "running"), ("true", "cancelled")])
def test_what_a_stopped_service_leaves(tmp_path, setting, status):
    with PointsService(tmp_path, RETINUE_TRAINER_STOP_JOBS_ON_EXIT=setting) as service, service.client() as client:
        request = train(client, service, points=10_000, rate=100)
        running(client, request.job_id)
        with client.stream("GET", f"/jobs/{request.job_id}/events", params={"follow": True}) as response:
            service.process.terminate()
            with pytest.raises(httpx.RemoteProtocolError):  # cut short, so that it does not look like the end
                list(response.iter_raw())
        assert service.process.wait(20) in (0, -signal.SIGTERM)  # uvicorn sends itself the signal again
        service.start()
        assert client.get(f"/jobs/{request.job_id}")["status"] == status
        client.json("DELETE", f"/jobs/{request.job_id}")
        ended(client, request.job_id)


@pytest.mark.parametrize("path", ["/health/ready", "/models/list", f"/jobs/{uuid.uuid4()}", "/nowhere", "/train"])
@pytest.mark.parametrize("header", [None, "Bearer wrong", f"token {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xff"])
def test_only_the_service_token_opens(service, path, header):
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    with plain_client() as stranger:
        answer = stranger.get(service.url + path, headers=headers)
    problem = Problem.model_validate(answer.json())
    assert (answer.status_code, problem.code) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == problem.request_id


def test_health_is_free(service):
    with plain_client() as stranger:
        assert stranger.get(f"{service.url}/health").json()["status"] == "ok"


def test_ready(client):
    ready = client.get("/health/ready")
    assert (ready["ready"], ready["framework"], ready["launcher"]) == (True, "points", "local")
    assert ready["capacity"] >= 1


def test_the_catalogue(client):
    everything = client.get("/models/list")
    assert [m["parameters_m"] for m in everything["models"]] == [0.1] * 3
    assert [m["name"] for m in client.get("/models/list", task="detect")["models"]] == ["boxer", "any/thing"]
    schema = client.get("/models/any/thing/schema")
    assert schema["properties"]["points"]["maximum"] == 10_000_000
    assert refused(client, "GET", "/models/nothing/schema").code == "unknown_model"
    assert refused(client, "GET", "/models/counter/schema", params={"task": Task.DETECT}).code == "model_task_mismatch"


@pytest.mark.parametrize(
    ("change", "code", "hint"),
    [
        ({"model": "countr"}, "unknown_model", "counter"),
        ({"task": "detect"}, "model_task_mismatch", "classify"),
        ({"parameters": {"point": 3}}, "unknown_parameter", "points"),
        ({"parameters": {"points": 0}}, "parameter_out_of_range", "at least 1 and at most 10000000"),
        ({"parameters": {"rate": 0}}, "parameter_out_of_range", "more than 0 and at most 1000000 in points/s"),
        ({"parameters": {"points": "many"}}, "parameter_type", "a whole number"),
        ({"parameters": {"fail": "exti"}}, "parameter_not_allowed", "exit"),
        ({"dataset": {"kind": "folder", "path": "/etc"}}, "path_not_allowed", "RETINUE_TRAINER_ROOTS"),
    ],
)
def test_a_request_that_cannot_start(client, service, change, code, hint):
    body = service.request().model_dump(mode="json") | change
    problem = refused(client, "POST", "/train", json=body)
    assert (problem.status, problem.code) == (422, code)
    assert hint in problem.hint
    assert problem.where
    assert [p["code"] for p in client.post("/validate", body)["problems"]] == [code]
    assert refused(client, "GET", f"/jobs/{body['job_id']}").status == 404


def test_a_dataset_without_labels_for_the_task(client, service):
    version = service.data / "version"
    version.mkdir(exist_ok=True)
    facts = {
        "digest": "d",
        "classes": [],
        "tasks": ["detect"],
        "splits": {},
        "images": 0,
        "annotations": 0,
        "size_bytes": 0,
    }
    (version / "classes.json").write_text(json.dumps(facts))
    dataset = {"kind": "manifest", "url": f"file://{version}", "blobs": "file:///x/{sha256}", "digest": "d"}
    body = service.request().model_dump(mode="json") | {"dataset": dataset}
    problem = refused(client, "POST", "/train", json=body)
    assert problem.code == "dataset_task_mismatch"
    assert "detect" in problem.hint


def test_all_problems_are_told_at_once(client, service):
    body = service.request(points=0, pints=1).model_dump(mode="json") | {"dataset": {"kind": "folder", "path": "/etc"}}
    codes = [p["code"] for p in client.post("/validate", body)["problems"]]
    assert sorted(codes) == ["parameter_out_of_range", "path_not_allowed", "unknown_parameter"]


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("POST", "/train", {"content": b"{nope", "headers": {"Content-Type": "application/json"}}, 422, "invalid_request"),
        ("POST", "/train", {"json": {}}, 422, "invalid_request"),
        ("POST", "/train", {"json": []}, 422, "invalid_request"),
        ("POST", "/train", {"content": b"x" * 2_000_000}, 413, "body_too_large"),
        ("POST", "/train", {"content": iter([b"x" * 600_000] * 3)}, 413, "body_too_large"),
        ("GET", "/nowhere", {}, 404, "not_found"),
        ("PUT", "/health", {}, 405, "method_not_allowed"),
        ("GET", "/jobs/no-uuid", {}, 422, "invalid_request"),
        ("GET", f"/jobs/{uuid.UUID(int=5)}", {}, 404, "not_found"),
        ("GET", f"/jobs/{uuid.UUID(int=5)}/events", {}, 404, "not_found"),
        ("GET", f"/jobs/{uuid.UUID(int=5)}/events", {"params": {"after": -1}}, 422, "invalid_request"),
        ("DELETE", f"/jobs/{uuid.UUID(int=5)}", {"params": {"when": "later"}}, 422, "invalid_request"),
    ],
)  # fmt: skip
def test_every_error_has_the_one_shape(client, method, path, options, status, code):
    problem = refused(client, method, path, **options)
    assert (problem.status, problem.code) == (status, code)
    assert problem.request_id


def test_a_sensible_request_id_is_kept(client):
    assert (
        client.request("GET", "/health", headers={"X-Request-Id": "from-the-caller-1"}).headers["x-request-id"]
        == "from-the-caller-1"
    )
    assert (
        client.request("GET", "/health", headers={"X-Request-Id": "a b<script>"}).headers["x-request-id"]
        != "a b<script>"
    )


@pytest.mark.parametrize(
    ("token", "said"), [(None, "There is no service token"), ("short", "shorter than 32"), ("", "shorter")]
)
def test_no_good_token_no_service(tmp_path, token, said):
    options = ["--runs", str(tmp_path / "runs")]
    if token is not None:
        (tmp_path / "token").write_text(token)
        options += ["--token-file", str(tmp_path / "token")]
    command = [sys.executable, "-m", "tests.trainers.points.service", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_service_imports_no_pandas_and_starts_within_a_second(tmp_path):
    """Startup is processor time here, so that a busy machine does not matter."""
    script = """
import sys, time
from tests.trainers.points.service import FRAMEWORK
from retinue_sdk.trainer.app import make_app
from retinue_sdk.trainer.settings import TrainerSettings
app = make_app(FRAMEWORK, TrainerSettings(runs=sys.argv[1] + "/runs", token_file=sys.argv[1] + "/token"))
heavy = {"pandas", "numpy", "pyarrow", "torch", "PIL"}
print(sorted(heavy & set(sys.modules)), time.process_time())
"""
    (tmp_path / "token").write_text(TOKEN)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    modules, seconds = done.stdout.rsplit(" ", 1)
    assert modules == "[]"
    assert float(seconds) < 2
