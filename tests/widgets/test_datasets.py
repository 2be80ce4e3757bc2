"""Datasets as objects and verbs, with a real platform: what is added, compared, restored, deleted."""

import os

import pytest

from retinue.projects import create_project
from retinue.session import Session
from retinue.verbs import parse_classes, run
from retinue_sdk.errors import BadRequestError, ConflictError, NotFoundError
from tests.platform.hub import StandInHub
from tests.platform.running import Running
from tests.platform.test_datasets import archive, folders, picture


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    hub = StandInHub()
    running = Running(hub, tmp_path_factory.mktemp("objects") / "data")
    session = Session.open(running.base, hub.token("ann"))
    yield session
    Session._current = None
    session.client.close()
    running.close()
    hub.close()
    assert "Traceback" not in running.read_log(), running.read_log()


@pytest.fixture
def project(session):
    project = create_project(session, f"p {os.urandom(4).hex()}")
    session.use(project.name)
    return project


def saved(path, data):
    path.write_bytes(data)
    return path


@pytest.fixture
def pets(project, tmp_path):
    return project.upload(saved(tmp_path / "pets.zip", folders()))


@pytest.fixture
def more(tmp_path):
    return saved(tmp_path / "more.zip", archive({"cats/a.png": picture(700), "owl/b.png": picture(701)}))


def verb(line):
    return run(line.split(), lambda done, size: None)


def test_versions_of_a_dataset_from_its_making_to_its_end(project, pets, more, tmp_path):
    pets.add(more, {"cats": "cat"}, split="val", note="from the zoo")
    assert [v.number for v in pets.versions] == [2, 1]
    assert "from the zoo" in repr(pets.versions)
    assert "2 added, 0 replaced, 0 skipped" in pets.versions._repr_html_()
    assert "from the zoo" in repr(pets.versions[0]) + pets.versions[0]._repr_html_()
    pets.add(saved(tmp_path / "street.png", picture(800)), split="train")
    found = pets.diff(1)
    assert (found.data.b, found.data.images.added, found.data.classes_added) == (3, 3, ["owl"])
    assert found.images[0] == ("cats/a.png", "", "added", "+1")
    assert "version 1 to 3" in repr(found)
    assert "street.png" in found._repr_html_()
    assert "No image is other." in repr(pets.diff(1, 1))
    assert pets.restore(1).versions[0].data.digest == pets.versions[3].data.digest
    assert repr(pets).count("ready") == 1
    pets.delete()
    assert [d.name for d in project.trash()] == ["pets"]
    assert "ann" in repr(project.trash()) + project.trash()._repr_html_()
    assert list(project.datasets()) == []
    project.trashed("PETS").restore(name="Animals")
    assert [d.name for d in project.datasets()] == ["Animals"]
    pets.delete(purge=True)
    assert list(project.trash()) == []
    with pytest.raises(NotFoundError, match="in the trash"):
        project.trashed("Animals")


def test_what_cannot_be_added_is_told_and_stays_in_the_table(pets, more):
    with pytest.raises(BadRequestError) as caught:
        pets.add(more, {"lions": "cat"})
    assert caught.value.problem.code == "class_unknown"
    assert "ready: The upload has no class 'lions'." in repr(pets)
    pets.delete()
    with pytest.raises(ConflictError) as caught:
        pets.add(more)
    assert caught.value.problem.code == "dataset_in_trash"


def test_the_verbs_are_the_same_words(pets, more, project):
    added = verb(f"add pets {more} --classes cats=cat --classes owl= --conflict replace --split train --note zoo")
    assert added.versions[0].data.merged.added == 2
    assert added.versions[0].data.classes == ["cat", "dog"]
    assert [v.number for v in verb("versions pets")] == [2, 1]
    assert verb("diff pets 2 1").data.images.removed == 2
    assert verb("restore pets --version 1").versions[0].number == 3
    assert "`restore` takes it out" in verb("delete pets")
    assert [d.name for d in verb("trash")] == ["pets"]
    assert verb("restore pets").name == "pets"
    verb("delete pets")
    with pytest.raises(NotFoundError):
        verb("delete pets")
    assert verb("delete pets --purge") == "pets is gone."
    assert list(project.trash()) == []
    with pytest.raises(BadRequestError):
        verb("diff pets 1")


def test_class_mappings_are_pairs():
    assert parse_classes(["cats=cat", "a=b=c", "junk="]) == {"cats": "cat", "a=b": "c", "junk": None}
    with pytest.raises(BadRequestError) as caught:
        parse_classes(["cats"])
    assert caught.value.problem.code == "classes_unreadable"


def test_a_folder_is_uploaded_without_being_packed_first(project, tmp_path):
    box = tmp_path / "birds"
    for name in ("owl", "kite"):
        (box / name).mkdir(parents=True)
    for number in range(3):
        saved(box / "owl" / f"{number}.png", picture(900 + number))
        saved(box / "kite" / f"{number}.png", picture(950 + number))
    seen = []
    dataset = project.upload(box, progress=lambda done, size: seen.append((done, size)))
    assert (dataset.name, dataset.data.versions[0].images, dataset.data.versions[0].classes) == (
        "birds",
        6,
        ["kite", "owl"],
    )
    assert seen[-1][0] == seen[-1][1]
    more = tmp_path / "more" / "owl"
    more.mkdir(parents=True)
    saved(more / "9.png", picture(999))
    assert dataset.add(tmp_path / "more").data.versions[0].images == 7
