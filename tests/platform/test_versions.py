"""Adding to a dataset, its versions, what is other in them, and old ones restored; on both databases."""

import io
import os
import signal
import threading
import uuid
import zipfile

import pytest
from tests.platform.postgres import installed
from tests.platform.running import Running, gone, problem, put, send, wait_for, workers_of
from tests.platform.test_datasets import archive, create, folders, imported, over, picture
from tests.platform.test_exports import asked, blocked, ready


def more(files=None):
    """An archive of new pictures: one cat, one owl."""
    return archive(files or {"cat/new.png": picture(501), "owl/new.png": picture(502)})


def announce_as(client, project, data, filename):
    """A complete upload with a name of its own."""
    body = {"filename": filename, "size": len(data)}
    upload = client.post(f"/projects/{project['id']}/uploads", json=body).json()
    assert put(client, upload, 0, data).status_code == 200
    return upload


def add(client, project, dataset, data, **wanted):
    """The dataset once the addition is over."""
    upload = send(client, project, data)
    answer = client.post(f"/datasets/{dataset['id']}/versions", json={"upload_id": upload["id"], **wanted})
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "importing"
    assert answer.json()["versions"] == client.get(f"/datasets/{dataset['id']}").json()["versions"]
    return over(client, dataset["id"])


@pytest.fixture(scope="module", params=["sqlite", "postgresql"] if installed() else ["sqlite"])
def world(request, hub, tmp_path_factory):
    """A platform of these tests on each database, with its user and project."""
    environment = {}
    if request.param == "postgresql":
        environment["RETINUE_DATABASE_URL"] = request.getfixturevalue("postgres").database(f"d{uuid.uuid4().hex}")
    running = Running(hub, tmp_path_factory.mktemp("versions") / "data", **environment)
    user = running.user()
    yield running, user, user.post("/projects", json={"name": "versions"}).json()
    running.close()
    assert "Traceback" not in running.read_log(), running.read_log()


def test_what_is_added_makes_a_version_that_knows_its_parent(world):
    _, user, project = world
    dataset = imported(user, project, folders())
    first = dataset["versions"][0]
    assert (first["parent"], first["note"], first["merged"]) == (None, "", None)
    dataset = add(user, project, dataset, more(), note="from the zoo", split="test")
    assert (dataset["status"], dataset["progress"], dataset["problem"]) == ("ready", 1, None)
    second = dataset["versions"][0]
    assert (second["number"], second["parent"], second["note"]) == (2, 1, "from the zoo")
    assert second["merged"] == {"added": 2, "kept_both": 0, "replaced": 0, "skipped": 0, "unchanged": 0}
    assert second["classes"] == ["cat", "dog", "owl"]
    assert second["splits"] == {**first["splits"], "test": 2}
    assert dataset["versions"][1] == first
    third = add(user, project, dataset, more({"dog/x.png": picture(503)}), parent=1)["versions"][0]
    assert (third["number"], third["parent"], third["images"]) == (3, 1, first["images"] + 1)
    assert [v["number"] for v in user.get(f"/datasets/{dataset['id']}/versions").json()] == [3, 2, 1]
    page = user.get(f"/datasets/{dataset['id']}/versions", params={"limit": 1, "before": 3}).json()
    assert page == [second]


def test_classes_conflicts_and_a_single_image(world):
    _, user, project = world
    dataset = imported(user, project, folders())
    data = more({"cats/a.png": picture(600), "junk/b.png": picture(601), "cat/0.png": picture(602)})
    version = add(user, project, dataset, data, classes={"cats": "cat", "junk": None}, conflict="replace")["versions"][
        0
    ]
    assert version["classes"] == ["cat", "dog"]
    assert {name: n for name, n in version["merged"].items() if n} == {"added": 2, "replaced": 1}
    upload = announce_as(user, project, picture(700), "street.png")
    answer = user.post(f"/datasets/{dataset['id']}/versions", json={"upload_id": upload["id"], "split": "val"})
    assert answer.status_code == 202
    version = over(user, dataset["id"])["versions"][0]
    assert (version["number"], version["format"], version["merged"]["added"]) == (3, "image", 1)
    found = user.get(f"/datasets/{dataset['id']}/versions/2/diff/3").json()
    assert [(image["key"], image["split"]) for image in found["added"]] == [("street.png", "val")]


