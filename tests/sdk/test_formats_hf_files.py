"""Files of Hugging Face datasets: parquet and Arrow, splits, keys of images, limits, and files that are none."""

from __future__ import annotations

import json
import shutil

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue_sdk.formats import hf_files, huggingface, scratch
from retinue_sdk.formats.files import list_files
from retinue_sdk.formats.hf_images import Limits, extract
from retinue_sdk.formats.report import Report
from tests.sdk.checks import codes, errors, few, read_safely
from tests.sdk.drawn import class_folders, draw
from tests.sdk.label_files import said
from tests.sdk.parquets import NAMES, images, parquet, table


def arrow(root, content, name, **beside):
    """A folder as `save_to_disk` makes it."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(root / name), "wb") as sink, pa.ipc.new_stream(sink, content.schema) as writer:
        writer.write_table(content, max_chunksize=2)
    for other, value in beside.items():
        ((root / name).parent / f"{other}.json").write_text(json.dumps(value))
    return root


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


def test_files_of_the_arrow_file_format_are_read(tmp_path, pictures):
    content = table({"image": images(pictures), "label": [0, 1, 1]}, label=NAMES)
    path = tmp_path / "in" / "train.arrow"
    path.parent.mkdir()
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, content.schema) as writer:
        writer.write_table(content)
    assert sum(batch.num_rows for batch in hf_files.batches(path, ["label"])) == 3
    assert huggingface.read(tmp_path / "in")[0].splits == {"train": 3}


# --- bad files ------------------------------------------------------------------------------------------------------------


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
    read_safely(huggingface, root)


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
