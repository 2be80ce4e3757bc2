"""Hugging Face datasets there and back: the schema, shards, and what is lost."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retinue_sdk import formats
from retinue_sdk.formats import huggingface
from retinue_sdk.formats.hf_write import STRING, write_parquet
from retinue_sdk.table import make_table
from tests.sdk.checks import codes
from tests.sdk.conversions import same
from tests.sdk.label_files import labelled, said
from tests.sdk.samples import sample


@pytest.mark.parametrize("kind", ["class", "box", "value"])
def test_there_and_back(tmp_path, kind):
    made = sample(kind, tmp_path / "made", plain=True)
    unused = {"loss_class_unused": 2} if kind == "value" else {}  # a column of values lists no classes
    assert codes(huggingface.write(made, tmp_path / "out")) == unused
    again, findings = huggingface.read(tmp_path / "out")
    assert findings == []
    assert same(made, again) == []
    assert set(again.images["key"]) == set(made.images["key"])
    assert formats.detect(tmp_path / "out")[0] == "huggingface"


def test_groups_attributes_several_classes_and_values_come_back(tmp_path):
    made = labelled(tmp_path / "made", [["a", "b"], ["b"], []], [{"weight": 0.1 + 0.2}, {"a,b": -1.0}, {}])
    assert codes(huggingface.write(made, tmp_path / "out")) == {"loss_split": 3}
    again, _ = huggingface.read(tmp_path / "out")
    assert said(again) == said(made)
    assert again.images["group"].tolist() == made.images["group"].tolist()
    full = sample("box", tmp_path / "full")
    assert codes(huggingface.write(full, tmp_path / "out 2")) == {"loss_class_attributes": 3, "loss_class_ids": 3}
    again, _ = huggingface.read(tmp_path / "out 2")
    assert sorted(again.annotations["attributes"]) == sorted(full.annotations["attributes"])
    assert sorted(again.images["attributes"]) == sorted(full.images["attributes"])


def test_the_schema_is_what_the_library_writes(tmp_path):
    huggingface.write(sample("box", tmp_path / "made", plain=True), tmp_path / "out")
    names = sorted(p.name for p in (tmp_path / "out/data").iterdir())
    assert names == [f"{split}-00000-of-00001.parquet" for split in ("test", "train", "validation")]
    schema = pq.read_schema(tmp_path / "out/data" / names[0])
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert list(features) == schema.names == ["image", "objects"]
    assert features["objects"]["feature"]["category"] == {"names": ["cat", "hot dog", "bird"], "_type": "ClassLabel"}
    assert schema.field("objects").type.field("bbox").type == pa.list_(pa.list_(pa.float64()))


def test_large_splits_are_written_in_shards_and_odd_split_names_are_told(tmp_path):
    made = sample("class", tmp_path / "made", plain=True).with_images(split="fold 1-x")
    assert codes(write_parquet(made, tmp_path / "out", "huggingface", shard_bytes=1).findings()) == {
        "loss_split_name": 1
    }
    assert len(list((tmp_path / "out/data").glob("fold_1_x-0000?-of-00005.parquet"))) == 5
    again, _ = huggingface.read(tmp_path / "out")
    assert again.splits == {"fold_1_x": 5}


def test_masks_are_a_column_of_images_with_their_names_beside(tmp_path):
    made = sample("mask", tmp_path / "made")
    losses = codes(huggingface.write(made, tmp_path / "out"))
    assert losses == {"loss_attributes": 1, "loss_class_attributes": 3, "loss_overlap": losses["loss_overlap"]}
    assert json.loads((tmp_path / "out/id2label.json").read_text()) == {"1": "cat", "2": "hot dog", "9": "bird"}
    schema = pq.read_schema(next((tmp_path / "out/data").iterdir()))
    assert json.loads(schema.metadata[b"huggingface"])["info"]["features"] == {
        "image": {"_type": "Image"}, "label": {"_type": "Image"}, "group": STRING, "attributes": STRING,
    }  # fmt: skip
    again, findings = huggingface.read(tmp_path / "out")
    assert findings == []
    assert (again.classes, again.class_ids) == (made.classes, made.class_ids)


def test_masks_beside_boxes_are_boxes_and_beside_classes_annotations(tmp_path):
    mask, box, label = (sample(kind, tmp_path / kind, plain=True) for kind in ("mask", "box", "class"))
    assert codes(huggingface.write(joined(mask, box), tmp_path / "boxes")) == {"loss_shape": 6}
    assert not (tmp_path / "boxes/id2label.json").exists()
    both = joined(mask, label)
    assert codes(huggingface.write(both, tmp_path / "out")).keys() <= {"loss_background", "loss_overlap"}
    again, _ = huggingface.read(tmp_path / "out")
    assert sorted(again.annotations["kind"]) == sorted(both.annotations["kind"])
    assert pq.read_schema(next((tmp_path / "out/data").iterdir())).names == ["image", "label", "annotation"]


def joined(one, other):
    """The images of one table with the annotations of both."""
    rows = pd.concat([one.annotations, other.annotations])
    shapes = pa.concat_arrays([one.geometry, other.geometry])
    return make_table(one.images, rows, one.classes, one.class_ids, shapes)
