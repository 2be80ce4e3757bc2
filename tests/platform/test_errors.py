"""Bad input gets the one shape of error, never a 500; and a platform that cannot start says so in one line."""

import os
import socket
import subprocess
import sys

import pytest
from tests.platform.running import free_port, problem

from retinue_platform.settings import SettingsError, read_settings

START = [sys.executable, "-m", "retinue_platform"]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 422),
        (b"", "application/json", 422),
        (b'{"name": "x"}', "text/plain", 422),
        ('{"name": "x"}'.encode("utf-16"), "application/json", None),
        (b'{"name": "\\ud800"}', "application/json", 422),
        (b"[" * 100_000, "application/json", None),
        (b'{"name": ' + b"[" * 5000 + b"]" * 5000 + b"}", "application/json", None),
        (b'{"name": "' + b"x" * 2_000_000 + b'"}', "application/json", 413),
        (b"\xff\xfe\x00", "application/json", None),
        (b'{"name": NaN}', "application/json", 422),
        (b"null", "application/json", 422),
    ],
)
def test_bad_bodies(alice, content, kind, status):
    answer = alice.post("/projects", content=content, headers={"Content-Type": kind})
    if answer.status_code == 201:  # UTF-16 is JSON to some readers
        return
    assert answer.status_code in ((400, 422) if status is None else (status,)), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"code", "message", "hint", "status", "request_id"} <= answer.json().keys()


@pytest.mark.parametrize(
    "ident", ["x", "1", "%00", "' OR 1=1 --", "..", "%2e%2e%2f", "x" * 10_000, "٣" * 36, "{}", "null"]
)
def test_bad_ids(alice, ident):
    for path in ("projects", "uploads", "datasets"):
        answer = alice.get(f"/{path}/{ident}")
        assert answer.status_code in (404, 405, 422), (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


def test_unknown_addresses_and_methods(alice):
    problem(alice.get("/nothing"), 404, "not_found")
    answer = alice.put("/projects", json={})
    problem(answer, 405, "method_not_allowed")
    problem(alice.get("/projects/"), 404, "not_found")


def test_a_request_id_is_taken_over_when_it_is_decent(alice):
    answer = alice.get("/nothing", headers={"X-Request-Id": "abc-12345678"})
    assert answer.json()["request_id"] == "abc-12345678"
    answer = alice.get("/nothing", headers={"X-Request-Id": "<script>"})
    assert "<" not in answer.json()["request_id"]


@pytest.mark.parametrize("user", ["%00", "a%00b", "x" * 256, "%0a", "%20"])
def test_bad_members(alice, project, user):
    answer = alice.put(f"/projects/{project['id']}/members/{user}", json={"role": "viewer"})
    assert answer.status_code in (404, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_description_is_whole(shared, alice):
    document = alice.get("/openapi.json").json()
    operations = [op for path in document["paths"].values() for op in path.values()]
    names = [op["operationId"] for op in operations]
    assert len(set(names)) == len(names)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            place = f"{method} {path}"
            assert operation["summary"], place
            good = [r for status, r in operation["responses"].items() if status.startswith("2")]
            assert good, place
            if "/api/" in path:
                assert operation["security"], place
                for status in ("4XX", "5XX"):
                    content = operation["responses"][status]["content"]
                    assert content == {
                        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                    }, place
            for answer in good:
                for kind, content in answer.get("content", {}).items():
                    assert kind != "application/json" or content["schema"], place


def start(**environment):
    """Try to start; the exit code and what was said."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("RETINUE_", "JUPYTERHUB_"))}
    done = subprocess.run(START, env=clean | environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"RETINUE_DATA": ""}, "RETINUE_DATA"),
        ({"JUPYTERHUB_API_URL": ""}, "JUPYTERHUB_API_URL"),
        ({"RETINUE_PLATFORM_PORT": "eighty"}, "RETINUE_PLATFORM_PORT"),
        ({"RETINUE_TRAINERS": "not json"}, "RETINUE_TRAINERS"),
        ({"RETINUE_SLOTS": "0"}, "RETINUE_SLOTS"),
        ({"RETINUE_DATABASE_URL": "nonsense"}, "RETINUE_DATABASE_URL"),
        ({"RETINUE_DATABASE_URL": "sqlite:////nowhere/at/all"}, "database"),
        ({"RETINUE_DATA": "/proc/nothing"}, "RETINUE_DATA"),
        ({"RETINUE_DATA": "/dev/null"}, "RETINUE_DATA"),
    ],
)
def test_what_is_wrong_with_the_settings_is_one_line(tmp_path, environment, named):
    good = {"RETINUE_DATA": str(tmp_path), "JUPYTERHUB_API_URL": "http://127.0.0.1:9/hub/api"}
    environment = {key: value for key, value in (good | environment).items() if value}
    code, said = start(**environment)
    lines = said.strip().splitlines()
    assert code == 2
    assert lines[-1].startswith("retinue-platform: ")
    assert named in lines[-1]
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("RETINUE_FETCH_HOSTS", '["ftp://host"]', "scheme is not http"),
        ("RETINUE_FETCH_HOSTS", "example.org", "not JSON"),
        ("RETINUE_FETCH_NETWORKS", '["10.0.0.0/99"]', "10.0.0.0/99"),
        ("RETINUE_SOURCES", '[{"url": "http://host/a"}]', "0: a place begins with s3://"),
        ("RETINUE_SOURCES", '[{"url": "file:///"}]', "0: a place is written as"),
        ("RETINUE_SOURCES", '[{"url": "s3://a", "option": {"secret": "of-the-operator"}}]', "0: option"),
        ("RETINUE_SOURCES", '[{"options": {"secret": "of-the-operator"}}]', "0: url"),
    ],
)
def test_a_wrong_entry_about_sources_names_its_variable(tmp_path, monkeypatch, name, value, said):
    for variable, text in {
        "RETINUE_DATA": str(tmp_path),
        "JUPYTERHUB_API_URL": "http://127.0.0.1:9",
        name: value,
    }.items():
        monkeypatch.setenv(variable, text)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert caught.value.problem.where == name
    assert str(caught.value).startswith(f"{name}: ")
    assert said in str(caught.value)
    assert "of-the-operator" not in str(caught.value)


def test_a_second_platform_on_the_same_data_does_not_start(shared):
    code, said = start(
        RETINUE_DATA=str(shared.data), JUPYTERHUB_API_URL=shared.hub.url, RETINUE_PLATFORM_PORT=str(free_port())
    )
    assert code == 2
    assert len(said.strip().splitlines()) == 1
    assert str(shared.process.pid) in said
    assert shared.user().get("/me").status_code == 200


def test_a_port_in_use_is_said(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = start(
            RETINUE_DATA=str(tmp_path),
            JUPYTERHUB_API_URL="http://127.0.0.1:9/hub/api",
            RETINUE_PLATFORM_PORT=str(port),
        )
    assert code != 0
    assert str(port) in said
    assert "Traceback" not in said


def test_the_api_process_is_light():
    """Pandas, MLflow and the image libraries belong to other processes."""
    heavy = "pandas", "pyarrow", "PIL", "mlflow", "torch", "alembic"
    code = f"import sys, retinue_platform.__main__; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
