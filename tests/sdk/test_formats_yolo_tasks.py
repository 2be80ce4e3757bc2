"""The four YOLO tasks: the same bad input gets the same code in each, what each has of its own, and telling them apart."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from retinue_sdk import formats, geometry, raster
from retinue_sdk.errors import DataError
from retinue_sdk.formats import files, yolo_detect, yolo_obb, yolo_pose, yolo_segment
from retinue_sdk.formats.fit import fit
from retinue_sdk.formats.report import CODES
from retinue_sdk.formats.yolo_writer import label_text
from retinue_sdk.table import make_table
from tests.sdk.conversions import same
from tests.sdk.drawn import draw, yolo
from tests.sdk.samples import sample

PATHS = "train: images/train\nval: images/val\n"
NAMES = PATHS + "names: [cat, dog]\n"
POSE = NAMES + "kpt_shape: [3, 3]\n"
GOOD = {
    yolo_detect: "0 0.5 0.5 0.25 0.5",
    yolo_segment: "0 0.1 0.1 0.6 0.1 0.6 0.7 0.2 0.8 0.05 0.4",
    yolo_pose: "0 0.5 0.5 0.5 0.5 0.3 0.3 2 0.6 0.6 1 0 0 0",
    yolo_obb: "0 0.2 0.1 0.7 0.2 0.6 0.7 0.1 0.6",
}
TASKS = pytest.mark.parametrize("task", GOOD, ids=lambda task: task.NAME)


def codes(findings):
    return {f.code: f.count for f in findings}


def config_of(task):
    return POSE if task is yolo_pose else NAMES


def made(root, task, text, config=None):
    """A dataset with this label text for one image, and a good row for another."""
    labels = {"images/train/a.png": text, "images/val/b.png": GOOD[task]}
    return yolo(root, labels, config or config_of(task))


# --- the same in all tasks ------------------------------------------------------------------------------------------------


@TASKS
def test_good_rows_are_read_with_their_line(tmp_path, task):
    table, findings = task.read(
        made(tmp_path, task, f"\r\n{GOOD[task]}\r\n  \n\t{GOOD[task].replace('0 ', '1  ', 1)}\t")
    )
    assert findings == []
    assert table.annotations["line"].tolist() == [2, 4, 1]
    assert table.annotations["class_id"].tolist() == [0, 1, 0]
    assert set(table.annotations["kind"]) == set(task.HOLDS.kinds)


@TASKS
@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        (1, "half", "label_not_a_number"),
        (1, "0,5", "label_not_a_number"),
        (1, "0_5", "label_not_a_number"),
        (0, "cat", "label_not_a_number"),
        (1, "64", "coordinate_in_pixels"),
        (1, "1.02", "coordinate_out_of_range"),
        (2, "-0.02", "coordinate_out_of_range"),
        (0, "2", "class_out_of_range"),
        (0, "-1", "class_out_of_range"),
        (0, "1.5", "class_not_an_integer"),
        (1, "nan", "label_not_finite"),
        (1, "inf", "label_not_finite"),
        (2, "1e400", "label_not_finite"),
    ],
)
def test_a_bad_value_blocks_with_its_place(tmp_path, task, column, value, code):
    words = GOOD[task].split()
    words[column] = value
    line = " ".join(words)
    table, findings = task.read(made(tmp_path, task, f"{GOOD[task]}\n{line}"))
    assert [(f.code, f.severity, f.count) for f in findings] == [(code, "error", 1)]
    assert findings[0].examples == [f"labels/train/a.txt:2: {line}"]
    assert len(table.annotations) == 2


@TASKS
@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("utf-16", "label_unreadable"),
        (b"0 0.5\0 0.5", "label_unreadable"),
        (b"\xff\xfe\x00", "label_unreadable"),
        (b"0 0.5 0.5 0.25 0.5\n" * 1_000_000, "label_too_long"),
        (b" " * 32_000_001, "label_too_long"),
    ],
    ids=["utf-16", "NUL", "bytes", "lines", "size"],
)
def test_a_label_file_that_is_none(tmp_path, task, content, code):
    root = made(tmp_path, task, "")
    (root / "labels/train/a.txt").write_bytes(GOOD[task].encode(content) if isinstance(content, str) else content)
    began = time.process_time()
    assert codes(task.read(root)[1]) == {code: 1}
    assert time.process_time() - began < 2


@TASKS
def test_a_row_twice_is_kept_and_counted(tmp_path, task):
    root = made(tmp_path, task, "\n".join([GOOD[task]] * 3 + [GOOD[task].replace("0 ", "1 ", 1)]))
    table, findings = task.read(root)
    assert codes(findings) == {"label_duplicate": 2}
    assert len(table.annotations) == 5


@TASKS
def test_images_and_labels_without_each_other(tmp_path, task):
    root = made(tmp_path, task, "")
    draw(root / "images/train/lonely.png", shade=9)
    (root / "labels/train/ghost.txt").write_text(GOOD[task])
    assert codes(task.read(root)[1]) == {"image_without_label": 1, "label_without_image": 1}


@TASKS
def test_one_bad_file_among_many_loses_no_other(tmp_path, task):
    labels = {f"images/train/{i}.png": f"{GOOD[task]}\n\n{GOOD[task].replace('0 ', '1 ', 1)}" for i in range(5)}
    root = yolo(tmp_path, labels | {"images/val/x.png": f"x\n{GOOD[task]}\n"}, config_of(task))
    table, findings = task.read(root)
    assert codes(findings) == {"label_not_a_number": 1}
    assert table.annotations["line"].tolist() == [1, 3] * 5 + [2]
    assert table.annotations["image"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]


@TASKS
def test_ids_from_one_with_gaps_and_unknown_keys(tmp_path, task):
    config = config_of(task).replace("names: [cat, dog]", "names: {1: cat, 7: dog}\nformat: yolo\nlicence: MIT")
    root = yolo(tmp_path, {"images/train/a.png": GOOD[task].replace("0 ", "7 ", 1), "images/val/b.png": ""}, config)
    before = (root / "data.yaml").read_bytes()
    table, findings = task.read(root)
    assert codes(findings) == {"yaml_unknown_key": 2}
    assert (table.classes, table.class_ids) == (["cat", "dog"], [1, 7])
    assert table.annotations["class_id"].tolist() == [1]
    assert (root / "data.yaml").read_bytes() == before


@TASKS
@pytest.mark.parametrize("plain", [True, False])
def test_there_and_back(tmp_path, task, plain):
    table = sample(task.HOLDS.kinds[0], tmp_path / "made", plain=plain)
    losses = codes(task.write(table, tmp_path / "out", files.symlink))
    expected = {"loss_attributes": 1, "loss_image_attributes": 5, "loss_group": 5, "loss_class_ids": 1}
    assert losses == ({} if plain else expected | {"loss_class_attributes": 3})
    again, findings = task.read(tmp_path / "out")
    assert findings == []
    assert same(fit(table, task.HOLDS, task.NAME)[0], again) == []
    assert again.splits == table.splits
    assert (tmp_path / "out/images/train").is_dir()
    assert all(path.is_symlink() for path in (tmp_path / "out/images/train").iterdir())


@TASKS
def test_shapes_far_outside_are_cut_and_what_has_no_class_is_left_out(tmp_path, task):
    table = sample(task.HOLDS.kinds[0], tmp_path / "made", plain=True)
    values, offsets = table.coordinates()
    rows = table.annotations.assign(x2=table.annotations["x2"] + [200, 0, 0, 0, 0, 0], class_id=[0, -1, 0, 1, 2, 0])
    values = values.copy()
    values[:1] += 200
    table = replace(table, annotations=rows, geometry=geometry.from_flat(values, np.diff(offsets)))
    assert codes(task.write(table, tmp_path / "out")) == {"loss_outside": 1, "loss_unclassed": 1} | (
        {"loss_outside": 2} if task is yolo_pose else {}
    )
    again, findings = task.read(tmp_path / "out")
    assert [f for f in findings if f.severity == "error"] == []
    assert len(again.annotations) == 5


@TASKS
def test_unquoted_names_that_yaml_takes_for_something_else_are_reported(tmp_path, task):
    names = "[no, 'yes', 1:30, 12, 3.50, cat, 2001-01-01, '~']"
    config = config_of(task).replace("[cat, dog]", names)
    table, findings = task.read(made(tmp_path, task, "", config))
    assert table.classes == ["no", "yes", "1:30", "12", "3.50", "cat", "2001-01-01", "~"]
    assert codes(findings) == {"class_name_ambiguous": 4}
    assert findings[0].severity == "warning"


numbers = st.one_of(
    st.floats().map(str), st.integers(-5, 100).map(str), st.text(max_size=4), st.sampled_from(["0", "1", "0.5", "2"])
)
rows = st.lists(st.lists(numbers, max_size=14).map(" ".join), max_size=6).map("\n".join)


@TASKS
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(rows)
@example("0 1 1 1 1 1 1\x850 1 1")
@example("0\x0b0.5\x0c0.5 0.2\x1c0.2")
@example("0")
@example("0 " * 500)
def test_whatever_rows_say_it_is_a_table_and_findings(tmp_path, task, text):
    root = tmp_path / "data"
    if not root.exists():
        made(root, task, "")
    (root / "labels/train/a.txt").write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    table, findings = task.read(root)
    assert {f.code for f in findings} <= CODES.keys()
    assert ((table.boxes > -200) & (table.boxes < 400)).all()
    task.sniff(root)
    task.write(table, tmp_path / "out")


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


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
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


# --- telling them apart ---------------------------------------------------------------------------------------------------


@TASKS
def test_each_task_is_told_from_the_others(tmp_path, task):
    root = made(tmp_path, task, "\n".join([GOOD[task]] * 3))
    best, confidence = formats.detect(root)
    assert best == task.NAME
    assert confidence[best] == 0.95
    assert all(value <= 0.25 for name, value in confidence.items() if name != best)


@pytest.mark.parametrize(
    ("text", "config", "best"),
    [
        ("", NAMES, "yolo_detect"),
        ("0 0.1 0.1 0.4 0.1 0.4 0.4 0.1 0.4\n" * 3 + "0 0.1 0.1 0.4 0.1 0.4 0.4", NAMES, "yolo_segment"),
        ("0 0.1 0.1 0.4 0.1 0.4 0.4 0.1 0.4\n" * 3, NAMES, "yolo_obb"),
        ("0 0.1 0.1 0.4 0.1 0.4 0.4 0.1 0.4\n" * 3, POSE, "yolo_pose"),
        ("0 0.1 0.1 0.4 0.1 0.4 0.4 0.1 0.4\n" + "0 0.5 0.5 0.1 0.1\n" * 3, NAMES, "yolo_detect"),
        ("0 0.1 0.1 0.4 0.1 0.4 0.4 0.1 0.4\n" * 3 + "0 0.5 0.5 0.1 0.1", NAMES, "yolo_segment"),
        ("0 0.5 0.5 0.1 0.1 0.9\n" * 3, NAMES, "yolo_detect"),  # with a score; reading says what is wrong
        ("cat 0.5 0.5 0.1 0.1\n" * 3, NAMES, "yolo_detect"),
        (GOOD[yolo_obb], "names: [cat\n", "yolo_obb"),
    ],
)
def test_the_task_by_the_columns_of_most_rows(tmp_path, text, config, best):
    root = yolo(tmp_path, {"images/train/a.png": text, "images/val/b.png": ""}, config)
    assert formats.detect(root)[0] == best


def test_a_long_line_that_is_cut_off_does_not_count(tmp_path):
    line = "0 " + "0.25 0.5 " * 20_000
    assert formats.detect(made(tmp_path, yolo_segment, f"{GOOD[yolo_segment]}\n{line}"))[0] == "yolo_segment"


def test_numbers_without_a_name_are_no_reason_to_take_texts_for_yolo(tmp_path):
    draw(tmp_path / "images/a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text("Car 0.00 0 -1.5 10 10 40 40 1.5 1.6 3.7 1 2 3 -1.6\n")
    assert all(task.sniff(tmp_path) <= 0.2 for task in GOOD)


# --- Roboflow -------------------------------------------------------------------------------------------------------------

ROBOFLOW = """train: ../train/images
val: ../valid/images
test: ../test/images

