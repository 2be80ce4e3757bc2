"""Adding one table to another: classes, conflicts, splits; what becomes of every image is counted."""

from __future__ import annotations

import pytest

from retinue_sdk import dataset, store
from retinue_sdk.errors import DataError
from retinue_sdk.merge import Wish, merge
from retinue_sdk.table import make_table
from tests.sdk.drawn import draw


def drawn(root, images, classes=("cat", "dog"), splits=None):
    """Images by key: (shade, class or None)."""
    rows = [(number, list(classes).index(name)) for number, (_, name) in enumerate(images.values()) if name]
    return make_table(
        {
            "key": list(images), "path": [str(draw(root / key, shade=shade)) for key, (shade, _) in images.items()],
            "width": 64, "height": 48, "split": splits or "",
        },
        {"image": [i for i, _ in rows], "class_id": [c for _, c in rows], "kind": "class"},
        list(classes),
    )  # fmt: skip


@pytest.fixture
def base(tmp_path):
    """Two images in the store."""
    table = drawn(tmp_path / "base", {"a.png": (1, "cat"), "b.png": (2, "dog")}, splits=["train", "val"])
    made = store.publish(table, tmp_path / "store")
    return store.load_version(dataset.manifest(tmp_path / "store", made.digest))


def labels(table):
    """The class and the split of each image."""
    names = [*table.classes, None]
    columns = zip(table.images["key"], table.labels(), table.images["split"], strict=True)
    return {key: (names[label], split) for key, label, split in columns}


def wish(classes=None, conflict="skip", **options):
    return Wish(classes or {}, conflict, **options)


def test_new_images_and_classes_come_behind_what_is_there(tmp_path, base):
    incoming = drawn(tmp_path / "in", {"c.png": (3, "owl"), "d.png": (4, "dog")}, classes=("dog", "owl"))
    result = merge(base, incoming, wish(split="test"))
    assert (result.table.classes, result.table.class_ids) == (["cat", "dog", "owl"], [0, 1, 2])
    assert labels(result.table) == {
        "a.png": ("cat", "train"), "b.png": ("dog", "val"), "c.png": ("owl", "test"), "d.png": ("dog", "test"),
    }  # fmt: skip
    assert result.counts.model_dump() == {"added": 2, "kept_both": 0, "replaced": 0, "skipped": 0, "unchanged": 0}
    assert (result.split_rule, result.findings) == (None, [])


def test_classes_are_mapped_or_left_out(tmp_path, base):
    incoming = drawn(tmp_path / "in", {"c.png": (3, "cats"), "d.png": (4, "wolf")}, classes=("cats", "wolf"))
    table = merge(base, incoming, wish({"cats": "cat", "wolf": None}, split="train")).table
    assert table.classes == ["cat", "dog"]
    assert (labels(table)["c.png"], labels(table)["d.png"]) == (("cat", "train"), (None, "train"))


@pytest.mark.parametrize(
    ("classes", "message"),
    [({"lion": "cat"}, "The upload has no class 'lion'"), ({"cat": "Cat"}, "The dataset has no class 'Cat'")],
)
def test_a_mapping_of_unknown_classes_is_refused(tmp_path, base, classes, message):
    with pytest.raises(DataError, match=message) as caught:
        merge(base, drawn(tmp_path / "in", {"c.png": (3, "cat")}), wish(classes))
    assert caught.value.problem.code == "class_unknown"
    assert "there are: cat, dog" in caught.value.problem.hint


def test_a_new_class_that_looks_like_another_is_told(tmp_path, base):
    result = merge(base, drawn(tmp_path / "in", {"c.png": (3, "Cat")}, classes=("Cat",)), wish())
    assert result.table.classes == ["cat", "dog", "Cat"]
    assert [(f.code, f.examples) for f in result.findings] == [("class_name_similar", ["classes: cat, Cat"])]


CONFLICTING = {"a.png": (1, "cat"), "b.png": (9, "dog"), "a-2.png": (5, "dog")}  # the same, other bytes, a new one


