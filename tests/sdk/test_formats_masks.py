"""What index masks, Cityscapes and ADE20K share: which of them it is, and files of any content."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue_sdk import formats
from retinue_sdk.formats import ade20k, cityscapes, image_folder, index_masks, yolo_detect
from tests.sdk.checks import few, read_safely
from tests.sdk.drawn import draw, yolo
from tests.sdk.mask_folders import GOOD, NAMED, SIZE, ade, city, dataset, png, save


def test_labels_of_yolo_and_colours_are_not_claimed(tmp_path):
    boxes = yolo(tmp_path / "yolo", {"images/train/a.png": "0 0.5 0.5 0.1 0.1"})
    assert index_masks.sniff(boxes) == 0
    save(boxes / "labels/train/a.png", GOOD)
    assert index_masks.sniff(boxes) == 0
    colours = dataset(tmp_path / "colours", {"a": np.zeros((48, 64, 3), dtype=np.uint8)}, "labels/{}.png")
    assert index_masks.sniff(colours) == 0


def test_each_kind_of_masks_is_detected(tmp_path):
    made = {
        "index_masks": dataset(tmp_path / "i", {"train/a": GOOD}, config="names: [none, cat]\n"),
        "cityscapes": city(tmp_path / "c"),
        "ade20k": ade(tmp_path / "a"),
    }
    modules = (index_masks, cityscapes, ade20k, image_folder, yolo_detect)
    for name, root in made.items():
        confidence = {module.NAME: module.sniff(root) for module in modules}
        assert max(confidence, key=confidence.get) == name
        others = [value for key, value in confidence.items() if key not in (name, "yolo_detect")]
        assert confidence[name] >= 0.9 > 3 * max(others)


@pytest.mark.parametrize("module", [index_masks, cityscapes, ade20k])
def test_nothing_is_no_dataset_of_masks(tmp_path, module):
    draw(tmp_path / "images/a.png")
    assert module.sniff(tmp_path) < formats.LOWEST_CONFIDENCE


# --- whatever bytes -------------------------------------------------------------------------------------------------------


@pytest.fixture
def three(tmp_path):
    return [
        (index_masks, dataset(tmp_path / "i", {"a": GOOD}, config=NAMED), "masks/a.png"),
        (ade20k, ade(tmp_path / "a"), "annotations/training/ADE_train_00000001.png"),
        (cityscapes, city(tmp_path / "c"), "gtFine/train/ulm/ulm_000000_gtFine_labelIds.png"),
    ]


@few
@given(st.data())
def test_damaged_masks(three, data):
    module, root, name = data.draw(st.sampled_from(three))
    content = bytearray(
        png(
            *SIZE,
            data.draw(st.sampled_from([1, 2, 4, 8, 16])),
            data.draw(st.sampled_from([0, 2, 3, 4, 6])),
            [b"\1" * 600] * 48,
        )
    )
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    (root / name).write_bytes(content[: data.draw(st.integers(0, len(content)))])
    read_safely(module, root)


texts = st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda t: t.encode("utf-8", "surrogatepass")))

values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.sampled_from(["road", "cargroup"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["objects", "label", "polygon", "id", "name", "deleted", "1"]), inner, max_size=4
        ),
    ),
    max_leaves=12,
)


@few
@given(st.one_of(texts, values.map(lambda v: json.dumps(v).encode())))
def test_damaged_lists_and_documents(three, content):
    for (module, root, _), name in zip(
        three, ("classes.json", "objectInfo150.txt", "gtFine/val/bonn/bonn_000001_gtFine_polygons.json"), strict=True
    ):
        (root / "config.yaml").unlink(missing_ok=True)
        (root / name).write_bytes(content)
        read_safely(module, root)
    (three[1][1] / "sceneCategories.txt").write_bytes(content)
    read_safely(ade20k, three[1][1])
    (three[0][1] / "config.yaml").write_bytes(content)
    read_safely(index_masks, three[0][1])
