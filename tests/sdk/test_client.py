"""Clients against a real server: every failure is one of our errors."""

import asyncio
import json
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from retinue_sdk.client import AsyncClient, AsyncTrainer, Client
from retinue_sdk.errors import ConflictError, NotFoundError, RetinueError, UnavailableError
from retinue_sdk.schema import Problem, Status
from tests.trainers.harness import PointsService, free_port

PROBLEM = Problem(status=409, code="attempt_exists", message="No.", hint="Yes.", where="body.x", request_id="r1")
ANSWERS = {
    "/ok": (200, b'{"a": 1}', "application/json"),
    "/empty": (204, b"", "text/plain"),
    "/problem": (409, PROBLEM.model_dump_json().encode(), "application/problem+json"),
    "/missing": (404, b"<html>nginx</html>", "text/html"),
    "/gateway": (502, b"<html>Bad gateway</html>", "text/html"),
    "/list": (500, b"[]", "application/json"),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")
            return
        if "slow" in self.path:
            time.sleep(0.5)
            status, content, kind = 200, b'{"slow": true}', "application/json"
        elif self.path.startswith("/echo"):
            status, content, kind = (
                200,
                json.dumps([self.path, self.headers["Authorization"]]).encode(),
                "application/json",
            )
        else:
            status, content, kind = ANSWERS[self.path]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815  # the name http.server looks for

    def log_message(self, *_):
        """Say nothing."""


class Server(socketserver.ThreadingMixIn, HTTPServer):
    daemon_threads = True


@pytest.fixture(scope="module")
def url():
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_answers(url):
    with Client(url + "/", "secret") as client:
        assert client.get("/ok") == {"a": 1}
        assert client.get("/empty") is None
        assert client.get("/echo", a=1, b=None) == ["/echo?a=1", "Bearer secret"]


@pytest.mark.parametrize(
    ("path", "kind", "code"),
    [
        ("/problem", ConflictError, "attempt_exists"),
        ("/missing", RetinueError, "unexpected_answer"),
        ("/gateway", UnavailableError, "unavailable"),
        ("/list", RetinueError, "unexpected_answer"),
    ],
)
async def test_error_answers(url, path, kind, code):
    with Client(url, "t") as client:
        for call in (
            lambda: client.get(path),
            lambda: client.post(path, {}),
            lambda: client.stream("GET", path).__enter__(),
        ):
            with pytest.raises(kind) as caught:
                call()
            assert (caught.value.problem.code, type(caught.value)) == (code, kind)
    async with AsyncClient(url, "t") as client:
        with pytest.raises(kind):
            await client.get(path)
        with pytest.raises(kind):
            async with client.stream("GET", path):
                pass


def test_what_is_made_when_asked_for_is_waited_for(url):
    with Client(url, "t", timeout=0.1) as client:
        for made in ("archive", "losses", "diff/2"):
            assert client.get(f"/datasets/slow/versions/1/{made}", limit=1)["slow"]
        for other in ("/datasets/slow/versions/1", "/jobs/slow/artifacts/archive"):
            with pytest.raises(UnavailableError, match="does not answer"):
                client.get(other)


def test_a_problem_arrives_whole(url):
    with Client(url, "t") as client, pytest.raises(ConflictError) as caught:
        client.get("/problem")
    assert caught.value.problem == PROBLEM


async def test_nobody_there():
    nowhere = f"http://127.0.0.1:{free_port()}"
    with Client(nowhere, "t") as client, pytest.raises(UnavailableError) as caught:
        client.get("/x")
    assert caught.value.problem.code == "unreachable"
    assert nowhere in caught.value.problem.message
    async with AsyncClient(nowhere, "t") as client:
        with pytest.raises(UnavailableError):
            await client.get("/x")


async def test_an_answer_cut_short(url):
    with Client(url, "t") as client, pytest.raises(UnavailableError), client.stream("GET", "/cut") as response:
        response.read()
    async with AsyncClient(url, "t") as client:
        with pytest.raises(UnavailableError):
            async with client.stream("GET", "/cut") as response:
                await response.aread()


async def test_a_trainer_from_end_to_end(tmp_path):
    with PointsService(tmp_path) as service:
        async with AsyncTrainer(service.url, service.token_file.read_text()) as trainer:
            request = service.request(points=30, rate=1000)
            assert await trainer.validate(request) == []
            assert (await trainer.train(request)).attempt == 1
            lines = [line async for line in trainer.events(request.job_id, attempt=1, follow=True)]
            assert [json.loads(line)["seq"] for line in lines] == list(range(1, 42))
            rest = [line async for line in trainer.events(request.job_id, attempt=1, after=40)]
            assert rest == lines[40:]
            state = await trainer.job(request.job_id, 1)
            assert state.status == Status.SUCCEEDED
            log = b"".join([block async for block in trainer.logs(request.job_id, follow=True)])
            assert log == b"trained 30 points\n"
            async with trainer.artifact(
                request.job_id, "checkpoints/last.bin", headers={"Range": "bytes=0-5"}
            ) as response:
                assert await response.aread() == b"points"
            assert (await trainer.cancel(request.job_id)).status == Status.SUCCEEDED
            assert "points" in (await trainer.schema("any/thing"))["properties"]
            assert (await trainer.ready())["ready"]
            assert {m.name for m in (await trainer.models())[1]} == {"counter", "boxer", "any/thing"}
            with pytest.raises(NotFoundError):
                await trainer.job(service.request().job_id)


async def test_a_quiet_stream_is_kept_alive(tmp_path):
    """A training that says nothing for longer than a proxy or client would wait."""
    from retinue_sdk.trainer import streams

    (tmp_path / "events.jsonl").write_bytes(b'{"seq":1}\n')
    stream = streams.lines(tmp_path, "events.jsonl", 0, asyncio.Event(), keep_alive=0.2)
    assert await anext(stream) == b'{"seq":1}\n'
    assert await anext(stream) == b"\n"
    await stream.aclose()
