"""The WebSocket with a real client: history, then live, without gap or duplicate."""

import asyncio
import contextlib
import json
import shutil
import uuid
from itertools import pairwise

import pytest
import websockets
from tests.platform.stack import Stack

from retinue_platform import live


@pytest.fixture(scope="module")
def stack(hub, tmp_path_factory):
    stack = Stack(hub, tmp_path_factory.mktemp("live"))
    yield stack
    stack.close()
    assert "Traceback" not in stack.platform.read_log(), stack.platform.read_log()


@contextlib.asynccontextmanager
async def connected(stack, user=None):
    url = stack.platform.base.replace("http:", "ws:") + "/api/v1/ws"
    header = (user or stack.alice).headers["Authorization"]
    async with websockets.connect(
        url, additional_headers={"Authorization": header}, max_size=None, proxy=None
    ) as socket:
        yield socket


async def ask(socket, **message):
    await socket.send(json.dumps(message))


async def messages(socket, until, seconds=30):
    """All messages up to the first that fits."""
    seen = []
    async with asyncio.timeout(seconds):
        while not seen or not until(seen[-1]):
            seen.append(json.loads(await socket.recv()))
    return seen


def is_live(message):
    return message["type"] == "live"


def is_over(message):
    return message["type"] == "job" and message["job"]["status"] in ("succeeded", "failed", "cancelled", "lost")


def joined(seen, after=0):
    """The points of several messages; a gap between two messages fails."""
    values = {}
    for message in seen:
        if message["type"] == "points":
            assert message["after"] == after, (message["after"], after)
            after = message["seq"]
            for point in message["points"]:
                assert point["seq"] <= after
                for key, value in point["values"].items():
                    assert (point["seq"], key) not in values
                    values[point["seq"], key] = value
    return values, after


async def test_a_job_from_its_beginning_and_again_from_a_cursor(stack):
    job_id = await asyncio.to_thread(stack.start_job, parameters={"points": 3000, "rate": 1500})
    topic = f"job:{job_id}"
    async with connected(stack) as socket:
        await ask(socket, op="subscribe", topic=topic)
        seen = await messages(socket, is_over)
        rest = (
            await messages(socket, lambda m: m["type"] == "points" and m["seq"] >= 3000)
            if joined(seen)[1] < 3000
            else []
        )
    values, _end = joined([*seen, *rest])
    assert values == stack.trainer.events(job_id)
    assert sum(map(is_live, seen)) == 1
    statuses = [m["job"]["status"] for m in seen if m["type"] == "job"]
    assert statuses[-1] == "succeeded"
    async with connected(stack) as socket:
        await ask(socket, op="subscribe", topic=topic, after={"attempt": 1, "seq": 2500})
        seen = await messages(socket, is_live)
        values, _end = joined(seen, 2500)
        assert min(seq for seq, _ in values) == 2501
        assert not any(m["type"] == "attempt" for m in seen)
        await ask(socket, op="subscribe", topic=topic, after={"attempt": 7, "seq": 2500})
        seen = await messages(socket, is_live)
        assert {"topic": topic, "type": "attempt", "attempt": 1} in seen
        assert joined(seen)[0] == stack.trainer.events(job_id)


@pytest.mark.faults
async def test_reconnecting_through_a_killed_platform_gives_every_point_once(stack):
    job_id = await asyncio.to_thread(stack.start_job, parameters={"points": 6000, "rate": 1500})
    values, after, over = {}, 0, False
    for _ in range(4):
        with contextlib.suppress(websockets.ConnectionClosed, OSError):
            async with connected(stack) as socket:
                await ask(socket, op="subscribe", topic=f"job:{job_id}", after={"attempt": 1, "seq": after})
                while not over:
                    (message,) = await messages(socket, lambda _: True)
                    new, after = joined([message], after)
                    assert not values.keys() & new.keys()
                    values |= new
                    over = is_over(message)
                    if len(values) > 2000 and not getattr(stack, "killed", False):
                        stack.killed = True
                        stack.platform.stop(9)
        if over:
            break
        await asyncio.to_thread(stack.platform.start)
    assert values == stack.trainer.events(job_id)


async def test_lists_first_whole_then_what_changes(stack):
    async with connected(stack) as socket:
        await ask(socket, op="subscribe", topic=f"jobs:{stack.project}")
        await messages(socket, is_live)
        job_id = await asyncio.to_thread(stack.start_job)
        seen = await messages(socket, lambda m: is_over(m) and m["job"]["id"] == job_id)
        assert {m["job"]["id"] for m in seen} == {job_id}
        await ask(socket, op="unsubscribe", topic=f"jobs:{stack.project}")
        other = await asyncio.to_thread(stack.add_dataset, stack.project, name="short-lived")
        await ask(socket, op="subscribe", topic=f"datasets:{stack.project}")
        seen = await messages(socket, is_live)
        assert {m["dataset"]["id"] for m in seen[:-1]} == {stack.dataset, other}
        await asyncio.to_thread(stack.alice.delete, f"/datasets/{other}")
        seen = await messages(socket, lambda m: m["type"] == "deleted")
        assert seen[-1]["id"] == other
        await asyncio.to_thread(stack.alice.post, f"/datasets/{other}/restore")
        seen = await messages(socket, lambda m: m["type"] == "dataset")
        assert seen[-1]["dataset"]["id"] == other


