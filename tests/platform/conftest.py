"""A running platform: the real process on a free port with real SQLite, beside a stand-in hub.

It is forked here (see `zygote`), for a start takes two seconds; test_errors, the hub and all other tests start it.
"""

import uuid

import pytest
from tests.platform.hub import StandInHub
from tests.platform.jobs_db import add_job
from tests.platform.postgres import PostgreSQL, installed
from tests.platform.running import Running
from tests.platform.zygote import Zygote

from retinue_platform.db import Database


@pytest.fixture(scope="session")
def hub():
    hub = StandInHub()
    yield hub
    hub.close()


@pytest.fixture(scope="package", autouse=True)
def zygote(tmp_path_factory):
    """Forks the platforms of the tests in this folder."""
    zygote = Zygote(tmp_path_factory.mktemp("zygote"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Running, "zygote", zygote)
        yield
    zygote.close()


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


@pytest.fixture(scope="session")
def postgres():
    server = PostgreSQL()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgresql"] if installed() else ["sqlite"])
def url(request, tmp_path):
    """Where a new, empty database is: SQLite, and PostgreSQL wherever it is installed."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'db.sqlite'}"
    return request.getfixturevalue("postgres").database(f"d{uuid.uuid4().hex}")


@pytest.fixture
def db(url):
    """An upgraded database."""
    yield from opened(url)


@pytest.fixture
def empty_db(url):
    yield from opened(url, upgrade=False)


@pytest.fixture
def sqlite(tmp_path):
    yield from opened(f"sqlite:///{tmp_path / 'db.sqlite'}")


@pytest.fixture
def empty_sqlite(tmp_path):
    yield from opened(f"sqlite:///{tmp_path / 'db.sqlite'}", upgrade=False)


@pytest.fixture
def job(db):
    """A running job's id."""
    return add_job(db)


def opened(url, upgrade=True):
    db = Database(url)
    if upgrade:
        db.upgrade()
    yield db
    db.close()
