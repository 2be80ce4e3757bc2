"""Hugging Face datasets: what their columns and objects mean, bad rows and bad files."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from retinue_sdk import formats
from retinue_sdk.formats import huggingface
from tests.sdk.checks import codes, errors
from tests.sdk.drawn import draw
from tests.sdk.label_files import said
from tests.sdk.mask_folders import indexes
from tests.sdk.parquets import NAMES, images, parquet, table


def boxes(found):
    return [
        (found.classes[label], *box)
        for label, box in zip(found.annotations["class_id"], found.boxes.tolist(), strict=True)
    ]


# --- labels ---------------------------------------------------------------------------------------------------------------


def test_class_labels_have_the_names_of_their_features(tmp_path, pictures):
    content = table({"image": images(pictures, ["a.png", "b.png", "c.png"]), "label": [1, 0, -1]}, label=NAMES)
    found, findings = huggingface.read(parquet(tmp_path / "in", content))
    assert said(found) == {"a.png": ["dog"], "b.png": ["cat"], "c.png": []}
    assert found.classes == ["cat", "dog"]
    assert found.splits == {"train": 3}
    assert found.annotations["line"].tolist() == [1, 2]
    assert findings == []
    assert [Path(path).read_bytes() for path in found.images["path"]] == pictures
    assert sorted(p.name for p in (tmp_path / "in").rglob("*") if p.is_file()) == ["train-00000-of-00001.parquet"]


@pytest.mark.parametrize(
    ("columns", "features", "expected", "told"),
    [
        ({"label": [1, 0, None]}, {}, [["1"], ["0"], []], {"labels_taken": 1}),
        ({"label": ["x", "y", ""]}, {}, [["x"], ["y"], []], {}),
        ({"label": [True, False, None]}, {}, [["True"], ["False"], []], {"labels_taken": 1}),
        (
            {"labels": [[1], [0, 1], []]},
            {"labels": {"feature": NAMES, "_type": "Sequence"}},
            [["dog"], ["cat", "dog"], []],
            {},
        ),
        (
            {"labels": [[1], [0, 1], []]},
            {"labels": {"feature": NAMES, "_type": "List"}},
            [["dog"], ["cat", "dog"], []],
            {},
        ),
        ({"tags": [["x"], ["x", "y"], None]}, {}, [["x"], ["x", "y"], []], {}),
        ({"breed": [1, 0, 0]}, {"breed": NAMES}, [["dog"], ["cat"], ["cat"]], {}),
        (
            {"label": [1, 0, 0]},
            {"label": {"names": {"0": "ant", "1": "bee"}, "_type": "ClassLabel"}},
            [["bee"], ["ant"], ["ant"]],
            {},
        ),
        ({"label": [1.5, 2.0, None]}, {}, [[("label", 1.5)], [("label", 2)], []], {}),
        ({"score": [1, 2, 3]}, {}, [[("score", 1)], [("score", 2)], [("score", 3)]], {}),
        (
            {"label": [0, 1, 1], "value:w": [0.1, None, 3.0]},
            {"label": NAMES},
            [["cat", ("w", 0.1)], ["dog"], ["dog", ("w", 3)]],
            {},
        ),
        (
            {"embedding": [[[1.0]], [[2.0]], [[3.0]]], "label": [0, 0, 1]},
            {"label": NAMES},
            [["cat"], ["cat"], ["dog"]],
            {"column_ignored": 1},
        ),
    ],
)
def test_columns(tmp_path, pictures, columns, features, expected, told):
    content = table({"image": images(pictures), **columns}, **features)
    found, findings = huggingface.read(parquet(tmp_path / "in", content))
    assert list(said(found).values()) == expected
    assert codes(findings) == told


def test_captions_and_groups_are_kept(tmp_path, pictures):
    content = table(
        {
            "image": images(pictures),
            "text": ["a", "", None],
            "n": [1, 2, 3],
            "patient": ["p", "p", ""],
            "width": [64, 64, 64],
        }
    )
    found, findings = huggingface.read(parquet(tmp_path / "in", content))
    assert found.images["attributes"].tolist() == ['{"n":1,"text":"a"}', '{"n":2}', '{"n":3}']
    assert found.images["group"].tolist() == ["p", "p", ""]
    assert findings == []


def test_bytes_alone_are_images_too(tmp_path, pictures):
    found, _ = huggingface.read(parquet(tmp_path / "in", pa.table({"img": pictures, "label": ["a", "b", "a"]})))
    assert list(found.images["key"]) == [f"train/{i:08d}.png" for i in range(3)] or list(found.images["key"]) == [
        f"{i:08d}.png" for i in range(3)
    ]


# --- objects --------------------------------------------------------------------------------------------------------------


BOX = [[1.0, 2.0, 10.0, 20.0], [0.5, 0.5, 3.0, 4.0]]

XYXY = [("dog", 1, 2, 11, 22), ("cat", 0.5, 0.5, 3.5, 4.5)]


@pytest.mark.parametrize(
    ("objects", "feature", "told"),
    [
        (
            {"bbox": BOX, "category": [1, 0], "area": [200.0, 12.0], "id": [7, 8]},
            {"feature": {"bbox": {}, "category": NAMES}, "_type": "Sequence"},
            ["boxes_taken"],
        ),
        (
            {"bbox": BOX, "category": [1, 0]},
            {"bbox": {}, "category": {"feature": NAMES, "_type": "List"}},
            ["boxes_taken"],
        ),
        (
            [{"bbox": b, "category": c} for b, c in zip(BOX, (1, 0), strict=True)],
            [{"bbox": {}, "category": NAMES}],
            ["boxes_taken"],
        ),
        ({"bbox_xyxy": [[1.0, 2.0, 11.0, 22.0], [0.5, 0.5, 3.5, 4.5]], "label": ["dog", "cat"]}, {}, []),
        (
            [
                {"box": {"xmin": 1, "ymin": 2, "xmax": 11, "ymax": 22}, "name": "dog"},
                {"box": {"xmin": 0.5, "ymin": 0.5, "xmax": 3.5, "ymax": 4.5}, "name": "cat"},
            ],
            {},
            [],
        ),
    ],
)
def test_objects(tmp_path, pictures, objects, feature, told):
    content = table({"image": images(pictures[:1]), "objects": [objects]}, objects=feature)
    found, findings = huggingface.read(parquet(tmp_path / "in", content))
    assert boxes(found) == XYXY
    assert [f.code for f in findings] == told
    assert set(found.annotations["attributes"]) == {""}


def test_what_else_is_said_of_objects_is_kept(tmp_path, pictures):
    objects = {
        "bbox": BOX,
        "category": ["a", "b"],
        "area": [99.0, 12.0],
        "iscrowd": [1, 0],
        "segmentation": [[[1.0]], [[2.0]]],
    }
    found, findings = huggingface.read(
        parquet(tmp_path / "in", table({"image": images(pictures[:1]), "objects": [objects]}))
    )
    assert found.annotations["attributes"].tolist() == ['{"area":99.0,"iscrowd":1}', '{"iscrowd":0}']
    assert [f.examples for f in findings if f.code == "column_ignored"] == [
        ["data/train-00000-of-00001.parquet: objects.segmentation"]
    ]


@pytest.mark.parametrize(
    ("objects", "code"),
    [
        ({"bbox": [[1.0, 2.0, 3.0]], "category": [0]}, "objects_invalid"),
        ({"bbox": [[1.0, 2.0, 3.0, float("nan")]], "category": [0]}, "objects_invalid"),
        ({"bbox": [[1.0, 2.0, 3.0, 1e300]], "category": [0]}, "objects_invalid"),
        ({"bbox": [None], "category": [0]}, "objects_invalid"),
        ({"bbox": BOX, "category": [0]}, "objects_invalid"),
        ({"bbox": BOX, "category": [0, 2]}, "class_out_of_range"),
        ({"bbox": BOX, "category": [0, -1]}, "class_out_of_range"),
        ({"bbox": BOX, "category": [0, None]}, "class_out_of_range"),
        ({"bbox": [[9.0, 9.0, -3.0, 1.0]], "category": [0]}, "box_negative_size"),
    ],
)
def test_bad_objects_block_with_their_row(tmp_path, pictures, objects, code):
    good = {"bbox": BOX, "category": [0, 1]}
    content = table(
        {"image": images(pictures[:2]), "objects": [good, objects]},
        objects={"feature": {"category": NAMES}, "_type": "Sequence"},
    )
    _, findings = huggingface.read(parquet(tmp_path / "in", content))
    (found,) = errors(findings)
    assert found[0] == code
    assert found[1][0].startswith("data/train-00000-of-00001.parquet:2")


def test_corners_taken_for_sizes_are_noticed(tmp_path, pictures):
    objects = {"bbox": [[40.0, 30.0, 60.0, 45.0]], "category": ["a"]}
    _, findings = huggingface.read(
        parquet(tmp_path / "in", table({"image": images(pictures[:1]), "objects": [objects]}))
    )
    assert codes(findings) == {"boxes_taken": 1, "boxes_like_corners": 1, "box_outside_image": 1}


# --- image folders --------------------------------------------------------------------------------------------------------


def test_an_image_folder_with_metadata(tmp_path):
    for number, split in enumerate(("train", "validation")):
        draw(tmp_path / split / "a.png", shade=number)
    (tmp_path / "train/metadata.csv").write_text("file_name,label\na.png,cat\n")
    (tmp_path / "validation/metadata.csv").write_text("file_name,label\na.png,dog\n")
    found, findings = huggingface.read(tmp_path)
    assert said(found) == {"train/a.png": ["cat"], "validation/a.png": ["dog"]}
    assert found.splits == {"train": 1, "val": 1}
    assert findings == []
    assert formats.detect(tmp_path)[0] == "huggingface"


def test_an_image_folder_with_objects(tmp_path):
    draw(tmp_path / "a.png")
    rows = [{"file_name": "a.png", "objects": {"bbox": BOX, "categories": [1, 0]}, "text": "two"}]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found, findings = huggingface.read(tmp_path)
    assert boxes(found) == [("1", 1, 2, 11, 22), ("0", 0.5, 0.5, 3.5, 4.5)]
    assert codes(findings) == {"boxes_taken": 2, "class_names_made": 1, "column_ignored": 1}


# --- bad rows -------------------------------------------------------------------------------------------------------------


def test_bad_images_and_rows_are_reported_with_their_row(tmp_path, pictures):
    content = table({"image": images([pictures[0], b"no image", b"", None]), "label": [0, 0, 1, 5]}, label=NAMES)
    found, findings = huggingface.read(parquet(tmp_path / "in", content))
    assert {f.code for f in findings} == {"image_unreadable", "row_without_image"}
    assert len(found) == 1


def test_a_label_without_a_name_blocks(tmp_path, pictures):
    content = table({"image": images(pictures), "label": [0, 2, -2]}, label=NAMES)
    _, findings = huggingface.read(parquet(tmp_path / "in", content))
    assert errors(findings) == [
        ("class_out_of_range", [f"data/train-00000-of-00001.parquet:{row}" for row in ("2: 2", "3: -2")])
    ]


# --- masks ----------------------------------------------------------------------------------------------------------------

PICTURE = {"_type": "Image"}


def drawn(number, size=(64, 48)):
    return png(indexes((number, 0, 0, 4, 4), size=size))


def png(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, format="PNG")
    return stream.getvalue()


@pytest.mark.parametrize("column", ["label", "annotation", "mask", "segmentation_mask"])
@pytest.mark.parametrize("named", [True, False])
def test_a_second_image_is_a_mask_of_class_numbers(tmp_path, pictures, column, named):
    content = table({column: images([drawn(2), drawn(3), None]), "image": images(pictures)}, **{column: PICTURE})
    root = parquet(tmp_path / "in", content)
    if named:
        (root / "id2label.json").write_text('{"0": "other", "2": "road", "3": "sky", "7": "car"}')
    found, findings = huggingface.read(root)
    expected = {0: "other", 2: "road", 3: "sky", 7: "car"} if named else {2: "class_2", 3: "class_3"}
    assert dict(zip(found.class_ids, found.classes, strict=True)) == expected
    assert codes(findings) == ({} if named else {"class_names_made": 1})
    rows = found.annotations[["image", "class_id", "line"]].to_numpy().tolist()
    assert rows == ([[0, 0, 1], [0, 1, 1], [1, 0, 2], [1, 2, 2]] if named else [[0, 0, 1], [1, 1, 2]])
    assert set(found.annotations["kind"]) == {"mask"}


def test_masks_beside_labels_share_their_classes(tmp_path, pictures):
    columns = {"image": images(pictures), "label": [1, 0, 1], "annotation": images([drawn(1), None, None])}
    root = parquet(tmp_path / "in", table(columns, label=NAMES, annotation=PICTURE))
    (root / "id2label.json").write_text('{"1": "dog", "5": "sky"}')
    found, findings = huggingface.read(root)
    assert dict(zip(found.class_ids, found.classes, strict=True)) == {1: "dog", 5: "sky", 6: "cat"}
    assert found.annotations["kind"].tolist() == ["mask", "class", "class", "class"]
    assert findings == []


@pytest.mark.parametrize(
    ("mask", "code"),
    [
        (b"no image", "mask_unreadable"),
        (drawn(1, (8, 8)), "mask_size_mismatch"),
        (png(np.zeros((48, 64, 3), np.uint8)), "mask_not_index"),
        (drawn(9), "class_out_of_range"),
    ],
)
def test_bad_masks_are_told_with_their_row(tmp_path, pictures, mask, code):
    columns = {"image": images(pictures[:1]), "mask": images([mask])}
    root = parquet(tmp_path / "in", table(columns, mask=PICTURE))
    (root / "id2label.json").write_text('["other", "road"]')
    (error,) = errors(huggingface.read(root)[1])
    assert error[0] == code
    assert error[1][0].startswith(
        "data/train-00000-of-00001.parquet:1" if code != "class_out_of_range" else "data/train-"
    )


def test_a_mask_that_is_only_a_path_is_told(tmp_path, pictures):
    columns = {"image": images(pictures[:1]), "mask": images([None], ["a.png"])}
    assert (
        errors(huggingface.read(parquet(tmp_path / "in", table(columns, mask=PICTURE)))[1])[0][0] == "mask_unreadable"
    )
