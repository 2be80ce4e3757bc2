"""CVAT for images: shapes, labels, tags and subsets, every bad value with its line, and the way there and back."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retinue_sdk import geometry
from retinue_sdk.formats import cvat
from retinue_sdk.formats.rows import to_json
from tests.sdk.checks import attributes, codes, few, read_safely
from tests.sdk.conversions import same
from tests.sdk.samples import sample
from tests.sdk.tool_exports import cvat_dataset, one, rows, shapes


@pytest.mark.parametrize(
    ("body", "row", "shape"),
    [
        ('<box label="car" xtl="1" ytl="2" xbr="11.5" ybr="20"/>', ("car", "box", (1, 2, 11.5, 20)), []),
        (
            '<box label="car" xtl="10" ytl="10" xbr="20" ybr="14" rotation="90"/>',
            ("car", "obb", (13, 7, 17, 17)),
            [17, 7, 17, 17, 13, 17, 13, 7],
        ),
        (
            '<polygon label="car" points="1,2;5,2;5.5,9"/>',
            ("car", "polygon", (1, 2, 5.5, 9)),
            [1, 2, 5, 2, 5.5, 9],
        ),
        (
            '<points label="car" points="1,2;5,9"/>',
            ("car", "keypoints", (1, 2, 5, 9)),
            [1, 2, 2, 5, 9, 2],
        ),
        (
            '<skeleton label="person"><points label="foot" occluded="1" points="5,9"/><points label="head" points="1,2"/></skeleton>',
            ("person", "keypoints", (1, 2, 5, 9)),
            [1, 2, 2, 5, 9, 1],
        ),
        (
            '<skeleton label="person"><points label="foot" outside="1" points="0,0"/></skeleton>',
            ("person", "keypoints", (None,) * 4),
            [0, 0, 0, 0, 0, 0],
        ),
        (
            '<mask label="car" rle="1, 1, 1, 3" left="3" top="4" width="3" height="2"/>',
            ("car", "mask", (3, 4, 6, 6)),
            [149, 1, 46, 2, 47, 1, 2826],
        ),
    ],
)
def test_cvat_shapes(tmp_path, body, row, shape):
    table, findings = cvat.read(cvat_dataset(tmp_path, body))
    assert findings == []
    (found,) = rows(table)
    assert (found[0], found[1], tuple(None if np.isnan(v) else v for v in found[2])) == row
    assert shapes(table) == [shape]
    assert table.annotations["line"].tolist() == [20]


def test_cvat_labels_attributes_tags_and_subsets(tmp_path):
    body = (
        '<box label="car" source="auto" occluded="1" xtl="1" ytl="2" xbr="11" ybr="20" z_order="3" group_id="7">\n'
        '<attribute name="parked">true</attribute><attribute name="doors">5</attribute>'
        '<attribute name="plate">12 &lt;</attribute></box>\n<tag label="car" source="manual"><attribute name="name">x</attribute></tag>'
    )
    head = '<image id="0" name="a.jpg" subset="Validation" task_id="9" width="64" height="48">'
    table, findings = cvat.read(cvat_dataset(tmp_path, body, head=head))
    assert findings == []
    assert table.classes == ["car", "person"]
    assert table.class_attributes == [
        {"color": "#ff0000", "type": "any"},
        {"keypoints": ["head", "foot"], "skeleton": [[1, 2]]},
    ]
    said = {
        "parked": True, "doors": 5, "plate": "12 <", "occluded": 1, "z_order": 3, "group_id": 7, "source": "auto",
    }  # fmt: skip
    assert attributes(table) == [said, {"name": "x"}]
    assert table.splits == {"val": 1}
    assert table.images["attributes"].tolist() == ['{"task_id":"9"}']


def test_cvat_projects_with_several_tasks(tmp_path):
    for task in ("task_0", "task_1"):
        cvat_dataset(tmp_path / task, f'<box label="car" xtl="1" ytl="2" xbr="9" ybr="{len(task)}"/>')
    table, findings = cvat.read(tmp_path)
    assert findings == []
    assert table.images["key"].tolist() == ["task_0/images/a.jpg", "task_1/images/a.jpg"]
    assert table.annotations["image"].tolist() == [0, 1]


# --- what is wrong --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "kept"),
    [
        ('<box label="car" xtl="1" ytl="2" xbr="11"/>', "shape_incomplete", 0),
        ('<box label="car" xtl="1" ytl="2" xbr="nan" ybr="3"/>', "shape_incomplete", 0),
        ('<box label="car" xtl="1" ytl="2" xbr="1e300" ybr="3"/>', "shape_incomplete", 0),
        ('<box xtl="1" ytl="2" xbr="3" ybr="3"/>', "shape_incomplete", 0),
        ('<box label="car" xtl="9" ytl="2" xbr="3" ybr="3"/>', "box_negative_size", 0),
        ('<box label="car" xtl="3" ytl="2" xbr="3" ybr="3"/>', "box_zero_area", 1),
        ('<box label="car" xtl="3" ytl="2" xbr="99" ybr="3"/>', "box_outside_image", 1),
        ('<box label="bus" xtl="3" ytl="2" xbr="9" ybr="3"/>', "class_out_of_range", 0),
        ('<polygon label="car" points="1,2;5,2"/>', "shape_incomplete", 0),
        ('<polygon label="car" points="1,2;5,2;5"/>', "shape_incomplete", 0),
        ('<polygon label="car" points="1,2;5,2;5,x"/>', "shape_incomplete", 0),
        ('<polygon label="car"/>', "shape_incomplete", 0),
        ('<points label="car" points=""/>', "shape_incomplete", 0),
        ('<skeleton label="person"></skeleton>', "shape_incomplete", 0),
        ('<skeleton label="person"><points label="head" points="1"/></skeleton>', "shape_incomplete", 0),
        ('<polyline label="car" points="1,2;5,2"/>', "shape_unsupported", 0),
        ('<cuboid label="car"/>', "shape_unsupported", 0),
        ('<ellipse label="car" cx="20" cy="20" rx="5" ry="3"/>', "shape_approximated", 1),
        ('<mask label="car" rle="1, 2" left="3" top="4" width="3" height="2"/>', "mask_runs_wrong", 0),
        ('<mask label="car" rle="-1, 7" left="3" top="4" width="3" height="2"/>', "mask_runs_wrong", 0),
        ('<mask label="car" rle="0.5, 5.5" left="3" top="4" width="3" height="2"/>', "mask_runs_wrong", 0),
        ('<mask label="car" rle="" left="3" top="4" width="3" height="2"/>', "shape_incomplete", 0),
        ('<mask label="car" rle="6" left="3" top="4" width="3" height="2"/>', "mask_empty", 0),
        ('<mask label="car" rle="6" left="63" top="4" width="3" height="2"/>', "mask_size_mismatch", 0),
        ('<mask label="car" rle="0,100" left="0" top="0" width="1000000" height="1000000"/>', "mask_size_mismatch", 0),
    ],
)
def test_cvat_findings_have_a_line(tmp_path, body, code, kept):
    table, findings = cvat.read(cvat_dataset(tmp_path, body))
    assert codes(findings) == {code: 1}
    assert findings[0].examples[0].startswith("annotations.xml:20")
    assert len(table.annotations) == kept


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ('<image name="../../etc/passwd" width="64" height="48">', "xml_filename_escapes"),
        ('<image name="/etc/a.jpg" width="64" height="48">', "xml_filename_escapes"),
        ('<image name="gone.jpg" width="64" height="48">', "image_missing"),
        ('<image width="64" height="48">', "image_missing"),
        ('<image name="a.jpg" width="640" height="48">', "image_size_mismatch"),
        ('<image name="a.jpg"></image>\n<image name="images/a.jpg">', "image_described_twice"),
    ],
)
def test_cvat_images(tmp_path, head, code):
    found = codes(cvat.read(cvat_dataset(tmp_path, "", head=head))[1])
    assert found.pop("image_without_label", 0) == (code in {"xml_filename_escapes", "image_missing"})
    assert found == {code: 1}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("<!DOCTYPE a [<!ENTITY x 'ha'>]><annotations><image name='&x;'/></annotations>", "xml_dtd_forbidden"),
        ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><annotations><image/></annotations>", "xml_dtd_forbidden"),
        ("<annotations><image name='a.jpg'>", "xml_invalid"),
        ("<annotations><image name='a.jpg'/>" + "<a>" * 100, "xml_invalid"),
        ("<other><annotations><image name='a.jpg'/></annotations></other>", "xml_invalid"),
        ("<annotations><meta></meta><track id='0'></track></annotations>", "shape_unsupported"),
    ],
)
def test_cvat_documents(tmp_path, text, code):
    root = cvat_dataset(tmp_path, "")
    (root / "annotations.xml").write_text(text)
    assert code in codes(cvat.read(root)[1])


@few
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "replace")), st.text(max_size=9))
@example(b"<image name='a.jpg'><skeleton label='x'><points/></skeleton></image>", "1e400")
@example(b"<image name='a.jpg'><attribute name='a'>1</attribute><skeleton/></image>", "-0")
@example(b"<image><attribute/></image><meta><labels><label/></labels></meta>", "1_0")
@example(b"<points/><image><skeleton><attribute><points/></attribute></skeleton></image>", "")
def test_whatever_cvat_says(tmp_path, content, number):
    root = tmp_path / "d"
    shutil.rmtree(root, ignore_errors=True)
    said = json.dumps(number.translate({ord(c): " " for c in "<>&\"'"}))[1:-1]
    cvat_dataset(root, f'<box label="car" xtl="{said}" ytl="2" xbr="5" ybr="6" rotation="{said}" z_order="{said}"/>')
    read_safely(cvat, root)
    (root / "annotations.xml").write_bytes(b"<annotations><meta></meta>" + content + b"</annotations>")
    read_safely(cvat, root)


# --- the way back ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", cvat.HOLDS.kinds)
@pytest.mark.parametrize("plain", [True, False])
def test_cvat_there_and_back(tmp_path, kind, plain):
    table = sample(kind, tmp_path / "in", plain=plain)
    losses = {"loss_class_attributes", "loss_group", "loss_class_ids"}
    assert codes(cvat.write(table, tmp_path / "out")).keys() == (set() if plain else losses)
    again, findings = cvat.read(tmp_path / "out")
    assert findings == []
    assert same(table, again) == []
    assert (again.classes, attributes(again)) == (table.classes, attributes(table))
    assert again.images["attributes"].tolist() == table.images["attributes"].tolist()
    assert [a.get("keypoints") for a in again.class_attributes] == [a.get("keypoints") for a in table.class_attributes]


@pytest.mark.parametrize(
    ("said", "split", "lost"),
    [
        ({"camera": "x < 3", "subset": "night"}, "", 0), ({"subset": "night"}, "val", 1), ({"subset": "val"}, "", 1),
        ({"camera": 3}, "", 1), ({"id": "7"}, "", 1), ({"two words": "7"}, "", 1), ({"xmlns": "a"}, "", 1),
    ],
)  # fmt: skip
def test_attributes_of_images(tmp_path, said, split, lost):
    table = one(tmp_path / "in", "box", ())
    table = replace(table, images=table.images.assign(attributes=to_json(said), split=split))
    assert codes(cvat.write(table, tmp_path / "out")) == ({"loss_image_attributes": 1} if lost else {})
    again = cvat.read(tmp_path / "out")[0].images
    assert (again["attributes"][0], again["split"][0]) == ("" if lost else to_json(said), split)


@pytest.mark.parametrize("degrees", [0, 0.01, 30, 45, 90, 180, 300])
@pytest.mark.parametrize(("width", "height"), [(20, 8), (8, 20), (10, 0)])
def test_cvat_oriented_boxes_keep_their_corners(tmp_path, degrees, width, height):
    corners = geometry.corners(np.array([[20.0, 10, 20 + width, 10 + height]]))
    shape = geometry.turn(corners, degrees, (20 + width / 2, 10 + height / 2)).reshape(-1)
    box = geometry.hulls(shape, np.array([8]))[0]
    table = one(tmp_path / "in", "obb", shape, box)
    assert cvat.write(table, tmp_path / "out") == []
    assert same(table, cvat.read(tmp_path / "out")[0]) == []


@pytest.mark.parametrize(
    ("kind", "shape", "box", "said", "known", "loss"),
    [
        ("obb", [1, 2, 11, 2, 9, 12, 1, 12], (1, 2, 11, 12), {}, {}, "loss_shape"),
        ("keypoints", [1, 2, 2, 5, 6, 2], (0, 0, 20, 20), {}, {}, "loss_box"),
        ("polygon", [1, 2, 11, 2, 11, 12, np.nan, np.nan, 3, 3, 5, 3, 5, 5], (1, 2, 11, 12), {}, {}, "loss_form"),
        ("mask", [64 * 48], (0, 0, 0, 0), {}, {}, "loss_shape"),
        ("box", [], (1, 2, 11, 12), {"a": [1]}, {}, "loss_attributes"),
        ("box", [], (1, 2, 11, 12), {}, {"supercategory": "x"}, "loss_class_attributes"),
        ("value", [3], (np.nan,) * 4, {}, {}, "loss_kind"),
    ],
)
def test_cvat_losses(tmp_path, kind, shape, box, said, known, loss):
    assert codes(cvat.write(one(tmp_path / "in", kind, shape, box, said, **known), tmp_path / "out")) == {loss: 1}
    assert [f for f in cvat.read(tmp_path / "out")[1] if f.severity == "error"] == []


def test_cvat_texts_that_xml_cannot_hold(tmp_path):
    said = {"note": 'a\0b <&> "q"', "flag": True, "many": 2.5, "z_order": True, 'k"<': "v"}
    table = one(tmp_path / "in", "box", [], said=said, color="#fff", skeleton=[[1, 2]], keypoints=["a"])
    assert cvat.write(table, tmp_path / "out") == []
    again, findings = cvat.read(tmp_path / "out")
    assert findings == []
    assert attributes(again) == [{**said, "note": 'a\N{REPLACEMENT CHARACTER}b <&> "q"'}]


def test_cvat_points_without_names_stay_points_and_skeletons_keep_their_lines(tmp_path):
    dots = one(tmp_path / "a", "keypoints", [1, 2, 2, 11, 12, 2])
    assert cvat.write(dots, tmp_path / "dots") == []
    assert "<skeleton" not in (tmp_path / "dots/annotations.xml").read_text()
    again, _ = cvat.read(tmp_path / "dots")
    assert (same(dots, again), again.class_attributes) == ([], [{}])
    known = {"keypoints": ['le"ft', "right"], "skeleton": [[1, 2], [9, 9], "x"]}
    cvat.write(one(tmp_path / "b", "keypoints", [1, 2, 2, 11, 12, 2], **known), tmp_path / "bones")
    again, _ = cvat.read(tmp_path / "bones")
    assert again.class_attributes == [{"keypoints": ['le"ft', "right"], "skeleton": [[1, 2]]}]
