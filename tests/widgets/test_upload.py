"""What a dataset is called when nobody says; and an upload that was broken off goes on with the next call, only for the same file."""

import os

import pytest

from retinue.progress import silent
from retinue.projects import create_project
from retinue.session import Session
from retinue.upload import name_of, sending
from retinue_sdk.errors import BadRequestError, ConflictError
from retinue_sdk.upload import CHUNK
from tests.platform.hub import StandInHub
from tests.platform.running import Running
from tests.platform.test_datasets import folders

SIZE = CHUNK + 1000


class BrokenOffError(Exception):
    pass


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    hub = StandInHub()
    running = Running(hub, tmp_path_factory.mktemp("uploads") / "data")
    yield running
    running.close()
    hub.close()


@pytest.fixture
def project(running):
    project = create_project(Session.open(running.base, running.hub.token("ann")), f"p {os.urandom(4).hex()}")
    yield project
    project.session.client.close()
    Session._current = None


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "data.zip"
    file.write_bytes(os.urandom(SIZE))
    return file


def broken_off(project, file):
    """After its first chunk."""

    def progress(sent, size):
        raise BrokenOffError

    with pytest.raises(BrokenOffError), sending(project.session, project.id, file, progress):
        pass


def sent(project, file):
    """The upload, and how far it was after each chunk."""
    steps = []
    with sending(project.session, project.id, file, lambda done, size: steps.append(done)) as upload:
        return upload, steps


def test_it_goes_on_behind_the_last_chunk(running, project, file, tmp_path):
    broken_off(project, file)
    upload, steps = sent(project, file)
    assert steps == [SIZE]
    assert (running.data / "platform" / "uploads" / upload).read_bytes() == file.read_bytes()
    assert list((tmp_path / "cache" / "retinue" / "uploads").iterdir()) == []
    assert sent(project, file)[1] == [CHUNK, SIZE]  # complete: another call is another upload


def test_a_complete_upload_is_kept_when_the_dataset_is_refused(project, file, tmp_path):
    other = tmp_path / "other.zip"
    other.write_bytes(folders())
    project.upload(other, name="taken", progress=silent)
    with pytest.raises(ConflictError, match="dataset of that name"):
        project.upload(file, name="taken", progress=silent)
    sent = []
    project.session.client.http.event_hooks = {"request": [lambda request: sent.append(request.method)]}
    with pytest.raises(BadRequestError):
        project.upload(file, name="free", progress=silent)
    assert "PUT" not in sent
    with pytest.raises(BadRequestError):
        project.upload(file, name="another", progress=silent)
    assert sent.count("PUT") == 2


def test_a_file_that_changed_is_sent_anew(project, file):
    broken_off(project, file)
    file.write_bytes(os.urandom(SIZE))
    os.utime(file, (1, 1))
    assert sent(project, file)[1] == [CHUNK, SIZE]


def test_an_upload_that_is_gone_is_sent_anew(running, project, file):
    folder = running.data / "platform" / "uploads"
    before = set(folder.iterdir())
    broken_off(project, file)
    (upload,) = set(folder.iterdir()) - before
    upload.unlink()
    with pytest.raises(ConflictError, match="bytes of this upload are gone"):
        sent(project, file)
    assert sent(project, file)[1] == [CHUNK, SIZE]


def test_a_home_that_cannot_be_written_keeps_nothing_from_going(project, file, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    assert sent(project, file)[1] == [CHUNK, SIZE]


def test_names(tmp_path, monkeypatch):
    (tmp_path / "set.data").mkdir()
    monkeypatch.chdir(tmp_path / "set.data")
    for what, name in {
        "pets.tar.gz": "pets", "My pets.zip": "My pets", "film.mp4": "film", ".": "set.data", tmp_path / "set.data": "set.data",
        "https://host/a/my%20pets.tar.zst?sig=1": "my pets", "s3://sets/pets/": "pets", "s3://sets/v1.2": "v1.2", "s3://sets": "s3://sets",
        "https://host/": "https://host/",
    }.items():  # fmt: skip
        assert name_of(what) == name
