"""What annotation tools export: CVAT, LabelMe and Label Studio, and the JSON, XML and names of images they share."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from retinue_sdk import formats, geometry, raster
from retinue_sdk.errors import DataError
from retinue_sdk.formats import cvat, label_studio, labelme, pascal_voc
from retinue_sdk.formats.image_names import ImageNames, leads_outside
from retinue_sdk.formats.json_files import load_json
from retinue_sdk.formats.part_masks import PartMasks
from retinue_sdk.formats.report import CODES, Report
from retinue_sdk.formats.rows import Rows
from retinue_sdk.table import make_table
from tests.sdk.conversions import same
from tests.sdk.drawn import draw, voc_object
from tests.sdk.samples import sample

SIZE = (64, 48)
few = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def codes(findings):
    return {f.code: f.count for f in findings}


def rows(table):
    """Class, kind and box of each annotation."""
    names = [table.classes[i] for i in table.annotations["class_id"]]
    return list(zip(names, table.annotations["kind"], map(tuple, table.boxes.round(3).tolist()), strict=True))


def shapes(table):
    """The geometry of each annotation."""
    return [np.round(shape, 3).tolist() for shape in table.geometry.to_pylist()]


def attributes(table):
    return [json.loads(text) if text else {} for text in table.annotations["attributes"]]


# --- JSON of strangers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code", "where"),
    [
        (b"", "json_invalid", "a.json:1"),
        (b'{"a": 1,\n "b": }', "json_invalid", "a.json:2"),
        (b'{"a": 1,}', "json_invalid", "a.json:1"),
        (b"3", "json_invalid", "a.json"),
        (b"null", "json_invalid", "a.json"),
        (b"[NaN]", "json_invalid", "a.json"),
        (b"[-Infinity]", "json_invalid", "a.json"),
        (b"[1e999]", "json_invalid", "a.json"),
        (b"[" + b"9" * 5000 + b"]", "json_invalid", "a.json"),
        (b"[" * 100_000, "json_invalid", "a.json"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "json_invalid", "a.json"),
        (b'["\\ud800"]', "json_invalid", "a.json"),
        (b'["\xff"]', "json_invalid", "a.json"),
        ("[1]".encode("utf-16"), "json_invalid", "a.json"),
        (b'[{"a": 1, "a": 2}]', "json_key_duplicate", "a.json: a"),
        (b"[" + b" " * 1000 + b"]", "json_too_large", "a.json"),
    ],
)
def test_json_that_is_refused(tmp_path, content, code, where):
    report = Report()
    (tmp_path / "a.json").write_bytes(content)
    limit = 1000 if code == "json_too_large" else 1_000_000
    assert load_json(tmp_path / "a.json", "a.json", report, limit) is None
    (finding,) = report.findings()
    assert (finding.code, finding.severity) == (code, "error")
    assert finding.examples[0].startswith(where)


def test_json_that_is_read(tmp_path):
    report = Report()
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": ["\\ud83d\\ude00", 1.5, null]}')
    assert load_json(tmp_path / "a.json", "a.json", report, 100) == {"a": ["\N{GRINNING FACE}", 1.5, None]}
    assert report.findings() == []


# --- names of images ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.jpg", "images/a.jpg"),
        ("images/a.jpg", "images/a.jpg"),
        ("C:\\data\\images\\a.jpg", "images/a.jpg"),
        ("/data/upload/3/a.jpg", "images/a.jpg"),
        ("../../images/a.jpg", "images/a.jpg"),
        ("val/b.jpg", "images/val/b.jpg"),
        ("elsewhere/b.jpg", None),
        ("gone.jpg", None),
        ("", None),
        ("../..", None),
    ],
)
def test_an_image_is_found_by_the_end_of_its_path(name, found):
    names = ImageNames(["images/a.jpg", "images/train/b.jpg", "images/val/b.jpg"])
    assert names.find(name, "images") == found


@pytest.mark.parametrize("name", ["/a", "~/a", "c:\\a", "../a", "b/../../a", "http://host/a", "..\\a"])
def test_paths_that_lead_outside(name):
    assert leads_outside(name)
    assert not leads_outside("b/../a")


# --- parts of masks -----------------------------------------------------------------------------------------------------------


@given(st.data())
@few
def test_parts_and_pairs_are_encoded_as_whole_masks_are(data):
    width, height = (data.draw(st.integers(1, 7)) for _ in range(2))
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    columns, lines = data.draw(st.integers(1, width - left)), data.draw(st.integers(1, height - top))
    number = np.random.default_rng(data.draw(st.integers(0, 99)))
    part = number.random((lines, columns)) < number.choice([0.1, 0.5, 1.0])
    whole = np.zeros((height, width), dtype=bool)
    whole[top : top + lines, left : left + columns] = part
    np.testing.assert_array_equal(raster.encode_part(part, left, top, width, height), raster.encode(whole))
    again, x, y = raster.decode_part(raster.encode(whole), width, height)
    np.testing.assert_array_equal(again, whole[y : y + again.shape[0], x : x + again.shape[1]])
    assert again.sum() == whole.sum()
    first, second = number.integers(0, 3, (2, height, width))
    pairs = raster.encode_pairs(first, second)
    assert list(pairs) == sorted(set(zip(first.flat, second.flat, strict=True)))
    for (a, b), runs in pairs.items():
        np.testing.assert_array_equal(runs, raster.encode((first == a) & (second == b)))


def test_parts_of_an_image_may_not_claim_more_than_there_is_time_for():
    report = Report()
    masks = PartMasks(Rows(report))
    whole = (0, 0, 10_000, 10_000)
    assert [masks.fits(0, whole[2:], whole, "a.xml:1") for _ in range(42)] == [True] * 40 + [False] * 2
    assert masks.fits(1, whole[2:], whole, "a.xml:2")
    assert codes(report.findings()) == {"masks_too_large": 2}


# --- CVAT ---------------------------------------------------------------------------------------------------------------------

META = """<meta><task><labels>
<label><name>car</name><color>#ff0000</color><type>any</type><attributes>
<attribute><name>parked</name><input_type>checkbox</input_type></attribute>
<attribute><name>doors</name><input_type>number</input_type></attribute>
<attribute><name>plate</name><input_type>text</input_type></attribute></attributes></label>
<label><name>person</name><type>skeleton</type><attributes></attributes>
<svg>&lt;line data-node-from="1" data-node-to="2"&gt;&lt;/line&gt;&lt;circle data-node-id="1" data-label-name="head"&gt;&lt;/circle&gt;
&lt;circle data-node-id="2" data-label-name="foot"&gt;&lt;/circle&gt;</svg></label>
<label><name>head</name><type>points</type><parent>person</parent></label>
<label><name>foot</name><type>points</type><parent>person</parent></label>
</labels></task></meta>"""


def cvat_dataset(root, body, meta=META, head='<image id="0" name="a.jpg" width="64" height="48">'):
    """One image with shapes, each on a line of its own from line 20 on."""
    draw(root / "images/a.jpg", SIZE)
    start = f"<annotations><version>1.1</version>{meta}"
    padding = "\n" * (18 - start.count("\n"))
    (root / "annotations.xml").write_text(f"{start}{padding}{head}\n{body}\n</image></annotations>", encoding="utf-8")
    return root


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


def test_cvat_projects_with_several_tasks(tmp_path):
    for task in ("task_0", "task_1"):
        cvat_dataset(tmp_path / task, f'<box label="car" xtl="1" ytl="2" xbr="9" ybr="{len(task)}"/>')
    table, findings = cvat.read(tmp_path)
    assert findings == []
    assert table.images["key"].tolist() == ["task_0/images/a.jpg", "task_1/images/a.jpg"]
    assert table.annotations["image"].tolist() == [0, 1]


@pytest.mark.parametrize("kind", cvat.HOLDS.kinds)
@pytest.mark.parametrize("plain", [True, False])
def test_cvat_there_and_back(tmp_path, kind, plain):
    table = sample(kind, tmp_path / "in", plain=plain)
    losses = {"loss_image_attributes", "loss_class_attributes", "loss_group", "loss_class_ids"}
    assert codes(cvat.write(table, tmp_path / "out")).keys() == (set() if plain else losses)
    again, findings = cvat.read(tmp_path / "out")
    assert findings == []
    assert same(table, again) == []
    assert (again.classes, attributes(again)) == (table.classes, attributes(table))
    assert [a.get("keypoints") for a in again.class_attributes] == [a.get("keypoints") for a in table.class_attributes]


def one(folder, kind, shape, box=(1, 2, 11, 12), said=None, **known):
    """A table of one annotation."""
    draw(folder / "a.png", SIZE)
    return make_table(
        {"key": ["a.png"], "path": [str(folder / "a.png")], "width": 64, "height": 48},
        {
            "image": [0], "class_id": 0, "kind": kind, "x1": box[0], "y1": box[1], "x2": box[2], "y2": box[3],
            "attributes": json.dumps(said) if said else "",
        },
        ["cat"],
        geometry=geometry.column([shape]),
        class_attributes=[known],
    )  # fmt: skip


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


# --- LabelMe ------------------------------------------------------------------------------------------------------------------


def labelme_shape(kind, points, label="car", **more):
    return {
        "label": label, "points": points, "group_id": None, "description": "", "shape_type": kind, "flags": {}, **more,
    }  # fmt: skip


def labelme_dataset(root, *found, **more):
    draw(root / "a.jpg", SIZE)
    document = {
        "version": "5.5.0", "flags": {}, "shapes": list(found), "imagePath": "a.jpg", "imageData": "bm90IGFuIGltYWdl",
        "imageHeight": 48, "imageWidth": 64, **more,
    }  # fmt: skip
    (root / "a.json").write_text(json.dumps(document))
    return root


def png(mask):
    stream = io.BytesIO()
    Image.fromarray(np.asarray(mask, dtype=np.uint8)).save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode()


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


def test_labelme_splits_are_folders(tmp_path):
    for split in ("train", "valid"):
        labelme_dataset(tmp_path / split, labelme_shape("rectangle", [[1, 2], [3, 4]]))
    table, findings = labelme.read(tmp_path)
    assert findings == []
    assert table.splits == {"train": 1, "val": 1}


@pytest.mark.parametrize("kind", labelme.HOLDS.kinds)
@pytest.mark.parametrize("plain", [True, False])
def test_labelme_there_and_back(tmp_path, kind, plain):
    table = sample(kind, tmp_path / "in", plain=plain)
    losses = {"loss_class_order": 1}
    if not plain:
        losses |= {"loss_class_attributes": 3, "loss_group": 5, "loss_class_ids": 1}
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


# --- Label Studio -------------------------------------------------------------------------------------------------------------


def result(value, tool="label", key="r", **more):
    return {
        "id": key, "type": tool, "from_name": tool, "to_name": "image", "original_width": 64, "original_height": 48,
        "image_rotation": 0, "value": value, **more,
    }  # fmt: skip


def rectangle(x=25, y=25, width=25, height=50, rotation=0, label="car", **more):
    place = {"x": x, "y": y, "width": width, "height": height, "rotation": rotation}
    return result({**place, "rectanglelabels": [label]}, **more)


def task(*results, **more):
    return {
        "id": 5, "annotations": [{"id": 1, "completed_by": 1, "was_cancelled": False, "result": list(results)}],
        "file_upload": "x.jpg", "data": {"image": "/data/upload/1/x.jpg"}, "predictions": [], **more,
    }  # fmt: skip


def studio(root, *tasks):
    draw(root / "images/x.jpg", SIZE)
    (root / "project.json").write_text(json.dumps(tasks))
    return root


def brush(mask):
    """The bytes Label Studio has for a mask: blocks of repeated and of single values."""
    values = np.repeat(np.asarray(mask, dtype=np.uint8).reshape(-1) * 255, 4)
    bits = f"{len(values):032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
    ends = [*np.flatnonzero(np.diff(values)) + 1, len(values)]
    start = 0
    for end in ends:
        while start < end:
            length = min(end - start, 2**16)
            size = next(i for i, n in enumerate((3, 4, 8, 16)) if length <= 2**n)
            repeated = (start + end) % 3 > 0  # single ones now and then
            length = length if repeated else min(length, 8)
            size = size if repeated else 0
            bits += f"{int(repeated)}{size:02b}{length - 1:0{(3, 4, 8, 16)[size]}b}"
            bits += f"{values[start]:08b}" * (1 if repeated else length)
            start += length
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


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


# --- all of them --------------------------------------------------------------------------------------------------------------


def test_each_tool_claims_its_own_only(tmp_path):
    made = {
        "cvat": cvat_dataset(tmp_path / "c", ""),
        "labelme": labelme_dataset(tmp_path / "l"),
        "label_studio": studio(tmp_path / "s", task(rectangle())),
    }
    for name, root in made.items():
        assert formats.detect(root)[0] == name
        for other, form in (("cvat", cvat), ("labelme", labelme), ("label_studio", label_studio)):
            assert (form.sniff(root) > formats.LOWEST_CONFIDENCE) == (other == name)


@pytest.mark.parametrize("form", [cvat, labelme, label_studio])
def test_folders_without_annotations(tmp_path, form):
    draw(tmp_path / "a.jpg")
    assert form.sniff(tmp_path) == 0
    assert codes(form.read(tmp_path)[1]) == {"annotations_missing": 1, "image_without_label": 1}


def test_voc_files_beside_their_images_with_splits_by_folder(tmp_path):
    for split in ("train", "valid", "test"):
        draw(tmp_path / split / "a.jpg")
        text = f"<annotation><filename>a.jpg</filename>{voc_object(split, 1, 2, 3, 4)}</annotation>"
        (tmp_path / split / "a.xml").write_text(text)
    (tmp_path / "README.roboflow.txt").write_text("x")
    table, findings = pascal_voc.read(tmp_path)
    assert findings == []
    assert table.splits == {"train": 1, "val": 1, "test": 1}
    assert [table.classes[i] for i in table.annotations["class_id"]] == ["test", "train", "valid"]


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def changed(data, value):
    """A value with one thing in it replaced by anything."""
    if isinstance(value, dict) and value and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(value)))
        return {**value, key: changed(data, value[key])}
    if isinstance(value, list) and value and data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(value) - 1))
        return [*value[:place], changed(data, value[place]), *value[place + 1 :]]
    return data.draw(anything)


def read_all(form, root):
    form.sniff(root)
    with contextlib.suppress(DataError):
        _, findings = form.read(root)
        assert {f.code for f in findings} <= CODES.keys()


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
    read_all(labelme, root)


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
    read_all(label_studio, root)


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
    read_all(cvat, root)
    (root / "annotations.xml").write_bytes(b"<annotations><meta></meta>" + content + b"</annotations>")
    read_all(cvat, root)
