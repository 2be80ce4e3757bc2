"""The catalogue with trainers that come, go, hang and talk nonsense."""

import asyncio
import socket
import time

import pytest
from tests.platform.running import problem
from tests.platform.stack import Stack, wait_for
from tests.trainers.harness import PointsService, free_port

from retinue_platform import trainers
from retinue_platform.trainers import Trainers
from retinue_sdk.client import AsyncTrainer
from retinue_sdk.errors import NotFoundError, UnavailableError


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    with PointsService(tmp_path_factory.mktemp("points")) as service:
        client = service.client()
        wait_for(lambda: client.get("/models/list")["complete"], what="the models")
        client.close()
        yield service


@pytest.fixture
def hanging():
    """Accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield AsyncTrainer(f"http://127.0.0.1:{listener.getsockname()[1]}", "token")


async def test_one_hangs_one_is_down_and_the_third_is_listed(points, hanging, tmp_path):
    down = AsyncTrainer(f"http://127.0.0.1:{free_port()}", "token")
    all_three = Trainers({"points": points.trainer(), "hanging": hanging, "down": down}, tmp_path)
    began = time.monotonic()
    await asyncio.gather(*(all_three.refresh(name) for name in all_three.clients))
    assert time.monotonic() - began < trainers.PATIENCE + 2
    catalogue = all_three.catalogue()
    states = {state.framework: state for state in catalogue.trainers}
    assert [states[name].reachable for name in ("points", "hanging", "down")] == [True, False, False]
    assert states["points"].version
    assert states["points"].complete
    for name in ("hanging", "down"):
        assert states[name].stale
        assert states[name].since
        assert states[name].reason
    assert [model.name for model in catalogue.models] == ["counter", "boxer", "any/thing"]
    with pytest.raises(UnavailableError, match="has not answered since"):
        all_three.model("down", "anything")
    with pytest.raises(NotFoundError, match="no model"):
        all_three.model("points", "nothing")
    with pytest.raises(UnavailableError):
        await all_three.schema("hanging", "anything", None)
    await all_three.close()


async def test_the_last_good_list_is_remembered_also_by_the_next_process(points, tmp_path):
    first = Trainers({"points": points.trainer()}, tmp_path)
    await first.refresh("points")
    schema = await first.schema("points", "any/thing", None)
    assert schema["properties"]["points"]["default"] == 20
    await first.close()
    second = Trainers({"points": AsyncTrainer(f"http://127.0.0.1:{free_port()}", "token")}, tmp_path)
    await second.refresh("points")
    catalogue = second.catalogue()
    assert len(catalogue.models) == 3
    assert catalogue.trainers[0].stale
    assert await second.schema("points", "any/thing", None) == schema
    await second.close()


async def test_a_remembered_list_that_is_damaged_is_dropped(points, tmp_path):
    (tmp_path / "catalogue-points.json").write_text('{"models": [{"nonsense": 1}]')
    one = Trainers({"points": points.trainer()}, tmp_path)
    assert one.catalogue().models == []
    await one.refresh("points")
    assert len(one.catalogue().models) == 3
    await one.close()


@pytest.mark.faults
def test_a_trainer_goes_and_comes_back_while_the_platform_runs(hub, tmp_path):
    stack = Stack(hub, tmp_path)
    try:
        state = lambda: stack.alice.get("/models").json()["trainers"][0]  # noqa: E731
        assert state()["reachable"]
        address = "/models/points/any/thing/schema"
        schema = stack.alice.get(address).json()
        problem(stack.alice.get("/models/points/nothing/schema"), 422, "unknown_model")
        problem(stack.alice.get("/models/nobody/x/schema"), 404, "framework_unknown")
        stack.trainer.kill()
        body = problem(stack.post(), 503, "trainer_unreachable")
        assert "since" in body["message"]
        began = time.monotonic()
        catalogue = stack.alice.get("/models", params={"task": "detect"}).json()
        assert time.monotonic() - began < 1.5
        assert [model["name"] for model in catalogue["models"]] == ["boxer", "any/thing"]
        assert catalogue["trainers"][0]["stale"]
        assert catalogue["trainers"][0]["since"]
        assert stack.alice.get(address).json() == schema
        stack.trainer.start()
        wait_for(lambda: state()["reachable"], what="the trainer in the catalogue")
        assert stack.wait(stack.start_job())["status"] == "succeeded"
    finally:
        stack.close()
