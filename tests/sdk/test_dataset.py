"""What trainers call: loading within the allowed roots, and a summary without pandas."""

from __future__ import annotations

import subprocess
import sys

import pytest

from retinue_sdk import dataset, store
from retinue_sdk.dataset import load, summary
from retinue_sdk.errors import DataError
from retinue_sdk.schema import DatasetFolder, DatasetManifest, Task
from tests.sdk.drawn import box_table, class_folders, voc, voc_object, yolo


@pytest.fixture
def manifest(tmp_path) -> DatasetManifest:
    return dataset.manifest(
        tmp_path / "store", store.publish(box_table(tmp_path / "source"), tmp_path / "store").digest
    )


def code_of(call, *args):
    with pytest.raises(DataError) as caught:
        call(*args)
    return caught.value.problem.code


def test_a_folder_is_read_and_split(tmp_path):
    table = load(DatasetFolder(path=str(class_folders(tmp_path, {"a": 10, "b": 5}))), [tmp_path])
    assert table.splits == {"train": 12, "val": 3}
    assert all(path.is_file() for path in table.files)


def test_boxes_without_area_are_kept_out_of_training(tmp_path):
    body = voc_object("cat", 1, 1, 5, 5) + voc_object("cat", 7, 7, 7, 7)
    root = voc(tmp_path / "in", {"a": body, "b": ""}, {"train": ["a"], "val": ["b"]})
    assert len(load(DatasetFolder(path=str(root))).annotations) == 1


def test_a_folder_with_errors_is_refused_with_the_place(tmp_path):
    root = yolo(tmp_path, {"images/train/a.png": "9 0.5 0.5 0.1 0.1", "images/val/b.png": ""})
    with pytest.raises(DataError) as caught:
        load(DatasetFolder(path=str(root), format="yolo_detect"))
    assert caught.value.problem.code == "class_out_of_range"
    assert caught.value.problem.where.startswith("labels/train/a.txt:1")


def test_a_manifest_is_read_from_the_store(tmp_path, manifest):
    table = load(manifest, [tmp_path / "store"])
    assert table.splits == {"train": 2, "val": 1}
    assert summary(manifest, [tmp_path]).tasks == [Task.DETECT]
    assert summary(manifest, [tmp_path]).splits == {"train": 2, "val": 1}


def test_nothing_outside_the_roots_is_read(tmp_path, manifest):
    inner = class_folders(tmp_path / "data", {"a": 2, "b": 2})
    for call in (load, summary):
        assert code_of(call, DatasetFolder(path=str(inner)), [tmp_path / "other"]) == "path_not_allowed"
        assert code_of(call, DatasetFolder(path=f"{inner}/../../etc"), [inner]) == "path_not_allowed"
        assert code_of(call, manifest, [tmp_path / "other"]) == "path_not_allowed"
        assert code_of(call, DatasetFolder(path=str(tmp_path / "gone")), [tmp_path]) == "dataset_missing"
    moved = manifest.model_copy(update={"blobs": "file:///etc/{sha256}"})
    assert code_of(load, moved, [tmp_path]) == "path_not_allowed"
    assert code_of(load, manifest.model_copy(update={"url": "s3://bucket/x"})) == "store_not_supported"


@pytest.mark.parametrize("name", ["a\0b", "a" * 300, "circle"])
def test_a_path_that_cannot_be_is_missing(tmp_path, name):
    (tmp_path / "circle").symlink_to("circle")
    assert code_of(summary, DatasetFolder(path=str(tmp_path / name)), [tmp_path]) == "dataset_missing"


@pytest.mark.parametrize("target", ["/etc/hostname", "/etc"])
def test_links_that_lead_outside_the_roots_are_refused(tmp_path, target):
    root = class_folders(tmp_path / "data", {"a": 2, "b": 2})
    (root / "a" / "link.png").symlink_to(target)
    assert code_of(load, DatasetFolder(path=str(root)), [tmp_path]) == "path_not_allowed"


def test_links_inside_the_roots_are_followed(tmp_path):
    root = class_folders(tmp_path / "data", {"a": 2, "b": 2})
    (root / "a" / "link.png").symlink_to(root / "b" / "0.png")
    assert len(load(DatasetFolder(path=str(root)), [tmp_path])) == 5


def test_a_summary_costs_no_pandas(manifest):
    code = (
        "import sys; from retinue_sdk.dataset import summary; from retinue_sdk.schema import DatasetManifest;"
        f"print(summary(DatasetManifest.model_validate_json({manifest.model_dump_json()!r})).classes);"
        "print({'pandas', 'numpy', 'PIL', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['cat', 'dog']", "set()"]
