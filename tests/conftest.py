"""One real hub with everything embedded, started the way a person starts it, for all tests that need one."""

import contextlib
import os
import random
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest
from hub_config.keys import key
from hub_config.processes import Marks
from hub_config.session import free_ports, running_hub
from hub_config.settings import HubSettings
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
PASSWORD = "stapler-battery-7"


def settings_for(folder):
    """A hub of its own: fresh data, free ports."""
    port = free_ports(random.randrange(20_000, 31_000))
    return HubSettings(
        data=folder / "data", port=port, slots=4, extra_trainers={"points": "tests.trainers.points.service"}
    )


def marks_of(settings):
    return Marks(key(settings.data / "secrets" / "instance"), settings.data)


@contextlib.contextmanager
def started(folder):
    """The hub, its output and its administrator."""
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])  # where the points trainer is
    output = folder / "output.txt"
    with output.open("w") as file, running_hub(settings_for(folder), file) as hub, hub.admin() as admin:
        yield SimpleNamespace(running=hub, admin=admin, settings=hub.settings, url=hub.url, output=output)


@pytest.fixture(scope="session")
def hub(tmp_path_factory):
    with started(tmp_path_factory.mktemp("hub")) as hub:
        yield hub


@pytest.fixture(scope="session")
def people(hub):
    """Makes people who may log in, by name; each name once."""
    with contextlib.ExitStack() as stack:
        known = {}

        def person(name=None):
            name = name or f"u{uuid.uuid4().hex[:8]}"
            if name not in known:
                known[name] = stack.enter_context(hub.running.newcomer(hub.admin, name, PASSWORD))
            return known[name]

        yield person


@pytest.fixture(scope="session")
def alice(people):
    """Someone whose Jupyter server is up, and whose browser is logged in there."""
    person = people("alice")
    person.start_server()
    return person
