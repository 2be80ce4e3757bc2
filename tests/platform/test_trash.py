"""Deleted datasets: in the trash, restored, purged; and what is then left in the store."""

import uuid
from datetime import datetime, timedelta

import pytest
from tests.platform.jobs_db import NOW, dataset_row, job_row, project_row
from tests.platform.running import problem, send, wait_for
from tests.platform.stack import Stack
from tests.platform.test_datasets import archive, folders, imported, over, picture

from retinue_platform import trash
from retinue_platform.context import Context
from retinue_platform.settings import Settings
from retinue_platform.tables import DatasetRow, VersionRow


def deleted(client, project, **wanted):
    """A dataset that is in the trash."""
    dataset = imported(client, project, folders(), **wanted)
    assert client.delete(f"/datasets/{dataset['id']}").status_code == 204
    return dataset


def listed(client, project, what="datasets"):
    return [dataset["id"] for dataset in client.get(f"/projects/{project['id']}/{what}").json()]


def test_a_deleted_dataset_is_in_the_trash_and_comes_back_whole(shared, alice, project):
    dataset = deleted(alice, project)
    assert listed(alice, project) == []
    (found,) = alice.get(f"/projects/{project['id']}/trash").json()
    assert (found["id"], found["trashed_by"], found["versions"]) == (dataset["id"], alice.name, dataset["versions"])
    age = datetime.fromisoformat(found["expires_at"]) - datetime.fromisoformat(found["trashed_at"])
    assert age == timedelta(days=30)
    shown = alice.get(f"/datasets/{dataset['id']}").json()  # it can still be looked at
    assert (shown["trashed_at"], shown["versions"]) == (found["trashed_at"], dataset["versions"])
    assert alice.get(f"/datasets/{dataset['id']}/versions/1").status_code == 200
    assert alice.delete(f"/datasets/{dataset['id']}").status_code == 204  # again: it stays as it is
    assert alice.get(f"/projects/{project['id']}/trash").json() == [found]
    assert alice.post(f"/datasets/{dataset['id']}/restore").json() == dataset
    assert alice.get(f"/datasets/{dataset['id']}").json() == dataset
    assert alice.post(f"/datasets/{dataset['id']}/restore").json() == dataset  # again
    assert (listed(alice, project), listed(alice, project, "trash")) == ([dataset["id"]], [])
    lines = shared.admin().get("/audit", params={"limit": 20}).json()
    actions = [(line["action"], line["object"]) for line in lines if line["user"] == alice.name]
    assert ("restore_dataset", f"datasets/{dataset['id']}/restore") in actions
    assert ("delete_dataset", f"datasets/{dataset['id']}") in actions


def test_the_name_of_a_deleted_dataset_is_free(alice, project):
    old = deleted(alice, project, name="Pets")
    new = imported(alice, project, folders(), name="pets")
    body = problem(alice.post(f"/datasets/{old['id']}/restore"), 409, "dataset_exists")
    assert "name" in body["hint"]
    restored = alice.post(f"/datasets/{old['id']}/restore", json={"name": "Old pets"}).json()
    assert (restored["name"], restored["trashed_at"]) == ("Old pets", None)
    assert set(listed(alice, project)) == {old["id"], new["id"]}
    problem(alice.post(f"/datasets/{old['id']}/restore", json={"name": ""}), 422, "invalid_request")


def test_what_is_in_the_trash_is_not_changed(alice, project):
    dataset = deleted(alice, project)
    path = f"/datasets/{dataset['id']}"
    upload = send(alice, project, folders())
    problem(alice.post(f"{path}/versions", json={"upload_id": upload["id"]}), 409, "dataset_in_trash")
    problem(alice.post(f"{path}/versions/1/restore"), 409, "dataset_in_trash")


def test_a_dataset_without_a_version_is_removed_at_once(alice, project):
    failed = imported(alice, project, b"no archive")
    assert alice.delete(f"/datasets/{failed['id']}").status_code == 204
    problem(alice.get(f"/datasets/{failed['id']}"), 404, "not_found")
    assert listed(alice, project, "trash") == []


def test_roles(alice, bob, project):
    dataset = imported(alice, project, folders())
    path, members = f"/datasets/{dataset['id']}", f"/projects/{project['id']}/members/{bob.name}"
    for answer in (
        bob.delete(path),
        bob.delete(path, params={"purge": True}),
        bob.post(f"{path}/restore"),
        bob.get(f"/projects/{project['id']}/trash"),
    ):
        problem(answer, 404, "not_found")
    alice.put(members, json={"role": "viewer"})
    problem(bob.delete(path), 403, "role_required")
    problem(bob.post(f"{path}/restore"), 403, "role_required")
    assert bob.get(f"/projects/{project['id']}/trash").json() == []
    alice.put(members, json={"role": "editor"})
    problem(bob.delete(path, params={"purge": True}), 403, "role_required")
    assert bob.delete(path).status_code == 204
    problem(bob.delete(path, params={"purge": True}), 403, "role_required")
    assert bob.post(f"{path}/restore").status_code == 200
    assert alice.delete(path, params={"purge": True}).status_code == 204
    problem(alice.get(path), 404, "not_found")


