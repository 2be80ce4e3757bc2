"""The pass-through: what goes up, what comes down, and what every failure looks like."""

import hashlib
import time

import httpx
import psutil
import pytest


def problem(answer, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["code"] == code
    assert body["message"]
    assert body["hint"]
    return body


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_passes_every_method_with_the_path_as_it_was_written(server, method):
    with server.client() as client:
        body = None if method == "GET" else b'{"a": 1}'
        answer = client.request(
            method, "/models/timm/a%2Fb/schema?task=classify&x=%26&token=jupyter-login-token&_xsrf=y", content=body
        )
    seen = answer.json()
    assert answer.status_code == 200
    assert seen["method"] == method
    assert seen["uri"] == "/services/retinue/api/v1/models/timm/a%2Fb/schema?task=classify&x=%26"
    assert seen["size"] == len(body or b"")


def test_only_named_headers_pass_either_way(server):
    headers = {"Idempotency-Key": "k", "Range": "bytes=0-1", "X-Content-SHA256": "s", "Cookie": "a=b", "X-Evil": "1"}
    with server.client() as client:
        answer = client.get("/me", headers=headers)
    seen = {name.lower(): value for name, value in answer.json()["headers"].items()}
    assert (seen["idempotency-key"], seen["range"], seen["x-content-sha256"]) == ("k", "bytes=0-1", "s")
    assert seen["authorization"] == "token alice-token"
    assert {"cookie", "x-evil", "x-xsrftoken"}.isdisjoint(seen)
    assert answer.headers["X-Next-Offset"] == "42"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "X-Secret" not in answer.headers
    assert "upstream=1" not in answer.headers.get("Set-Cookie", "")


def test_takes_a_chunk_and_refuses_more(server):
    chunk = bytes(range(256)) * 2**15  # 8 MiB
    with server.client() as client:
        answer = client.put("/uploads/1?offset=0", content=chunk)
        assert answer.json()["sha256"] == hashlib.sha256(chunk).hexdigest()
        problem(client.put("/uploads/1", content=b"x" * (9 * 2**20 + 1)), 413, "body_too_large")


def test_a_body_without_a_length_is_limited_too(server):
    with server.client() as client:
        problem(client.put("/uploads/1", content=(b"x" * 2**20 for _ in range(30))), 413, "body_too_large")


def test_bodies_that_break_off_leave_nothing_in_memory(server):
    def broken():
        yield b"x" * 7 * 2**20
        raise ConnectionAbortedError

    def send(count):
        for _ in range(count):
            with server.client() as client, pytest.raises(ConnectionAbortedError):
                client.put("/uploads/1", content=broken(), headers={"Content-Length": str(8 * 2**20)})
        with server.client() as client:
            assert client.get("/me").status_code == 200
        return psutil.Process(server.process.pid).memory_info().rss

    before = send(20)  # what Python keeps for the next ones
    assert send(60) - before < 200 * 2**20  # of 420


def test_streams_a_large_file_down_in_little_memory(server):
    size = 256 * 2**20
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    most = got = 0
    with server.client() as client, client.stream("GET", f"/big?size={size}") as answer:
        assert answer.headers["Content-Disposition"] == 'attachment; filename="best.pt"'
        assert int(answer.headers["Content-Length"]) == size
        for number, chunk in enumerate(answer.iter_raw(2**20)):
            got += len(chunk)
            if number % 16 == 0:
                most = max(most, process.memory_info().rss - before)
    assert got == size
    assert most < 48 * 2**20


def test_a_download_that_breaks_is_seen_as_broken(server):
    with server.client() as client, pytest.raises(httpx.RemoteProtocolError):
        client.get(f"/big?size={2**24}&stop={2**22}")
    with server.client() as client:
        assert client.get("/me").status_code == 200


def test_a_request_ends_with_its_browser(server):
    with server.client() as client:
        with pytest.raises(httpx.ReadTimeout):
            client.get("/slow", timeout=0.5)
        deadline = time.monotonic() + 10
        while client.get("/slow?left=1").text != "1":
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_the_platforms_own_problems_come_through(server):
    with server.client() as client:
        assert problem(client.get("/refuse"), 403, "hub_scope_missing")["request_id"] == "r1"


def test_strangers_are_refused_before_their_body_is_read(server):
    with server.client(token=None) as client:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            assert client.request(method, "/me").status_code == 403
        problem(client.get("/me"), 403, "jupyter_403")


def test_a_cookie_alone_cannot_write(server):
    with httpx.Client(trust_env=False) as browser:
        assert browser.get(f"{server.base}/lab?token=jupyter-login-token").status_code in (200, 302, 404)
        assert browser.get(f"{server.base}/retinue/api/me").status_code == 200
        assert browser.post(f"{server.base}/retinue/api/projects", json={}).status_code == 403


def test_a_guest_goes_as_the_guest_and_never_as_the_owner(shared_server):
    for token in ("alice-token", "guest-token"):
        with shared_server.client(token) as client:
            assert client.get("/me").json()["headers"]["Authorization"] == f"token {token}"


def test_under_a_hub_the_servers_own_token_is_never_used(start, upstream):
    server = start(upstream, JUPYTERHUB_API_TOKEN="owner-token", JUPYTERHUB_SERVICE_PREFIX="/user/alice/")
    with server.client() as client:
        problem(client.get("/me"), 401, "unauthenticated")


def test_says_what_to_do_when_nobody_told_it_where_the_platform_is(start):
    server = start(None, JUPYTERHUB_API_TOKEN="alice-token")
    with server.client() as client:
        assert "RETINUE_URL" in problem(client.get("/me"), 503, "platform_not_configured")["hint"]


def test_an_absent_platform_is_a_problem_not_a_traceback(lonely_server):
    with lonely_server.client() as client:
        problem(client.get("/me"), 503, "platform_unreachable")
