"""Every operation of the platform's own OpenAPI document, by everybody who might try, on the real hub."""

import json
import uuid

import pytest
from hub_config.person import Person
from starlette.routing import WebSocketRoute
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from retinue_platform.app import create_app
from retinue_platform.settings import Settings
from tests.conftest import PASSWORD
from tests.hub.matrix import ACTORS, OPERATIONS, PUBLIC, RANK, expected
from tests.hub.world import World

pytestmark = [pytest.mark.hub, pytest.mark.timeout(600)]

API = "/services/retinue/api/v1"
BY_NAME = {actor.name: actor for actor in ACTORS}


@pytest.fixture(scope="module")
def world(hub, people, alice):
    """The objects, everybody's tokens, and a guest in the browser on the server that alice shares with them."""
    guest = people("guest")
    share = hub.admin.hub("POST", "shares/alice/", user="guest", scopes=["access:servers!server=alice/"])
    assert share.is_success, share.text
    guest.open_server("alice")
    world = World(hub, people)
    yield world
    world.close()


def filled(value, **words):
    """The value with the names in its strings replaced."""
    if isinstance(value, dict):
        return {key: filled(item, **words) for key, item in value.items()}
    return value.format(**words) if isinstance(value, str) else value


def route(world, name):
    """Method and path of an operation."""
    return world.paths[OPERATIONS[name].of or name]


def send(world, actor, name, ids=None):
    """The operation as the actor; the answer."""
    operation, (method, path) = OPERATIONS[name], route(world, name)
    words = {**world.ids, **(ids or {})}
    path = path.removeprefix(API).format(**operation.path, **words).lstrip("/")
    path = path if operation.minimum != PUBLIC else f"../../{path.removeprefix('services/retinue/')}"
    body = filled(operation.body, actor=f"{actor} {uuid.uuid4().hex[:6]}", **words)
    extra = {"json": body} if body is not None else {"content": operation.content} if operation.content else {}
    return world.call(actor, method, path, params=operation.params, headers=dict(operation.headers), **extra)


def snapshot(world):
    """What the refused must not have changed."""
    ids = world.ids
    paths = [f"projects/{ids['project_id']}{part}" for part in ("", "/members", "/datasets", "/jobs")]
    paths += [f"uploads/{ids['upload_id']}", f"datasets/{ids['dataset_id']}", "projects"]
    return [world.api("owner", "GET", path) for path in paths]


def without_id(answer, *idents):
    """A refusal's body without what differs by nature: the request's id, and the object's own."""
    text = answer.text
    for ident in idents:
        text = text.replace(ident, "ID")
    body = json.loads(text)
    body.pop("request_id")
    return body


def test_every_operation_is_classified(world):
    assert set(world.paths) == {operation.of or name for name, operation in OPERATIONS.items()}


def test_every_route_is_in_the_document_or_known(world, tmp_path):
    app = create_app(Settings(data=tmp_path, hub_api_url="http://127.0.0.1:9/hub/api"))
    routes = list(leaves(app.routes))
    assert {route.path for route in routes if isinstance(route, WebSocketRoute)} == {"/ws"}
    plain = [route for route in routes if not isinstance(route, WebSocketRoute)]
    assert {route.path for route in plain if not route.include_in_schema} == {f"{API}/openapi.json"}
    assert {route.name for route in plain if route.include_in_schema} == set(world.paths)


def leaves(routes):
    """Every route, those of included routers too."""
    for route in routes:
        router = getattr(route, "original_router", None)
        yield from leaves(router.routes) if router else [route]


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@pytest.mark.parametrize("actor", [actor.name for actor in ACTORS])
def test_matrix(world, actor, name):
    operation, (method, _) = OPERATIONS[name], route(world, name)
    wanted = expected(BY_NAME[actor], operation, method)
    if operation.minimum == PUBLIC and actor == "guest":
        return  # the extension passes on the API alone, and the health page is beside it
    own = world.make_project() if wanted is None and operation.consumes else {}
    before = snapshot(world) if wanted and method != "GET" else None
    answer = send(world, actor, name, own)
    if wanted is None:
        assert not refused(answer, {**world.ids, **own}), answer.text
        assert answer.status_code < 500, answer.text
        if operation.undo:
            assert send(world, "owner", operation.undo).is_success
    else:
        assert (answer.status_code, answer.json()["code"]) == wanted, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert set(answer.json()) <= {"type", "status", "code", "message", "hint", "where", "request_id"}
    if before is not None:
        assert snapshot(world) == before


