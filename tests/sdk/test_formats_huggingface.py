"""Hugging Face datasets: parquet, Arrow and image folders; what their columns mean; bad files; the way there and back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retinue_sdk import formats
from retinue_sdk.errors import DataError
from retinue_sdk.formats import hf_files, huggingface, scratch
from retinue_sdk.formats.files import list_files
from retinue_sdk.formats.hf_images import Limits, extract
from retinue_sdk.formats.hf_write import write_parquet
from retinue_sdk.formats.report import CODES, Report
from tests.sdk.conversions import same
from tests.sdk.drawn import class_folders, draw
from tests.sdk.parquets import NAMES, images, parquet, table
from tests.sdk.samples import sample
from tests.sdk.test_formats_labels import codes, errors, labelled, said

few = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


@pytest.fixture
def pictures(tmp_path):
    """Three encoded images."""
    return [draw(tmp_path / "drawn" / f"{i}.png", shade=i).read_bytes() for i in range(3)]


def arrow(root, content, name, **beside):
    """A folder as `save_to_disk` makes it."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(root / name), "wb") as sink, pa.ipc.new_stream(sink, content.schema) as writer:
        writer.write_table(content, max_chunksize=2)
    for other, value in beside.items():
        ((root / name).parent / f"{other}.json").write_text(json.dumps(value))
    return root


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


# --- files, splits and keys -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("data/train-00000-of-00001.parquet", "train"),
        ("data/validation-00001-of-00002.parquet", "val"),
        ("data/extra-00000-of-00001.parquet", "extra"),
        ("data/train-00000-of-00001-0123456789abcdef.parquet", "train"),
        ("default/test/0000.parquet", "test"),
        ("my_valid.parquet", "val"),
        ("images.parquet", ""),
        ("a b-00000-of-00001.parquet", ""),
    ],
)
def test_the_split_of_a_parquet_file(tmp_path, pictures, name, split):
    root = parquet(tmp_path / "in", table({"image": images(pictures), "label": [0, 1, 1]}, label=NAMES), name)
    found, findings = huggingface.read(root)
    assert found.splits == {split: 3}
    assert errors(findings) == []
    assert huggingface.sniff(root) > 0.9


def test_the_default_of_several_configurations_is_read(tmp_path, pictures):
    content = table({"image": images(pictures), "label": [0, 1, 1]}, label=NAMES)
    for name in ("big/train/0000.parquet", "default/train/0000.parquet"):
        parquet(tmp_path / "in", content, name)
    found, findings = huggingface.read(tmp_path / "in")
    assert len(found) == 3
    assert codes(findings) == {"config_left": 1}


def test_a_saved_dataset_and_dictionary(tmp_path, pictures):
    content = pa.table({"image": images(pictures), "label": [0, 1, 1]})
    info = {"features": {"image": {"_type": "Image"}, "label": NAMES}}
    one = arrow(tmp_path / "one", content, "data-00000-of-00001.arrow", dataset_info=info, state={"_split": "test"})
    arrow(one, content, "cache-1234.arrow")
    found, findings = huggingface.read(one)
    assert (found.splits, found.classes, findings) == ({"test": 3}, ["cat", "dog"], [])
    assert huggingface.sniff(one) > 0.9
    several = tmp_path / "several"
    for split in ("train", "validation", "extra"):
        arrow(several, content, f"{split}/data-00000-of-00001.arrow", dataset_info=info, state={"_split": None})
    (several / "dataset_dict.json").write_text('{"splits": ["train", "validation", "extra"]}')
    found, findings = huggingface.read(several)
    assert (found.splits, findings) == ({"train": 3, "val": 3, "extra": 3}, [])


@pytest.mark.parametrize(
    ("paths", "keys"),
    [
        (["x/a.png", "x/b.png", "c.png"], ["x/a.png", "x/b.png", "c.png"]),
        (["a.png", "b.png", "A.png"], ["train/00000000.png", "train/00000001.png", "train/00000002.png"]),
        (["/home/me/a.png", "../../b.png", "C:\\c.png"], ["a.png", "b.png", "c.png"]),
        ([None, "notes.txt", "x.png/y.png"], ["00000000.png", "00000001.png", "y.png"]),
        ([".hidden/a.png", "a\0.png", "x" * 300 + ".png"], ["a.png", "00000001.png", "00000002.png"]),
    ],
)
def test_keys_are_what_rows_call_images_where_they_can_be(tmp_path, pictures, paths, keys):
    found, findings = huggingface.read(
        parquet(tmp_path / "in", table({"image": images(pictures, paths), "label": [0, 1, 1]}))
    )
    assert found.images["key"].tolist() == keys
    assert errors(findings) == []