def blobs(running):
    return {path.name for path in (running.data / "store" / "blobs").glob("??/*")}


def test_what_was_purged_leaves_the_store_and_nothing_else_does(start_platform):
    running = start_platform()
    user = running.user()
    project = user.post("/projects", json={"name": "p"}).json()
    kept = imported(user, project, folders())
    before = blobs(running)
    mixed = imported(user, project, archive({f"{name}/{n}.png": picture(n) for name, n in (("cat", 0), ("owl", 333))}))
    digest = mixed["versions"][0]["digest"]
    assert len(blobs(running) - before) == 1
    user.delete(f"/datasets/{mixed['id']}", params={"purge": True}).raise_for_status()
    versions = running.data / "store" / "versions"
    assert wait_for(lambda: {path.name for path in versions.iterdir()}, lambda left: digest not in left)
    assert wait_for(lambda: blobs(running), lambda left: left == before)
    assert over(user, kept["id"]) == kept
    user.delete(f"/projects/{project['id']}").raise_for_status()
    assert wait_for(lambda: blobs(running), lambda left: not left) == set()


def test_the_same_content_in_two_datasets_stays_while_one_needs_it(start_platform):
    running = start_platform()
    user = running.user()
    project = user.post("/projects", json={"name": "p"}).json()
    first, second = (imported(user, project, folders()) for _ in range(2))
    marker = imported(user, project, archive({"cat/m.png": picture(77), "dog/m.png": picture(78)}))
    user.delete(f"/datasets/{first['id']}", params={"purge": True}).raise_for_status()
    user.delete(f"/datasets/{marker['id']}", params={"purge": True}).raise_for_status()
    gone = running.data / "store" / "versions" / marker["versions"][0]["digest"]
    wait_for(gone.exists, lambda there: not there)
    upload = send(user, project, archive({"cat/n.png": picture(79)}))
    user.post(f"/datasets/{second['id']}/versions", json={"upload_id": upload["id"]}).raise_for_status()
    assert over(user, second["id"])["versions"][0]["images"] == 21


# --- in the database ------------------------------------------------------------------------------------------------------


@pytest.fixture
def context(db, tmp_path):
    """A platform that is not served, on both databases."""
    url = db.url.render_as_string(hide_password=False)
    context = Context(Settings(data=tmp_path / "data", hub_api_url="http://127.0.0.1:9/hub/api", database_url=url))
    context.settings.store.mkdir(parents=True)
    yield context
    context.db.close()


def rows(context, *ages, jobs=()):
    """Datasets that have been in the trash for so many days; None for one that is not. Those in `jobs` are used."""
    project = project_row()
    made = [
        dataset_row(project.id, trashed_at=age if age is None else NOW - timedelta(days=age), name_key=uuid.uuid4().hex)
        for age in ages
    ]
    used = [job_row(project.id, made[n].id, status="succeeded", dataset_digest="a" * 64) for n in jobs]
    with context.db.write() as session:
        for group in ([project], made, used):
            session.add_all(group)
            session.flush()
        for number, row in enumerate(made):
            session.add(
                VersionRow(
                    dataset_id=row.id, number=1, digest=f"{number}" * 64, summary={}, created_at=NOW, created_by="a"
                )
            )
    return [row.id for row in made]


def test_after_its_days_a_dataset_is_gone_unless_a_job_refers_to_it(context):
    ids = rows(context, None, 29.9, 30.1, 400, jobs=[3])
    assert trash.purge(context, NOW) == 1
    with context.db.read() as session:
        left = [ident for ident in ids if session.get(DatasetRow, ident)]
    assert left == [ids[0], ids[1], ids[3]]
    assert trash.purge(context, NOW) == 0


def test_what_rows_refer_to_is_kept(context):
    rows(context, None, 1, jobs=[0])
    store = context.settings.store
    for digest in ("0" * 64, "1" * 64, "a" * 64, "f" * 64):
        (store / "versions" / digest).mkdir(parents=True)
    assert trash.collect(context) is True  # says in the log that one of them cannot be read
    assert len(list((store / "versions").iterdir())) == 4
    for path in (store / "versions").iterdir():
        if path.name != "f" * 64:
            path.rmdir()
    assert trash.collect(context) is True
    assert list((store / "versions").iterdir()) == []


def test_purging_is_refused_while_a_job_refers_to_the_dataset(hub, tmp_path):
    stack = Stack(hub, tmp_path)
    try:
        stack.wait(stack.start_job())
        path = f"/datasets/{stack.dataset}"
        body = problem(stack.alice.delete(path, params={"purge": True}), 409, "dataset_in_use")
        assert "counter" in body["message"]
        assert stack.alice.delete(path).status_code == 204
        problem(stack.post(), 409, "dataset_in_trash")
        (job,) = stack.alice.get(f"/projects/{stack.project}/jobs").json()
        assert job["dataset_id"] == stack.dataset
        assert stack.alice.post(f"{path}/restore").status_code == 200
        assert stack.post().status_code == 202
    finally:
        stack.close()