async def test_the_log_from_an_offset(stack):
    job_id = await asyncio.to_thread(stack.start_job, parameters={"points": 300, "rate": 300})
    async with connected(stack) as socket:
        await ask(socket, op="subscribe", topic=f"log:{job_id}", after=0)
        seen = await messages(socket, lambda m: "trained 300" in m.get("text", ""))
        pieces = [m for m in seen if m["type"] == "log"]
        assert all(before["next"] == later["after"] for before, later in pairwise(pieces))
        await asyncio.to_thread(stack.wait, job_id)
        await ask(socket, op="subscribe", topic=f"log:{job_id}", after=4)
        again = await messages(socket, is_live)
        assert "".join(m["text"] for m in again if m["type"] == "log") == "".join(m["text"] for m in pieces)[4:]


async def test_a_log_that_cannot_be_read_is_told_once_and_comes_when_it_can(hub, tmp_path):
    stack = Stack(hub, tmp_path)
    try:
        job_id = await asyncio.to_thread(stack.start_job)
        await asyncio.to_thread(stack.wait, job_id)
        await asyncio.to_thread(stack.trainer.stop)
        async with connected(stack) as socket:
            await ask(socket, op="subscribe", topic=f"log:{job_id}", after=0)
            (told,) = await messages(socket, lambda _: True)
            assert (told["type"], told["problem"]["code"]) == ("error", "trainer_unreachable")
            with pytest.raises(TimeoutError):  # it looks again every second
                await messages(socket, lambda _: False, seconds=3)
            await asyncio.to_thread(stack.trainer.start)
            seen = await messages(socket, is_live)
            assert [m["type"] for m in seen] == ["log", "live"]
            assert "trained 20" in seen[0]["text"]
        shutil.rmtree(stack.trainer.runs / job_id)
        async with connected(stack) as socket:
            await ask(socket, op="subscribe", topic=f"log:{job_id}", after=0)
            (told,) = await messages(socket, lambda _: True)
            assert (told["type"], told["problem"]["code"]) == ("error", "not_found")
    finally:
        stack.close()


async def test_who_may_not_and_what_is_not_understood(stack):
    job_id = await asyncio.to_thread(stack.start_job)
    async with connected(stack, stack.platform.user("mallory")) as socket:
        for topic in (f"job:{job_id}", f"jobs:{stack.project}", f"log:{job_id}", f"job:{uuid.uuid4()}"):
            await ask(socket, op="subscribe", topic=topic)
            (message,) = await messages(socket, lambda m: m["type"] == "error")
            assert message["topic"] == topic
            assert message["problem"]["code"] == "not_found"
        for after in ({"attempt": 1, "seq": 2**63}, {"attempt": 2**31, "seq": 0}, 2**63, -1):
            await ask(socket, op="subscribe", topic=f"job:{job_id}", after=after)
            (message,) = await messages(socket, lambda _: True)
            assert (message["type"], message["problem"]["code"]) == ("error", "invalid_request")
            assert "after" in message["problem"]["where"]
        for text in ("no json", b"\xff\x00", "", "[]", '{"op": "dance"}', '{"op": "subscribe", "topic": "all:1"}'):
            await socket.send(text)
            (message,) = await messages(socket, lambda _: True)
            assert (message["type"], message["problem"]["code"]) == ("error", "invalid_request")
    for headers in ({}, {"Authorization": "token nobody"}, {"Cookie": "token=x"}):
        url = (
            stack.platform.base.replace("http:", "ws:") + "/api/v1/ws?token=" + stack.alice.headers["Authorization"][6:]
        )
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with websockets.connect(url, additional_headers=headers, proxy=None):
                pass
        assert refused.value.response.status_code == 401


class Stuck:
    """The end of a socket whose other side does not read."""

    headers: dict[str, str] = {}  # noqa: RUF012

    def __init__(self):
        self.reads = asyncio.Event()
        self.sent = []

    async def send_json(self, message):
        await self.reads.wait()
        self.sent.append(message)


async def test_a_client_that_does_not_read_is_told_to_start_again(monkeypatch):
    monkeypatch.setattr(live, "PATIENCE", 0.05)
    socket = Stuck()
    connection = live.Connection(socket, None, None)
    writer = asyncio.create_task(connection._write())
    topic = f"job:{uuid.uuid4()}"

    async def flood(connection, request, ident):
        while True:
            await connection.send({"topic": request.topic, "type": "points"})

    async def allowed(topic):
        pass

    connection.allowed = allowed
    monkeypatch.setitem(live._SUBSCRIPTIONS, "job", flood)
    await connection._subscription(live.Subscribe(op="subscribe", topic=topic))
    socket.reads.set()
    async with asyncio.timeout(5):
        while len(socket.sent) < live.QUEUE + 2:
            await asyncio.sleep(0.01)
    writer.cancel()
    assert len(socket.sent) == live.QUEUE + 2
    assert {"topic": topic, "type": "resync"} in socket.sent
