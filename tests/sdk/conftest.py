"""What the tests of the SDK share."""

from __future__ import annotations

import pytest

from tests.sdk.drawn import draw
from tests.trainers.harness import PointsService, wait_for


@pytest.fixture
def pictures(tmp_path):
    """Three encoded images."""
    return [draw(tmp_path / "drawn" / f"{i}.png", shade=i).read_bytes() for i in range(3)]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """The points trainer's service, its catalogue complete; whatever it is asked, it has no traceback to log."""
    with PointsService(tmp_path_factory.mktemp("points")) as running:
        with running.client() as client:
            wait_for(lambda: client.get("/models/list")["complete"], 60)
        yield running
        assert "Traceback" not in running.log.read_text()


@pytest.fixture(scope="module")
def client(service):
    with service.client() as made:
        yield made
