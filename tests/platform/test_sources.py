"""Data that is not sent by a person: from a URL, a folder or an object store of the operator's, and frames of videos."""

import contextlib
import json
import os
import signal
import sqlite3
import threading
import uuid

import boto3
import pytest
from moto.server import ThreadedMotoServer
from tests.platform.running import Running, problem, put, wait_for, workers_of
from tests.platform.test_datasets import archive, folders, imported, over, picture
from tests.sdk.test_video import video
from tests.sdk.web import Web, answer, moved

SECRET = "of-the-operator"


class World:
    """A platform, and all that is open to it."""

    def __init__(self, hub, folder):
        self.web = Web({})
        self.shared = folder / "shared"
        self.shared.mkdir()
        self.s3 = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self.s3.start()
        host, port = self.s3.get_host_and_port()
        access = {"key": "operator", "secret": SECRET, "endpoint_url": f"http://{host}:{port}"}
        keys = {"aws_access_key_id": "operator", "aws_secret_access_key": SECRET}
        self.bucket = boto3.client("s3", endpoint_url=access["endpoint_url"], region_name="us-east-1", **keys)
        self.bucket.create_bucket(Bucket="sets")
        self.running = Running(
            hub,
            folder / "data",
            RETINUE_FETCH_HOSTS=json.dumps([self.web.url, "http://10.255.255.1"]),
            RETINUE_FETCH_NETWORKS='["127.0.0.0/8"]',
            RETINUE_SOURCES=json.dumps([
                {"url": "s3://sets/open", "options": {**access, "anon": False}},
                {"url": f"file://{self.shared}"},
                {"url": "hf://acme", "options": {"endpoint": "http://127.0.0.1:9", "token": SECRET}},
            ]),
            RETINUE_UPLOAD_LIMIT_GB="0.01",
        )  # fmt: skip
        self.user = self.running.user()
        self.project = self.user.post("/projects", json={"name": "sources"}).json()

    def create(self, **wanted):
        wanted = {"name": f"d{uuid.uuid4().hex[:8]}"} | wanted
        return self.user.post(f"/projects/{self.project['id']}/datasets", json=wanted)

    def imported(self, **wanted):
        made = self.create(**wanted)
        assert made.status_code == 202, made.text
        return over(self.user, made.json()["id"])

    def sent(self, data, filename="data.zip"):
        body = {"filename": filename, "size": len(data)}
        upload = self.user.post(f"/projects/{self.project['id']}/uploads", json=body).json()
        assert put(self.user, upload, 0, data).status_code == 200
        return upload["id"]

    def close(self):
        self.running.close()
        self.web.close()
        self.s3.stop()


@pytest.fixture(scope="module")
def world(hub, tmp_path_factory):
    world = World(hub, tmp_path_factory.mktemp("sources"))
    yield world
    world.close()
    said = world.running.read_log()
    assert "Traceback" not in said, said
    assert SECRET not in said
    for file in (world.running.data / "platform").glob("retinue.sqlite*"):
        assert SECRET.encode() not in file.read_bytes()


def test_what_is_open_is_told(shared, alice, world):
    assert alice.get("/sources").json() == {"hosts": [], "places": [], "videos": True, "largest": 50_000_000_000}
    told = world.user.get("/sources").json()
    assert told["hosts"] == [world.web.url, "http://10.255.255.1"]
    assert told["places"] == ["s3://sets/open", f"file://{world.shared}", "hf://acme"]


def test_a_url_becomes_a_dataset_and_only_its_harmless_part_is_kept(world):
    let_go = threading.Event()

    def slowly(send):
        data = answer(folders())
        send(data[:900])
        let_go.wait(20)
        send(data[900:])

    world.web.answers["/sets/pets.zip"] = slowly
    made = world.create(name="Pets", source=f" {world.web.url}/sets/pets.zip?signature=abc ").json()
    wait_for(lambda: world.user.get(f"/datasets/{made['id']}").json(), lambda d: d["stage"] == "fetching")
    let_go.set()
    dataset = over(world.user, made["id"])
    assert dataset["status"] == "ready", dataset
    (version,) = dataset["versions"]
    assert (version["format"], version["images"]) == ("image_folder", 20)
    assert version["origin"] == f"{world.web.url}/sets/pets.zip"
    assert "abc" not in json.dumps(dataset)
    with contextlib.closing(sqlite3.connect(world.running.data / "platform" / "retinue.sqlite")) as database:
        (kept,) = database.execute("SELECT request FROM datasets WHERE name = 'Pets'").fetchone()
    assert json.loads(kept)["source"] == version["origin"]
    assert imported(world.user, world.project, folders())["versions"][0]["digest"] == version["digest"]


