"""COCO panoptic: segments of coloured pixels, and what is wrong with them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from retinue_sdk import formats
from retinue_sdk.formats import coco, coco_panoptic
from tests.sdk.checks import codes
from tests.sdk.coco_files import content, item, save, shapes
from tests.sdk.drawn import draw


def panoptic(root, segments, pixels=None, mode="RGB", **entry):
    """An image of 4 x 3 whose left half is segment 1 and whose last pixel is segment 70000."""
    draw(root / "val2017/a.jpg", (4, 3))
    ids = np.zeros((3, 4), dtype=np.int64)
    ids[:, :2], ids[2, 3] = 1, 70000
    ids = ids if pixels is None else pixels
    colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
    path = root / "annotations/panoptic_val2017/a.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(colours).convert(mode).save(path)
    document = {
        "images": [{"id": 5, "file_name": "a.jpg", "width": 4, "height": 3}],
        "annotations": [{"image_id": 5, "file_name": "a.png", "segments_info": segments, **entry}],
        "categories": [
            {"id": 1, "name": "sky", "isthing": 0, "color": [1, 2, 3]},
            {"id": 9, "name": "cat", "isthing": 1},
        ],
    }
    (root / "annotations/panoptic_val2017.json").write_text(json.dumps(document))
    return root


SKY = {"id": 1, "category_id": 1, "iscrowd": 0, "bbox": [0, 0, 2, 3], "area": 6}

CAT = {"id": 70000, "category_id": 9, "iscrowd": 1, "bbox": [3, 2, 1, 1], "area": 1}


def small(findings):
    """Findings without the one that images of our size are small."""
    return {code: count for code, count in codes(findings).items() if code != "image_too_small"}


def test_segments_become_masks(tmp_path):
    root = panoptic(tmp_path, [SKY, CAT])
    assert formats.detect(root)[0] == "coco_panoptic"
    table, findings = coco_panoptic.read(root)
    assert small(findings) == {}
    assert table.images[["key", "split"]].to_numpy().tolist() == [["val2017/a.jpg", "val"]]
    assert table.annotations["kind"].tolist() == ["mask", "mask"]
    assert shapes(table) == [[0, 6, 6], [11, 1]]
    assert table.boxes.tolist() == [[0, 0, 2, 3], [3, 2, 4, 3]]
    assert [json.loads(a) for a in table.annotations["attributes"]] == [
        {"coco_id": 1},
        {"coco_id": 70000, "iscrowd": 1},
    ]
    assert (table.classes, table.class_ids) == (["sky", "cat"], [1, 9])
    assert table.class_attributes[0] == {"isthing": 0, "color": [1, 2, 3]}


W = "annotations/panoptic_val2017.json:annotations[0]"


@pytest.mark.parametrize(
    ("segments", "more", "code", "where"),
    [
        ([SKY], {}, "panoptic_segment_unlisted", "annotations/panoptic_val2017/a.png: 70000"),
        ([SKY, CAT, {**CAT, "id": 3}], {}, "panoptic_segment_missing", f"{W}.segments_info[2].id: 3"),
        ([SKY, CAT, CAT], {}, "panoptic_segment_missing", f"{W}.segments_info[2].id"),
        ([SKY, {**CAT, "category_id": 4}], {}, "coco_category_unknown", f"{W}.segments_info[1].category_id: 4"),
        ([SKY, {"id": 70000}], {}, "coco_value_invalid", f"{W}.segments_info[1]: Object missing"),
        ([SKY, CAT], {"image_id": 8}, "coco_image_unknown", f"{W}.image_id: 8"),
        ([SKY, CAT], {"file_name": "b.png"}, "image_missing", f"{W}.file_name: b.png"),
        ([SKY, CAT], {"file_name": "../../val2017/a.jpg"}, "image_missing", f"{W}.file_name"),
        ([SKY, CAT], {"mode": "L"}, "panoptic_not_coloured", "annotations/panoptic_val2017/a.png: L"),
        (
            [SKY, CAT],
            {"pixels": np.ones((4, 4), dtype=np.int64)},
            "mask_size_mismatch",
            "annotations/panoptic_val2017/a.png",
        ),
    ],
)
def test_bad_segments_are_reported_with_their_place(tmp_path, segments, more, code, where):
    _, findings = coco_panoptic.read(panoptic(tmp_path, segments, **more))
    assert small(findings) == {code: 1}
    assert next(f for f in findings if f.code == code).examples[0].startswith(where)


def test_a_broken_png_of_segments(tmp_path):
    root = panoptic(tmp_path, [SKY, CAT])
    path = root / "annotations/panoptic_val2017/a.png"
    for data in (b"", b"no picture", path.read_bytes()[:45]):
        path.write_bytes(data)
        assert small(coco_panoptic.read(root)[1]) == {"mask_unreadable": 1}


def test_panoptic_beside_instances(tmp_path):
    root = panoptic(tmp_path, [SKY, CAT])
    save(root, content(item(), images=[{"id": 5, "file_name": "a.jpg", "width": 4, "height": 3}]),
         "annotations/instances_val2017.json", "train2017/b.png")  # fmt: skip
    assert formats.detect(root)[0] == "coco"
    table, findings = coco_panoptic.read(root)
    assert small(findings) == {"files_ignored": 1, "image_unlisted": 1}
    assert len(table.annotations) == 2
    table, findings = coco.read(root)
    assert len(table.annotations) == 1
    assert "files_ignored" in codes(findings)
