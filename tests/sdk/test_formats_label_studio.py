"""Label Studio: results, regions and poses, every bad value, and how images are found."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue_sdk import raster
from retinue_sdk.formats import label_studio
from tests.sdk.checks import attributes, codes, few, read_safely
from tests.sdk.drawn import draw
from tests.sdk.tool_exports import brush, changed, rectangle, result, rows, shapes, studio, task

PAINTED = np.random.default_rng(3).random((48, 64)) < 0.2


@pytest.mark.parametrize(
    ("found", "row", "form"),
    [
        (rectangle(), ("car", "box", (16, 12, 32, 36)), []),
        (rectangle(rotation=90), ("car", "obb", (-8, 12, 16, 28)), [16, 12, 16, 28, -8, 28, -8, 12]),
        (
            result({"points": [[0, 0], [50, 0], [50, 50]], "polygonlabels": ["car"]}),
            ("car", "polygon", (0, 0, 32, 24)),
            [0, 0, 32, 0, 32, 24],
        ),
        (
            result({"x": 50, "y": 50, "width": 1, "keypointlabels": ["nose"]}),
            ("nose", "keypoints", (32, 24, 32, 24)),
            [32, 24, 2],
        ),
        (
            result({"format": "rle", "rle": brush(PAINTED), "brushlabels": ["car"]}),
            ("car", "mask", (0, 0, 64, 48)),
            raster.encode(PAINTED).tolist(),
        ),
        (result({"choices": ["sunny"]}), ("sunny", "class", None), []),
        (result({"taxonomy": [["animal", "cat"]]}), ("animal/cat", "class", None), []),
        (result({"number": 3.5}, tool="age"), ("age", "value", None), [3.5]),
        (result({"rating": 4}, tool="stars"), ("stars", "value", None), [4]),
    ],
)
def test_label_studio_results(tmp_path, found, row, form):
    table, findings = label_studio.read(studio(tmp_path, task(found)))
    assert [f.code for f in findings] == (["box_outside_image"] if row[1] == "obb" else [])
    (got,) = rows(table)
    assert got[:2] == row[:2]
    assert row[2] is None or got[2] == row[2]
    assert shapes(table) == [form]


def test_label_studio_regions_of_several_results(tmp_path):
    place = {"x": 25, "y": 25, "width": 25, "height": 50, "rotation": 0}
    table, findings = label_studio.read(
        studio(
            tmp_path,
            task(
                result(place, tool="rectangle", key="a", meta={"text": ["look"]}),
                result({**place, "labels": ["car", "red"]}, tool="labels", key="a"),
                result({**place, "choices": ["yes"]}, tool="parked", key="a"),
                result({**place, "number": 2}, tool="doors", key="a"),
                data={"image": "s3://bucket/deep/x.jpg", "patient": "p7", "n": 3, "list": [1]},
            ),
        )
    )
    assert findings == []
    assert [row[:2] for row in rows(table)] == [("car", "box"), ("red", "box")]
    assert attributes(table) == [{"parked": "yes", "doors": 2, "text": "look"}] * 2
    assert table.images["attributes"].tolist() == ['{"n":3,"patient":"p7"}']


def test_label_studio_points_of_a_box_are_a_pose(tmp_path):
    table, findings = label_studio.read(
        studio(
            tmp_path,
            task(
                rectangle(label="person", key="p"),
                result({"x": 50, "y": 50, "width": 1, "keypointlabels": ["head"]}, key="h", parentID="p"),
                result({"x": 25, "y": 50, "width": 1, "keypointlabels": ["foot"]}, key="f", parentID="p"),
            ),
        )
    )
    assert findings == []
    assert rows(table) == [("person", "keypoints", (16, 12, 32, 36))]
    assert shapes(table) == [[32, 24, 2, 16, 24, 2]]
    assert table.class_attributes == [{"keypoints": ["head", "foot"]}]


def test_label_studio_short_form_and_old_names(tmp_path):
    short = {
        "image": "/data/upload/1/x.jpg", "patient": "p7", "id": 5,
        "label": [{**rectangle()["value"], "original_width": 64, "original_height": 48}],
        "weather": "sunny", "kind": {"choices": ["a", "b"]}, "age": [{"number": 3}], "annotator": 1, "lead_time": 3.5,
    }  # fmt: skip
    table, findings = label_studio.read(studio(tmp_path / "short", short))
    assert findings == []
    assert [row[:2] for row in rows(table)] == [
        ("sunny", "class"), ("a", "class"), ("b", "class"), ("age", "value"), ("car", "box"),
    ]  # fmt: skip
    assert table.images["attributes"].tolist() == ['{"patient":"p7"}']
    old = task(rectangle())
    old["completions"] = old.pop("annotations")
    assert len(label_studio.read(studio(tmp_path / "old", old))[0].annotations) == 1
    single = {"result": [rectangle()], "task": {"id": 1, "data": {"image": "x.jpg"}}}
    root = studio(tmp_path / "single")
    (root / "project.json").write_text(json.dumps(single))
    assert len(label_studio.read(root)[0].annotations) == 1


def test_label_studio_takes_the_first_annotation_that_holds(tmp_path):
    given = task(predictions=[{"result": [rectangle()]}])
    given["annotations"] = [
        {"was_cancelled": True, "result": [rectangle(label="no")]},
        {"result": [rectangle(label="yes")]},
        {"result": [rectangle(label="late")]},
    ]
    table, findings = label_studio.read(studio(tmp_path, given))
    assert codes(findings) == {"annotation_other": 1, "predictions_ignored": 1}
    assert table.classes == ["yes"]


# --- what is wrong --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "code", "kept"),
    [
        (rectangle(width=None), "shape_incomplete", 0),
        (rectangle(rotation="x"), "shape_incomplete", 0),
        (rectangle(width=-1), "box_negative_size", 0),
        (rectangle(width=0), "box_zero_area", 1),
        (rectangle(x=90, width=90), "box_outside_image", 1),
        (rectangle(original_width=640), "image_size_mismatch", 1),
        (rectangle(image_rotation=90), "shape_unsupported", 0),
        (rectangle(label=""), "region_unlabelled", 1),
        (result({"points": [[0, 0], [1, 1]], "polygonlabels": ["car"]}), "shape_incomplete", 0),
        (result({"x": 50, "y": 50, "radiusX": 9, "radiusY": 5, "ellipselabels": ["car"]}), "shape_approximated", 1),
        (result({"vertices": [], "vectorlabels": ["car"]}), "shape_unsupported", 0),
        (result({"text": ["hello"]}), "shape_unsupported", 0),
        ({"type": "relation", "from_id": "a", "to_id": "b"}, "shape_unsupported", 0),
        (None, "shape_unsupported", 0),
        (result({"rle": "x", "brushlabels": ["car"]}), "shape_incomplete", 0),
        (result({"rle": [999], "brushlabels": ["car"]}), "shape_incomplete", 0),
        (result({"rle": [], "brushlabels": ["car"]}), "mask_runs_wrong", 0),
        (result({"rle": brush(PAINTED)[:40], "brushlabels": ["car"]}), "mask_runs_wrong", 0),
        (result({"rle": brush(PAINTED[:9]), "brushlabels": ["car"]}), "mask_runs_wrong", 0),
        (result({"rle": [0, 0, 48, 0, 57, 27, 252] + [255] * 40, "brushlabels": ["car"]}), "mask_runs_wrong", 0),
        (result({"rle": brush(PAINTED & False), "brushlabels": ["car"]}), "mask_empty", 0),
    ],
)
def test_label_studio_findings(tmp_path, found, code, kept):
    table, findings = label_studio.read(studio(tmp_path, task(found)))
    assert codes(findings) == {code: 1}
    assert len(table.annotations) == kept


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"image": "/data/local-files/?d=some/images/x.jpg"}, None),
        ({"image": "https://host/a%2Fb/x.jpg?token=1"}, None),
        ({"image": "/data/upload/7/0123abcd-x.jpg"}, "image_matched_by_name"),
        ({"image": "../../x.jpg"}, None),
        ({"image": "http://[bad/x.png"}, None),
        ({"image": 3, "other": ["x"]}, None),
    ],
)
def test_label_studio_finds_images_by_their_file_name(tmp_path, data, code):
    table, findings = label_studio.read(studio(tmp_path, task(rectangle(), data=data)))
    assert codes(findings) == ({code: 1} if code else {})
    assert len(table.annotations) == 1


def test_label_studio_tasks_and_images_that_miss_each_other(tmp_path):
    root = studio(
        tmp_path,
        task(rectangle()),
        task(rectangle()),
        task(rectangle(), data={"image": "gone.jpg"}, file_upload="gone.jpg"),
        task(data={"image": "y.jpg"}, file_upload=None),
    )
    draw(root / "images/y.jpg", shade=1)
    draw(root / "images/z.jpg", shade=2)
    (root / "other.json").write_text("{}")
    assert codes(label_studio.read(root)[1]) == {
        "image_described_twice": 1,
        "image_missing": 1,
        "image_without_label": 2,
        "files_ignored": 1,
    }


@few
@given(st.data())
def test_whatever_label_studio_says(tmp_path, data):
    root = tmp_path / "d"
    shutil.rmtree(root, ignore_errors=True)
    given_task = task(
        rectangle(key="p"),
        result({"x": 50, "y": 50, "width": 1, "keypointlabels": ["head"]}, key="h", parentID="p"),
        result({"rle": [0, 0, 48, 0, 57, 27, 252, 9, 9], "brushlabels": ["car"]}, key="b"),
        result({"choices": ["a"]}, key="c"),
    )
    studio(root, changed(data, given_task))
    read_safely(label_studio, root)
