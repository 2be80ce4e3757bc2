"""LabelMe: shapes, flags and groups, every bad value, and the way there and back."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue_sdk.formats import labelme
from tests.sdk.checks import attributes, codes, few, read_safely
from tests.sdk.conversions import same
from tests.sdk.drawn import draw
from tests.sdk.samples import sample
from tests.sdk.tool_exports import changed, labelme_dataset, labelme_shape, one, png, rows, shapes


@pytest.mark.parametrize(
    ("shape", "row", "form"),
    [
        (labelme_shape("rectangle", [[11, 20], [1, 2]]), ("car", "box", (1, 2, 11, 20)), []),
        (labelme_shape("polygon", [[1, 2], [5, 2], [5, 9]]), ("car", "polygon", (1, 2, 5, 9)), [1, 2, 5, 2, 5, 9]),
        (
            {"label": "car", "points": [[1, 2], [5, 2], [5, 9]]},
            ("car", "polygon", (1, 2, 5, 9)),
            [1, 2, 5, 2, 5, 9],
        ),
        (labelme_shape("point", [[1, 2]]), ("car", "keypoints", (1, 2, 1, 2)), [1, 2, 2]),
        (
            labelme_shape("rotation", [[1, 2], [5, 2], [5, 9], [1, 9]]),
            ("car", "obb", (1, 2, 5, 9)),
            [1, 2, 5, 2, 5, 9, 1, 9],
        ),
        (
            labelme_shape("mask", [[3, 4], [5, 5]], mask=png([[0, 1, 0], [1, 1, 1]])),
            ("car", "mask", (3, 4, 6, 6)),
            [149, 1, 46, 2, 47, 1, 2826],
        ),
    ],
)
def test_labelme_shapes(tmp_path, shape, row, form):
    table, findings = labelme.read(labelme_dataset(tmp_path, shape))
    assert findings == []
    assert (rows(table), shapes(table)) == ([row], [form])
    assert labelme.sniff(tmp_path) == 0.95


def test_labelme_flags_groups_and_extras(tmp_path):
    shape = labelme_shape(
        "rectangle",
        [[1, 2], [11, 20]],
        group_id=4,
        description="red",
        flags={"occluded": True, "cut": False},
        score=0.5,
    )
    table, findings = labelme.read(labelme_dataset(tmp_path, shape, flags={"day": True, "night": False}, camera="c1"))
    assert findings == []
    assert rows(table)[0][:2] == ("day", "class")
    assert table.classes == ["car", "day", "night"]
    assert attributes(table)[1] == {
        "group_id": 4, "description": "red", "occluded": True, "cut": False, "score": 0.5,
    }  # fmt: skip
    assert table.images["attributes"].tolist() == ['{"camera":"c1"}']


def test_labelme_groups_of_a_rectangle_and_points_are_poses(tmp_path):
    table, findings = labelme.read(
        labelme_dataset(
            tmp_path,
            labelme_shape("rectangle", [[1, 2], [11, 20]], "person", group_id=1),
            labelme_shape("point", [[3, 4]], "head", group_id=1, flags={"hidden": True}),
            labelme_shape("point", [[5, 6]], "foot", group_id=1),
            labelme_shape("rectangle", [[20, 2], [31, 20]], "person", group_id=2),
            labelme_shape("point", [[25, 6]], "foot", group_id=2),
            labelme_shape("rectangle", [[1, 2], [11, 20]], group_id=3),
            labelme_shape("point", [[5, 6]], "dot", group_id=3),
            labelme_shape("point", [[5, 7]], "dot", group_id=3),
        )
    )
    assert findings == []
    assert [row[:2] for row in rows(table)] == [
        ("car", "box"),
        ("dot", "keypoints"),
        ("dot", "keypoints"),
        ("person", "keypoints"),
        ("person", "keypoints"),
    ]
    assert shapes(table)[3:] == [[3, 4, 1, 5, 6, 2], [0, 0, 0, 25, 6, 2]]
    assert rows(table)[4][2] == (20, 2, 31, 20)
    assert table.class_attributes[table.classes.index("person")] == {"keypoints": ["head", "foot"]}


def test_labelme_splits_are_folders(tmp_path):
    for split in ("train", "valid"):
        labelme_dataset(tmp_path / split, labelme_shape("rectangle", [[1, 2], [3, 4]]))
    table, findings = labelme.read(tmp_path)
    assert findings == []
    assert table.splits == {"train": 1, "val": 1}


# --- what is wrong --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "code", "kept"),
    [
        (labelme_shape("line", [[1, 2], [3, 4]]), "shape_unsupported", 0),
        (labelme_shape("linestrip", [[1, 2], [3, 4]]), "shape_unsupported", 0),
        (labelme_shape("circle", [[20, 20], [25, 20]]), "shape_approximated", 1),
        (labelme_shape("polygon", [[1, 2], [3, 4]]), "shape_incomplete", 0),
        (labelme_shape("polygon", [[1, 2], [3, 4], [5]]), "shape_incomplete", 0),
        (labelme_shape("polygon", [[1, 2], [3, 4], [5, "6"]]), "shape_incomplete", 0),
        (labelme_shape("polygon", [[1, 2], [3, 4], [5, 1e300]]), "shape_incomplete", 0),
        (labelme_shape("polygon", [[1, 2], [3, 4], [5, True]]), "shape_incomplete", 0),
        (labelme_shape("rectangle", None), "shape_incomplete", 0),
        (labelme_shape("rectangle", [[1, 2], [3, 4]], ""), "shape_incomplete", 0),
        (labelme_shape("rectangle", [[1, 2], [3, 4]], 7), "shape_incomplete", 0),
        (labelme_shape("rectangle", [[1, 2], [1, 4]]), "box_zero_area", 1),
        (labelme_shape("rectangle", [[1, 2], [99, 4]]), "box_outside_image", 1),
        (labelme_shape("mask", [[3, 4], [5, 5]]), "mask_unreadable", 0),
        (labelme_shape("mask", [[3, 4], [5, 5]], mask="!"), "mask_unreadable", 0),
        (labelme_shape("mask", [[3, 4], [5, 5]], mask="AAAA"), "mask_unreadable", 0),
        (labelme_shape("mask", [[3, 4], [5, 5]], mask=png(np.ones((9, 9)))), "mask_unreadable", 0),
        (labelme_shape("mask", [[3, 4], [5, 5]], mask=png(np.zeros((2, 3)))), "mask_empty", 0),
        (labelme_shape("mask", [[63, 4], [65, 5]], mask=png(np.ones((2, 3)))), "mask_size_mismatch", 0),
        ("shape", "shape_incomplete", 0),
        (None, "shape_incomplete", 0),
    ],
)
def test_labelme_findings(tmp_path, shape, code, kept):
    table, findings = labelme.read(labelme_dataset(tmp_path, shape))
    assert codes(findings) == {code: 1}
    assert findings[0].examples[0].startswith("a.json")
    assert len(table.annotations) == kept


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"imagePath": "..\\elsewhere\\a.jpg"}, "image_matched_by_name"),
        ({"imagePath": "/etc/passwd"}, "image_matched_by_name"),
        ({"imagePath": None}, "image_matched_by_name"),
        ({"imageWidth": 640}, "image_size_mismatch"),
        ({"shapes": {}}, "files_ignored"),
    ],
)
def test_labelme_documents(tmp_path, more, code):
    found = codes(labelme.read(labelme_dataset(tmp_path, **more))[1])
    found.pop("image_without_label", 0)
    assert found == {code: 1}


def test_labelme_images_and_documents_that_miss_each_other(tmp_path):
    root = labelme_dataset(tmp_path)
    draw(root / "alone.jpg", shade=3)
    text = (root / "a.json").read_text()
    (root / "gone.json").write_text(text.replace("a.jpg", "gone.jpg"))
    (root / "twice.json").write_text(text)
    (root / "broken.json").write_text(text[:-1])
    findings = labelme.read(root)[1]
    assert codes(findings) == {
        "json_invalid": 1,
        "image_missing": 1,
        "image_described_twice": 1,
        "image_without_label": 1,
    }
    assert "gone.json: gone.jpg (embedded only)" in [e for f in findings for e in f.examples]


@few
@given(st.data())
def test_whatever_labelme_says(tmp_path, data):
    root = tmp_path / "d"
    shutil.rmtree(root, ignore_errors=True)
    labelme_dataset(
        root,
        labelme_shape("rectangle", [[1, 2], [11, 20]], group_id=1),
        labelme_shape("point", [[1, 2]], group_id=1),
        labelme_shape("mask", [[3, 4], [5, 5]], mask=png([[0, 1, 0], [1, 1, 1]])),
    )
    document = changed(data, json.loads((root / "a.json").read_text()))
    (root / "a.json").write_text(json.dumps(document), encoding="utf-8")
    read_safely(labelme, root)


# --- the way back ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", labelme.HOLDS.kinds)
@pytest.mark.parametrize("plain", [True, False])
def test_labelme_there_and_back(tmp_path, kind, plain):
    table = sample(kind, tmp_path / "in", plain=plain)
    losses = {"loss_class_order": 3}
    if not plain:
        losses |= {"loss_class_attributes": 3, "loss_group": 5, "loss_class_ids": 3}
        losses |= {"loss_attributes": 1} if kind == "class" else {}
    assert codes(labelme.write(table, tmp_path / "out")) == losses
    again, findings = labelme.read(tmp_path / "out")
    assert findings == []
    assert same(table, again) == []
    if kind != "class":
        assert sorted(again.annotations["attributes"]) == sorted(table.annotations["attributes"])
    assert sorted(again.images["attributes"]) == sorted(table.images["attributes"])


@pytest.mark.parametrize(
    ("kind", "shape", "said", "known", "losses"),
    [
        ("keypoints", [1, 2, 2], {}, {}, set()),
        ("keypoints", [1, 2, 1], {}, {}, set()),
        ("keypoints", [1, 2, 2, 3, 4, 0], {}, {}, {"loss_points"}),
        ("keypoints", [0, 0, 0], {}, {}, {"loss_shape"}),
        ("keypoints", [1, 2, 2, 3, 4, 2], {"group_id": 3}, {}, {"loss_attributes"}),
        ("obb", [1, 2, 11, 2, 11, 12, 1, 12], {}, {}, {"loss_form"}),
        ("box", [], {"label": "x", "flags": 3, "deep": {"a": [1]}}, {}, {"loss_attributes"}),
        ("mask", [64 * 48], {}, {}, {"loss_shape"}),
    ],
)
def test_labelme_losses(tmp_path, kind, shape, said, known, losses):
    table = one(tmp_path / "in", kind, shape, said=said, **known)
    assert codes(labelme.write(table, tmp_path / "out")).keys() == losses
    assert [f for f in labelme.read(tmp_path / "out")[1] if f.severity == "error"] == []