def test_a_slow_server_keeps_nobody_from_importing(world):
    let_go = threading.Event()

    def slowly(send):
        data = answer(folders())
        send(data[:900])
        let_go.wait(60)
        send(data[900:])

    def seen(ident):
        return world.user.get(f"/datasets/{ident}").json()

    world.web.answers["/slow.zip"] = slowly
    slow = world.create(source=f"{world.web.url}/slow.zip").json()["id"]
    wait_for(lambda: seen(slow), lambda d: d["stage"] == "fetching")
    (fetching,) = workers_of(world.running, "importer")
    assert world.imported(upload_id=world.sent(folders()))["status"] == "ready"

    other = world.create(upload_id=world.sent(folders(400))).json()["id"]  # there is one place for those that read
    (reading,) = wait_for(lambda: {*workers_of(world.running, "importer")} - {fetching}, bool)
    os.kill(reading, signal.SIGSTOP)
    let_go.set()
    waiting = wait_for(lambda: seen(slow), lambda d: d["stage"] == "waiting")
    assert waiting["progress"] == 0.3
    assert not list((world.running.data / "platform" / "work" / slow).glob("files*"))
    os.kill(reading, signal.SIGCONT)
    assert [over(world.user, ident)["status"] for ident in (other, slow)] == ["ready", "ready"]


@pytest.mark.parametrize(
    ("source", "status", "code"),
    [
        ("https://example.org/a.zip", 403, "fetch_host_refused"),
        ("{web}@example.org/a.zip", 422, "fetch_url_invalid"),
        ("http://ann:secret@127.0.0.1/a.zip", 422, "fetch_url_invalid"),
        ("https://[::1/a.zip", 422, "fetch_url_invalid"),
        ("s3://sets/other", 403, "source_refused"),
        ("s3://sets/open/../other", 403, "source_refused"),
        ("file:///etc", 403, "source_refused"),
        ("gopher://127.0.0.1/a", 403, "source_refused"),
        ("a.zip", 403, "source_refused"),
        ("  ", 422, "invalid_request"),
    ],
)
def test_what_is_not_open_is_refused_at_once(world, source, status, code):
    body = problem(world.create(source=source.format(web=world.web.url)), status, code)
    assert "secret" not in json.dumps(body)


def test_all_is_closed_by_default(alice, project):
    for source, code in (("https://example.org/a.zip", "fetch_off"), ("s3://sets/open", "source_refused")):
        wanted = {"name": "a", "source": source}
        problem(alice.post(f"/projects/{project['id']}/datasets", json=wanted), 403, code)


def test_a_request_says_one_way_and_one_step(world):
    both = {"source": f"{world.web.url}/a.zip", "upload_id": str(uuid.uuid4())}
    for wanted in (both, {}, {"source": f"{world.web.url}/a", "every": 2, "seconds": 2}, {"source": "x", "every": 0}):
        problem(world.create(**wanted), 422, "invalid_request")


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (answer(b"", "404 Not Found"), "fetch_failed"),
        (answer(b"<html>Index of /sets</html>"), "archive_not_zip"),
        (answer(b"x" * 100, Content_Length=5_000), "fetch_incomplete"),
        (answer(b"x", Content_Length=10_000_001), "fetch_too_large"),
        (moved("http://10.255.255.1/a.zip"), "fetch_address_refused"),
    ],
)
def test_a_url_that_cannot_be_had_says_why(world, reply, code):
    world.web.answers["/bad"] = reply
    dataset = world.imported(source=f"{world.web.url}/bad?signature=abc")
    assert dataset["status"] == "failed"
    assert dataset["problem"]["code"] == code, dataset["problem"]
    assert dataset["problem"]["hint"]
    assert "abc" not in json.dumps(dataset)
    assert not list((world.running.data / "platform" / "work").iterdir())


def test_an_object_store_is_copied_with_the_credentials_of_the_operator(world):
    for number in range(4):
        world.bucket.put_object(Bucket="sets", Key=f"open/pets/cat/{number}.png", Body=picture(number))
        world.bucket.put_object(Bucket="sets", Key=f"open/pets/dog/{number}.png", Body=picture(number + 50))
    dataset = world.imported(source="s3://sets/open/pets")
    assert dataset["status"] == "ready", dataset
    assert dataset["versions"][0]["classes"] == ["cat", "dog"]
    assert dataset["versions"][0]["origin"] == "s3://sets/open/pets"
    assert SECRET not in json.dumps([dataset, world.user.get("/sources").json()])
    world.bucket.put_object(Bucket="sets", Key="open/more/a/0.png", Body=picture(1000))
    there = world.imported(source="s3://sets/open/more", in_place=True)
    assert (there["status"], there["versions"][0]["elsewhere"]) == ("ready", 1)
    version = f"/datasets/{there['id']}/versions/1/archive?format=image_folder"
    assert world.user.get(version).status_code == 200
    world.bucket.delete_object(Bucket="sets", Key="open/more/a/0.png")
    assert world.user.get(version).status_code == 200  # it is in the store since then
    nothing = world.imported(source="s3://sets/open/none")
    assert nothing["problem"]["code"] == "source_not_found"
    world.bucket.put_object(Bucket="sets", Key="open/large.zip", Body=bytes(10_000_001))
    assert world.imported(source="s3://sets/open/large.zip")["problem"]["code"] == "archive_too_large"


