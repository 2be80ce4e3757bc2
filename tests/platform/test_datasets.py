"""From a complete upload to a dataset version, by real worker processes."""

import asyncio
import io
import os
import signal
import tarfile
import time
import uuid
import zipfile

import pytest
from PIL import Image
from tests.platform.jobs_db import away, dataset_row, project_row
from tests.platform.postgres import installed
from tests.platform.running import gone, problem, send, wait_for, workers_of

from retinue_platform import imports
from retinue_platform.context import Context
from retinue_platform.settings import Settings
from retinue_platform.tables import DatasetRow


def archive(files):
    """A zip of names and bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, data in files.items():
            z.writestr(name, data)
    return out.getvalue()


def picture(value, size=16):
    out = io.BytesIO()
    Image.new("RGB", (size, size), (value % 256, value // 256, 90)).save(out, "PNG")
    return out.getvalue()


def folders(images=10, classes=("cat", "dog"), **extra):
    files = {f"{name}/{i}.png": picture(i + 100 * c) for c, name in enumerate(classes) for i in range(images)}
    return archive(files | extra)


def create(client, project, upload, name=None, **wanted):
    wanted = {"name": name or f"d{uuid.uuid4().hex[:8]}", "upload_id": upload["id"], **wanted}
    return client.post(f"/projects/{project['id']}/datasets", json=wanted)


def imported(client, project, data, **wanted):
    """The dataset once its import is over."""
    answer = create(client, project, send(client, project, data), **wanted)
    assert answer.status_code == 202, answer.text
    return over(client, answer.json()["id"])


def over(client, ident):
    return wait_for(lambda: client.get(f"/datasets/{ident}").json(), lambda d: d["status"] != "importing")


def test_a_folder_of_classes_becomes_a_version(shared, alice, project):
    upload = send(alice, project, folders())
    made = create(alice, project, upload, name="Pets").json()
    assert (made["status"], made["versions"]) == ("importing", [])
    dataset = over(alice, made["id"])
    assert dataset["status"] == "ready", dataset
    assert dataset["progress"] == 1
    (version,) = dataset["versions"]
    assert version["number"] == 1
    assert version["format"] == "image_folder"
    assert version["tasks"] == ["classify"]
    assert version["classes"] == ["cat", "dog"]
    assert version["splits"] == {"train": 16, "val": 4}
    assert "80/20" in version["split_rule"]
    assert "seed 0" in version["split_rule"]
    assert alice.get(f"/datasets/{made['id']}/versions/1").json() == version
    assert alice.get(f"/projects/{project['id']}/datasets").json() == [dataset]
    folder = shared.data / "store" / "versions" / version["digest"]
    assert sorted(path.name for path in folder.iterdir()) == ["annotations.parquet", "classes.json", "images.parquet"]
    problem(alice.get(f"/uploads/{upload['id']}"), 404, "not_found")
    assert not (shared.data / "platform" / "uploads" / upload["id"]).exists()
    assert wait_for(lambda: list((shared.data / "platform" / "work").iterdir()), lambda left: not left) == []


def repacked(data):
    """The files of a zip, the last one first, as a compressed tar."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as packed, tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name in reversed(packed.namelist()):
            member = tarfile.TarInfo(name)
            member.size = packed.getinfo(name).file_size
            archive.addfile(member, packed.open(name))
    return out.getvalue()


def test_the_same_images_again_are_stored_once_and_have_the_same_digest(shared, alice, project):
    def blobs():
        found = {path: path.stat() for path in (shared.data / "store" / "blobs").glob("*/*")}
        return {path.name: (s.st_ino, s.st_mtime_ns, s.st_mode, s.st_nlink) for path, s in found.items()}

    data = folders()
    dataset = imported(alice, project, data)
    before = blobs()
    others = [imported(alice, project, again) for again in (data, repacked(data))]
    assert {d["versions"][0]["digest"] for d in others} == {dataset["versions"][0]["digest"]}
    upload = send(alice, project, repacked(data))
    alice.post(f"/datasets/{dataset['id']}/versions", json={"upload_id": upload["id"]}).raise_for_status()
    assert over(alice, dataset["id"])["problem"]["code"] == "nothing_to_add"
    after = blobs()
    assert after.keys() <= before.keys()
    assert after == {name: before[name] for name in after}


def test_a_failed_dataset_gives_way_to_another_try_with_the_same_upload(alice, project):
    upload = send(alice, project, folders())
    first = over(alice, create(alice, project, upload, name="Pets", format="nonsense").json()["id"])
    assert first["status"] == "failed"
    second = over(alice, create(alice, project, upload, name="PETS").json()["id"])
    assert second["status"] == "ready"
    problem(alice.get(f"/datasets/{first['id']}"), 404, "not_found")
    problem(create(alice, project, send(alice, project, folders()), name="pets"), 409, "dataset_exists")


def test_an_upload_has_to_be_complete_and_of_this_project(alice, bob, project):
    part = alice.post(f"/projects/{project['id']}/uploads", json={"filename": "a.zip", "size": 10}).json()
    problem(create(alice, project, part), 409, "upload_incomplete")
    problem(create(alice, project, {"id": str(uuid.uuid4())}), 404, "not_found")
    other = alice.post("/projects", json={"name": uuid.uuid4().hex}).json()
    problem(create(alice, other, send(alice, project, folders())), 404, "not_found")
    theirs = bob.post("/projects", json={"name": uuid.uuid4().hex}).json()
    problem(create(alice, project, send(bob, theirs, folders())), 404, "not_found")


