"""The bridge: both directions, whose token, whose origin, and how it ends."""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

TOKEN = {"Authorization": "token jupyter-login-token"}


def join(server, headers=TOKEN, **kwargs):
    return connect(server.socket, additional_headers=headers, proxy=None, **kwargs)


async def test_joins_both_ends_with_the_users_token(server):
    async with join(server) as socket:
        assert json.loads(await socket.recv()) == {"hello": "token alice-token"}
        for text in ('{"op": "subscribe"}', "x" * 100_000):
            await socket.send(text)
            assert await socket.recv() == text


async def test_a_guests_socket_is_the_guests(shared_server):
    async with join(shared_server, {"Authorization": "token guest-token"}) as socket:
        assert json.loads(await socket.recv()) == {"hello": "token guest-token"}


async def test_a_refusal_is_told_and_closes_for_good(shared_server):
    async with join(shared_server, {"Authorization": "token nobody-token"}) as socket:
        frame = json.loads(await socket.recv())
        assert frame["topic"] is None
        assert frame["problem"]["code"] == "hub_scope_missing"
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 1008


async def test_an_absent_platform_is_told(lonely_server):
    async with join(lonely_server) as socket:
        assert json.loads(await socket.recv())["problem"]["code"] == "platform_unreachable"
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 1013


async def test_the_platforms_close_reaches_the_browser(server):
    async with join(server) as socket:
        await socket.recv()
        await socket.send("close")
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert (socket.close_code, socket.close_reason) == (4000, "enough")


async def test_the_browsers_close_reaches_the_platform(server):
    async with join(server) as watcher:
        await watcher.recv()

        async def closed():
            await watcher.send("closed")
            return int(await watcher.recv())

        before = await closed()
        async with join(server) as socket:
            await socket.recv()
        async with asyncio.timeout(5):
            while await closed() == before:
                await asyncio.sleep(0.02)


async def test_a_flood_arrives_whole_at_a_slow_reader(server):
    async with join(server, max_queue=1) as socket:
        await socket.recv()
        await socket.send("flood")
        await asyncio.sleep(0.5)
        for number in range(20_000):
            assert (await socket.recv()).startswith(f"{number}:")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "token wrong"}])
async def test_strangers_get_no_socket(server, headers):
    with pytest.raises(InvalidStatus) as refused:
        await join(server, headers)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", "null"])
async def test_a_page_of_another_origin_gets_no_socket(server, origin):
    with pytest.raises(InvalidStatus) as refused:
        await join(server, origin=origin)
    assert refused.value.response.status_code == 403


async def test_our_own_page_gets_one(server):
    async with join(server, origin=f"http://{server.host}") as socket:
        assert "hello" in await socket.recv()


async def test_an_open_cors_configuration_does_not_open_the_socket(start, upstream):
    server = start(upstream, config={"allow_origin": "*"}, JUPYTERHUB_API_TOKEN="alice-token")
    with pytest.raises(InvalidStatus):
        await join(server, origin="http://evil.example")