def test_names_that_splits_share_get_the_split_before_them(tmp_path, pictures):
    content = table({"image": images(pictures[:1], ["a.png"]), "label": [0]}, label=NAMES)
    root = parquet(tmp_path / "in", content)
    parquet(root, content, "data/test-00000-of-00001.parquet")
    found, _ = huggingface.read(root)
    assert found.images["key"].tolist() == ["test/a.png", "train/a.png"]


def test_images_beside_the_rows(tmp_path):
    draw(tmp_path / "in/data/a.png")
    draw(tmp_path / "in/b.png", shade=1)
    content = table(
        {"image": images([None] * 4, ["a.png", "b.png", "gone.png", "../../../etc/passwd"]), "label": [0, 1, 1, 1]},
        label=NAMES,
    )
    found, findings = huggingface.read(parquet(tmp_path / "in", content))
    assert said(found) == {"a.png": ["cat"], "b.png": ["dog"]}
    assert errors(findings) == [
        (
            "image_missing",
            [f"data/train-00000-of-00001.parquet:{row}" for row in ("3: gone.png", "4: ../../../etc/passwd")],
        )
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


# --- bad files ------------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("limits", "code", "left"),
    [
        (Limits(image_bytes=10), "image_bytes", 0),
        (Limits(total_bytes=300), "image_bytes", 2),
        (Limits(rows=2), "rows_unreadable", 2),
    ],
)
def test_limits(tmp_path, limits, code, left):
    root = parquet(tmp_path / "in", table({"image": images([b"x" * 100, b"x" * 100, b"x" * 101]), "label": [0, 1, 1]}))
    report = Report()
    sources = hf_files.sources(root, list_files(root), report)
    found = extract(root, [], sources, report, limits)
    assert len(found.path) == left
    assert {finding.code for finding in report.findings()} == {code}


@pytest.mark.parametrize("name", ["data/train-00000-of-00001.parquet", "data-00000-of-00001.arrow"])
@few
@given(st.data())
def test_a_damaged_file_is_an_error_of_the_data(tmp_path, pictures, name, data):
    root = tmp_path / "damaged"
    shutil.rmtree(root, ignore_errors=True)
    content = table({"image": images(pictures), "label": [0, 1, 1], "text": ["a", "b", "c"]}, label=NAMES)
    (parquet if name.endswith("parquet") else arrow)(root, content, name)
    damaged = bytearray((root / name).read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    del damaged[data.draw(st.integers(0, 2 * len(damaged))) :]
    (root / name).write_bytes(damaged)
    huggingface.sniff(root)
    try:
        _, findings = huggingface.read(root)
    except DataError:
        return
    assert {f.code for f in findings} <= CODES.keys()


def test_tables_without_images_are_not_claimed(tmp_path):
    root = parquet(tmp_path / "in", pa.table({"text": ["a"], "label": [1]}))
    assert huggingface.sniff(root) == 0
    assert [f.code for f in huggingface.read(root)[1]] == ["dataset_empty", "rows_ignored"]
    (root / "broken.parquet").write_bytes(b"PAR1")
    assert huggingface.sniff(root) == 0
    assert huggingface.sniff(class_folders(tmp_path / "c", {"a": 1, "b": 1})) == 0


def test_scratch_folders_of_dead_processes_are_swept(tmp_path):
    (tmp_path / f"{scratch.PREFIX}dead").mkdir()
    (tmp_path / f"{scratch.PREFIX}link").symlink_to(tmp_path)
    living = scratch.process_folder(tmp_path)
    assert scratch.sweep(tmp_path) == 0
    assert living.is_dir()
    assert not (tmp_path / f"{scratch.PREFIX}dead").exists()


# --- there and back -------------------------------------------------------------------------------------------------------


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
    assert codes(huggingface.write(full, tmp_path / "out 2")) == {"loss_class_attributes": 3, "loss_class_ids": 1}
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


def test_files_of_the_arrow_file_format_are_read(tmp_path, pictures):
    content = table({"image": images(pictures), "label": [0, 1, 1]}, label=NAMES)
    path = tmp_path / "in" / "train.arrow"
    path.parent.mkdir()
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, content.schema) as writer:
        writer.write_table(content)
    assert sum(batch.num_rows for batch in hf_files.batches(path, ["label"])) == 3
    assert huggingface.read(tmp_path / "in")[0].splits == {"train": 3}