def test_unknown_format(alice, project):
    assert imported(alice, project, folders(), format="nonsense")["problem"]["code"] == "format_unknown"


def test_roles_and_deletion(alice, bob, project):
    dataset = imported(alice, project, folders())
    path = f"/datasets/{dataset['id']}"
    problem(bob.get(path), 404, "not_found")
    problem(bob.delete(path), 404, "not_found")
    alice.put(f"/projects/{project['id']}/members/{bob.name}", json={"role": "viewer"})
    assert bob.get(path).json() == dataset
    problem(bob.delete(path), 403, "role_required")
    problem(bob.get(f"{path}/versions/2"), 404, "not_found")
    problem(bob.get(f"{path}/versions/99999999999999999999"), 404, "not_found")
    assert alice.delete(path).status_code == 204
    assert alice.get(f"/projects/{project['id']}/datasets").json() == []


@pytest.mark.faults
def test_imports_survive_whatever_is_killed(start_platform):
    running = start_platform()
    user = running.user()
    project = user.post("/projects", json={"name": "p"}).json()
    ident = create(user, project, send(user, project, folders(300))).json()["id"]
    (worker,) = wait_for(lambda: workers_of(running, "importer"), bool)
    os.kill(worker, signal.SIGKILL)
    dataset = over(user, ident)
    assert (dataset["status"], dataset["problem"]["code"]) == ("failed", "import_killed")
    ident = create(user, project, send(user, project, folders(300))).json()["id"]
    (worker,) = wait_for(lambda: workers_of(running, "importer"), bool)
    running.stop(signal.SIGKILL)
    assert wait_for(lambda: gone(worker), bool)  # it ends by itself
    running.start()
    assert over(user, ident)["status"] == "ready"
    assert list((running.data / "store" / "staging").iterdir()) == []


@pytest.mark.faults
def test_an_import_that_ends_while_the_database_is_away_is_not_done_again(start_platform):
    running = start_platform()
    user = running.user()
    project = user.post("/projects", json={"name": "p"}).json()
    ident = create(user, project, send(user, project, folders(300))).json()["id"]
    (worker,) = wait_for(lambda: workers_of(running, "importer"), bool)
    with away(running.data / "platform" / "retinue.sqlite", "datasets"):
        assert wait_for(lambda: gone(worker), bool)
        wait_for(running.read_log, lambda log: "waits to be written" in log)
        assert workers_of(running, "importer") == []
    assert over(user, ident)["status"] == "ready"
    assert "done again" not in running.read_log()


async def test_imports_go_on_after_the_database_was_away(tmp_path, caplog):
    context = Context(Settings(data=tmp_path, hub_api_url="http://127.0.0.1:9/hub/api"))
    context.open()
    project = project_row()
    waiting = dataset_row(project.id, status="importing", request={"upload_id": str(uuid.uuid4())})
    with context.db.write() as session:
        for row in (project, waiting):
            session.add(row)
            session.flush()
    with away(context.db.file, "datasets"):
        task = asyncio.create_task(imports.run(context))
        while "cannot be seen now" not in caplog.text:
            await asyncio.sleep(0.02)
            assert not task.done()

    def status():
        with context.db.read() as session:
            return session.get(DatasetRow, waiting.id).status

    async with asyncio.timeout(20):
        while status() != "failed":  # its upload is gone, which is found out by looking for it
            await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await context.close()


def test_deleting_a_dataset_stops_its_import(start_platform):
    running = start_platform()
    user = running.user()
    project = user.post("/projects", json={"name": "p"}).json()
    ident = create(user, project, send(user, project, folders(300))).json()["id"]
    (worker,) = wait_for(lambda: workers_of(running, "importer"), bool)
    assert user.delete(f"/datasets/{ident}").status_code == 204
    assert wait_for(lambda: gone(worker), bool)
    assert wait_for(lambda: list((running.data / "platform" / "work").iterdir()), lambda left: not left) == []


def test_an_import_has_limits(start_platform):
    running = start_platform(RETINUE_IMPORT_SECONDS="1", RETINUE_IMPORT_MEMORY_GB="8")
    user = running.user()
    project = user.post("/projects", json={"name": "p"}).json()
    began = time.monotonic()
    dataset = imported(user, project, folders(3000))
    assert dataset["problem"]["code"] in ("import_timeout", "import_killed")
    assert time.monotonic() - began < 20


if installed():

    def test_the_same_on_postgresql(start_platform, postgres):
        running = start_platform(RETINUE_DATABASE_URL=postgres.database("whole"))
        user = running.user()
        project = user.post("/projects", json={"name": "p", "description": "ä\n"}).json()
        assert imported(user, project, folders())["status"] == "ready"
        problem(user.post("/projects", json={"name": "P"}), 409, "project_exists")
        running.stop(signal.SIGKILL)
        running.start()
        assert len(user.get(f"/projects/{project['id']}/datasets").json()) == 1
        newest = running.admin().get("/audit", params={"limit": 1}).json()
        assert newest[0]["outcome"] == "409 project_exists"
