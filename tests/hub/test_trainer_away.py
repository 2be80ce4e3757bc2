"""One trainer service is gone for a while: the catalogue says so, others go on, and it comes back by itself."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from retinue_sdk.errors import UnavailableError
from tests.conftest import marks_of
from tests.faults.kills import command_of, service, stopped
from tests.faults.load import Load

pytestmark = [pytest.mark.hub, pytest.mark.heavy, pytest.mark.timeout(600)]
AWAY = "timm"
SERVICES = ("platform", "mlflow", "trainer points", "trainer ultralytics", f"trainer {AWAY}", "trainer huggingface")


def processes(hub):
    """The process of each service."""
    marks = marks_of(hub.settings)
    return {name: service(marks, command_of(hub.settings, name)) for name in SERVICES}


@pytest.fixture
def load(hub, people, tmp_path):
    load = Load(hub.settings, people().token(), tmp_path)
    yield load
    load.client.close()


def states(load):
    return {t["framework"]: t for t in load.client.get("/models")["trainers"]}


def wait(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_others_go_on_without_it_and_it_comes_back_alone(hub, load):
    wait(lambda: all(t["reachable"] and t["complete"] for t in states(load).values()), 120)
    models, before = load.client.get("/models")["models"], processes(hub)
    running = load.start("points", points=4000, rate=100)
    load.wait_points(running)
    with stopped(before[f"trainer {AWAY}"]):
        gone = datetime.now(UTC)
        with pytest.raises(UnavailableError, match=AWAY):
            load.start(AWAY, epochs=1)
        away = states(load)
        assert [name for name, t in away.items() if t["stale"]] == [AWAY]
        assert abs(datetime.fromisoformat(away[AWAY]["since"]) - gone) < timedelta(seconds=10)
        assert away[AWAY]["reason"]
        assert load.client.get("/models")["models"] == models
        assert load.wait(load.start("huggingface", epochs=1))["status"] == "succeeded"
        assert load.wait(running)["status"] == "succeeded"
        assert not states(load)[AWAY]["reachable"]
    wait(lambda: states(load)[AWAY]["reachable"])
    assert load.wait(load.start(AWAY, epochs=1))["status"] == "succeeded"
    now = processes(hub)
    assert [name for name in SERVICES if now[name] != before[name]] == [f"trainer {AWAY}"]
