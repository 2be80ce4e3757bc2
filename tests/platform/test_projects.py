"""Projects, members and roles over the real HTTP API."""

import uuid

import pytest
from tests.platform.running import problem


def member(owner, project, user, role):
    answer = owner.put(f"/projects/{project['id']}/members/{user.name}", json={"role": role})
    assert answer.status_code == 200, answer.text


def test_whoever_makes_a_project_owns_it(alice, bob, project):
    assert project["role"] == "owner"
    assert project["created_by"] == alice.name
    assert alice.get("/projects").json() == [project]
    assert alice.get(f"/projects/{project['id']}").json() == project
    assert bob.get("/projects").json() == []


def test_a_foreign_project_is_as_absent_as_one_that_does_not_exist(bob, project):
    foreign = problem(bob.get(f"/projects/{project['id']}"), 404, "not_found")
    absent_id = str(uuid.uuid4())
    absent = problem(bob.get(f"/projects/{absent_id}"), 404, "not_found")
    for body, ident in ((foreign, project["id"]), (absent, absent_id)):
        assert body.pop("where") == ident
        body.pop("request_id")
    assert foreign == absent


def test_roles(alice, bob, project):
    path = f"/projects/{project['id']}"
    member(alice, project, bob, "viewer")
    assert bob.get(path).json()["role"] == "viewer"
    assert bob.get(f"{path}/members").json() == sorted(
        [{"user": alice.name, "role": "owner"}, {"user": bob.name, "role": "viewer"}], key=lambda m: m["user"]
    )
    problem(bob.patch(path, json={"description": "x"}), 403, "role_required")
    member(alice, project, bob, "editor")
    assert bob.patch(path, json={"description": "x"}).json()["description"] == "x"
    problem(bob.put(f"{path}/members/carol", json={"role": "viewer"}), 403, "role_required")
    problem(bob.delete(f"{path}/members/{alice.name}"), 403, "role_required")
    problem(bob.delete(path), 403, "role_required")
    assert alice.delete(f"{path}/members/{bob.name}").status_code == 204
    problem(bob.get(path), 404, "not_found")


def test_the_last_owner_stays(alice, bob, project):
    path = f"/projects/{project['id']}/members"
    problem(alice.delete(f"{path}/{alice.name}"), 409, "last_owner")
    problem(alice.put(f"{path}/{alice.name}", json={"role": "editor"}), 409, "last_owner")
    member(alice, project, bob, "owner")
    assert alice.delete(f"{path}/{alice.name}").status_code == 204
    assert bob.get(f"/projects/{project['id']}").json()["role"] == "owner"


def test_a_name_is_taken_whatever_its_case(alice, bob, project):
    name = project["name"].upper()
    problem(bob.post("/projects", json={"name": f"  {name} "}), 409, "project_exists")
    other = alice.post("/projects", json={"name": f"{name}2"}).json()
    problem(alice.patch(f"/projects/{other['id']}", json={"name": name}), 409, "project_exists")
    renamed = alice.patch(f"/projects/{project['id']}", json={"name": name})
    assert renamed.json()["name"] == name


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_request"),
        ({"name": ""}, "invalid_request"),
        ({"name": "   "}, "invalid_name"),
        ({"name": "a\x00b"}, "invalid_name"),
        ({"name": "x" * 300}, "invalid_request"),
        ({"name": 3}, "invalid_request"),
        ({"name": "x", "owner": "bob"}, "invalid_request"),
        ({"name": "x", "description": "a\x00"}, "invalid_text"),
        ([], "invalid_request"),
    ],
)
def test_bad_projects(alice, body, code):
    problem(alice.post("/projects", json=body), 422, code)


def test_deleting_a_project_removes_what_it_holds(alice, project):
    path = f"/projects/{project['id']}"
    upload = alice.post(f"{path}/uploads", json={"filename": "a.zip", "size": 10}).json()
    assert alice.delete(path).status_code == 204
    problem(alice.get(path), 404, "not_found")
    problem(alice.get(f"/uploads/{upload['id']}"), 404, "not_found")


def test_an_administrator_of_the_platform_sees_every_project_as_its_owner(shared, project):
    admin = shared.admin()
    assert admin.get(f"/projects/{project['id']}").json()["role"] == "owner"
    assert project["id"] in [p["id"] for p in admin.get("/projects").json()]
