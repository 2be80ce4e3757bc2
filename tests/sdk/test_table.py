"""AnnotationTable: what it refuses, slices, joins and stores."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from retinue_sdk.errors import DataError
from retinue_sdk.schema import Task
from retinue_sdk.table import AnnotationTable, concat, make_table
from tests.sdk.drawn import box_table


def polygons() -> AnnotationTable:
    geometry = pa.array([[0, 0, 4, 0, 4, 4], [], [1, 1, 2, 2, 3, 1, 2, 0]], pa.large_list(pa.float64()))
    rows = {"image": [1, 0, 2], "class_id": [0, -1, 1], "kind": ["polygon", "class", "polygon"]}
    return make_table({"key": ["a.png", "b.png", "c.png"]}, rows, ["x", "y"], geometry=geometry)


def test_rows_are_ordered_by_image_with_their_geometry():
    table = polygons()
    assert table.annotations["image"].tolist() == [0, 1, 2]
    assert table.geometry.to_pylist() == [[], [0, 0, 4, 0, 4, 4], [1, 1, 2, 2, 3, 1, 2, 0]]
    assert table.offsets.tolist() == [0, 1, 2, 3]
    assert table.tasks == [Task.CLASSIFY, Task.SEGMENT]


def test_columns_have_their_types(tmp_path):
    table = box_table(tmp_path)
    assert str(table.images.dtypes["key"]) == "str"
    assert str(table.images.dtypes["width"]) == "int32"
    assert table.boxes.dtype == np.float64
    assert table.splits == {"train": 2, "val": 1}


def test_select_takes_images_in_the_order_asked():
    part = polygons().select([2, 0])
    assert part.images["key"].tolist() == ["c.png", "a.png"]
    assert part.annotations["image"].tolist() == [0, 1]
    assert part.geometry.to_pylist() == [[1, 1, 2, 2, 3, 1, 2, 0], []]


@pytest.mark.parametrize(("start", "stop"), [(0, 3), (1, 3), (1, 2), (2, 2)])
def test_a_slice_is_a_selection(start, stop):
    table = polygons()
    one, other = table.slice(start, stop), table.select(range(start, stop))
    assert one.images.equals(other.images)
    assert one.annotations.equals(other.annotations)
    assert one.geometry.to_pylist() == other.geometry.to_pylist()
    values, offsets = one.coordinates()
    assert offsets[0] == 0
    assert offsets[-1] == len(values)


def test_concat_puts_slices_together_again():
    table = polygons()
    whole = concat([table.slice(0, 1), table.slice(1, 3)])
    assert whole.annotations.equals(table.annotations)
    assert whole.geometry.equals(table.geometry)


def test_concat_refuses_other_classes(tmp_path):
    with pytest.raises(DataError) as caught:
        concat([polygons(), box_table(tmp_path)])
    assert caught.value.problem.code == "classes_differ"


def test_parquet_gives_the_same_table_without_local_paths(tmp_path):
    for table in (polygons(), box_table(tmp_path), make_table({"key": []}, {}, [])):
        table.to_parquet(tmp_path)
        again = AnnotationTable.from_parquet(tmp_path, table.classes, table.class_ids)
        assert again.images.equals(table.images.assign(path="").astype(table.images.dtypes))
        assert again.annotations.equals(table.annotations)
        assert again.geometry.equals(table.geometry)


def test_parquet_that_is_none_is_an_error_of_the_data(tmp_path):
    (tmp_path / "images.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError) as caught:
        AnnotationTable.from_parquet(tmp_path, [], [])
    assert caught.value.problem.code == "table_unreadable"


def test_labels_are_the_first_class_of_each_image():
    rows = {"image": [0, 0, 2], "class_id": [1, 0, 0], "kind": "class"}
    table = make_table({"key": ["a", "b", "c"]}, rows, ["x", "y"])
    assert table.labels().tolist() == [1, -1, 0]


def test_boxes_without_area_are_found_and_left_out():
    rows = {
        "image": [0, 0, 0],
        "class_id": 0,
        "kind": ["box", "box", "class"],
        "x1": 1.0,
        "y1": 1.0,
        "x2": [5.0, 1.0, np.nan],
        "y2": 5.0,
    }
    table = make_table({"key": ["a"]}, rows, ["x"])
    assert table.flat_boxes().tolist() == [False, True, False]
    assert len(table.keep(~table.flat_boxes()).annotations) == 2


def test_nothing_is_changed_in_place(tmp_path):
    table = box_table(tmp_path)
    changed = table.with_images(split="test")
    assert table.splits == {"train": 2, "val": 1}
    assert changed.splits == {"test": 3}


@pytest.mark.parametrize(
    ("images", "rows", "what"),
    [
        ({"key": ["a", "a"]}, {}, "same key"),
        ({"key": ["/a"]}, {}, "relative"),
        ({"key": ["b/../../a"]}, {}, "relative"),
        ({"key": [""]}, {}, "relative"),
        ({"key": ["a"]}, {"image": [1], "kind": "box"}, "image that is not there"),
        ({"key": ["a"]}, {"image": [-1], "kind": "box"}, "image that is not there"),
        ({"key": ["a"]}, {"image": [0], "kind": "box", "class_id": 2}, "class that is not there"),
        ({"key": ["a"]}, {"image": [0], "kind": "cube"}, "unknown kind"),
        ({"key": ["a"], "width": ["wide"]}, {}, "wrong type"),
        ({"name": ["a"]}, {}, "lacks the column 'key'"),
    ],
)
def test_a_wrong_table_is_refused(images, rows, what):
    with pytest.raises(DataError, match=what) as caught:
        make_table(images, rows, ["x", "y"])
    assert caught.value.problem.code == "table_invalid"


@pytest.mark.parametrize(
    ("classes", "ids", "geometry"),
    [
        (["x", "x"], [0, 1], [[]]),
        (["x", "y"], [0], [[]]),
        (["x", "y"], [3, 3], [[]]),
        (["x"], [0], [[], []]),
        (["x"], [0], [None]),
    ],
)
def test_wrong_classes_or_geometry_are_refused(classes, ids, geometry):
    column = pa.array(geometry, pa.large_list(pa.float64()))
    with pytest.raises(DataError) as caught:
        make_table({"key": ["a"]}, {"image": [0], "kind": "class"}, classes, ids, column)
    assert caught.value.problem.code == "table_invalid"