def refused(answer, ids):
    """A 404 about another thing than the object, such as a file that it does not have, is no refusal."""
    about = answer.json().get("where") if answer.status_code == 404 else None
    return answer.status_code in (401, 403) or about in ids.values()


@pytest.mark.parametrize("name", [name for name, operation in sorted(OPERATIONS.items()) if operation.uses])
@pytest.mark.parametrize("actor", ["other", "admin_unasked", "guest"])
def test_foreign_is_as_absent(world, actor, name):
    foreign = {ident: world.ids[ident] for ident in OPERATIONS[name].uses}
    absent = {ident: str(uuid.uuid4()) for ident in OPERATIONS[name].uses}
    answers = [send(world, actor, name, ids) for ids in (foreign, absent)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert without_id(answers[0], *foreign.values()) == without_id(answers[1], *absent.values())
    headers = [{key for key in answer.headers if key not in ("date", "x-request-id")} for answer in answers]
    assert headers[0] == headers[1]


# --- the WebSocket ----------------------------------------------------------------------------------------------------------


def listen(socket, topic):
    """Subscribe; the first message."""
    socket.send(json.dumps({"op": "subscribe", "topic": topic}))
    return json.loads(socket.recv(timeout=20))


def open_socket(world, actor):
    if actor == "guest":
        return world.people("guest").socket(owner="alice")
    token = world.tokens[actor]
    headers = {"Authorization": f"token {token}"} if token else {}
    url = f"{world.hub.url}services/retinue/api/v1/ws".replace("http", "ws", 1)
    return connect(url, additional_headers=headers, proxy=None)


@pytest.mark.parametrize("actor", [actor.name for actor in ACTORS])
def test_websocket(world, actor):
    who, ids = BY_NAME[actor], world.ids
    if who.refusal:
        with pytest.raises(InvalidStatus) as refusal:
            open_socket(world, actor)
        assert refusal.value.response.status_code in (who.refusal[0], 403)
        return
    topics = [
        f"job:{ids['job_id']}",
        f"log:{ids['job_id']}",
        f"jobs:{ids['project_id']}",
        f"datasets:{ids['project_id']}",
    ]
    for topic in topics:
        with open_socket(world, actor) as socket:
            message = listen(socket, topic)
        if who.role in RANK and RANK[who.role] > 0:
            assert message["topic"] == topic
            assert message["type"] != "error", message
        else:
            assert (message["type"], message["problem"]["code"]) == ("error", "not_found")


@pytest.mark.parametrize("actor", ["other", "guest"])
def test_a_foreign_topic_is_as_absent(world, actor):
    seen = []
    for ident in (world.ids["job_id"], str(uuid.uuid4())):
        with open_socket(world, actor) as socket:
            seen.append(json.dumps(listen(socket, f"job:{ident}")).replace(ident, "ID"))
    assert seen[0] == seen[1]


# --- the browser's side -----------------------------------------------------------------------------------------------------


def test_guest_acts_as_themselves_on_a_shared_server(world):
    guest = world.people("guest")
    assert guest.api("GET", "me", owner="alice")["name"] == "guest"
    seen = [project["id"] for project in guest.api("GET", "projects", owner="alice")]
    assert world.ids["project_id"] not in seen


def test_stranger_does_not_get_into_a_server(world, people):
    stranger = people("m-other")
    assert stranger.open_server("alice").status_code == 403
    assert not [cookie for cookie in stranger.client.cookies.jar if cookie.name == "jupyterhub-user-alice"]
    assert stranger.call("GET", "me", owner="alice").status_code in (401, 403)


def test_no_cookie_and_no_query_token_opens_the_platform(world, alice):
    token = world.tokens["owner"]
    assert world.client.get(f"{world.hub.url}{API[1:]}/me", params={"token": token}).status_code == 401
    assert alice.client.get(f"{API}/me").status_code == 401


def test_browser_needs_xsrf_and_origin(world, alice):
    base = "/user/alice/retinue/api/projects"
    assert alice.client.post(base, json={"name": "x"}).status_code == 403
    with Person(world.hub.url, "alice", PASSWORD) as elsewhere:
        elsewhere.client.cookies = alice.client.cookies
        elsewhere.url = "http://evil.example"
        request = elsewhere.client.build_request("GET", "/user/alice/retinue/ws")
        url = f"{world.hub.url}user/alice/retinue/ws".replace("http", "ws", 1)
        headers = {"Cookie": request.headers["Cookie"]}
        with pytest.raises((InvalidStatus, ConnectionClosed)):
            connect(url, origin="http://evil.example", additional_headers=headers, proxy=None).recv(timeout=10)
