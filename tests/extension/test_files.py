"""Files of a Jupyter server's home on their way to a real platform: whose token, which files, progress, going on."""

import hashlib
import io
import json
import os
import tarfile
import uuid
from pathlib import Path

import pytest

from tests.extension.conftest import TOKEN
from tests.platform.hub import StandInHub
from tests.platform.running import Running


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    hub = StandInHub()
    for name in ("alice", "guest"):
        hub.users[f"{name}-token"] = hub.users[hub.token(name)]
    running = Running(hub, tmp_path_factory.mktemp("platform") / "data")
    yield running
    running.close()
    hub.close()
    assert "Traceback" not in running.read_log(), running.read_log()


@pytest.fixture(scope="module")
def shared(start, platform):
    """Alice's server as on a hub, which a guest may use too."""
    config = {
        "identity_provider_class": "tests.extension.hublike.HubLikeIdentityProvider",
        "authorizer_class": "tests.extension.hublike.NoFilesForNobody",
    }
    return start(
        platform.base, config=config, JUPYTERHUB_API_TOKEN="owner-token", JUPYTERHUB_SERVICE_PREFIX="/user/alice/"
    )


@pytest.fixture(scope="module")
def home(shared, tmp_path_factory):
    """The server's root: a folder of two files, a large file, what is hidden, and what leads outside."""
    home = Path(shared.root)
    (home / "pets/cat").mkdir(parents=True)
    (home / "pets/cat/a.png").write_bytes(b"a" * 1000)
    (home / "pets/.cache").mkdir()
    (home / "pets/.cache/secret.txt").write_bytes(b"secret")
    (home / "pets/labels.txt").write_bytes(b"cat")
    (home / "large.zip").write_bytes(bytes(range(256)) * 80_000)  # three chunks
    outside = tmp_path_factory.mktemp("outside")
    (outside / "passwd.txt").write_bytes(b"root")
    (home / "linked").mkdir()
    (home / "linked/passwd.txt").symlink_to(outside / "passwd.txt")
    (home / "way-out").symlink_to(outside)
    return home


def project(shared, token):
    with shared.client(token) as client:
        return client.post("/projects", json={"name": f"Files {uuid.uuid4().hex}"}).json()["id"]


def send(shared, token, path, **more):
    with shared.client(token) as client:
        body = {"project_id": more.pop("project", None) or project(shared, token), "path": path, **more}
        return client.post(f"{shared.base}/retinue/files", json=body)


def refused(answer, status, code):
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), answer.text
    assert answer.json()["code"] == code
    assert answer.json()["hint"]


def begun(answer):
    """What is sent with the next request to go on."""
    first = json.loads(answer.text.splitlines()[0])
    return {"upload_id": first["upload"]["id"], "state": first["state"]}


def received(platform, upload):
    return (platform.data / "platform/uploads" / upload["id"]).read_bytes()


@pytest.mark.parametrize("token", ["alice-token", "guest-token"])
def test_a_folder_is_sent_as_whoever_asked(shared, home, platform, token):
    answer = send(shared, token, "pets")
    first, last = [json.loads(line)["upload"] for line in answer.text.splitlines()]
    assert (first["offset"], last["offset"]) == (0, last["size"])
    with tarfile.open(fileobj=io.BytesIO(received(platform, last))) as archive:
        assert archive.getnames() == ["cat/a.png", "labels.txt"]
        assert archive.extractfile("cat/a.png").read() == b"a" * 1000
    with shared.client(token) as client:
        assert client.get(f"/uploads/{last['id']}").json() == last
    others = {"alice-token": "guest-token", "guest-token": "alice-token"}[token]
    with shared.client(others) as client:
        assert client.get(f"/uploads/{last['id']}").status_code == 404


def test_another_ones_project_stays_another_ones(shared, home):
    refused(send(shared, "guest-token", "pets", project=project(shared, "alice-token")), 404, "not_found")


