"""What polygons, poses and oriented boxes of YOLO have of their own; `test_formats_yolo_tasks` has what they share."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retinue_sdk import geometry, raster
from retinue_sdk.errors import DataError
from retinue_sdk.formats import yolo_detect, yolo_obb, yolo_pose, yolo_segment, yolo_writer
from retinue_sdk.formats.yolo_writer import digits, label_text
from retinue_sdk.table import make_table
from tests.sdk.conversions import same
from tests.sdk.drawn import draw, yolo
from tests.sdk.samples import sample
from tests.sdk.yolo_rows import GOOD, NAMES, POSE, codes, made

# --- segmentation ---------------------------------------------------------------------------------------------------------


def test_polygons_become_pixels_with_a_box(tmp_path):
    table, findings = yolo_segment.read(made(tmp_path, yolo_segment, "1 0.5 0.25 1 0.5 0.25 1"))
    assert findings == []
    values, offsets = table.coordinates()
    assert values[: offsets[1]].tolist() == [32, 12, 64, 24, 16, 48]
    assert table.boxes[0].tolist() == [16, 12, 64, 48]


@pytest.mark.parametrize(
    "line", ["0 0.1 0.1 0.2 0.2 0.3", "0 0.1 0.1 0.4 0.1 0.4 0.4 0.2", "0 0.1 0.2 0.3", "0", "0 0.1 0.2"]
)
def test_an_odd_count_or_less_than_three_corners_is_no_polygon(tmp_path, line):
    table, findings = yolo_segment.read(made(tmp_path, yolo_segment, line))
    assert [(f.code, f.severity, f.examples) for f in findings] == [
        ("polygon_columns", "error", [f"labels/train/a.txt:1: {line}"])
    ]
    assert len(table.annotations) == 1


def test_a_box_among_polygons_is_read_as_a_box(tmp_path):
    text = f"1 0.5 0.5 0.25 0.5\n{GOOD[yolo_segment]}\n0 0.5 0.5 -0.25 0.5\n"
    table, findings = yolo_segment.read(made(tmp_path, yolo_segment, text))
    assert codes(findings) == {"label_mixed": 1, "box_negative_size": 1}
    assert table.annotations["kind"].tolist() == ["box", "polygon", "polygon"]
    assert table.boxes[0].tolist() == [24, 12, 40, 36]
    assert np.diff(table.coordinates()[1]).tolist() == [0, 10, 10]
    assert codes(yolo_segment.write(table, tmp_path / "out")) == {"loss_form": 1}
    assert codes(yolo_segment.read(tmp_path / "out")[1]) == {}


def test_polygons_in_a_dataset_of_boxes_are_no_boxes(tmp_path):
    root = made(tmp_path, yolo_detect, f"{GOOD[yolo_detect]}\n{GOOD[yolo_segment]}")
    assert codes(yolo_detect.read(root)[1]) == {"label_columns": 1}


RINGS = [
    [[2, 2, 20, 2, 20, 20, 2, 20], [30, 30, 40, 30, 35, 45]],  # two parts
    [[2, 2, 40, 2, 40, 40, 2, 40], [10, 10, 20, 10, 20, 20, 10, 20], [25, 25, 30, 25, 30, 35]],  # two holes
    [[2, 2, 9, 2, 9, 9], [12, 2, 19, 2, 19, 9], [22, 2, 29, 2, 29, 9], [2, 22, 9, 22, 9, 29], [30, 30]],
]


@pytest.mark.parametrize("rings", RINGS)
def test_a_polygon_of_several_rings_stays_one_object_with_the_same_pixels(tmp_path, rings):
    shape = geometry.join_rings(rings)
    path = str(draw(tmp_path / "a.png", (64, 64)))
    table = make_table(
        {"key": ["a.png"], "path": path, "width": 64, "height": 64, "split": "train"},
        {"image": [0, 0], "class_id": 0, "kind": "polygon", "x1": 2, "y1": 2, "x2": 40, "y2": 45},
        ["cat"],
        geometry=geometry.column([shape, [1, 1, 5, 1, 5, 5]]),
    )
    assert codes(yolo_segment.write(table, tmp_path / "out")) == {"loss_rings": 1}
    again, findings = yolo_segment.read(tmp_path / "out")
    assert findings == []
    values, offsets = again.coordinates()
    assert len(offsets) == 3
    joined = geometry.one_ring(shape)
    assert values[: offsets[1]] == pytest.approx(joined, abs=1e-6)
    assert len(joined) == sum(map(len, rings)) + 4 * (len(rings) - 1)
    assert (raster.fill(joined, 64, 64) == raster.fill(shape, 64, 64)).all()


def test_joining_thousands_of_rings_takes_no_quadratic_time():
    ring = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=float)
    places = np.array([[2 * i % 1000, 2 * (i // 500)] for i in range(20_000)])
    polygon = geometry.join_rings([ring + place for place in places])
    began = time.process_time()
    assert len(geometry.one_ring(polygon)) == 2 * (4 * 20_000 + 2 * 19_999)
    assert time.process_time() - began < 2


def test_label_files_are_written_without_formatting_numbers_one_by_one():
    text = label_text([3, 0, 12], [np.array([0.5, 1.0, 0.125]), np.array([0.0, 1e-7]), np.array([2.0, 10.0])])
    assert text == b"3 0.5 1 0.125\n0 0 1e-7\n12 2 10\n"
    assert label_text([], []) == b""
    rows = np.random.default_rng(0).random((40_000, 50)).round(8)
    began = time.process_time()
    for first in range(0, len(rows), 8):
        label_text(list(range(8)), rows[first : first + 8])
    assert time.process_time() - began < 2


def test_many_numbers_are_written_with_eight_decimals():
    rows = [np.array([0.5, 1.0, 0, 1.9]), np.array([0.123456789, 1 / 3]), np.array([0.999999996, 0.004999])]
    assert list(digits(rows)) == [
        b"0.50000000 1.00000000 0.00000000 1.90000000",
        b"0.12345679 0.33333333",
        b"1.00000000 0.00499900",
    ]
    assert list(digits([np.array([-0.005, 1.005])])) == [b"-0.005 1.005"]
    assert list(digits([])) == []
    rows = np.random.default_rng(0).random((2500, 6))
    assert [list(map(float, row.split())) for row in digits(rows)] == rows.round(8).tolist()


@pytest.mark.parametrize("together", [1, 2, 3, 1000])
def test_losses_are_said_whatever_is_written_together(tmp_path, monkeypatch, together):
    monkeypatch.setattr(yolo_segment, "TOGETHER", together)
    monkeypatch.setattr(yolo_writer, "TOGETHER", together)
    square = np.array([2, 2, 9, 2, 9, 9, 2, 9.0])
    table = make_table(
        {"key": ["a.png", "b.png"], "path": str(draw(tmp_path / "a.png", (64, 64))), "width": 64, "height": 64},
        {"image": [0, 0, 0, 1, 1, 1], "class_id": 0, "kind": "polygon", "x1": 2, "y1": 2, "x2": 40, "y2": 45},
        ["cat"],
        geometry=geometry.column([square, square - 5, geometry.join_rings([square, square + 20])] * 2),
    )
    assert codes(yolo_segment.write(table, tmp_path / "out")) == {"loss_split": 2, "loss_outside": 2, "loss_rings": 2}
    assert [len(path.read_text().splitlines()) for path in sorted((tmp_path / "out").rglob("labels/*/*.txt"))] == [3, 3]


def test_reading_two_million_numbers_takes_seconds(tmp_path):
    text = "".join(
        label_text([i % 2], [row]).decode() for i, row in enumerate(np.random.default_rng(0).random((400, 50)).round(8))
    )
    root = yolo(tmp_path, {f"images/train/{i}.png": text for i in range(100)}, NAMES)
    began = time.process_time()
    table, _ = yolo_segment.read(root)
    assert len(table.annotations) == 40_000
    assert time.process_time() - began < 4


# --- pose -----------------------------------------------------------------------------------------------------------------


def test_keypoints_become_pixels_and_keep_the_box_of_their_row(tmp_path):
    config = POSE + "flip_idx: [0, 2, 1]\nkpt_names:\n  0: [nose, left, right]\n"
    table, findings = yolo_pose.read(made(tmp_path, yolo_pose, "", config))
    assert findings == []
    assert table.coordinates()[0].tolist() == pytest.approx([19.2, 14.4, 2, 38.4, 28.8, 1, 0, 0, 0])
    assert table.boxes.tolist() == [[16, 12, 48, 36]]
    assert table.class_attributes == [{"keypoints": ["nose", "left", "right"], "flip": [0, 2, 1]}, {"flip": [0, 2, 1]}]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("0 0.5 0.5 0.5 0.5 0.3 0.3 2 0.6 0.6 1", "keypoint_columns"),
        ("0 0.5 0.5 0.5 0.5", "keypoint_columns"),
        ("0 0.5 0.5 0.5 0.5 0.3 0.3 3 0.6 0.6 1 0 0 0", "keypoint_visibility"),
        ("0 0.5 0.5 0.5 0.5 0.3 0.3 0.5 0.6 0.6 1 0 0 0", "keypoint_visibility"),
        ("0 0.5 0.5 0.5 0.5 0.3 0.3 -1 0.6 0.6 1 0 0 0", "keypoint_visibility"),
        ("0 0.5 0.5 -0.5 0.5 0.3 0.3 2 0.6 0.6 1 0 0 0", "box_negative_size"),
        ("0 0.5 0.5 0.5 0.5 1.3 0.3 1 0.6 0.6 1 0 0 0", "coordinate_out_of_range"),
        ("0 0.5 0.5 0.5 0.5 0.3 30 2 0.6 0.6 1 0 0 0", "coordinate_in_pixels"),
        ("0 0.5 0.5 0.5 0.5 0.3 0.3 2 0.6 0.6 1 -1 -1 0", None),
    ],
)
def test_rows_of_keypoints(tmp_path, line, code):
    table, findings = yolo_pose.read(made(tmp_path, yolo_pose, line))
    assert codes(findings) == ({code: 1} if code else {})
    assert len(table.annotations) == (1 if code else 2)


def test_two_numbers_a_point_and_back(tmp_path):
    config = NAMES + "kpt_shape: [3, 2]\nflip_idx: [2, 1, 0]\nkpt_names: [a, b]\n"
    root = made(tmp_path / "in", yolo_pose, "", config)
    (root / "labels/val/b.txt").write_text("1 0.5 0.5 0.5 0.5 0.25 0.25 0 0 -0.005 0.5\n")
    table, findings = yolo_pose.read(root)
    assert findings == []
    assert table.coordinates()[0].tolist() == pytest.approx([16, 12, 2, 0, 0, 0, -0.32, 24, 0])
    assert table.class_attributes == [{"keypoints": ["a", "b"], "flip": [2, 1, 0], "dims": 2}] * 2
    assert yolo_pose.write(table, tmp_path / "out") == []
    assert "kpt_shape:\n- 3\n- 2\n" in (tmp_path / "out/data.yaml").read_text()
    again, _ = yolo_pose.read(tmp_path / "out")
    assert same(table, again) == []
    assert again.class_attributes == table.class_attributes


def test_a_hidden_point_is_written_with_visibility_whatever_the_data_came_with(tmp_path):
    table = sample("keypoints", tmp_path / "made", plain=True)
    table = replace(table, class_attributes=[{"dims": 2}] * 3)
    yolo_pose.write(table, tmp_path / "out")
    again, _ = yolo_pose.read(tmp_path / "out")
    assert same(table, again) == []
    assert again.class_attributes == [{}] * 3


def test_skeletons_of_different_lengths_share_the_longest(tmp_path):
    path = str(draw(tmp_path / "a.png"))
    table = make_table(
        {"key": ["a.png"], "path": path, "width": 64, "height": 48, "split": "train"},
        {
            "image": [0, 0, 0],
            "class_id": [0, 1, 1],
            "kind": "keypoints",
            "x1": [1, 1, np.nan],
            "y1": 1,
            "x2": 9,
            "y2": 9,
        },
        ["cat", "dog"],
        geometry=geometry.column([[2, 2, 2], [3, 3, 1, 99, 4, 0, 5, 5, 2], [0, 0, 0]]),
        class_attributes=[{"flip": [0], "keypoints": ["nose"]}, {"flip": [0, 2, 1], "skeleton": [[1, 2]]}],
    )
    losses = {"loss_skeleton": 1, "loss_class_attributes": 3, "loss_unplaced": 1}
    assert codes(yolo_pose.write(table, tmp_path / "out")) == losses
    again, findings = yolo_pose.read(tmp_path / "out")
    assert findings == []
    assert again.coordinates()[0].tolist() == pytest.approx([2, 2, 2] + [0] * 6 + [3, 3, 1, 0, 0, 0, 5, 5, 2])
    assert again.class_attributes == [{"keypoints": ["nose"]}, {}]


def test_boxes_written_as_poses_have_points_that_are_not_labelled(tmp_path):
    table = sample("box", tmp_path / "made", plain=True)
    assert codes(yolo_pose.write(table, tmp_path / "out")) == {"loss_form": 6}
    again, findings = yolo_pose.read(tmp_path / "out")
    assert findings == []
    assert np.allclose(np.sort(again.boxes, axis=0), np.sort(table.boxes, axis=0))


@pytest.mark.parametrize(
    "config",
    [
        NAMES,
        NAMES + "kpt_shape: 17\n",
        NAMES + "kpt_shape: [3]\n",
        NAMES + "kpt_shape: [3, 4]\n",
        NAMES + "kpt_shape: [0, 3]\n",
        NAMES + "kpt_shape: [999999999, 3]\n",
        NAMES + "kpt_shape: [three, 3]\n",
        POSE + "flip_idx: [0, 1]\n",
        POSE + "flip_idx: [0, 1, 1]\n",
        POSE + "flip_idx: {0: 1}\n",
        POSE + "kpt_names: [a, b, c, d]\n",
        POSE + "kpt_names: nose\n",
        POSE + "kpt_names: {0: nose}\n",
        POSE + "kpt_names: {cat: [nose]}\n",
        POSE + "kpt_names: [[a]]\n",
    ],
)
def test_a_yaml_that_does_not_define_its_keypoints_is_refused(tmp_path, config):
    with pytest.raises(DataError) as caught:
        yolo_pose.read(made(tmp_path, yolo_pose, "", config))
    assert caught.value.problem.code in {"keypoints_undefined", "yaml_invalid"}
    assert caught.value.problem.where == "data.yaml"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    st.dictionaries(
        st.sampled_from(yolo_pose.KEYS),
        st.one_of(st.text(max_size=9), st.lists(st.integers(-1, 4), max_size=4)),
        max_size=3,
    )
)
def test_whatever_a_yaml_says_of_keypoints(tmp_path, keys):
    root = tmp_path / "data"
    if not root.exists():
        made(root, yolo_pose, "")
    text = NAMES + "".join(f"{key}: {value}\n" for key, value in keys.items())
    (root / "data.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(DataError):
        yolo_pose.read(root)
    yolo_pose.sniff(root)


# --- oriented boxes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("0 0.1 0.1 0.5 0.1 0.5 0.4 0.1 0.4", {}),
        ("0 0.1 0.4 0.5 0.4 0.5 0.1 0.1 0.1", {}),  # the other way around
        ("0 0.1 0.1 0.5 0.1 0.1 0.4 0.5 0.4", {"obb_order": 1}),
        ("0 0.1 0.1 0.5 0.4 0.5 0.1 0.1 0.4", {"obb_order": 1}),
        ("0 0.1 0.1 0.1 0.2 0.1 0.3 0.1 0.4", {"box_zero_area": 1}),
        ("0 0.5 0.5 0.2 0.2", {"obb_columns": 1}),
        ("0 0.1 0.1 0.5 0.1 0.5 0.4 0.1", {"obb_columns": 1}),
    ],
)
def test_rows_of_oriented_boxes(tmp_path, line, found):
    table, findings = yolo_obb.read(made(tmp_path, yolo_obb, line))
    assert codes(findings) == found
    if "obb_columns" not in found:
        assert table.coordinates()[0][:8] / np.tile([64, 48], 4) == pytest.approx([float(n) for n in line.split()[1:]])
