"""A folder as an upload: the tar that is never written, what is left out of it, and what is refused before it is sent."""

import io
import os
import tarfile

import pytest

from retinue_sdk.archive import unpack
from retinue_sdk.errors import ConflictError, RetinueError
from retinue_sdk.parcel import parcel
from tests.sdk.drawn import draw

LONG = f"{'folder' * 20}/{'name' * 40}.txt"


@pytest.fixture
def folder(tmp_path):
    """Two images, one of them behind a link, a long name, an empty file, what is hidden and what is of no use."""
    home = tmp_path / "home"
    folder = home / "pets.v1"
    elsewhere = home / "elsewhere"
    for name in ("cat/1.png", ".git/2.png", "cat/.ipynb_checkpoints/3.png"):
        draw(folder / name)
    for name in ("labels.cache", "run.py", "notes"):
        (folder / name).write_bytes(b"x")
    draw(elsewhere / "4.png")
    (folder / "dog").symlink_to(elsewhere)
    (folder / LONG).parent.mkdir()
    (folder / LONG).write_bytes(b"x" * 512)
    (folder / "é.txt").touch()
    return folder


def test_reads_as_a_tar_of_the_folder(folder, tmp_path):
    sent = parcel(folder)
    whole = sent.read(0, sent.size)
    assert (sent.name, len(whole)) == ("pets.v1.tar", sent.size)
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        assert sorted(archive.getnames()) == sorted(["cat/1.png", "dog/4.png", LONG, "é.txt"])
        assert archive.extractfile(LONG).read() == b"x" * 512
    (tmp_path / "sent.tar").write_bytes(whole)
    unpacked, _ = unpack(tmp_path / "sent.tar", tmp_path / "unpacked")
    assert (unpacked / "dog/4.png").read_bytes() == (folder / "dog/4.png").read_bytes()


def test_reads_the_same_from_any_byte(folder):
    sent = parcel(folder)
    whole = sent.read(0, sent.size)
    for count in (1, 511, 700, 5000):
        assert b"".join(sent.read(at, count) for at in range(0, sent.size, count)) == whole
    assert sent.read(sent.size - 3, 100) == whole[-3:]


def test_a_file_is_sent_as_it_is_under_its_own_name(folder, tmp_path):
    (tmp_path / "mine.png").symlink_to(folder / "cat/1.png")
    sent = parcel(tmp_path / "mine.png")
    assert (sent.name, sent.read(0, 10**6)) == ("mine.png", (folder / "cat/1.png").read_bytes())


def refused(path, code, root=None):
    with pytest.raises(RetinueError) as caught:
        parcel(path, root)
    assert caught.value.problem.code == code
    return caught.value.problem


def test_what_cannot_be_sent_is_named(folder, tmp_path):
    assert refused(folder / "nothing", "upload_no_file").where == str(folder / "nothing")
    (folder / "cat/up").symlink_to(folder)
    assert refused(folder, "upload_unusable").where == "cat/up"
    (folder / "cat/up").unlink()
    (folder / "gone.png").symlink_to(tmp_path / "never")
    assert refused(folder, "upload_unusable").where == "gone.png"
    (folder / "gone.png").unlink()
    (folder / "self.png").symlink_to("self.png")
    assert refused(folder, "upload_unusable").where == "self.png"


def test_nothing_outside_of_the_root_is_read(folder):
    root = folder.parent
    assert parcel(folder, root).size
    refused(folder / ".." / "..", "upload_unusable", root)
    assert refused(folder, "upload_unusable", folder).where == "dog"
    (folder / "cat/passwd.txt").symlink_to("/etc/passwd")
    assert refused(folder, "upload_unusable", root).where == "cat/passwd.txt"
    (folder.parent / "out").symlink_to("/etc")
    refused(folder.parent / "out", "upload_unusable", root)


@pytest.mark.parametrize("size", [0, 512, 1000])
@pytest.mark.parametrize("path", [".", LONG])
def test_a_file_that_changed_is_told(folder, path, size):
    sent = parcel(folder / path)
    (folder / LONG).write_bytes(bytes(size))
    os.utime(folder / LONG, ns=(0, 1))  # the clock of some file systems stands still for milliseconds
    with pytest.raises(ConflictError) as caught:
        sent.read(0, sent.size)
    assert caught.value.problem.code == "upload_file_changed"
    assert caught.value.problem.where[:-1] in LONG


def test_a_folder_of_hidden_files_alone_is_empty(tmp_path):
    draw(tmp_path / "box" / ".hidden.png")
    refused(tmp_path / "box", "upload_no_file")
