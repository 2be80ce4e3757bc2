"""The store: the same content once, versions whole or absent whatever is killed, and nothing of a full disk."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from retinue_sdk import dataset, store, store_gc
from retinue_sdk.errors import DataError
from retinue_sdk.formats import image_folder, yolo_detect
from retinue_sdk.table import make_table
from tests.sdk.drawn import box_table, class_folders, draw


def everything(root):
    """All files below a folder with their content."""
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_a_version_holds_what_the_layout_says(tmp_path):
    table = box_table(tmp_path / "source")
    told = []
    made = store.publish(table, tmp_path / "store", told.append)
    assert made.created
    assert made.path == tmp_path / "store" / "versions" / made.digest
    assert sorted(p.name for p in made.path.iterdir()) == ["annotations.parquet", "classes.json", "images.parquet"]
    content = json.loads((made.path / "classes.json").read_text())
    assert content["classes"] == [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]
    assert (content["tasks"], content["kinds"]) == (["detect"], ["box"])
    assert (content["images"], content["annotations"], content["splits"]) == (3, 4, {"train": 2, "val": 1})
    assert made.size_bytes == content["size_bytes"] == sum(p.stat().st_size for p in table.files)
    assert told[-1] == 1.0
    assert list((tmp_path / "store" / "staging").iterdir()) == []
    for blob in (tmp_path / "store" / "blobs").rglob("*"):
        if blob.is_file():
            assert stat.S_IMODE(blob.stat().st_mode) == 0o444
            assert blob.parent.name == blob.name[:2]


def test_a_version_read_again_is_the_same(tmp_path):
    table = box_table(tmp_path / "source")
    made = store.publish(table, tmp_path / "store")
    again = store.load_version(dataset.manifest(tmp_path / "store", made.digest))
    assert again.annotations.equals(table.annotations)
    assert again.images.drop(columns=["blob", "path"]).equals(table.images.drop(columns=["blob", "path"]))
    assert [p.read_bytes() for p in again.files] == [p.read_bytes() for p in table.files]


def test_a_version_of_images_that_are_in_the_store_already(tmp_path):
    table = box_table(tmp_path / "source")
    made = store.publish(table, tmp_path / "store")
    stored = store.load_version(dataset.manifest(tmp_path / "store", made.digest)).with_images(path="")
    assert store.publish(stored, tmp_path / "store").digest == made.digest
    fewer = store.publish(stored.select([0, 2]), tmp_path / "store")
    assert fewer.created
    assert fewer.size_bytes == sum(table.files[row].stat().st_size for row in (0, 2))
    with pytest.raises(DataError) as caught:
        store.publish(stored.with_images(blob="0" * 64), tmp_path / "store")
    assert caught.value.problem.code == "blob_missing"


def test_the_same_content_is_stored_once_whatever_its_order(tmp_path):
    table = box_table(tmp_path / "source")
    first = store.publish(table, tmp_path / "store")
    before = everything(tmp_path / "store")
    second = store.publish(table.select([2, 0, 1]), tmp_path / "store")
    assert second.digest == first.digest
    assert not second.created
    assert everything(tmp_path / "store") == before


def test_the_digest_is_of_the_meaning(tmp_path):
    table = box_table(tmp_path / "source")
    digest = store.content_digest(table)
    elsewhere = table.with_images(path="elsewhere")
    moved = make_table(table.images, table.annotations.assign(line=9, source="other.txt"), table.classes)
    zeros = make_table(table.images, table.annotations.assign(x1=-0.0), table.classes)
    assert store.content_digest(elsewhere) == store.content_digest(moved) == digest
    assert store.content_digest(zeros) == store.content_digest(
        make_table(table.images, table.annotations.assign(x1=0.0), table.classes)
    )
    changed = [
        table.with_images(split="val"),
        make_table(table.images, table.annotations.assign(x1=0.5), table.classes),
        make_table(table.images, table.annotations, ["cat", "Dog"]),
        make_table(table.images, table.annotations, table.classes, [0, 2]),
    ]
    assert len({digest, *map(store.content_digest, changed)}) == 5


def test_images_of_the_same_bytes_are_one_blob(tmp_path):
    paths = [str(draw(tmp_path / name, shade=1)) for name in ("a.png", "b.png")]
    table = make_table(
        {"key": ["a.png", "b.png"], "path": paths}, {"image": [0, 1], "class_id": 0, "kind": "class"}, ["x"]
    )
    made = store.publish(table, tmp_path / "store")
    assert len([p for p in (tmp_path / "store" / "blobs").rglob("*") if p.is_file()]) == 1
    assert made.size_bytes == Path(paths[0]).stat().st_size


def test_linked_files_are_taken_over_without_a_copy(tmp_path):
    table = box_table(tmp_path / "source")
    made = store.publish(table, tmp_path / "store", link=True)
    again = store.load_version(dataset.manifest(tmp_path / "store", made.digest))
    assert [p.stat().st_ino for p in again.files] == [p.stat().st_ino for p in table.files]


def test_each_format_gives_one_digest_through_the_store(tmp_path):
    labels, _ = image_folder.read(class_folders(tmp_path / "in", {"a": 2, "b": 2}))
    made = store.publish(labels, tmp_path / "store")
    again = store.load_version(dataset.manifest(tmp_path / "store", made.digest))
    image_folder.write(again, tmp_path / "out")
    assert sorted(image_folder.read(tmp_path / "out")[0].labels()) == [0, 0, 1, 1]
    boxes = store.publish(box_table(tmp_path / "source"), tmp_path / "store")
    table = store.load_version(dataset.manifest(tmp_path / "store", boxes.digest))
    yolo_detect.write(table, tmp_path / "yolo")
    assert np.isclose(np.sort(yolo_detect.read(tmp_path / "yolo")[0].boxes, axis=0), np.sort(table.boxes, axis=0)).all()


def damage(version, blob):
    """Ways in which a store can be broken, and the codes that say so."""
    yield "dataset_corrupt", lambda: (version / "classes.json").write_text('{"digest"')
    yield "dataset_corrupt", lambda: (version / "classes.json").write_text("{}")
    yield "blob_missing", blob.unlink
    yield "table_unreadable", lambda: (version / "images.parquet").write_bytes(b"")


@pytest.mark.parametrize("which", range(4))
def test_a_broken_store_is_told(tmp_path, which):
    made = store.publish(box_table(tmp_path / "source"), tmp_path / "store")
    for file in made.path.iterdir():
        file.chmod(0o644)
    manifest = dataset.manifest(tmp_path / "store", made.digest)
    blob = store.load_version(manifest).files[0]
    code, act = list(damage(made.path, blob))[which]
    act()
    with pytest.raises(DataError) as caught:
        store.load_version(manifest)
    assert caught.value.problem.code == code


def test_a_version_under_another_digest_is_refused(tmp_path):
    made = store.publish(box_table(tmp_path / "source"), tmp_path / "store")
    manifest = dataset.manifest(tmp_path / "store", made.digest).model_copy(update={"digest": "0" * 64})
    with pytest.raises(DataError) as caught:
        store.load_version(manifest)
    assert caught.value.problem.code == "dataset_corrupt"


PUBLISH = """
import os, resource, sys, time
from pathlib import Path
from retinue_sdk import dataset, store
from retinue_sdk.errors import StorageFullError
from tests.sdk.drawn import box_table
source, target, stop, limit = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
table = box_table(source)
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
def progress(part):
    if part >= stop:
        print("here", flush=True)
        time.sleep(60)