def test_a_file_goes_in_chunks_and_goes_on_where_it_stopped(shared, home, platform):
    whole = (home / "large.zip").read_bytes()
    where = project(shared, "alice-token")
    with shared.client("alice-token") as client:
        upload = client.post(f"/projects/{where}/uploads", json={"filename": "large.zip", "size": len(whole)}).json()
        part = whole[: 9 * 10**6 // 2]
        checked = {"X-Content-SHA256": hashlib.sha256(part).hexdigest()}
        client.put(f"/uploads/{upload['id']}?offset=0", content=part, headers=checked).raise_for_status()
    state = begun(send(shared, "alice-token", "large.zip", project=where))["state"]
    answer = send(shared, "alice-token", "large.zip", project=where, upload_id=upload["id"], state=state)
    offsets = [json.loads(line)["upload"]["offset"] for line in answer.text.splitlines()]
    assert offsets == [len(part), len(part) + 2**23, len(whole)]
    assert received(platform, upload) == whole
    again = send(shared, "alice-token", "pets", project=where, upload_id=upload["id"], state=state)
    assert json.loads(again.text.splitlines()[-1])["upload"]["id"] != upload["id"]


@pytest.mark.parametrize(("path", "written"), [("one.zip", "one.zip"), ("box", "box/labels.txt")])
def test_what_changed_meanwhile_is_sent_anew_and_never_mixed(shared, home, platform, path, written):
    (home / "box").mkdir(exist_ok=True)
    (home / written).write_bytes(b"old" * 1000)
    where = project(shared, "alice-token")
    first = begun(send(shared, "alice-token", path, project=where))
    again = send(shared, "alice-token", path, project=where, **first)
    assert begun(again)["upload_id"] == first["upload_id"]
    (home / written).write_bytes(b"new" * 1000)  # as large as before
    os.utime(home / written, ns=(0, (home / written).stat().st_mtime_ns + 1))
    anew = send(shared, "alice-token", path, project=where, **first)
    assert begun(anew)["upload_id"] != first["upload_id"]
    content = received(platform, {"id": begun(anew)["upload_id"]})
    assert (content.count(b"new"), content.count(b"old")) == (1000, 0)
    unknown = send(shared, "alice-token", path, project=where, upload_id=first["upload_id"])
    assert begun(unknown)["upload_id"] != first["upload_id"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("nothing", 422, "upload_no_file"),
        ("../", 404, "not_found"),
        ("pets/../../outside", 404, "not_found"),
        ("pets/.cache", 404, "not_found"),
        ("pets/.cache/secret.txt", 404, "not_found"),
        ("pets\0", 404, "not_found"),
        ("/etc/passwd", 422, "upload_no_file"),
        ("way-out", 422, "upload_unusable"),
        ("way-out/passwd.txt", 422, "upload_unusable"),
        ("linked", 422, "upload_unusable"),
        (7, 422, "invalid_request"),
    ],
)
def test_only_files_that_the_file_browser_shows_are_sent(shared, home, path, status, code):
    refused(send(shared, "alice-token", path), status, code)


def test_strangers_and_other_sites_send_nothing(server, shared):
    with server.client(token=None) as client:
        refused(client.post(f"{server.base}/retinue/files", json={}), 403, "jupyter_403")
    with server.client() as browser:
        browser.headers.pop("Authorization")
        browser.get(f"{server.base}/lab?token={TOKEN}")
        assert browser.get("/me").status_code == 200
        refused(browser.post(f"{server.base}/retinue/files", json={}), 403, "jupyter_403")


def test_who_may_not_read_files_sends_none(shared, home):
    where = project(shared, "alice-token")
    refused(send(shared, "nobody-token", "pets", project=where), 403, "jupyter_403")


def test_an_absent_platform_is_a_problem(lonely_server):
    (Path(lonely_server.root) / "a.txt").write_bytes(b"a")
    with lonely_server.client() as client:
        body = {"project_id": "00000000-0000-0000-0000-000000000000", "path": "a.txt"}
        refused(client.post(f"{lonely_server.base}/retinue/files", json=body), 503, "unreachable")
