"""The four YOLO tasks: the same bad input gets the same code in each, what each has of its own, and telling them apart."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from retinue_sdk import formats, geometry
from retinue_sdk.formats import files, yolo_detect, yolo_obb, yolo_pose, yolo_segment
from retinue_sdk.formats.fit import fit
from retinue_sdk.formats.report import CODES
from tests.sdk.conversions import same
from tests.sdk.drawn import draw, yolo
from tests.sdk.samples import sample
from tests.sdk.yolo_rows import GOOD, NAMES, POSE, codes, config_of, made

TASKS = pytest.mark.parametrize("task", GOOD, ids=lambda task: task.NAME)


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


@pytest.mark.parametrize("ids", ["7", "[1]", "[1, 1]", "[1, x]", "[1, 2, 3]", "{0: 1, 1: 2}", "[[1], 2]", "[1.0, 2]"])
def test_class_ids_that_do_not_fit_are_ignored(tmp_path, ids):
    root = yolo(tmp_path, {"images/train/a.png": GOOD[yolo_detect]}, f"{NAMES}class_ids: {ids}\n")
    table, findings = yolo_detect.read(root)
    assert (table.class_ids, codes(findings)) == ([0, 1], {"yaml_unknown_key": 1})


@TASKS
@pytest.mark.parametrize("plain", [True, False])
def test_there_and_back(tmp_path, task, plain):
    table = sample(task.HOLDS.kinds[0], tmp_path / "made", plain=plain)
    losses = codes(task.write(table, tmp_path / "out", files.symlink))
    expected = {"loss_attributes": 1, "loss_image_attributes": 5, "loss_group": 5}
    assert losses == ({} if plain else expected | {"loss_class_attributes": 3})
    again, findings = task.read(tmp_path / "out")
    assert findings == []
    assert same(fit(table, task.HOLDS, task.NAME)[0], again) == []
    assert again.splits == table.splits
    assert again.class_ids == table.class_ids
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
def test_a_table_without_annotations(tmp_path, task):
    table = sample("class", tmp_path / "made", plain=True)
    assert codes(task.write(table, tmp_path / "out")) == {"loss_kind": 5}
    again, findings = task.read(tmp_path / "out")
    assert findings == []
    assert (len(again), len(again.annotations), again.classes) == (5, 0, table.classes)


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
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
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


# --- telling them apart ---------------------------------------------------------------------------------------------------


@TASKS
def test_each_task_is_told_from_the_others(tmp_path, task):
    root = made(tmp_path, task, "\n".join([GOOD[task]] * 3))
    best, confidence = formats.detect(root)
    assert best == task.NAME
    assert confidence[best] == 0.95
    others = {name: value for name, value in confidence.items() if name != best and value > 0.25}
    assert others == ({"yolo_segment": 0.5} if task is yolo_obb else {})  # boxes may be meant as polygons


KITE = "0 0.5 0.1 0.7 0.4 0.5 0.9 0.3 0.4"


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
        (KITE, NAMES, "yolo_segment"),
        (f"{GOOD[yolo_obb]}\n" * 2 + KITE, NAMES, "yolo_segment"),
        (f"{GOOD[yolo_obb]}\n" * 4 + KITE, NAMES, "yolo_obb"),  # one that was cut at the border
        (KITE, f"{NAMES}task: obb\n", "yolo_obb"),
        (GOOD[yolo_obb], f"{NAMES}task: segment\n", "yolo_segment"),
        (GOOD[yolo_segment], f"{NAMES}task: obb\n", "yolo_segment"),
        ("0 0.2 0.1 0.7 0.2 0.6 0.7 0.1 1e9\n", NAMES, "yolo_segment"),
    ],
)
def test_the_task_by_the_columns_of_most_rows(tmp_path, text, config, best):
    root = yolo(tmp_path, {"images/train/a.png": text, "images/val/b.png": ""}, config)
    assert formats.detect(root)[0] == best


def test_polygons_of_four_corners_say_what_else_they_may_be(tmp_path):
    root = yolo(tmp_path, {"images/train/a.png": KITE}, NAMES)
    best, confidence = formats.detect(root)
    assert (best, confidence["yolo_obb"]) == ("yolo_segment", 0.5)
    reason = formats.why(best, confidence)
    assert "four corners each only if they are no rectangles" in reason
    assert "It may also be YOLO oriented boxes (50%)." in reason


@pytest.mark.parametrize("kind", ["polygon", "box", "obb"])
def test_what_we_wrote_is_read_as_what_it_was(tmp_path, kind):
    """Boxes as polygons are rectangles, and oriented boxes as polygons, too: the data.yaml tells them apart."""
    for task in (yolo_segment, yolo_obb):
        task.write(sample(kind, tmp_path / "in", plain=True), tmp_path / task.NAME)
        assert formats.detect(tmp_path / task.NAME)[0] == task.NAME


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
