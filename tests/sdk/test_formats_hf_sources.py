"""Hugging Face datasets that are no folder yet: objects of the `datasets` library, and repositories of the Hub."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pytest

from retinue_sdk.archive import Limits
from retinue_sdk.errors import DataError, NotFoundError, RetinueError, UnavailableError
from retinue_sdk.formats import huggingface
from retinue_sdk.formats.hf_sources import from_dataset, from_hub
from retinue_sdk.places import Source
from retinue_sdk.remote import copy_from
from tests.sdk.checks import codes
from tests.sdk.drawn import draw
from tests.sdk.label_files import said
from tests.sdk.parquets import NAMES, Dataset, images, parquet, table


def test_a_dataset_of_the_library_becomes_a_folder(tmp_path, pictures):
    path = draw(tmp_path / "elsewhere/b.png", shade=9)
    column = images([pictures[0], None, None], ["a.png", str(path), None])
    content = table({"image": column, "label": [0, 1, 1]}, label=NAMES)
    found, findings = huggingface.read(from_dataset(Dataset(content, "test"), tmp_path / "one"))
    assert said(found) == {"a.png": ["cat"], "b.png": ["dog"]}
    assert found.splits == {"test": 2}
    assert codes(findings) == {"row_without_image": 1}
    several = {"train": Dataset(content.slice(0, 2)), "validation": Dataset(content.slice(0, 1))}
    found, _ = huggingface.read(from_dataset(several, tmp_path / "two"))
    assert found.splits == {"train": 2, "val": 1}


@pytest.mark.parametrize(
    ("column", "code"),
    [({"text": ["a"]}, "column_missing"), ({"image": images([None], ["/nowhere/a.png"])}, "image_missing")],
)
def test_a_dataset_that_cannot_become_a_folder_is_told(tmp_path, column, code):
    with pytest.raises(DataError) as caught:
        from_dataset(Dataset(pa.table(column)), tmp_path / "out")
    assert caught.value.problem.code == code


SHA = "5" * 40


@pytest.fixture
def hub(tmp_path):
    """A hub with one repository, the files of a folder: speaks as much HTTP as a download asks for."""
    root = tmp_path / "repository"

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            path = self.path.partition("?")[0]
            prefix = f"/datasets/me/pets/resolve/{SHA}/"
            if path == "/api/datasets/me/pets/revision/main":
                self.answer(json.dumps({"id": "me/pets", "sha": SHA, "siblings": []}).encode())
            elif path == f"/api/datasets/me/pets/tree/{SHA}":
                files = [p for p in root.rglob("*") if p.is_file()]
                entries = [
                    {"type": "file", "oid": "0", "size": p.stat().st_size, "path": p.relative_to(root).as_posix()}
                    for p in files
                ]
                self.answer(json.dumps(entries).encode())
            elif path.startswith(prefix):
                self.answer((root / path.removeprefix(prefix)).read_bytes())
            else:
                self.answer(b"{}", 404, {"X-Error-Code": "RepoNotFound" if "pets" not in path else "RevisionNotFound"})

        do_HEAD = do_GET  # noqa: N815 - the name that the server calls

        def answer(self, content, status=200, headers=None):
            self.send_response(status)
            stated = {
                "Content-Length": len(content),
                "ETag": f'"{hash(content)}"',
                "X-Repo-Commit": SHA,
                **(headers or {}),
            }
            for name, value in stated.items():
                self.send_header(name, str(value))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield root, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_repository_of_the_hub_becomes_a_folder_without_its_scripts(tmp_path, hub, pictures):
    root, endpoint = hub
    parquet(root, table({"image": images(pictures), "label": [0, 1, 1]}, label=NAMES))
    (root / "pets.py").write_text("raise SystemExit")
    folder = from_hub("me/pets", tmp_path / "got", endpoint=endpoint)
    assert not (folder / "pets.py").exists()
    assert huggingface.read(folder)[0].splits == {"train": 3}
    with pytest.raises(DataError) as caught:
        from_hub("me/pets", folder, endpoint=endpoint)
    assert caught.value.problem.code == "folder_exists"


def test_a_repository_is_a_place_that_the_operator_opens(tmp_path, hub, pictures):
    root, endpoint = hub
    parquet(root, table({"image": images(pictures), "label": [0, 1, 1]}, label=NAMES))
    for place, url in (
        ("hf://", "hf://me/pets"),
        ("hf://me", "hf://me/pets@main"),
        ("hf://me/pets", "hf://me/pets@main"),
    ):
        folder = tmp_path / place.replace("/", "-")
        copy_from(url, folder, [Source(place, {"endpoint": endpoint})])
        assert huggingface.read(folder)[0].splits == {"train": 3}
    for place, url, code in (
        ("hf://you", "hf://me/pets", "source_refused"),
        ("hf://me/pet", "hf://me/pets", "source_refused"),
        ("hf://", "hf://me/pets@v9", "not_found"),
        ("s3://me", "hf://me/pets", "source_refused"),
    ):
        with pytest.raises(RetinueError) as caught:
            copy_from(url, tmp_path / "none", [Source(place, {"endpoint": endpoint})])
        assert caught.value.problem.code == code
    with pytest.raises(RetinueError, match="archive_too_large"):
        copy_from("hf://me/pets", tmp_path / "none", [Source("hf://", {"endpoint": endpoint})], Limits(total_bytes=100))
    with pytest.raises(RetinueError, match="hub_unavailable"):
        copy_from("hf://me/pets", tmp_path / "none", [Source("hf://", {"endpoint": "http://127.0.0.1:9"})])
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(("name", "revision"), [("me/none", None), ("me/pets", "v9"), ("no//name", None)])
def test_what_the_hub_does_not_have_is_told(tmp_path, hub, name, revision):
    with pytest.raises(NotFoundError) as caught:
        from_hub(name, tmp_path / "got", revision, hub[1])
    assert caught.value.problem.where == f"{name}@{revision or 'main'}"


def test_a_hub_that_cannot_be_reached_is_told(tmp_path):
    with pytest.raises(UnavailableError) as caught:
        from_hub("me/pets", tmp_path / "got", endpoint="http://127.0.0.1:9")
    assert caught.value.problem.code == "hub_unavailable"