def test_an_addition_that_fails_leaves_the_dataset_ready_with_the_problem(world):
    _, user, project = world
    dataset = imported(user, project, folders())
    failed = add(user, project, dataset, b"this is no archive")
    assert (failed["status"], failed["problem"]["code"]) == ("ready", "archive_not_zip")
    assert failed["versions"] == dataset["versions"]
    assert add(user, project, dataset, folders())["problem"]["code"] == "nothing_to_add"
    assert add(user, project, dataset, more(), classes={"owls": "cat"})["problem"]["code"] == "class_unknown"
    assert add(user, project, dataset, more())["problem"] is None
    # its name is not free, as that of a failed dataset is
    again = create(user, project, send(user, project, folders()), name=dataset["name"])
    problem(again, 409, "dataset_exists")


def test_what_cannot_be_asked_for(world):
    running, user, project = world
    dataset = imported(user, project, folders())
    path, upload = f"/datasets/{dataset['id']}", send(user, project, more())

    def ask(**wanted):
        return user.post(f"{path}/versions", json={"upload_id": upload["id"], **wanted})

    problem(ask(parent=7), 404, "not_found")
    problem(ask(parent=10**30), 422, "invalid_request")
    problem(ask(conflict="win"), 422, "invalid_request")
    problem(ask(split="holdout"), 422, "invalid_request")
    problem(ask(note="\x00"), 422, "invalid_text")
    problem(ask(upload_id=str(uuid.uuid4())), 404, "not_found")
    failed = imported(user, project, b"no archive")
    problem(user.post(f"/datasets/{failed['id']}/versions", json={"upload_id": upload["id"]}), 409, "dataset_not_ready")
    for number in (0, 2, -1, 10**12):
        problem(user.post(f"{path}/versions/{number}/restore"), 404, "not_found")
        problem(user.get(f"{path}/versions/1/diff/{number}"), 404, "not_found")
    problem(user.get(f"{path}/versions/1/diff/1", params={"limit": 100_000}), 422, "invalid_request")
    reader = running.user()
    for answer in (
        reader.get(f"{path}/versions"),
        reader.get(f"{path}/versions/1/diff/1"),
        reader.post(f"{path}/versions/1/restore"),
        reader.post(f"{path}/versions", json={"upload_id": upload["id"]}),
    ):
        problem(answer, 404, "not_found")
    user.put(f"/projects/{project['id']}/members/{reader.name}", json={"role": "viewer"})
    assert reader.get(f"{path}/versions/1/diff/1").json()["images"]["modified"] == 0
    problem(reader.post(f"{path}/versions/1/restore"), 403, "role_required")
    problem(reader.post(f"{path}/versions", json={"upload_id": upload["id"]}), 403, "role_required")


def test_the_difference_of_two_versions_in_pages(world):
    _, user, project = world
    dataset = imported(user, project, folders())
    add(user, project, dataset, more({f"owl/{n}.png": picture(800 + n) for n in range(7)} | {"cat/0.png": picture(0)}))
    path = f"/datasets/{dataset['id']}/versions"
    found = user.get(f"{path}/1/diff/2", params={"limit": 3}).json()
    assert (found["a"], found["b"]) == (1, 2)
    assert found["images"] == {"added": 7, "removed": 0, "modified": 0, "moved": 0}
    assert found["annotations"] == {"added": 7, "removed": 0, "modified": 0, "moved": 0}
    assert (found["classes_added"], found["classes_removed"]) == (["owl"], [])
    keys = [image["key"] for image in found["added"]]
    page = user.get(f"{path}/1/diff/2", params={"limit": 3, "offset": 3}).json()
    keys += [image["key"] for image in page["added"]]
    assert keys == [f"owl/{n}.png" for n in range(6)]
    back = user.get(f"{path}/2/diff/1").json()
    assert [image["was_key"] for image in back["removed"]] == [f"owl/{n}.png" for n in range(7)]
    assert back["removed"][0]["annotations_removed"] == 1


def test_a_comparison_ends_with_its_caller(start_platform):
    running = start_platform()
    user, dataset = ready(running)
    with blocked(running, dataset):
        with asked(running, user, dataset, "diff/1"):
            (worker,) = wait_for(lambda: workers_of(running, "differ"), bool)
        assert wait_for(lambda: gone(worker), bool, seconds=10)
    user.get(f"/datasets/{dataset['id']}/versions/1/diff/1").raise_for_status()
    assert "Traceback" not in running.read_log()


