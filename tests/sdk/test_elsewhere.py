"""Versions whose images stay where they are: the same digest, no bytes, and the very bytes when they are needed."""

import shutil
from pathlib import Path

import fsspec
import pytest

from retinue_sdk import dataset, elsewhere, store, store_gc
from retinue_sdk.errors import DataError, RetinueError
from retinue_sdk.places import Source
from tests.sdk.drawn import box_table


@pytest.fixture
def world(tmp_path):
    """A table, where its files are as the operator's place, and an empty store."""
    table = box_table(tmp_path / "place")
    urls = {path: f"file://{path}" for path in table.images["path"]}
    return table, urls, [Source(f"file://{tmp_path}/place")], tmp_path / "store"


def blobs(root):
    return sorted(path.name for path in (root / "blobs").glob("??/*"))


def load(root, digest, **how):
    return store.load_version(dataset.manifest(root, digest), **how)


def test_the_version_is_the_same_and_its_images_come_when_they_are_wanted(tmp_path, world):
    table, urls, sources, root = world
    copied = store.publish(table, tmp_path / "other")
    made = store.publish(table, root, urls=urls)
    assert (made.digest, made.size_bytes, made.created) == (copied.digest, copied.size_bytes, True)
    assert (copied.elsewhere, made.elsewhere) == (0, 3)
    assert blobs(root) == []
    with pytest.raises(DataError, match="blob_missing"):
        load(root, made.digest)
    assert len(load(root, made.digest, whole=False)) == 3
    told = []
    assert elsewhere.bring(root, made.digest, sources, told.append) == 3
    assert told == [1.0]
    assert [p.read_bytes() for p in load(root, made.digest).files] == [p.read_bytes() for p in table.files]
    assert blobs(root) == blobs(tmp_path / "other")
    assert list((root / "staging").iterdir()) == []
    shutil.rmtree(tmp_path / "place")
    assert elsewhere.bring(root, made.digest, []) == 0


@pytest.mark.parametrize("what", ["other bytes", "shorter", "longer", "gone"])
def test_an_image_that_changed_is_told_and_nothing_else_is_taken_for_it(world, what):
    table, urls, sources, root = world
    made, path = store.publish(table, root, urls=urls), table.files[1]
    data = path.read_bytes()
    if what == "gone":
        path.unlink()
    else:
        path.write_bytes({"other bytes": data[:-1] + b"x", "shorter": data[:-1], "longer": b"x" + data}[what])
    with pytest.raises(RetinueError) as caught:
        elsewhere.bring(root, made.digest, sources)
    assert (caught.value.problem.code, caught.value.problem.where) == ("source_changed", f"file://{path}")
    assert blobs(root) == []
    path.write_bytes(data)
    assert elsewhere.bring(root, made.digest, sources) == 3


def test_what_was_brought_before_something_went_wrong_is_not_brought_again(world, monkeypatch):
    table, urls, sources, root = world
    monkeypatch.setattr(elsewhere, "BATCH", 1)
    made = store.publish(table, root, urls=urls)
    last = Path(list(elsewhere.read_objects(made.path).values())[-1].url.removeprefix("file://"))
    last.rename(last.with_suffix(".away"))
    with pytest.raises(RetinueError, match="source_changed"):
        elsewhere.bring(root, made.digest, sources)
    assert len(blobs(root)) == 2
    last.with_suffix(".away").rename(last)
    assert elsewhere.bring(root, made.digest, sources) == 1


def test_a_blob_that_is_nowhere_is_told(world):
    table, urls, _, root = world
    made = store.publish(table, root, urls=urls)
    base = load(root, made.digest, whole=False)
    with pytest.raises(DataError, match="blob_missing"):
        store.publish(base.with_images(split="test"), root)


def test_a_place_that_was_closed_is_told(world):
    table, urls, _, root = world
    made = store.publish(table, root, urls=urls)
    with pytest.raises(RetinueError, match="source_refused"):
        elsewhere.bring(root, made.digest, [])


def test_images_that_the_store_has_are_not_looked_for(world):
    table, urls, _, root = world
    store.publish(table.select([0]), root)
    made = store.publish(table, root, urls=urls)
    assert set(elsewhere.read_objects(made.path)) == {*load(root, made.digest, whole=False).images["blob"]} - {
        *blobs(root)
    }
    assert store.publish(table, root).digest == made.digest  # sent as well: all of it is here
    assert len(load(root, made.digest)) == 3


def test_the_same_images_at_another_place(tmp_path, world):
    table, urls, _, root = world
    made = store.publish(table, root, urls=urls)
    shutil.move(tmp_path / "place", tmp_path / "moved")
    moved = table.with_images(path=[path.replace("/place/", "/moved/") for path in table.images["path"]])
    again = store.publish(moved, root, urls={path: f"file://{path}" for path in moved.images["path"]})
    assert (again.digest, again.created) == (made.digest, False)
    assert elsewhere.bring(root, made.digest, [Source(f"file://{tmp_path}/moved")]) == 3


def test_a_version_made_of_another_keeps_where_its_images_are(world):
    table, urls, sources, root = world
    first = store.publish(table, root, urls=urls)
    base = load(root, first.digest, whole=False)
    second = store.publish(base.with_images(split="test"), root, away=elsewhere.read_objects(first.path))
    assert second.digest != first.digest
    assert store_gc.collect(root, lambda: [second.digest]).versions == 1
    assert elsewhere.bring(root, second.digest, sources) == 3
    assert store_gc.collect(root, lambda: [second.digest]).blobs == 0
    assert len(load(root, second.digest)) == 3
    assert store_gc.collect(root, tuple).blobs == 3


def test_an_object_store(world):
    table, _, _, root = world
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    urls = {str(path): f"memory://sets/{number}.png" for number, path in enumerate(table.files)}
    for path, url in urls.items():
        memory.pipe(url, Path(path).read_bytes())
    made = store.publish(table, root, urls=urls)
    assert elsewhere.bring(root, made.digest, [Source("memory://sets")]) == 3
    assert len(load(root, made.digest)) == 3
    memory.store.clear()
    other = store.publish(table, root.with_name("other"), urls=urls)
    with pytest.raises(RetinueError, match="source_changed"):
        elsewhere.bring(root.with_name("other"), other.digest, [Source("memory://sets")])