def test_a_hub_that_cannot_be_reached_is_told(world):
    assert world.imported(source="hf://acme/pets@v1")["problem"]["code"] == "hub_unavailable"
    problem(world.create(source="hf://other/pets"), 403, "source_refused")
    problem(world.create(source="hf://acme/pets", in_place=True), 422, "in_place_unsupported")


def test_videos_become_frames_wherever_they_come_from(world, tmp_path):
    film = video(tmp_path / "film.mp4")  # 20 frames at 10 a second
    dataset = world.imported(upload_id=world.sent(film.read_bytes(), "My film.mp4"))
    assert dataset["status"] == "ready", dataset
    (version,) = dataset["versions"]
    assert (version["format"], version["images"], version["origin"]) == ("video", 2, "My film.mp4")
    assert version["recognised"] == "It is a video, of which a frame every 1 s was taken."
    (world.shared / "street.mp4").write_bytes(film.read_bytes())
    street = {"source": f"file://{world.shared}/street.mp4"}
    added = world.user.post(f"/datasets/{dataset['id']}/versions", json={**street, "every": 5, "split": "val"})
    assert added.status_code == 202, added.text
    version = over(world.user, dataset["id"])["versions"][0]
    assert (version["images"], version["merged"]["added"], version["origin"]) == (6, 4, street["source"])
    changes = world.user.get(f"/datasets/{dataset['id']}/versions/1/diff/2").json()["added"]
    assert [image["key"] for image in changes] == [f"street/{n:06d}.jpg" for n in (0, 5, 10, 15)]
    none = world.imported(upload_id=world.sent(folders()), seconds=2)
    assert none["problem"]["code"] == "video_unreadable"


def test_what_failed_can_be_tried_again(world):
    user, upload = world.user, world.sent(folders())
    failed = world.imported(upload_id=upload, format="coco")
    assert failed["status"] == "failed"
    path = f"/datasets/{failed['id']}"
    problem(user.post(f"{path}/retry", json={"format": "x", "name": "y"}), 422, "invalid_request")
    assert user.post(f"{path}/retry").json()["status"] == "importing"
    assert over(user, failed["id"])["problem"] == failed["problem"]
    assert user.post(f"{path}/retry", json={"format": None}).status_code == 202
    ready = over(user, failed["id"])
    assert (ready["status"], ready["problem"], ready["versions"][0]["format"]) == ("ready", None, "image_folder")
    problem(user.post(f"{path}/retry"), 409, "nothing_to_retry")
    world.web.answers["/later.zip"] = answer(b"", "503 Wait")
    added = user.post(f"{path}/versions", json={"source": f"{world.web.url}/later.zip?key=1", "note": "late"})
    assert added.status_code == 202, added.text
    assert over(user, failed["id"])["problem"]["code"] == "fetch_failed"
    world.web.answers["/later.zip"] = answer(archive({"cat/new.png": picture(900)}))
    user.post(f"{path}/retry")
    ready = over(user, failed["id"])
    assert (ready["problem"], ready["versions"][0]["note"], ready["versions"][0]["images"]) == (None, "late", 21)


def test_a_retry_needs_what_it_is_about(world):
    failed = world.imported(upload_id=(upload := world.sent(b"no archive")))
    assert world.user.delete(f"/uploads/{upload}").status_code == 204
    problem(world.user.post(f"/datasets/{failed['id']}/retry"), 409, "upload_lost")
    stranger = world.running.user()
    problem(stranger.post(f"/datasets/{failed['id']}/retry"), 404, "not_found")
    problem(stranger.delete(f"/datasets/{failed['id']}/problem"), 404, "not_found")


def test_the_problem_of_an_addition_can_be_put_away(world):
    dataset = imported(world.user, world.project, folders())
    path = f"/datasets/{dataset['id']}"
    world.user.post(f"{path}/versions", json={"upload_id": world.sent(b"no archive")})
    assert over(world.user, dataset["id"])["problem"]["code"] == "archive_not_zip"
    for _ in range(2):
        assert world.user.delete(f"{path}/problem").status_code == 204
    assert world.user.get(path).json() == dataset
    problem(world.user.post(f"{path}/retry"), 409, "nothing_to_retry")
    failed = world.imported(upload_id=world.sent(b"no archive"))
    problem(world.user.delete(f"/datasets/{failed['id']}/problem"), 409, "dataset_failed")
