"""A running platform: the real process on a free port with real SQLite, beside a stand-in hub."""

import uuid

import pytest
from tests.platform.hub import StandInHub
from tests.platform.running import Running


@pytest.fixture(scope="session")
def hub():
    hub = StandInHub()
    yield hub
    hub.close()


@pytest.fixture(scope="session")
def shared(hub, tmp_path_factory):
    """One platform for all tests that do nothing to the process."""
    running = Running(hub, tmp_path_factory.mktemp("platform") / "data")
    yield running
    running.close()
    assert "Traceback" not in running.read_log(), running.read_log()


@pytest.fixture
def start_platform(hub, tmp_path):
    """A platform of the test's own."""
    started = []

    def start(**environment):
        started.append(Running(hub, tmp_path / "data", **environment))
        return started[-1]

    yield start
    for running in started:
        running.close()


@pytest.fixture
def alice(shared):
    return shared.user()


@pytest.fixture
def bob(shared):
    return shared.user()


@pytest.fixture
def project(alice):
    """A project of alice's."""
    answer = alice.post("/projects", json={"name": f"p {uuid.uuid4().hex[:8]}"})
    assert answer.status_code == 201, answer.text
    return answer.json()
