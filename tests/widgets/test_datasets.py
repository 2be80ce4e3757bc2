"""Datasets as objects and verbs, with a real platform: what is added, compared, restored, deleted."""

import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
import zipfile

import pytest

from retinue.progress import silent
from retinue.projects import create_project
from retinue.session import Session
from retinue.verbs import parse_classes, run
from retinue_sdk.errors import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from tests.platform.hub import StandInHub
from tests.platform.running import Running
from tests.platform.test_datasets import archive, folders, picture
from tests.sdk import parquets


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A folder that the operator opens."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def session(tmp_path_factory, shared):
    hub = StandInHub()
    places = json.dumps([{"url": f"file://{shared}"}])
    running = Running(hub, tmp_path_factory.mktemp("objects") / "data", RETINUE_SOURCES=places)
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
    return run(line.split(), silent)


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
    grown = verb(f"add pets {more} --format image_folder --parent 2 --classes owl= --conflict keep_both")
    assert grown.versions[0].data.classes == ["cat", "dog", "cats"]
    assert "`restore` takes it out" in verb("delete pets")
    assert [d.name for d in verb("trash")] == ["pets"]
    assert verb("restore pets --name beasts").name == "beasts"
    verb("delete beasts")
    assert verb("restore beasts --name pets").name == "pets"
    verb("delete pets")
    with pytest.raises(NotFoundError):
        verb("delete pets")
    assert verb("delete pets --purge") == "pets is gone."
    assert list(project.trash()) == []
    with pytest.raises(BadRequestError):
        verb("diff pets 1")


def test_why_a_format_was_taken_is_shown(pets):
    assert "Read as Folders of classes" in repr(pets)
    assert "recognised by" in pets._repr_html_()


def test_an_object_of_the_datasets_library_becomes_a_dataset(project):
    rows = parquets.table({"image": parquets.images([picture(1), picture(2)]), "label": [0, 1]}, label=parquets.NAMES)
    made = project.upload(parquets.Dataset(rows), "pets", silent)
    assert (made.data.versions[0].format, made.data.versions[0].classes) == ("huggingface", ["cat", "dog"])
    more = parquets.table({"image": parquets.images([picture(3)]), "label": [0]}, label=parquets.NAMES)
    assert (
        made.add({"validation": parquets.Dataset(more)}, conflict="keep_both", progress=silent).versions[0].data.images
        == 3
    )
    for what, name, message in ((parquets.Dataset(rows), None, "needs a name"), (5, "five", "the type int")):
        with pytest.raises(BadRequestError, match=message):
            project.upload(what, name, silent)


def test_an_export_goes_to_the_working_folder_whatever_the_dataset_is_called(project, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    pets = project.upload(saved(tmp_path / "pets.zip", folders()), "../~pets", silent)
    assert pets.export("coco").resolve().parent == tmp_path / "here"
    assert zipfile.is_zipfile(tmp_path / "here" / "_~pets-coco.zip")
    with pytest.raises(BadRequestError, match="No such file or directory") as caught:
        pets.export("coco", tmp_path / "nowhere" / "pets.zip")
    assert caught.value.problem.where.startswith(str(tmp_path / "nowhere"))
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["_~pets-coco.zip"]


def unpacked(folder):
    zipfile.ZipFile(io.BytesIO(folders())).extractall(folder)
    return folder


def test_what_is_uploaded_may_be_a_folder_here_or_at_a_place(project, shared, tmp_path):
    seen = []
    here = project.upload(unpacked(tmp_path / "pets v1.2"), progress=lambda step, part: seen.append((step, part)))
    there = verb(f"upload file://{unpacked(shared / 'pets')}")
    assert [here.name, there.name] == ["pets v1.2", "pets"]
    assert here.versions[0].data.digest == there.versions[0].data.digest
    assert [here.versions[0].data.origin, there.versions[0].data.origin] == ["pets v1.2.tar", f"file://{shared}/pets"]
    assert seen[0] == ("uploading 0.0 MB", 1.0)  # it is small
    assert [step.partition(":")[0] for step, _ in seen[1:]] == ["importing pets v1.2"] * (len(seen) - 1)
    assert seen[-1] == ("importing pets v1.2: done", 1.0)
    (shared / "owls/owl").mkdir(parents=True)
    (shared / "owls/owl/a.png").write_bytes(picture(950))
    assert verb(f"add pets file://{shared}/owls --in-place --split train").versions[0].data.elsewhere == 1
    said = repr(verb("sources"))
    assert f"file://{shared}" in said
    assert "an archive, a folder, a video, up to 50 GB" in said
    for what, code in (("file:///etc", "source_refused"), ("https://example.org/a.zip", "fetch_off")):
        with pytest.raises(ForbiddenError) as caught:
            verb(f"upload {what}")
        assert caught.value.problem.code == code
    (tmp_path / "empty").mkdir()
    for what in (tmp_path / "empty", tmp_path / "none"):
        with pytest.raises(BadRequestError) as caught:
            verb(f"upload {what}")
        assert caught.value.problem.code == "upload_no_file"


def test_failed_imports_are_tried_again_or_put_away(project, pets, tmp_path):
    bad = saved(tmp_path / "bad.zip", folders())
    with pytest.raises(BadRequestError):
        verb(f"upload {bad} --format coco")
    assert project.dataset("bad").data.status == "failed"
    assert verb("retry bad --format image_folder").versions[0].data.images == 20
    with pytest.raises(ConflictError) as caught:
        verb("retry bad")
    assert caught.value.problem.code == "nothing_to_retry"
    with pytest.raises(BadRequestError) as caught:
        verb(f"add pets {bad} --seconds 2")
    assert caught.value.problem.code == "video_unreadable"
    assert project.dataset("pets").data.problem
    assert verb("dismiss pets").data.problem is None
    with pytest.raises(BadRequestError) as caught:
        verb(f"upload {bad} --name x --seconds 2 --every 3")
    assert "`every` or `seconds`" in str(caught.value)


def on_a_terminal(words, **environment):
    """What the command writes to the terminal that is its stderr, and its exit status."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "retinue.cli", *words]
    with subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := os.read(ours, 4096):
                seen += piece
    os.close(ours)
    return seen.decode(), process.returncode


def test_the_command_shows_each_step_on_a_terminal(session, project, tmp_path):
    where = {"RETINUE_URL": session.url, "JUPYTERHUB_API_TOKEN": session.token, "RETINUE_PROJECT": project.name}
    said, status = on_a_terminal(["upload", str(saved(tmp_path / "pets.zip", folders()))], **where)
    assert status == 0
    lines = [line for line in re.split(r"[\r\n]+", said) if line]
    assert (lines[0], lines[-1]) == ("uploading 0.0 MB 100%", "importing pets: done 100%")
    assert re.fullmatch(r"importing pets: \w+ +\d+%", lines[1]), said
    said, status = on_a_terminal(["upload", str(saved(tmp_path / "bad.zip", b"no zip"))], **where)
    assert status == 1
    assert said.splitlines()[-1].startswith("retinue: "), said


def test_class_mappings_are_pairs():
    assert parse_classes(["cats=cat", "a=b=c", "junk="]) == {"cats": "cat", "a=b": "c", "junk": None}
    with pytest.raises(BadRequestError) as caught:
        parse_classes(["cats"])
    assert caught.value.problem.code == "classes_unreadable"