def test_an_old_version_is_made_the_newest_without_copying_anything(world):
    running, user, project = world
    dataset = imported(user, project, folders())
    dataset = add(user, project, dataset, more())
    path = f"/datasets/{dataset['id']}/versions"
    before = sorted((running.data / "store").rglob("*"))
    made = user.post(f"{path}/1/restore", json={"note": "the zoo was wrong"})
    assert made.status_code == 201
    version, first = made.json(), dataset["versions"][1]
    assert (version["number"], version["parent"], version["note"]) == (3, 2, "the zoo was wrong")
    same = ("digest", "images", "annotations", "classes", "splits", "tasks")
    assert [version[name] for name in same] == [first[name] for name in same]
    assert sorted((running.data / "store").rglob("*")) == before
    assert user.post(f"{path}/3/restore").json() == version  # the newest is the newest
    assert user.post(f"{path}/2/restore").json()["note"] == "Version 2 restored."
    assert [v["number"] for v in user.get(path).json()] == [4, 3, 2, 1]


@pytest.mark.faults
def test_an_addition_survives_whatever_is_killed(start_platform):
    running = start_platform()
    user = running.user()
    project = user.post("/projects", json={"name": "p"}).json()
    dataset = imported(user, project, folders())
    path, data = f"/datasets/{dataset['id']}/versions", folders(400, ("cow", "emu"))
    user.post(path, json={"upload_id": send(user, project, data)["id"]}).raise_for_status()
    (worker,) = wait_for(lambda: workers_of(running, "importer"), bool)
    os.kill(worker, signal.SIGKILL)
    dataset = over(user, dataset["id"])
    assert (dataset["status"], dataset["problem"]["code"]) == ("ready", "import_killed")
    user.post(path, json={"upload_id": send(user, project, data)["id"]}).raise_for_status()
    problem(user.post(path, json={"upload_id": send(user, project, more())["id"]}), 409, "dataset_busy")
    problem(user.post(f"{path}/1/restore"), 409, "dataset_busy")
    (worker,) = wait_for(lambda: workers_of(running, "importer"), bool)
    running.stop(signal.SIGKILL)
    assert wait_for(lambda: gone(worker), bool)
    running.start()
    dataset = over(user, dataset["id"])
    assert (dataset["status"], dataset["problem"]) == ("ready", None)
    assert [(v["number"], v["images"]) for v in dataset["versions"]] == [(2, 820), (1, 20)]
    assert list((running.data / "store" / "staging").iterdir()) == []


def test_deleting_stops_an_addition(start_platform):
    running = start_platform()
    user = running.user()
    project = user.post("/projects", json={"name": "p"}).json()
    dataset = imported(user, project, folders())
    upload = send(user, project, folders(400, ("cow",)))
    user.post(f"/datasets/{dataset['id']}/versions", json={"upload_id": upload["id"]}).raise_for_status()
    (worker,) = wait_for(lambda: workers_of(running, "importer"), bool)
    assert user.delete(f"/datasets/{dataset['id']}").status_code == 204
    assert wait_for(lambda: gone(worker), bool)
    restored = user.post(f"/datasets/{dataset['id']}/restore").json()
    assert (restored["status"], len(restored["versions"])) == ("ready", 1)
    assert user.get(f"/uploads/{upload['id']}").status_code == 200  # may be added again


def test_of_two_who_add_at_once_one_is_told_to_wait(shared, alice, project):
    dataset = imported(alice, project, folders())
    uploads = [send(alice, project, more({f"cat/{n}.png": picture(900 + n)})) for n in range(4)]
    answers = []

    def ask(upload):
        with shared.client() as client:
            client.headers.update(alice.headers)
            answers.append(client.post(f"/datasets/{dataset['id']}/versions", json={"upload_id": upload["id"]}))

    threads = [threading.Thread(target=ask, args=(upload,)) for upload in uploads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [a.status_code for a in answers].count(202) >= 1
    assert {a.json()["code"] for a in answers if a.status_code != 202} <= {"dataset_busy"}
    made = over(alice, dataset["id"])["versions"]
    assert [v["number"] for v in made] == list(range(len(made), 0, -1))


def test_the_archive_of_a_single_image_is_not_taken_for_a_dataset(alice, project):
    upload = announce_as(alice, project, picture(1), "one.png")
    dataset = over(alice, create(alice, project, upload).json()["id"])
    assert dataset["problem"]["code"] == "format_unknown"
    out = io.BytesIO()
    zipfile.ZipFile(out, "w").close()
    base = imported(alice, project, folders())
    upload = announce_as(alice, project, out.getvalue(), "really a zip.png")
    alice.post(f"/datasets/{base['id']}/versions", json={"upload_id": upload["id"]})
    assert over(alice, base["id"])["problem"]["code"] in ("image_unreadable", "dataset_empty")
