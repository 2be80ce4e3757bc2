"""Datasets from other places: only those the operator opens, checked as an archive is, through a real S3 protocol."""

import io
import os
import sys
import zipfile

import boto3
import fsspec
import pytest
from moto.server import ThreadedMotoServer

from retinue_sdk.archive import Limits
from retinue_sdk.errors import DataError, RetinueError
from retinue_sdk.places import Source
from retinue_sdk.remote import copy_from
from tests.corpus.archives import a_tar, entry, zst
from tests.sdk.drawn import draw


@pytest.fixture
def picture(tmp_path):
    return draw(tmp_path / "drawn" / "a.png").read_bytes()


@pytest.fixture
def memory():
    """fsspec's file system in memory, empty before and after."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


MEMORY = [Source("memory://sets/pets")]


def a_zip(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def put(store, files):
    for name, content in files.items():
        store.pipe(name, content)


def refused(tmp_path, url, sources, code, limits=None):
    with pytest.raises(RetinueError) as caught:
        copy_from(url, tmp_path / "out" / "data", sources, limits)
    problem = caught.value.problem
    assert problem.code == code, problem
    assert problem.hint
    assert not list(tmp_path.glob("out/*"))
    return problem


def test_a_folder_is_copied(tmp_path, memory, picture):
    put(
        memory,
        {f"/sets/pets/cat/{i}.png": picture for i in range(700)}
        | {"/sets/pets/notes.pdf": b"x", "/sets/other/b.png": b"no"},
    )
    told = []
    root, findings = copy_from("memory://sets/pets/", tmp_path / "out", MEMORY, progress=told.append)
    assert root == tmp_path / "out"
    assert sum(path.read_bytes() == picture for path in root.rglob("*.png")) == 700
    assert [(f.code, f.count) for f in findings] == [("files_ignored", 1)]
    assert told[-1] == 1.0
    assert told == sorted(told)
    root, _ = copy_from("memory://sets/pets/cat", tmp_path / "cat", MEMORY)
    assert (root / "5.png").read_bytes() == picture


def test_a_single_file_is_unpacked(tmp_path, memory, picture):
    put(memory, {"/sets/pets/data.zip": a_zip({"a.png": picture, "é.png": picture}), "/sets/pets/one.png": picture})
    root, _ = copy_from("memory://sets/pets/data.zip", tmp_path / "out", MEMORY)
    assert sorted(p.name for p in root.iterdir()) == ["a.png", "é.png"]
    root, _ = copy_from("memory://sets/pets/one.png", tmp_path / "one", MEMORY)
    assert [p.name for p in root.iterdir()] == ["one.png"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["drawn", "one", "out"]


@pytest.mark.parametrize(
    "url",
    [
        "memory://sets", "memory://sets/petsX/a", "memory://sets/pets/../other", "memory://other/sets/pets", "memory:/sets/pets",
        "MEMORY://sets/pets", "simplecache::memory://sets/pets", "memory://sets/pets::file:///etc", "zip://a::memory://sets/pets",
        "file:///etc", "/etc", "s3://sets/pets", "http://sets/pets", "github://a:b@c/d", "memory://sets/pets\n", "", "://",
        "memory://sets/pets/::file:///etc", "local:///etc", "reference://x", "dir://x", "filecache://x",
    ],
)  # fmt: skip
def test_other_places_are_refused(tmp_path, memory, picture, url):
    put(memory, {"/sets/pets/a.png": picture, "/sets/other/a.png": picture, "/sets/petsX/a.png": picture})
    if "::" in url and url.startswith("memory://sets/pets/"):
        refused(tmp_path, url, MEMORY, "source_not_found")  # a name like any other: nothing is chained
    else:
        assert refused(tmp_path, url, MEMORY, "source_refused").status == 403
    refused(tmp_path, url, [], "source_refused")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1", "s3://", "s3:///sets", "s3://sets/../b", "file://srv", "file:///", "sets"]
)
def test_a_place_that_is_not_read_cannot_be_opened(url):
    with pytest.raises(ValueError, match="a place"):
        Source(url)


def test_what_is_there_is_checked_as_an_archive_is(tmp_path, memory, picture):
    for files, code in (
        ({"x.py": b""}, "file_type_not_allowed"),
        ({"A.png": picture}, "archive_duplicate_name"),
        ({"b\n.png": picture}, "archive_bad_name"),
        ({"c/../d.png": picture}, "archive_path_escapes"),
        ({"more.zip": b""}, "archive_too_large"),
    ):
        memory.store.clear()
        put(memory, {f"/sets/pets/{name}": content for name, content in ({"a.png": picture} | files).items()})
        if code == "archive_path_escapes" and "/sets/pets/c/../d.png" not in memory.store:
            continue
        refused(tmp_path, "memory://sets/pets", MEMORY, code)
    memory.store.clear()
    put(memory, {f"/sets/pets/{i}.png": picture for i in range(11)})
    refused(tmp_path, "memory://sets/pets", MEMORY, "archive_too_large", Limits(members=10))
    refused(tmp_path, "memory://sets/pets", MEMORY, "archive_too_large", Limits(total_bytes=100))
    refused(tmp_path, "memory://sets/pets/1.png", MEMORY, "archive_too_large", Limits(total_bytes=10))
    refused(tmp_path, "memory://sets/pets/none", MEMORY, "source_not_found")


@pytest.fixture
def shared(tmp_path, picture):
    """A folder the operator shares, and a secret beside it."""
    (tmp_path / "srv/shared/pets").mkdir(parents=True)
    (tmp_path / "srv/secret.png").write_bytes(b"secret")
    (tmp_path / "srv/shared/pets/a.png").write_bytes(picture)
    return tmp_path / "srv/shared"


def test_a_folder_of_this_machine(tmp_path, shared, picture):
    sources = [Source(f"file://{shared}")]
    (shared / "blobs").mkdir()
    (shared / "blobs/x").write_bytes(picture)
    (shared / "pets/b.png").symlink_to("../blobs/x")  # as git-annex and caches lay out their files
    root, _ = copy_from(f"file://{shared}/pets", tmp_path / "pets", sources)
    assert {p.name: p.is_symlink() for p in root.iterdir()} == {"a.png": False, "b.png": False}
    assert (root / "b.png").read_bytes() == picture
    (shared / "d.zip").write_bytes(a_zip({"a.png": picture}))
    root, _ = copy_from(f"file://{shared}/d.zip", tmp_path / "zip", sources)
    assert [p.name for p in root.iterdir()] == ["a.png"]
    refused(tmp_path, f"file://{shared}/none", sources, "source_not_found")
    for url in (
        f"file://{tmp_path}/srv",
        f"file://{shared}/../secret.png",
        f"file://{shared}X",
        "file:///",
        f"file://localhost{shared}",
    ):
        refused(tmp_path, url, sources, "source_refused")


@pytest.mark.parametrize("bad", ["link", "folder", "pipe", "loop", "nowhere", "top", "device"])
def test_links_out_and_special_files_are_refused(tmp_path, shared, bad):
    sources, url = [Source(f"file://{shared}")], f"file://{shared}/pets"
    if bad == "link":
        (shared / "pets/b.png").symlink_to("../../secret.png")
    elif bad == "folder":
        (shared / "pets/b").symlink_to("../..")
    elif bad == "pipe":
        os.mkfifo(shared / "pets/b.png")
    elif bad == "loop":
        (shared / "pets/b.png").symlink_to("b.png")
    elif bad == "nowhere":
        (shared / "pets/b.png").symlink_to("none.png")
    elif bad == "device":
        (shared / "pets/b.png").symlink_to("/dev/zero")
    else:
        (shared / "out").symlink_to("..")
        url = f"file://{shared}/out"
    refused(tmp_path, url, sources, "archive_special_file")


@pytest.fixture(scope="module")
def s3():
    """A server of the S3 protocol, and its URL."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3, monkeypatch):
    """A bucket of the operator's, filled by its own client."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "operator")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of its environment")
    client = boto3.client("s3", endpoint_url=s3, region_name="us-east-1")
    client.create_bucket(Bucket="sets")
    yield client
    for found in client.list_objects_v2(Bucket="sets").get("Contents", []):
        client.delete_object(Bucket="sets", Key=found["Key"])
    client.delete_bucket(Bucket="sets")


def upload(client, files, acl="private"):
    for key, content in files.items():
        client.put_object(Bucket="sets", Key=key, Body=content, ACL=acl)


def test_a_folder_of_an_object_store(tmp_path, s3, bucket, picture):
    large = os.urandom(3_500_000)
    upload(bucket, {
        "pets/": b"", "pets/cat/a b+é.png": picture, "pets/cat/empty.txt": b"", "pets/large.jpg": large, "pets/x%2fy.png": picture,
        "pets/data.zip": a_zip({"a.png": picture}), "petsX/b.png": picture, "other/b.png": picture,
    })  # fmt: skip
    bucket.delete_object(Bucket="sets", Key="pets/data.zip")
    sources = [Source("s3://sets/pets", {"anon": False, "endpoint_url": s3})]
    root, findings = copy_from("s3://sets/pets", tmp_path / "got", sources)
    files = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    assert files == {"cat/a b+é.png": picture, "cat/empty.txt": b"", "large.jpg": large, "x%2fy.png": picture}
    assert findings == []
    upload(bucket, {"pets/data.tar.zst": zst(a_tar(entry("a.png", picture)))})
    root, _ = copy_from("s3://sets/pets/data.tar.zst", tmp_path / "tar", sources)
    assert (root / "a.png").read_bytes() == picture
    refused(tmp_path, "s3://sets/pets", sources, "archive_too_large")  # an archive among files
    refused(tmp_path, "s3://sets/other", sources, "source_refused")
    refused(tmp_path, "s3://sets/petsX", sources, "source_refused")
    refused(tmp_path, "s3://sets/pets/none", sources, "source_not_found")


@pytest.mark.parametrize(
    "key", ["pets/../b.png", "pets//b.png/../../../x.png", "pets/a\\..\\..\\x.png", "pets//etc/x.png"]
)
def test_keys_that_lead_outside(tmp_path, s3, bucket, picture, key):
    upload(bucket, {"pets/a.png": picture, key: picture})
    sources = [Source("s3://sets/pets", {"anon": False, "endpoint_url": s3})]
    refused(tmp_path, "s3://sets/pets", sources, "archive_path_escapes")


def test_an_object_store_is_asked_as_anonymous_unless_the_operator_says_otherwise(tmp_path, s3, bucket, picture):
    upload(bucket, {"open/a.png": picture}, "public-read")
    upload(bucket, {"closed/a.png": picture})
    bucket.put_bucket_acl(Bucket="sets", ACL="public-read")
    anonymous = [Source("s3://sets", {"endpoint_url": s3})]
    root, _ = copy_from("s3://sets/open", tmp_path / "got", anonymous)
    assert (root / "a.png").read_bytes() == picture
    assert refused(tmp_path, "s3://sets/closed", anonymous, "source_forbidden").status == 403
    nobody = Source(
        "s3://sets", {"endpoint_url": "http://127.0.0.1:9", "config_kwargs": {"retries": {"max_attempts": 0}}}
    )
    assert "127.0.0.1" not in str(refused(tmp_path, "s3://sets/open", [nobody], "source_failed"))


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_a_store_whose_driver_is_not_installed(tmp_path, scheme, monkeypatch):
    monkeypatch.setitem(sys.modules, {"gs": "gcsfs", "az": "adlfs"}[scheme], None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, scheme, raising=False)
    url = f"{scheme}://sets/pets"
    assert "retinue[gcs] or retinue[azure]" in refused(tmp_path, url, [Source(url)], "source_driver_missing").hint


def test_a_file_that_changes_places_after_it_was_listed(tmp_path, shared):
    from retinue_sdk.remote import _opened

    path = shared / "pets/a.png"
    path.unlink()
    path.symlink_to("../../secret.png")
    with pytest.raises(DataError, match="archive_special_file"), _opened(path, shared):
        raise AssertionError("it was opened")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match="archive_special_file"), _opened(path, shared):
        raise AssertionError("it was opened")
