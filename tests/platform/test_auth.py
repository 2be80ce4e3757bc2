"""Who gets in: tokens, scopes, the hub's absence, revocation."""

import concurrent.futures
import time
import uuid

import pytest
from tests.platform.hub import ACCESS, ADMIN, READ, WRITE, StandInHub
from tests.platform.running import Running, problem
from tests.trainers.harness import plain_client

from retinue_platform.auth import Hub
from retinue_sdk.errors import UnavailableError


@pytest.fixture
def own_hub():
    """One whose answers the test may change."""
    hub = StandInHub()
    yield hub
    hub.close()


@pytest.fixture
async def asker(own_hub):
    hub = Hub(own_hub.url, "retinue")
    yield hub
    await hub.close()


def test_me(shared):
    me = shared.user("zoe").get("/me").json()
    assert me == {"name": "zoe", "admin": False, "scopes": sorted([ACCESS, READ, WRITE])}


@pytest.mark.parametrize("word", ["token", "Bearer", "bearer", "TOKEN"])
def test_both_words_of_the_header(shared, word):
    token = shared.hub.token("zoe")
    answer = shared.client().get("/me", headers={"Authorization": f"{word} {token}"})
    assert answer.json()["name"] == "zoe"


@pytest.mark.parametrize(
    "header", [None, "", "token", "Basic YTpi", "token " + "x" * 5000, "token a b", "token garbage", "x y z"]
)
def test_no_token_or_garbage(shared, header):
    answer = shared.client().get("/projects", headers={} if header is None else {"Authorization": header})
    problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_token_counts_in_the_header_alone(shared):
    token = shared.hub.token("zoe")
    client = shared.client()
    problem(client.get("/me", params={"token": token}), 401, "unauthenticated")
    problem(client.get("/me", headers={"Cookie": f"token={token}; jupyterhub-session-id=x"}), 401, "unauthenticated")
    problem(client.get("/me", headers={"X-User": "admin", "X-Forwarded-User": "admin"}), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("scopes", "reads", "writes"),
    [
        ([ACCESS, READ, WRITE], True, True),
        (["access:services", READ, WRITE], True, True),
        ([ACCESS, READ], True, False),
        ([ACCESS, WRITE], False, True),
        ([ACCESS], False, False),
        ([READ, WRITE, ADMIN], False, False),
        (["access:services!service=other", READ, WRITE], False, False),
        (["access:servers", "admin-ui"], False, False),
    ],
)
def test_scopes(shared, scopes, reads, writes):
    user = shared.user(None, *scopes)
    read, write = user.get("/projects"), user.post("/projects", json={"name": uuid.uuid4().hex})
    for answer, allowed, success in ((read, reads, 200), (write, writes, 201)):
        if allowed:
            assert answer.status_code == success
        else:
            body = problem(answer, 403, "hub_scope_missing")
            assert body["where"] in body["message"]
            assert "Log out" in body["hint"]


def test_an_administrator_of_the_hub_is_none_of_the_platform(shared):
    client = shared.client(shared.hub.token("root", admin=True))
    assert client.get("/me").json()["admin"] is False
    problem(client.get("/audit"), 403, "hub_scope_missing")
    assert shared.admin().get("/audit").status_code == 200


def test_a_service_named_like_a_person_is_not_taken_for_them(shared):
    client = shared.client(shared.hub.token("alice", kind="service"))
    problem(client.get("/me"), 403, "user_required")


def test_who_is_refused_is_refused_before_the_body_is_read(shared):
    """A stranger may not make the platform read or parse anything."""
    client = shared.client()
    for content in (b"{", b"[" * 100_000):
        problem(client.post("/projects", content=content), 401, "unauthenticated")
    problem(client.get("/no/such/route"), 401, "unauthenticated")
    problem(client.request("BREW", "/projects"), 401, "unauthenticated")


def test_health_and_description_need_no_token(shared):
    client = plain_client(base_url=shared.base)
    with client:
        assert client.get("/health").json()["status"] == "ok"
        assert client.get("/health/ready").status_code == 200
        assert client.get("/api/v1/openapi.json").json()["openapi"].startswith("3.")
        for path in ("/docs", "/redoc", "/api/v1/docs", "/", "/api/v1", "/health/", "/api/v1/openapi.json/"):
            assert client.get(path).status_code == 401, path


def test_reads_are_asked_once_and_destructive_calls_always(shared, project):
    user = shared.user()
    user.get("/me")
    asked = shared.hub.asked
    for _ in range(5):
        user.get("/projects")
    assert shared.hub.asked == asked
    user.delete(f"/projects/{project['id']}")
    user.put(f"/projects/{project['id']}/members/x", json={"role": "viewer"})
    user.delete(f"/projects/{project['id']}/members/x")
    assert shared.hub.asked == asked + 3


