"""A folder as the bytes of a tar that is made while it is read, and what a dataset is called."""

import io
import os
import random
import tarfile

import pytest

from retinue.packing import Folder
from retinue.upload import name_of
from retinue_sdk.errors import BadRequestError


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "my pets"
    files = {
        "cat/a.png": 100,
        "cat/\u00e9.JPG": 512,
        "long/" + "n" * 120 + "/" + "m" * 120 + ".jpg": 1500,
        "labels/a.txt": 0,
        "b.png": 1,
    }
    for name, size in (files | {".git/a.png": 9, "labels.cache": 9, "run.py": 9, "notes": 9, "x/.b.png": 9}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(os.urandom(size))
    (root / "link.png").symlink_to(root / "b.png")
    (root / "nowhere.png").symlink_to("none")
    return root, {*files, "link.png"}


def test_a_folder_is_a_tar_of_what_a_dataset_is_made_of(folder):
    root, wanted = folder
    packed = Folder(root)
    data = packed.read(0, packed.size)
    assert (packed.name, len(data)) == ("my pets.tar", packed.size)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = {entry.name: tar.extractfile(entry).read() for entry in tar}
    assert found == {name: (root / name).read_bytes() for name in wanted}


def test_it_can_be_read_from_anywhere(folder):
    packed, rng = Folder(folder[0]), random.Random(1)
    data = packed.read(0, packed.size)
    for _ in range(300):
        begin, count = rng.randrange(packed.size + 10), rng.randrange(3000)
        assert packed.read(begin, count) == data[begin : begin + count]


def test_a_file_that_changes_meanwhile_is_told(folder):
    packed = Folder(folder[0])
    (folder[0] / "cat/a.png").write_bytes(b"shorter")
    with pytest.raises(BadRequestError) as caught:
        packed.read(0, packed.size)
    assert caught.value.problem.code == "upload_file_changed"
    assert caught.value.problem.where.endswith("cat/a.png")


def test_names(tmp_path, monkeypatch):
    (tmp_path / "set.data").mkdir()
    monkeypatch.chdir(tmp_path / "set.data")
    for what, name in {
        "pets.tar.gz": "pets", "My pets.zip": "My pets", "film.mp4": "film", ".": "set.data", tmp_path / "set.data": "set.data",
        "https://host/a/my%20pets.tar.zst?sig=1": "my pets", "s3://sets/pets/": "pets", "s3://sets/v1.2": "v1.2", "s3://sets": "s3://sets",
        "https://host/": "https://host/",
    }.items():  # fmt: skip
        assert name_of(what) == name