nc: 2
names: ['cat', 'dog']

roboflow:
  workspace: someone
  project: pets
  version: 3
  license: CC BY 4.0
  url: https://universe.roboflow.com/someone/pets/dataset/3
"""


def roboflow(root, task, config, splits=("train", "valid", "test")):
    for number, split in enumerate(splits):
        draw(root / split / "images/a_jpg.rf.0123.png", shade=number)
        (root / split / "labels").mkdir(parents=True)
        (root / split / "labels/a_jpg.rf.0123.txt").write_text(GOOD[task])
    for name in ("README.roboflow.txt", "README.dataset.txt"):
        (root / name).write_text("pets - v3\n")
    (root / "data.yaml").write_text(config)
    return root


@TASKS
@pytest.mark.parametrize("prefix", ["../", "pets-3/", "./", ""])
def test_roboflow_folders_of_each_split(tmp_path, task, prefix):
    extra = "kpt_shape: [3, 3]\nflip_idx: [0, 1, 2]\n" if task is yolo_pose else ""
    root = roboflow(tmp_path, task, ROBOFLOW.replace("../", prefix) + extra)
    best, _ = formats.detect(root)
    assert best == task.NAME
    table, findings = task.read(root)
    assert table.splits == {"train": 1, "val": 1, "test": 1}
    corrected = {"yaml_path_corrected": 3} if prefix in {"../", "pets-3/"} else {}
    assert codes(findings) == {"yaml_unknown_key": 1} | corrected
    assert len(table.annotations) == 3


def test_roboflow_names_a_test_split_it_did_not_export(tmp_path):
    root = roboflow(tmp_path, yolo_detect, ROBOFLOW, ("train", "valid"))
    table, findings = yolo_detect.read(root)
    assert table.splits == {"train": 1, "val": 1}
    assert codes(findings) == {"yaml_unknown_key": 1, "yaml_path_corrected": 2, "yaml_split_missing": 1}


def darknet(root, names=("cat\ndog\n", "cat\ndog\n")):
    for number, (split, text) in enumerate(zip(("train", "valid"), names, strict=True)):
        draw(root / split / "a.png", shade=number)
        (root / split / "a.txt").write_text("1 0.5 0.5 0.25 0.5\n")
        (root / split / "_darknet.labels").write_text(text)
    (root / "README.roboflow.txt").write_text("pets - v3\n")
    return root


def test_darknet_labels_beside_their_images(tmp_path):
    root = darknet(tmp_path)
    best, confidence = formats.detect(root)
    assert best == "yolo_detect"
    assert confidence["image_folder"] < formats.LOWEST_CONFIDENCE
    table, findings = yolo_detect.read(root)
    assert findings == []
    assert (table.classes, table.splits) == (["cat", "dog"], {"train": 1, "val": 1})


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("cat\ndog\n", "dog\ncat\n"), {"class_lists_differ": 1}),
        (("cat\ndog\n", ""), {}),
        (("", ""), {"class_names_made": 1}),
        (("cat\ndog\n", "x" * 1_000_001), {"label_too_long": 1}),
    ],
)
def test_lists_of_names_that_do_not_agree(tmp_path, names, found):
    assert codes(yolo_detect.read(darknet(tmp_path, names))[1]) == found


def test_a_list_of_names_among_the_labels_is_no_label(tmp_path):
    root = made(tmp_path, yolo_detect, GOOD[yolo_detect])
    (root / "data.yaml").unlink()
    (root / "labels/classes.txt").write_text("cat\ndog\n")
    table, findings = yolo_detect.read(root)
    assert findings == []
    assert table.classes == ["cat", "dog"]
