"""ADE20K: classes, scenes, and lists that are wrong or missing."""

from __future__ import annotations

import pytest

from retinue_sdk.formats import ade20k
from tests.sdk.checks import codes
from tests.sdk.mask_folders import INFO, ade, said


def test_ade20k_classes_and_scenes(tmp_path):
    table, findings = ade20k.read(ade(tmp_path / "wrapped"))
    assert findings == []
    assert (table.classes, table.class_ids) == (["wall", "building, edifice"], [1, 2])
    assert table.class_attributes == [{"supercategory": "stuff"}, {"supercategory": "thing"}]
    assert table.splits == {"train": 1, "val": 1}
    assert table.images["attributes"].tolist() == ['{"scene":"living room"}', '{"scene":"bar"}']
    assert said(table) == [(0, "building, edifice", 16), (1, "building, edifice", 16)]


def test_ade20k_without_its_lists(tmp_path):
    root = ade(tmp_path, None, None)
    assert ade20k.sniff(root) >= 0.9
    table, findings = ade20k.read(root)
    assert codes(findings) == {"class_names_made": 1}
    assert table.class_ids == [2]


@pytest.mark.parametrize(
    ("line", "code"),
    [("three\t0.1\twall", "classes_invalid"), ("2\t0\t0\t0\t0\tagain", "classes_invalid"), ("3", "classes_invalid")],
)
def test_bad_lines_of_the_classes_of_ade20k(tmp_path, line, code):
    table, findings = ade20k.read(ade(tmp_path, INFO + line + "\n"))
    assert [(f.code, f.examples) for f in findings] == [
        (code, [f"objectInfo150.txt:4: {line}".replace("\t", "\ufffd")])
    ]
    assert table.class_ids == [1, 2]
