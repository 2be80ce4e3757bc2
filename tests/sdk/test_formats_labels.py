"""CSV and JSON Lines of labels: what columns mean, and bad rows with their codes."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retinue_sdk.formats import csv_labels, jsonl_labels
from retinue_sdk.formats.label_columns import classes_of
from tests.sdk.checks import codes, errors, few, read_safely
from tests.sdk.drawn import draw
from tests.sdk.label_files import GOOD, folder, said


@pytest.mark.parametrize(
    ("text", "expected", "taken"),
    [
        ("image,label\na.png,cat\nb.png,dog", {"a.png": ["cat"], "b.png": ["dog"]}, None),
        ("File_Name;CLASS\na.png;cat\nb.png;dog", {"a.png": ["cat"], "b.png": ["dog"]}, None),
        ("path\tcategory\na.png\tcat\nb.png\tdog", {"a.png": ["cat"], "b.png": ["dog"]}, None),
        ("id,label\na,cat\nb,dog", {"a.png": ["cat"], "b.png": ["dog"]}, None),
        ('\ufeffimage,label\r\n"a.png","cat, tabby"\r\nb.png,dog', {"a.png": ["cat, tabby"], "b.png": ["dog"]}, None),
        ("image,label\na.png,3\nb.png,1", {"a.png": ["3"], "b.png": ["1"]}, "whole numbers"),
        ("image,label\na.png,3\nb.png,1.5", {"a.png": [("label", 3)], "b.png": [("label", 1.5)]}, "values"),
        ("image,target\na.png,0\nb.png,1", {"a.png": ["0"], "b.png": ["1"]}, "0 and 1"),
        ("image,target\na.png,cat\nb.png,dog", {"a.png": ["cat"], "b.png": ["dog"]}, None),
        ("image,score\na.png,3\nb.png,-1e2", {"a.png": [("score", 3)], "b.png": [("score", -100)]}, "values"),
        ("image,label\na.png,cat|dog\nb.png,dog", {"a.png": ["cat", "dog"], "b.png": ["dog"]}, "parted by |"),
        ("image,label\na.png,cat; dog\nb.png,ant", {"a.png": ["cat", "dog"], "b.png": ["ant"]}, "parted by ;"),
        ('image,tags\na.png,"x,y"\nb.png,x\nc.png,y', {"a.png": ["x", "y"], "b.png": ["x"], "c.png": ["y"]}, "by ,"),
        ('image,label\na.png,"[""x;y"", ""z""]"\nb.png,[]', {"a.png": ["x;y", "z"], "b.png": []}, "JSON"),
        ("image,cat,dog\na.png,1,0\nb.png,1,1", {"a.png": ["cat"], "b.png": ["cat", "dog"]}, "a class each"),
        (
            "image,weight,age\na.png,1.5,3\nb.png,2,4",
            {"a.png": [("weight", 1.5), ("age", 3)], "b.png": [("weight", 2), ("age", 4)]},
            "values",
        ),
        ("image,value:a b,value:c\na.png,1,\nb.png,,2", {"a.png": [("a b", 1)], "b.png": [("c", 2)]}, None),
        ("image,label,value:w\na.png,cat,1", {"a.png": ["cat", ("w", 1)]}, None),
        ("image,label\na.png,cat\na.png,dog", {"a.png": ["cat", "dog"]}, None),
        ("image,label\na.png,=HYPERLINK(1)\nb.png,+1+1", {"a.png": ["=HYPERLINK(1)"], "b.png": ["+1+1"]}, None),
    ],
)
def test_columns_of_a_csv(tmp_path, text, expected, taken):
    table, findings = csv_labels.read(folder(tmp_path, "labels.csv", text, [k[0] for k in expected]))
    assert said(table) == expected
    assert errors(findings) == []
    guesses = [f.examples[0] for f in findings if f.code == "labels_taken"]
    assert [taken in guess for guess in guesses] == ([True] if taken else [])


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([{"image": "a.png", "label": "cat"}, {"image": "b.png", "label": None}], {"a.png": ["cat"], "b.png": []}),
        ([{"file_name": "a.png", "labels": ["x;y", "z"]}], {"a.png": ["x;y", "z"]}),
        ([{"image": "a.png", "label": "x;y|z"}], {"a.png": ["x;y|z"]}),
        ([{"image": "a.png", "label": "1.5"}, {"image": "b.png", "label": "2"}], {"a.png": ["1.5"], "b.png": ["2"]}),
        ([{"image": "a.png", "label": 2}, {"image": "b.png", "label": 0}], {"a.png": ["2"], "b.png": ["0"]}),
        ([{"image": "a.png", "label": 2.5}], {"a.png": [("label", 2.5)]}),
        ([{"image": "a.png", "label": True}], {"a.png": ["true"]}),
        ([{"image": "a.png", "values": {"w": 1, "h": 0.1}}], {"a.png": [("w", 1), ("h", 0.1)]}),
        (
            [{"image": "a.png", "cat": 1, "dog": 0}, {"image": "b.png", "dog": True}],
            {"a.png": ["cat"], "b.png": ["dog"]},
        ),
    ],
)
def test_values_of_json_lines(tmp_path, lines, expected):
    text = "\n\n".join(json.dumps(line) for line in lines)
    table, findings = jsonl_labels.read(folder(tmp_path, "labels.jsonl", text, [k[0] for k in expected]))
    assert said(table) == expected
    assert errors(findings) == []


def test_splits_groups_lines_and_ignored_columns(tmp_path):
    text = "image,label,split,patient,camera\na.png,cat,valid,p1,x\nb.png,dog,TRAIN,p2,y\nc.png,dog,fold 3,,z\nd.png,cat,,p2,z"
    table, findings = csv_labels.read(folder(tmp_path, "labels.csv", text))
    assert table.images["split"].tolist() == ["val", "train", "fold 3", ""]
    assert table.images["group"].tolist() == ["p1", "p2", "", "p2"]
    assert table.annotations["line"].tolist() == [2, 3, 4, 5]
    assert set(table.annotations["source"]) == {"labels.csv"}
    assert [(f.code, f.severity, f.examples) for f in findings] == [
        ("column_ignored", "warning", ["labels.csv: camera"])
    ]


def test_a_file_per_split_and_images_found_by_name(tmp_path):
    for number, key in enumerate(["images/train/a.png", "images/b.png"]):
        draw(tmp_path / key, shade=number)
    (tmp_path / "train.csv").write_text("image,label\na.png,cat\n")
    (tmp_path / "val_labels.csv").write_text("image,label\nimages\\b.png,dog\n")
    (tmp_path / "names.csv").write_text("class,meaning\ncat,Felis\n")
    (tmp_path / "sample_submission.csv").write_text("image,label\na.png,dog\n")
    table, findings = csv_labels.read(tmp_path)
    assert dict(zip(table.images["key"], table.images["split"], strict=True)) == {
        "images/train/a.png": "train",
        "images/b.png": "val",
    }
    assert codes(findings) == {"rows_ignored": 1}


def test_classes_txt_gives_the_order_and_unused_classes(tmp_path):
    folder(tmp_path, "labels.csv", "image,label\na.png,cat\nb.png,emu\n", "ab")
    (tmp_path / "classes.txt").write_text("dog\ncat\n")
    table, findings = csv_labels.read(tmp_path)
    assert table.classes == ["dog", "cat", "emu"]
    assert codes(findings) == {"class_unlisted": 1}


def test_classes_of_a_cell_of_another_kind():
    assert classes_of({"a": 1}, "") is None
    assert classes_of([], ";") == []


# --- bad rows -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        (GOOD + "b.png", "csv_columns", "labels.csv:3"),
        (GOOD + "b.png,dog,x", "csv_columns", "labels.csv:3"),
        (GOOD + ",dog", "row_without_image", "labels.csv:3"),
        (GOOD + "gone.png,dog", "image_missing", "labels.csv:3: gone.png"),
        (GOOD + "../a.png,dog", "list_path_escapes", "labels.csv:3: ../a.png"),
        (GOOD + "/etc/passwd,dog", "list_path_escapes", "labels.csv:3: /etc/passwd"),
        (GOOD + "C:\\a.png,dog", "list_path_escapes", "labels.csv:3: C:\\a.png"),
        (GOOD + f"b.png,{'x' * 140_000}", "row_unreadable", "labels.csv:3: field larger than field limit (131072)"),
        (GOOD + '\nb.png,"unclosed' + "\nx" * 70_000, "row_unreadable", "labels.csv:4"),
        (GOOD + f"b.png,{'x' * 201}", "class_name_invalid", None),
        (GOOD + "b.png,\x07", "class_name_invalid", None),
        ("image,split,label\na.png,../../x,cat", "split_name_invalid", "labels.csv:2: ../../x"),
        ("image,label,label\na.png,cat,dog", "column_repeated", "labels.csv:1: label"),
        ("image,caption\na.png,a cat", "column_missing", None),
        ("name,label\na.png,cat", "column_missing", None),
        ("", "column_missing", None),
        ("image,value\na.png,1\nb.png,2\nc.png,much", "label_not_a_number", "labels.csv:4: value: much"),
        ("image,value\na.png,1\nb.png,2\nc.png,nan", "label_not_a_number", "labels.csv:4: value: nan"),
        ("image,value\na.png,1\na.png,2", "value_conflict", "labels.csv:3: value: 1.0, 2.0"),
        (GOOD.encode("utf-16"), "rows_unreadable", None),
        (b"image,label\na.png,\xff\n", "rows_unreadable", None),
    ],
)
def test_a_bad_row_of_a_csv_blocks_with_its_line(tmp_path, text, code, where):
    _, findings = csv_labels.read(folder(tmp_path, "labels.csv", text))
    found = dict(errors(findings))
    assert code in found
    if where:
        assert found[code][0].startswith(where)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"image": "b.png", "label": "dog"', "row_unreadable"),
        (b'{"image": "b.png", "label": "dog", "label": "cat"}', "row_unreadable"),
        (b'{"image": "b.png", "label": NaN}', "row_unreadable"),
        (b'{"image": "b.png", "label": "\\ud800"}', "row_unreadable"),
        (b'{"image": "b.png", "label": "\xff"}', "row_unreadable"),
        (b"[" * 100_000, "row_unreadable"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "row_unreadable"),
        (b'["b.png", "dog"]', "row_unreadable"),
        (b'{"image": "b.png", "label": "' + b"x" * 1_100_000 + b'"}', "row_unreadable"),
        (b'{"image": "b.png", "values": 5}', "row_unreadable"),
        (b'{"image": "b.png", "label": {"a": 1}}', "label_type"),
        (b'{"image": "b.png", "label": [["a"]]}', "label_type"),
        (b'{"image": "b.png", "label": [null]}', "label_type"),
        (b'{"image": "b.png", "values": {"w": "1"}}', "label_not_a_number"),
        (b'{"image": "b.png", "values": {"w": 1' + b"0" * 400 + b"}}", "label_not_a_number"),
        (b'{"image": ["b.png"], "label": "x"}', "image_missing"),
        (b'{"label": "x"}', "row_without_image"),
    ],
)
def test_a_bad_line_of_json_blocks_with_its_number(tmp_path, line, code):
    _, findings = jsonl_labels.read(folder(tmp_path, "labels.jsonl", b'{"image": "a.png", "label": "cat"}\n' + line))
    found = dict(errors(findings))
    assert code in found
    assert found[code][0].startswith("labels.jsonl:2")


def test_what_can_be_lived_with_warns(tmp_path):
    text = "image,label,split\na.png,cat,train\na.png,cat,val\nb.png,,\n"
    table, findings = csv_labels.read(folder(tmp_path, "labels.csv", text))
    assert codes(findings) == {"row_repeated": 1, "split_overlap": 1, "image_without_label": 1, "image_without_row": 2}
    assert errors(findings) == []
    assert said(table) == {"a.png": ["cat"], "b.png": []}


def test_a_name_that_two_images_have_is_missing(tmp_path):
    draw(tmp_path / "x/a.png")
    draw(tmp_path / "y/a.png", shade=1)
    (tmp_path / "labels.csv").write_text("image,label\na.png,cat\nx/a.png,dog\n")
    table, findings = csv_labels.read(tmp_path)
    assert codes(findings) == {"image_missing": 1, "image_without_row": 1}
    assert said(table) == {"x/a.png": ["dog"]}


def test_a_key_of_its_own_in_each_row_costs_no_square(tmp_path):
    lines = [json.dumps({"image": "a.png", "label": "x", f"key {i}": i}) for i in range(20_000)]
    _, findings = jsonl_labels.read(folder(tmp_path, "labels.jsonl", "\n".join(lines), "a"))
    assert codes(findings) == {"row_repeated": 19_999, "column_ignored": 20_000}


# --- whatever bytes -------------------------------------------------------------------------------------------------------


cells = st.one_of(
    st.sampled_from(
        ["a.png", "b.png", "", "1", "0.5", "nan", "cat", "x;y", '["x"]', '"', "1e999", "../a.png", "train"]
    ),
    st.text(max_size=6),
)

columns = st.sampled_from(["image", "label", "value", "split", "group", "value:x", "cat", "", "LABEL ", "id"])


@few
@given(
    st.lists(columns, min_size=1, max_size=4),
    st.lists(st.lists(cells, min_size=1, max_size=4), max_size=5),
    st.sampled_from(",;\t"),
)
@example(["image", "label"], [["a.png", "["], ["b.png", "[" * 5000]], ",")
def test_any_csv(tmp_path, header, rows, delimiter):
    text = "\n".join(delimiter.join(row) for row in [header, *rows])
    read_anything(csv_labels, tmp_path, "labels.csv", text.encode("utf-8", "surrogatepass"))


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), cells),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(columns, inner, max_size=3)),
    max_leaves=6,
)


@few
@given(
    st.lists(st.one_of(st.dictionaries(columns, values, max_size=4).map(json.dumps), st.text(max_size=20)), max_size=5)
)
def test_any_json_lines(tmp_path, lines):
    read_anything(jsonl_labels, tmp_path, "labels.jsonl", "\n".join(lines).encode("utf-8", "surrogatepass"))


def read_anything(module, root, name, content):
    if not (root / "a.png").exists():
        folder(root, name, content, "ab")
    (root / name).write_bytes(content)
    read_safely(module, root)
