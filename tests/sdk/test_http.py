"""What every service of ours does alike, on a small application of its own."""

import errno
import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse

from retinue_sdk.errors import ConflictError
from retinue_sdk.http import install_errors, request_id
from retinue_sdk.schema import Problem

SECRET = "the database password is hunter2"


def make_app() -> FastAPI:
    app = FastAPI()
    install_errors(app, body_limit=lambda method, path: 100 if path == "/big" else 10)

    @app.get("/bug")
    def bug() -> None:
        raise KeyError(SECRET)

    @app.get("/full")
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/data/x")

    @app.get("/conflict")
    def conflict() -> None:
        raise ConflictError("Not now.", code="too_late", where="job 5")

    @app.get("/plain")
    def plain() -> None:
        raise HTTPException(418, "teapot")

    @app.post("/big")
    @app.post("/small")
    async def size(request: Request) -> dict[str, object]:
        return {"size": len(await request.body()), "id": request_id(request)}

    @app.get("/stream")
    def stream() -> StreamingResponse:
        async def broken() -> AsyncIterator[bytes]:
            yield b"first"
            raise KeyError(SECRET)

        return StreamingResponse(broken())

    return app


@pytest.fixture
async def client():
    transport = httpx.ASGITransport(make_app(), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/bug", 500, "internal_error"),
        ("/full", 507, "storage_full"),
        ("/conflict", 409, "too_late"),
        ("/plain", 418, "http_418"),
    ],
)
async def test_errors(client, path, status, code):
    answer = await client.get(path)
    problem = Problem.model_validate(answer.json())
    assert (answer.status_code, problem.status, problem.code) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem.request_id == answer.headers["x-request-id"]


async def test_a_bug_is_logged_whole_and_told_without_details(client, caplog):
    with caplog.at_level(logging.ERROR):
        answer = await client.get("/bug", headers={"X-Request-Id": "caller-id-1234"})
    assert "hunter2" not in answer.text
    assert answer.json()["request_id"] == "caller-id-1234"
    assert "caller-id-1234" in caplog.text
    assert "hunter2" in caplog.text


async def test_a_stream_that_breaks_does_not_look_whole(client):
    with pytest.raises(KeyError):
        await client.get("/stream")


async def test_the_limit_of_a_body_depends_on_its_route(client):
    assert (await client.post("/big", content=b"x" * 100)).json()["size"] == 100
    assert (await client.post("/big", content=b"x" * 101)).status_code == 413
    assert (await client.post("/small", content=b"x" * 11)).json()["code"] == "body_too_large"


async def test_headers(client):
    headers = (await client.post("/small", content=b"x")).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