def test_callers_that_come_together_ask_once(shared):
    token = shared.hub.token("many")
    asked = shared.hub.asked
    shared.hub.delay.clear()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        clients = [shared.client(token) for _ in range(8)]
        answers = [pool.submit(client.get, "/me") for client in clients]
        time.sleep(0.3)
        shared.hub.delay.set()
        assert [answer.result().status_code for answer in answers] == [200] * 8
    assert shared.hub.asked == asked + 1


def test_a_revoked_token_can_destroy_nothing_at_once(shared, alice, project):
    token = shared.hub.token(alice.name)
    client = shared.client(token)
    assert client.get("/me").status_code == 200
    shared.hub.revoke(token)
    problem(client.delete(f"/projects/{project['id']}"), 401, "unauthenticated")
    problem(client.get("/me"), 401, "unauthenticated")  # and what was remembered is forgotten


async def test_what_is_remembered_is_forgotten_after_30_seconds(own_hub, asker):
    header = f"token {own_hub.token('zoe')}"
    await asker.identify(header)
    key, (expires, identity) = next(iter(asker._known.items()))
    assert expires - time.monotonic() <= 30
    await asker.identify(header)
    assert own_hub.asked == 1
    asker._known[key] = (time.monotonic(), identity)
    await asker.identify(header)
    assert own_hub.asked == 2


async def test_the_cache_is_bounded(own_hub):
    hub = Hub(own_hub.url, "retinue", cache_size=3)
    for i in range(6):
        await hub.identify(f"token {own_hub.token(f'u{i}')}")
    assert len(hub._known) == 3
    await hub.close()


@pytest.mark.parametrize("status", [500, 502, 429, 404])
async def test_a_hub_that_does_not_answer_is_no_verdict_on_the_token(own_hub, asker, status):
    header = f"token {own_hub.token('zoe')}"
    await asker.identify(header)
    own_hub.status = status
    assert (await asker.identify(header)).name == "zoe"  # remembered
    with pytest.raises(UnavailableError) as refused:
        await asker.identify(header, fresh=True)
    assert refused.value.problem.code == "hub_unreachable"


def test_the_hub_down_is_503_with_a_time_to_come_back(own_hub, tmp_path):
    running = Running(own_hub, tmp_path / "data")
    client = running.client(own_hub.token("zoe"))
    own_hub.close()
    answer = client.get("/me")
    problem(answer, 503, "hub_unreachable")
    assert int(answer.headers["retry-after"]) > 0
    assert running.client().get(f"{running.base}/health/ready").status_code == 200
    running.close()


def lines(shared, user):
    return [line for line in shared.admin().get("/audit", params={"limit": 1000}).json() if line["user"] == user.name]


def test_every_write_leaves_a_line(shared, alice, bob):
    name = uuid.uuid4().hex
    made = alice.post("/projects", json={"name": name}).json()
    path = f"projects/{made['id']}"
    alice.get(f"/{path}")
    alice.post("/projects", json={"name": name})
    alice.put(f"/{path}/members/{bob.name}", json={"role": "nonsense"})
    alice.put(f"/{path}/members/{bob.name}", json={"role": "viewer"})
    bob.delete(f"/{path}")
    alice.delete(f"/{path}")
    seen = [(line["action"], line["object"], line["outcome"]) for line in reversed(lines(shared, alice))]
    assert seen == [
        ("create_project", path, "ok"),
        ("create_project", "projects", "409 project_exists"),
        ("put_member", f"{path}/members/{bob.name}", "422 invalid_request"),
        ("put_member", f"{path}/members/{bob.name}", "ok"),
        ("delete_project", path, "ok"),
    ]
    (refused,) = lines(shared, bob)
    assert (refused["action"], refused["outcome"]) == ("delete_project", "403 role_required")
    assert refused["token_id"].startswith("a")


def test_who_lacks_the_scope_leaves_a_line_and_who_is_nobody_does_not(shared):
    user = shared.user(None, ACCESS, READ)
    user.post("/projects", json={"name": "x"})
    (line,) = lines(shared, user)
    assert line["outcome"] == "403 hub_scope_missing"
    before = shared.admin().get("/audit", params={"limit": 1}).json()
    shared.client().post("/projects", json={"name": "x"})
    assert shared.admin().get("/audit", params={"limit": 1}).json() == before


def test_the_audit_is_read_in_pages(shared, alice):
    for _ in range(5):
        alice.post("/projects", json={"name": uuid.uuid4().hex})
    admin = shared.admin()
    first = admin.get("/audit", params={"limit": 3}).json()
    second = admin.get("/audit", params={"limit": 3, "before": first[-1]["id"]}).json()
    idents = [line["id"] for line in first + second]
    assert idents == sorted(idents, reverse=True)
    assert len(set(idents)) == 6
    for limit in (-1, 0, 10**9, "x"):
        problem(admin.get("/audit", params={"limit": limit}), 422, "invalid_request")
    problem(admin.get("/audit", params={"before": 2**31}), 422, "invalid_request")
    assert admin.get("/audit", params={"before": 2**31 - 1}).status_code == 200
