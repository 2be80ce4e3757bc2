"""docs/adding.md, tried: a format from a package outside the tree, built and installed like any other."""

import io
import os
import subprocess
import sys
import uuid
import zipfile

import pytest

from retinue.magics import RetinueMagics
from retinue.session import Session
from retinue_sdk import formats
from retinue_sdk.errors import DataError
from tests import stranger
from tests.platform.hub import StandInHub
from tests.platform.running import Running
from tests.platform.test_datasets import imported


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Where the packages are of an environment with a stranger's among them."""
    return stranger.environment(tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def package(site, monkeypatch):
    """The same in this process."""
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])


@pytest.fixture(scope="module")
def platform(site, tmp_path_factory):
    hub = StandInHub()

    class Theirs(Running):
        python = stranger.python(site)

    running = Theirs(hub, tmp_path_factory.mktemp("platform") / "data")
    running.client(hub.token("ada")).get("/formats", timeout=120)  # the first time, a worker has to look
    yield running
    running.close()
    hub.close()


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for name, content in stranger.dataset().items():
        (folder / name).write_bytes(content)
    return folder


def test_a_strangers_format_is_detected_read_and_written(package, dataset, tmp_path):
    name, table, findings = formats.read(dataset)
    assert (name, list(table.classes), len(table.images), findings) == ("labels_csv", ["dark", "red"], 6, [])
    out = tmp_path / "out"
    out.mkdir()
    assert formats.get("labels_csv").write(table, out) == []
    again = formats.read(out)[1]
    assert again.labels().tolist() == table.labels().tolist()


def test_without_the_package_the_format_is_unknown_and_the_known_ones_are_named(dataset):
    with pytest.raises(DataError) as caught:
        formats.get("labels_csv")
    assert "pascal_voc" in str(caught.value)


def test_a_platform_lists_it_detects_it_and_exports_to_it(platform):
    """What the panel draws its choices of formats from is the first of these."""
    user = platform.user()
    listed = {f["name"]: f for f in user.get("/formats").json()}
    assert listed["labels_csv"] == {"name": "labels_csv", "title": "labels.csv beside the images", "writes": True}
    project = user.post("/projects", json={"name": uuid.uuid4().hex}).json()
    found = imported(user, project, stranger.packed(stranger.dataset()))
    assert (found["status"], found["versions"][0]["format"]) == ("ready", "labels_csv"), found
    answer = user.get(f"/datasets/{found['id']}/versions/1/archive", params={"format": "labels_csv"})
    assert zipfile.ZipFile(io.BytesIO(answer.content)).read("labels.csv").count(b"\n") == 7


def test_the_commands_and_the_magics_help_name_it(site, platform, monkeypatch, capsys):
    url, token = platform.base, platform.hub.token("ada")
    asked = {**os.environ, "RETINUE_URL": url, "JUPYTERHUB_API_TOKEN": token, "COLUMNS": "1000"}
    alone = {name: value for name, value in asked.items() if name != "RETINUE_URL"}

    def said(words, variables, python=sys.executable):
        command = [str(python), "-m", "retinue.cli", *words]
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout

    helped = said(["export", "--help"], asked)
    assert "labelme, labels_csv, ndjson" in helped.partition("on the platform: ")[2].partition("import only: ")[0]
    assert "labels_csv" in said(["formats"], asked)
    assert "labelme, labels_csv, ndjson" in said(["upload", "--help"], alone, stranger.python(site))
    session = Session(url, token)
    monkeypatch.setattr(Session, "_current", session)
    RetinueMagics(shell=None).retinue("upload --help")
    session.client.close()
    assert "labelme, labels_csv, ndjson" in capsys.readouterr().out.replace("\n", " ")
    RetinueMagics(shell=None).retinue("jobs --help")
    assert "ndjson" not in capsys.readouterr().out