try:
    print(store.publish(table, target, progress).digest)
except StorageFullError as error:
    print(error.problem.code)
"""


def publisher(tmp_path, stop=2.0, limit=0):
    command = [sys.executable, "-c", PUBLISH, str(tmp_path / "source"), str(tmp_path / "store"), str(stop), str(limit)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("stop", [0.3, 0.9, 1.0])
def test_a_killed_publisher_leaves_nothing_visible_and_is_swept(tmp_path, stop):
    with publisher(tmp_path, stop) as process:
        assert process.stdout.readline() == "here\n"
        staging = tmp_path / "store" / "staging"
        assert len(list(staging.iterdir())) == 1
        assert store_gc.sweep(tmp_path / "store") == 0  # it lives
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert list((tmp_path / "store" / "versions").iterdir()) == []
    assert store_gc.sweep(tmp_path / "store") == 1
    made = store.publish(box_table(tmp_path / "source"), tmp_path / "store")
    assert made.created
    assert len(store.load_version(dataset.manifest(tmp_path / "store", made.digest))) == 3


def test_a_full_disk_leaves_nothing(tmp_path):
    with publisher(tmp_path, limit=100) as process:
        assert process.stdout.read().split() == ["storage_full"]
    assert everything(tmp_path / "store") == {}


def test_publishers_of_the_same_content_do_not_disturb_each_other(tmp_path):
    table = box_table(tmp_path / "source")
    made = []
    threads = [threading.Thread(target=lambda: made.append(store.publish(table, tmp_path / "store"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len({m.digest for m in made}) == 1
    assert sum(m.created for m in made) == 1
    assert list((tmp_path / "store" / "staging").iterdir()) == []
    store.load_version(dataset.manifest(tmp_path / "store", made[0].digest))