@pytest.mark.parametrize(
    ("conflict", "counts", "keys"),
    [
        ("skip", {"added": 1, "skipped": 1}, ["a-2.png", "a.png", "b.png"]),
        ("keep_both", {"added": 2, "kept_both": 1}, ["a-2.png", "a.png", "b-2.png", "b.png"]),
        ("replace", {"added": 1, "replaced": 1}, ["a-2.png", "a.png", "b.png"]),
    ],
)
def test_images_whose_key_is_taken_go_by_the_policy(tmp_path, base, conflict, counts, keys):
    result = merge(base, drawn(tmp_path / "in", CONFLICTING), wish(conflict=conflict))
    assert {name: n for name, n in result.counts.model_dump().items() if n} == {**counts, "unchanged": 1}
    assert sorted(result.table.images["key"]) == keys
    made = store.publish(result.table, tmp_path / "store")
    table = store.load_version(dataset.manifest(tmp_path / "store", made.digest))
    content = dict(zip(table.images["key"], (path.read_bytes() for path in table.files), strict=True))
    other = (tmp_path / "in" / "b.png").read_bytes()
    assert (content["b.png"] == other) == (conflict == "replace")
    assert conflict != "keep_both" or content["b-2.png"] == other
    assert labels(table)["b.png"] == ("dog", "val")  # what brings no split has that of the image it stands for


def test_other_annotations_of_the_same_bytes_are_a_conflict(tmp_path, base):
    incoming = drawn(tmp_path / "in", {"a.png": (1, "dog"), "b.png": (2, "dog")})
    result = merge(base, incoming, wish(conflict="replace"))
    assert (result.counts.replaced, result.counts.unchanged) == (1, 1)
    assert labels(result.table)["a.png"] == ("dog", "train")


def test_another_split_that_comes_with_the_same_image_replaces_it(tmp_path, base):
    incoming = drawn(tmp_path / "in", {"a.png": (1, "cat"), "b.png": (2, "dog")}, splits=["val", "val"])
    result = merge(base, incoming, wish(conflict="replace"))
    assert (result.counts.replaced, result.counts.unchanged) == (1, 1)
    assert labels(result.table) == {"a.png": ("cat", "val"), "b.png": ("dog", "val")}
    for conflict in ("skip", "keep_both"):  # never the same picture in two splits
        with pytest.raises(DataError, match="All 2 images"):
            merge(base, incoming, wish(conflict=conflict))


@pytest.mark.parametrize("column", ["group", "attributes"])
def test_a_group_or_attributes_that_come_with_the_same_image_replace_it(tmp_path, base, column):
    incoming = drawn(tmp_path / "in", {"a.png": (1, "cat"), "b.png": (2, "dog")})
    incoming = incoming.with_images(**{column: ['{"night":"1"}', ""]})
    table = merge(base, incoming, wish(conflict="replace")).table
    assert dict(zip(table.images["key"], table.images[column], strict=True)) == {"a.png": '{"night":"1"}', "b.png": ""}


def test_a_key_in_another_case_is_taken(tmp_path, base):
    incoming = drawn(tmp_path / "in", {"A.png": (1, "cat"), "B.png": (9, "dog"), "b-2.PNG": (8, "dog")})
    result = merge(base, incoming, wish(conflict="keep_both"))
    assert result.counts.unchanged == 1
    assert sorted(result.table.images["key"]) == ["B-3.png", "a.png", "b-2.PNG", "b.png"]
    replaced = merge(base, incoming, wish(conflict="replace"))
    assert sorted(replaced.table.images["key"]) == ["B.png", "a.png", "b-2.PNG"]


def test_keys_that_are_free_are_found(tmp_path, base):
    incoming = drawn(tmp_path / "in", {"a.png": (7, "cat"), "a-2.png": (8, "cat"), "x/a.png": (1, "cat")})
    table = merge(base, incoming, wish(conflict="keep_both")).table
    assert sorted(table.images["key"]) == ["a-2.png", "a-3.png", "a.png", "b.png", "x/a.png"]


@pytest.mark.parametrize(
    ("images", "hint"), [({"a.png": (1, "cat")}, "nothing to do"), ({"a.png": (9, "cat")}, "`replace`")]
)
def test_nothing_new_makes_no_version(tmp_path, base, images, hint):
    with pytest.raises(DataError, match="All 1 images") as caught:
        merge(base, drawn(tmp_path / "in", images), wish())
    assert caught.value.problem.code == "nothing_to_add"
    assert hint in caught.value.problem.hint


def test_images_without_a_split_get_one_drawn_and_others_keep_theirs(tmp_path, base):
    images = {f"{n}.png": (n + 10, "cat") for n in range(11)}
    incoming = drawn(tmp_path / "in", images, splits=["test", *[""] * 10])
    result = merge(base, incoming, wish(seed=3))
    assert result.table.splits == {"train": 9, "val": 3, "test": 1}
    assert "80/20" in result.split_rule
    assert "seed 3" in result.split_rule
