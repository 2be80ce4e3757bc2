"""Class folders: splits, odd folders, names that are no names of folders, and the way there and back."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from retinue_sdk.formats import image_folder
from retinue_sdk.table import make_table, no_geometry
from tests.sdk.checks import codes
from tests.sdk.drawn import class_folders, draw


def test_class_folders_without_splits(tmp_path):
    table, findings = image_folder.read(class_folders(tmp_path, {"dog": 2, "cat": 1}))
    assert findings == []
    assert table.classes == ["cat", "dog"]
    assert table.images["key"].tolist() == ["cat/0.png", "dog/0.png", "dog/1.png"]
    assert table.labels().tolist() == [0, 1, 1]
    assert table.splits == {"": 3}


def test_class_folders_with_splits_never_collide(tmp_path):
    table, _ = image_folder.read(
        class_folders(tmp_path / "wrapped", {"train/a": 2, "valid/a": 1, "test/b": 1, "train/b": 1})
    )
    assert table.splits == {"train": 3, "val": 1, "test": 1}
    assert {"train/a/0.png", "valid/a/0.png"} <= set(table.images["key"])
    assert table.classes == ["a", "b"]


def test_odd_class_folders_are_reported(tmp_path):
    root = class_folders(tmp_path, {"cat": 1, "Cat": 1, "deep/er": 1})
    draw(root / "stray.png", shade=7)
    (root / "empty").mkdir()
    table, findings = image_folder.read(root)
    assert codes(findings) == {
        "image_without_class": 1,
        "class_nested": 1,
        "class_empty": 1,
        "class_name_similar": 1,
    }
    assert table.classes == ["Cat", "cat", "deep", "empty"]


@pytest.mark.parametrize("folders", [{"a": 2, "b": 1}, {"train/a": 2, "train/b": 1, "val/a": 1, "val/b": 2}])
def test_class_folders_there_and_back(tmp_path, folders):
    table, _ = image_folder.read(class_folders(tmp_path / "in", folders))
    assert image_folder.write(table, tmp_path / "out") == []
    again, findings = image_folder.read(tmp_path / "out")
    assert findings == []
    assert again.splits == table.splits
    assert again.classes == table.classes
    assert sorted(again.labels()) == sorted(table.labels())


def table_of(root, classes, labels, splits):
    """Images of one class each; -1 for none."""
    keys = [f"{i}.png" for i in range(len(splits))]
    paths = [str(draw(root / key, shade=i)) for i, key in enumerate(keys)]
    images = {"key": keys, "path": paths, "width": 64, "height": 48, "split": splits}
    return make_table(images, {"image": range(len(labels)), "class_id": labels, "kind": "class"}, classes)


def test_class_folders_lie_within_the_dataset_whatever_the_classes_are_called(tmp_path):
    names = ["../../up", ".hidden", "/etc", "a/b", "a_b", "cat"]
    table = table_of(tmp_path / "in", names, [0, 1, 2, 3, 4, 5], [""] * 6)
    assert codes(image_folder.write(table, tmp_path / "deep/er/out")) == {"loss_class_names": 4}
    assert {p.name for p in tmp_path.iterdir()} == {"in", "deep"}
    again, findings = image_folder.read(tmp_path / "deep/er/out")
    assert findings == []
    assert sorted(again.classes) == ["_.._.._up", "_.hidden", "_etc", "a_b", "a_b_3", "cat"]
    assert len(again) == 6


def test_class_folders_hold_one_class_for_each_image(tmp_path):
    table = table_of(tmp_path / "in", ["a", "b"], [0, 1, -1], ["train", "", "val"])
    more = replace(
        table,
        annotations=pd.concat([table.annotations, table.annotations.iloc[:1].assign(class_id=1)]).sort_values("image"),
        geometry=no_geometry(4),
    )
    losses = {"loss_split": 1, "loss_several_classes": 1, "loss_unclassed": 1, "loss_image": 1}
    assert codes(image_folder.write(more, tmp_path / "out")) == losses
    again, findings = image_folder.read(tmp_path / "out")
    assert findings == []
    assert (again.splits, sorted(again.labels())) == ({"train": 2}, [0, 1])
