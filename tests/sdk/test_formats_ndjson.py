"""Retinue NDJSON: every table comes back as it was, to the bit; bad lines and their codes."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retinue_sdk import formats, geometry, store
from retinue_sdk.errors import DataError
from retinue_sdk.formats import ndjson
from retinue_sdk.formats.report import CODES
from retinue_sdk.geometry import RING_END
from retinue_sdk.table import KINDS, make_table
from tests.sdk.checks import codes, few
from tests.sdk.drawn import box_table, draw
from tests.sdk.samples import sample

HEADER = '{"type":"dataset","version":1,"classes":[{"id":7,"name":"cat"}]}'


def assert_identical(table, other):
    """The same in every column and bit but for where the files are."""
    assert other.images.drop(columns="path").equals(table.images.drop(columns="path"))
    assert other.annotations.drop(columns=["x1", "y1", "x2", "y2"]).equals(
        table.annotations.drop(columns=["x1", "y1", "x2", "y2"])
    )
    bits = [array.view(np.int64).tolist() for array in (table.boxes.copy(), other.boxes.copy())]
    assert bits[0] == bits[1]
    (values, offsets), (others, ends) = table.coordinates(), other.coordinates()
    assert values.view(np.int64).tolist() == others.view(np.int64).tolist()
    assert offsets.tolist() == ends.tolist()
    assert (other.classes, other.class_ids, other.class_attributes) == (
        table.classes,
        table.class_ids,
        table.class_attributes,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_back_to_the_bit(tmp_path, kind):
    table = sample(kind, tmp_path / "made")
    assert ndjson.write(table, tmp_path / "out") == []
    again, findings = ndjson.read(tmp_path / "out")
    assert findings == []
    assert_identical(table, again)
    assert formats.detect(tmp_path / "out")[0] == "ndjson"
    assert ndjson.write(again, tmp_path / "twice") == []
    assert (tmp_path / "out/dataset.ndjson").read_bytes() == (tmp_path / "twice/dataset.ndjson").read_bytes()


def odd_table(root):
    """All kinds in one image, and texts and numbers that a format could trip over."""
    paths = [str(draw(root / name)) for name in ("a.png", "b.png")]
    shapes = [
        (), (), [1 / 3, 0.1, 5, 1e-300, 5e300, 7, *RING_END, 1, 1, 2, 1, -0.0, 2], [10, 64 * 48 - 10], [1, 2, 2],
        [0, 0, 9, 0, 9, 9, 0, 9], [5e-324],
    ]  # fmt: skip
    attributes = [
        "",
        '{"difficult": "1"}',
        '{"a":1e-7,"ü":[null,{}]}',
        '{"two":\n"lines"}',
        '{"number":1e400}',
        '{"a":"\\u00fc"}',
        '{"n":NaN}',
    ]
    nan = float("nan")
    return make_table(
        {
            "key": ["deep/er/é b.png", "b.png"], "path": paths, "width": 64, "height": 48, "split": ["fold 3", ""],
            "group": ["", 'g\n\t"1"'], "blob": ["ab" * 32, ""], "attributes": ['{"camera": 1}', ""],
        },
        {
            "image": 0, "kind": list(KINDS[:1] + KINDS[1:2] + ("polygon", "mask", "keypoints", "obb", "value")),
            "class_id": [0, 1, -1, 1, 0, -1, 0], "attributes": attributes, "line": [0, 7, 2**31 - 1, -1, 0, 0, 0],
            "x1": [nan, 0.1, nan, 1, 1, 0, nan], "y1": [nan, 0.2, 0, 1, 2, 0, nan],
            "x2": [nan, 0.30000000000000004, 5, 2, 1, 9, nan], "y2": [nan, 1e16, 7, 2, 2, 9, nan],
            "source": ["", "a.xml", "", "ü.json", "", "", ""],
        },
        ["cat", 'hot "dog"\\'],
        [10**30, -5],
        geometry.column(shapes),
        [{"skeleton": [[0, 1], [1, 2]], "flip": None, "x": 0.1}, {}],
    )  # fmt: skip


def test_everything_comes_back_to_the_bit(tmp_path):
    table = odd_table(tmp_path / "made")
    assert ndjson.write(table, tmp_path / "out") == []
    again, findings = ndjson.read(tmp_path / "out")
    assert findings == []
    assert_identical(table, again)
    assert store.content_digest(again) == store.content_digest(table)
    assert (tmp_path / "out/images/deep/er/é b.png").is_file()


def test_lines_are_plain_json_for_others(tmp_path):
    ndjson.write(odd_table(tmp_path / "made"), tmp_path / "out")
    header, first, second = map(json.loads, (tmp_path / "out/dataset.ndjson").read_text(encoding="utf-8").splitlines())
    assert header["classes"][0] == {
        "id": 10**30,
        "name": "cat",
        "attributes": {"skeleton": [[0, 1], [1, 2]], "flip": None, "x": 0.1},
    }
    assert first["attributes"] == {"camera": 1}
    assert first["annotations"][2]["geometry"][6:8] == [None, None]
    assert first["annotations"][1]["class"] == 1
    assert second == {
        "type": "image",
        "key": "b.png",
        "width": 64,
        "height": 48,
        "group": 'g\n\t"1"',
        "annotations": [],
    }


def test_infinity_is_refused(tmp_path):
    table = box_table(tmp_path / "made")
    table.annotations["x2"] = float("inf")
    table.__dict__.pop("boxes", None)
    with pytest.raises(DataError) as caught:
        ndjson.write(table, tmp_path / "out")
    assert caught.value.problem.code == "table_invalid"


# --- bad lines ------------------------------------------------------------------------------------------------------------


def dataset(root, *lines, header=HEADER):
    """Images a.png and b.png, and these lines after the header."""
    for number, name in enumerate("ab"):
        draw(root / "images" / f"{name}.png", shade=number)
    content = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in (header, *lines))
    (root / "dataset.ndjson").write_bytes(content)
    return root


def image(*annotations, key="b.png", **fields):
    return json.dumps({"type": "image", "key": key, "annotations": list(annotations), **fields})


A = image(key="a.png")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("nothing", "line_invalid"),
        ("[]", "line_invalid"),
        ('{"type":"image"}', "line_invalid"),
        ('{"type":"video","key":"b.png"}', "line_invalid"),
        (HEADER, "line_invalid"),
        (image(widht=5), "line_invalid"),
        (image(width=-1), "line_invalid"),
        (image(width=2**31), "line_invalid"),
        (image(width=1.5), "line_invalid"),
        (image(split=None), "line_invalid"),
        (image(attributes=[1]), "line_invalid"),
        (image(attributes=5), "line_invalid"),
        (image(attributes="{broken"), "line_invalid"),
        (image(attributes='"text"'), "line_invalid"),
        (image(attributes='{"a":' * 200 + "1" + "}" * 200), "line_invalid"),
        ('{"type":"image","key":"b.png","attributes":{"a":"\\ud800"}}', "line_invalid"),
        ('{"type":"image","key":"b.png","attributes":{"a":' + "9" * 5000 + "}}", "line_invalid"),
        (image(blob="../../etc/passwd"), "line_invalid"),
        (image({"kind": "circle"}), "line_invalid"),
        (image({"kind": "box", "box": [1, 2, 3]}), "line_invalid"),
        (image({"kind": "box", "box": [1, 2, 3, "4"]}), "line_invalid"),
        (image({"kind": "box", "class": -1}), "line_invalid"),
        (image({"kind": "box", "class": True}), "line_invalid"),
        ('{"type":"image","key":"b.png","annotations":[{"kind":"value","geometry":[1e999]}]}', "line_invalid"),
        ('{"type":"image","key":"b.png","annotations":[{"kind":"value","geometry":[NaN]}]}', "line_invalid"),
        ('{"type":"image","key":"b.png","attributes":' + '{"a":' * 100_000, "line_invalid"),
        (b'{"type":"image","key":"\xff.png"}', "line_invalid"),
        ('{"type":"image","key":"\\ud800.png"}', "line_invalid"),
        (image({"kind": "class", "class": 1}), "class_out_of_range"),
        (image({"kind": "class", "class": 2**31 - 1}), "class_out_of_range"),
        (image(key="a.png"), "key_repeated"),
        (image(key="gone.png"), "image_missing"),
        (image(key="../images/b.png"), "image_missing"),
        (image(key="/etc/passwd"), "image_missing"),
        (image(key=""), "image_missing"),
        (image(key="b.png\0"), "image_missing"),
        (image(split="../x"), "split_name_invalid"),
        (image({"kind": "class", "class": 0, "geometry": [1]}), "shape_invalid"),
        (image({"kind": "value", "class": 0, "geometry": []}), "shape_invalid"),
        (image({"kind": "polygon", "class": 0, "geometry": [1, 2, 3, 4]}), "shape_invalid"),
        (image({"kind": "mask", "class": 0, "geometry": [1, 2, 3]}), "shape_invalid"),
        (image({"kind": "mask", "class": 0, "geometry": [-10, 64 * 48 + 10]}), "shape_invalid"),
        (image({"kind": "mask", "class": 0, "geometry": [1e300, -1e300]}), "shape_invalid"),
        (image({"kind": "keypoints", "class": 0, "geometry": [1, 2]}), "shape_invalid"),
    ],
)
def test_a_bad_line_blocks_with_its_number(tmp_path, line, code):
    table, findings = ndjson.read(dataset(tmp_path, A, line))
    found = {f.code: f for f in findings if f.severity == "error"}
    assert list(found) == [code]
    assert found[code].examples[0].startswith("dataset.ndjson:3")
    assert "a.png" in list(table.images["key"])
    assert len(table.annotations) == 0


@pytest.mark.parametrize(
    "header",
    [
        "",
        "[]",
        A,
        '{"type":"dataset","version":2,"classes":[]}',
        '{"type":"dataset","classes":[]}',
        '{"type":"dataset","version":1,"classes":["cat"]}',
        '{"type":"dataset","version":1,"classes":[{"id":1,"name":"a"},{"id":1,"name":"b"}]}',
        '{"type":"dataset","task":"detect","class_names":{"0":"cat"}}',
    ],
)
def test_a_bad_header_blocks_and_is_not_detected(tmp_path, header):
    root = dataset(tmp_path, A, header=header)
    assert ndjson.sniff(root) == 0
    _, findings = ndjson.read(root)
    assert [f.code for f in findings if f.severity == "error"] == ["ndjson_header"]


def test_a_damaged_image_takes_only_its_own_annotations_along(tmp_path):
    lines = [image({"kind": "class", "class": 0}, key="a.png"), image({"kind": "value", "class": 0, "geometry": [2.5]})]
    root = dataset(tmp_path, *lines)
    (root / "images/a.png").write_bytes(b"no image")
    table, findings = ndjson.read(root)
    assert codes(findings) == {"image_unreadable": 1}
    assert table.images["key"].tolist() == ["b.png"]
    assert table.annotations["kind"].tolist() == ["value"]
    assert table.geometry.to_pylist() == [[2.5]]


def test_sizes_and_strays_are_reported(tmp_path):
    table, findings = ndjson.read(dataset(tmp_path, image(key="a.png", width=5, height=48)))
    assert codes(findings) == {"image_size_mismatch": 1, "image_without_row": 1}
    assert (table.images["width"][0], table.images["height"][0]) == (64, 48)


def test_a_folder_without_the_file_is_told(tmp_path):
    draw(tmp_path / "images/a.png")
    assert ndjson.sniff(tmp_path) == 0
    with pytest.raises(DataError) as caught:
        ndjson.read(tmp_path)
    assert caught.value.problem.code == "dataset_missing"


# --- whatever bytes -------------------------------------------------------------------------------------------------------

numbers = st.one_of(st.none(), st.integers(-5, 70), st.floats(), st.just(10**400), st.text(max_size=2))
annotations = st.dictionaries(
    st.sampled_from(["kind", "class", "box", "geometry", "source", "line", "attributes", "other"]),
    st.one_of(
        st.sampled_from(KINDS), numbers, st.lists(numbers, max_size=8), st.dictionaries(st.text(max_size=2), numbers)
    ),
    max_size=5,
).map(lambda fields: {"kind": "polygon"} | fields)
lines = st.one_of(
    st.binary(max_size=40),
    st.lists(annotations, max_size=3).map(lambda a: image(*a, key="a.png").encode()),
)


@few
@given(st.lists(lines, max_size=3), st.one_of(st.just(HEADER.encode()), st.binary(max_size=30)))
@example([image({"kind": "mask", "geometry": [None, 1]}, key="a.png").encode()], HEADER.encode())
@example([b'{"type":"image","key":"a.png","attributes":"\\ud800"}'], HEADER.encode())
@example([b'{"type":"image","key":"a.png","attributes":{"\xff":1}}'], HEADER.encode())
def test_any_lines(tmp_path, content, header):
    root = tmp_path / "any"
    shutil.rmtree(root, ignore_errors=True)
    dataset(root, *content, header=header)
    ndjson.sniff(root)
    try:
        table, findings = ndjson.read(root)
    except DataError:
        return
    assert {f.code for f in findings} <= CODES.keys()
    assert len(table) <= 1
