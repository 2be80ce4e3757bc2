"""What changed between two tables: each kind of change alone, all of them at once, and what is no change."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retinue_sdk import store
from retinue_sdk.diff import KINDS, diff, read
from retinue_sdk.prints import of_annotations
from retinue_sdk.table import make_table
from tests.sdk.drawn import box_table

BASE = {
    "a.png": ("blob-a", "train", [("cat", 1), ("dog", 2)]),
    "b.png": ("blob-b", "train", [("cat", 3)]),
    "c.png": ("blob-c", "val", []),
}


def table(images, classes=("cat", "dog"), **columns):
    """Images by key: (bytes, split, [(class, place of its box)])."""
    rows = [
        {"image": number, "class_id": list(classes).index(name), "kind": "box", "x1": x, "y1": 0, "x2": x + 5, "y2": 9}
        for number, (_, _, boxes) in enumerate(images.values())
        for name, x in boxes
    ]
    annotations = {key: [row[key] for row in rows] for key in ("image", "class_id", "kind", "x1", "y1", "x2", "y2")}
    return make_table(
        {"key": list(images), "blob": [i[0] for i in images.values()], "split": [i[1] for i in images.values()], **columns},
        annotations,
        list(classes),
    )  # fmt: skip


def changed(found):
    """The changed images: key, kinds, annotations added, removed and changed."""
    return {
        line["key"]: (
            " ".join(kind for kind in KINDS if line[kind]),
            line["annotations_added"], line["annotations_removed"], line["annotations_changed"],
        )
        for line in found.images.to_dict("records")
    }  # fmt: skip


def test_the_same_is_no_change_whatever_its_order():
    images = {**BASE, "a.png": ("blob-a", "train", [("dog", 2), ("cat", 1)])}
    again = dict(reversed(images.items()))
    found = diff(table(BASE), table(again, classes=("dog", "cat")))  # other numbers, the same names
    assert changed(found) == {}
    assert (found.classes_added, found.classes_removed) == ([], [])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"d.png": ("blob-d", "", [("cat", 1)])}, {"d.png": ("added", 1, 0, 0)}),
        ({"a.png": None}, {"a.png": ("removed", 0, 2, 0)}),
        ({"a.png": ("blob-a", "val", BASE["a.png"][2])}, {"a.png": ("moved", 0, 0, 0)}),
        ({"a.png": None, "x/a.png": BASE["a.png"]}, {"x/a.png": ("moved", 0, 0, 0)}),
        ({"a.png": ("other", "train", BASE["a.png"][2])}, {"a.png": ("modified", 0, 0, 0)}),
        ({"a.png": ("blob-a", "train", [("cat", 1)])}, {"a.png": ("modified", 0, 1, 0)}),
        ({"a.png": ("blob-a", "train", [("cat", 1)] * 2 + [("dog", 2)])}, {"a.png": ("modified", 1, 0, 0)}),
        ({"a.png": ("blob-a", "train", [("dog", 1), ("dog", 2)])}, {"a.png": ("modified", 0, 0, 1)}),
        ({"a.png": ("blob-a", "train", [("cat", 7), ("dog", 2)])}, {"a.png": ("modified", 0, 0, 1)}),
        ({"a.png": ("blob-a", "train", [("cat", 7)])}, {"a.png": ("modified", 0, 1, 1)}),
        ({"a.png": ("blob-a", "train", [("dog", 7), ("dog", 8)])}, {"a.png": ("modified", 1, 1, 1)}),
        ({"a.png": None, "n.png": ("blob-a", "val", [("cat", 1)])}, {"n.png": ("modified moved", 0, 1, 0)}),
        ({"a.png": None, "n.png": ("new", "train", [])}, {"a.png": ("removed", 0, 2, 0), "n.png": ("added", 0, 0, 0)}),
    ],
)  # fmt: skip
def test_each_change(change, expected):
    images = {key: image for key, image in {**BASE, **change}.items() if image}
    assert changed(diff(table(BASE), table(images))) == expected


def test_of_images_with_the_same_bytes_as_many_are_moved_as_there_are_partners():
    before = table({f"{n}.png": ("same", "train", []) for n in range(3)})
    after = table({f"new-{n}.png": ("same", "train", []) for n in range(2)})
    kinds = [kinds for kinds, *_ in changed(diff(before, after)).values()]
    assert sorted(kinds) == ["moved", "moved", "removed"]


def test_attributes_and_groups_are_changes_of_the_image():
    found = diff(table(BASE), table(BASE, attributes=['{"x": 1}', "", ""], group=["", "patient 7", ""]))
    assert changed(found) == {"a.png": ("modified", 0, 0, 0), "b.png": ("modified", 0, 0, 0)}
    assert list(found.images["other_attributes"]) == [True, True]
    assert not found.images["other_bytes"].any()


def test_classes_that_come_and_go():
    found = diff(table(BASE), table({"a.png": ("blob-a", "train", [("owl", 1), ("dog", 2)])}, classes=("owl", "dog")))
    assert (found.classes_added, found.classes_removed) == (["owl"], ["cat"])
    assert changed(found)["a.png"] == ("modified", 0, 0, 1)


def test_pages_are_ordered_by_key():
    images = {f"{n:02}.png": (f"blob {n}", "train", [("cat", n)]) for n in range(25)}
    found = diff(table({}), table(images))
    assert (found.count("added"), found.count("annotations_added")) == (25, 25)
    assert [line["key"] for line in found.page("added", 10, 20)] == [f"{n}.png" for n in range(20, 25)]
    assert found.page("removed", 10, 0) == []


def polygons(lists, kind="polygon"):
    """A table of one image with these lists of coordinates."""
    geometry = pa.array(lists, pa.large_list(pa.float64()))
    rows = {"image": [0] * len(lists), "class_id": 0, "kind": kind, "x1": 0, "y1": 0, "x2": 9, "y2": 9}
    return make_table({"key": ["a.png"], "blob": ["b"], "width": 64, "height": 48}, rows, ["x"], geometry=geometry)


def test_geometry_is_compared_by_value_and_place():
    square, other = [0, 0, 1, 0, 1, 1], [1, 0, 0, 0, 1, 1]  # the same numbers elsewhere
    assert changed(diff(polygons([square, other]), polygons([other, square]))) == {}
    assert changed(diff(polygons([square]), polygons([other]))) == {"a.png": ("modified", 0, 0, 1)}
    assert changed(diff(polygons([square]), polygons([[*square, 0, 1]]))) == {"a.png": ("modified", 0, 0, 1)}
    assert changed(diff(polygons([[-0.0, *square[1:]]]), polygons([square]))) == {}


def test_long_columns_are_hashed_in_pieces_to_the_same_numbers(monkeypatch):
    rng = np.random.default_rng(0)
    lists = [list(rng.random(2 * int(rng.integers(3, 40)))) for _ in range(50)]
    whole = of_annotations(polygons(lists)).shape
    monkeypatch.setattr("retinue_sdk.prints._PIECE", 64)
    assert (of_annotations(polygons(lists)).shape == whole).all()
    assert len(set(whole)) == len(lists)


boxes = st.lists(st.tuples(st.sampled_from(["cat", "dog"]), st.integers(0, 3)), max_size=4)
datasets = st.dictionaries(
    st.sampled_from(["a.png", "b.png", "c.png", "d.png"]),
    st.tuples(st.sampled_from(["blob 1", "blob 2", "blob 3"]), st.sampled_from(["train", "val"]), boxes),
)


@given(datasets, datasets)
@settings(max_examples=150, derandomize=True)
def test_the_counts_of_any_two_add_up(before, after):
    found = diff(table(before), table(after))
    mirrored = diff(table(after), table(before))
    count = found.count
    assert len(after) - len(before) == count("added") - count("removed")
    total = [sum(len(image[2]) for image in images.values()) for images in (before, after)]
    assert total[1] - total[0] == count("annotations_added") - count("annotations_removed")
    pairs = {"added": "removed", "removed": "added", "modified": "modified", "moved": "moved"}
    assert {kind: count(kind) for kind in KINDS} == {kind: mirrored.count(other) for kind, other in pairs.items()}
    same = {key for key in before.keys() & after.keys() if normal(before[key]) == normal(after[key])}
    assert not same & set(found.images["key"])
    assert (before.keys() | after.keys()) - same == set(found.images["key"]) | set(found.images["was_key"]) - {""}


def normal(image):
    return image[0], image[1], sorted(image[2])


def test_versions_in_the_store_are_read_as_far_as_they_are_compared(tmp_path):
    original = box_table(tmp_path / "source")
    made = store.publish(original, tmp_path / "store")
    other = store.publish(original.with_images(split="val"), tmp_path / "store")
    found = diff(read(made.path), read(other.path))
    assert changed(found) == dict.fromkeys(("train/a.png", "train/b.png"), ("moved", 0, 0, 0))
    (line, *_) = found.page("moved", 10, 0)
    assert (line["key"], line["was_key"], line["split"], line["was_split"]) == (
        "train/a.png", "train/a.png", "val", "train",
    )  # fmt: skip
