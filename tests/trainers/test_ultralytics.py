"""The ultralytics trainer without ultralytics: what its service says, and the view it lays out for a job."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import jsonschema
import numpy as np
import pytest
import yaml
from PIL import Image

from retinue_sdk.dataset import load
from retinue_sdk.errors import DataError
from retinue_sdk.schema import DatasetFolder, Task
from retinue_sdk.table import make_table
from retinue_ultralytics import files, spec
from retinue_ultralytics.data import boxes_of, export
from retinue_ultralytics.service import FRAMEWORK
from tests.trainers.drawn import draw_digits, draw_shapes

BOTH = [(Task.CLASSIFY, "yolo11n-cls"), (Task.DETECT, "yolo26n")]


@pytest.fixture
def shapes(tmp_path):
    return load(DatasetFolder(path=str(draw_shapes(tmp_path / "shapes", count=4, side=96))))


def images_on_disk(folder, names):
    """Write a small image per name; returns the columns of a table."""
    folder.mkdir()
    for at, name in enumerate(names):
        Image.new("RGB", (40, 20), (at, 0, 0)).save(folder / name)
    return {
        "key": names,
        "path": [str(folder / n) for n in names],
        "width": [40] * len(names),
        "height": [20] * len(names),
    }


def test_schema_comes_without_framework_and_pandas() -> None:
    code = (
        "import sys\n"
        "from retinue_ultralytics.service import FRAMEWORK\n"
        "for task, model in (('classify', 'yolo11n-cls'), ('detect', 'yolo11n')):\n"
        "    from retinue_sdk.schema import Task\n"
        "    FRAMEWORK.parameters(Task(task), model)\n"
        "print([m for m in ('ultralytics', 'torch', 'pandas', 'numpy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize(("task", "model"), BOTH)
def test_every_parameter_is_described(task, model) -> None:
    schema = FRAMEWORK.parameters(task, model)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(spec.defaults(task, model), schema)
    assert 30 <= len(schema["properties"]) <= 50
    for name, entry in schema["properties"].items():
        assert {"type", "default", "title", "description", "group"} <= entry.keys(), name
        assert entry["description"].endswith("."), name
        if entry["type"] in ("integer", "number"):
            assert entry["minimum"] <= entry["default"] <= entry["maximum"], name
        if entry["type"] == "string":
            assert entry["default"] in entry["enum"], name


@pytest.mark.parametrize(
    ("values", "at"),
    [
        ({"epochs": 0}, "epochs"),
        ({"lr0": "fast"}, "lr0"),
        ({"optimizer": "Lion"}, "optimizer"),
        ({"mosaic": 2}, "mosaic"),
    ],
)
def test_schema_refuses(values, at) -> None:
    with pytest.raises(jsonschema.ValidationError) as caught:
        jsonschema.validate(values, spec.parameters(Task.DETECT, "yolo11n"))
    assert list(caught.value.path) == [at]


def test_tasks_have_their_own_parameters() -> None:
    classify, detect = (spec.parameters(task, model)["properties"].keys() for task, model in BOTH)
    assert "dropout" in classify - detect
    assert "mosaic" in detect - classify
    with pytest.raises(jsonschema.ValidationError, match="mosaic"):
        jsonschema.validate({"mosaic": 1.0}, spec.parameters(*BOTH[0]))


def test_every_parameter_is_known_to_ultralytics() -> None:
    shipped, _ = spec.shipped()
    for task, model in BOTH:
        assert spec.arguments(spec.defaults(task, model)).keys() <= shipped.keys()


def test_pretrained_needs_the_operators_weights(tmp_path, monkeypatch) -> None:
    assert spec.parameters(Task.DETECT, "yolo11n")["properties"]["pretrained"]["enum"] == [False]
    (tmp_path / "ultralytics").mkdir()
    (tmp_path / "ultralytics" / "yolo11n.pt").write_bytes(b"weights")
    monkeypatch.setenv("RETINUE_WEIGHTS", str(tmp_path))
    assert "enum" not in spec.parameters(Task.DETECT, "yolo11n")["properties"]["pretrained"]
    assert spec.parameters(Task.DETECT, "yolo11s")["properties"]["pretrained"]["enum"] == [False]


def test_catalogue_of_architectures() -> None:
    by_name = {a.name: a for a in files.architectures()}
    assert len(by_name) == len(files.architectures()) > 100
    for name in ("yolo26n", "yolo11x", "yolo12s", "yolov10b", "yolov9t", "yolov8n-ghost-p2", "yolov5n", "yolov3-tiny"):
        assert by_name[name].task is Task.DETECT
    for name in ("yolo26n-cls", "yolo11n-cls", "yolov8m-cls", "yolov8-cls-resnet50"):
        assert (by_name[name].task, by_name[name].input_size) == (Task.CLASSIFY, 224)
    assert by_name["yolo26n-p6"].input_size == 1280
    assert not [
        n for n in by_name if any(word in n for word in ("seg", "pose", "obb", "world", "rtdetr", "yoloe", "resnet18"))
    ]


def test_detection_view(shapes, tmp_path) -> None:
    view = export(shapes, Task.DETECT, tmp_path / "view")
    assert view.images == {"train": 4, "val": 4}
    assert view.classes == ["disc", "box", "cross"]
    data = yaml.safe_load(view.source.read_text())
    assert data == {
        "path": str(tmp_path / "view"),
        "train": "images/train",
        "val": "images/val",
        "names": dict(enumerate(view.classes)),
    }
    written, boxes = 0, boxes_of(tmp_path / "view")
    originals = {path.stat().st_ino: path for path in (tmp_path / "shapes" / "images" / "train").iterdir()}
    for image in (tmp_path / "view" / "images" / "train" / "00000").iterdir():
        original = originals[image.stat().st_ino]
        source = tmp_path / "shapes" / "labels" / "train" / f"{original.stem}.txt"
        ours = boxes[f"train/00000/{image.name}"]
        np.testing.assert_allclose(ours, np.loadtxt(source, ndmin=2), atol=2e-6)
        written += len(ours)
    assert written == int((shapes.annotations["image"] < 4).sum())


def test_boxes_are_cut_at_the_border_and_those_empty_or_there_twice_left_out(tmp_path) -> None:
    columns = images_on_disk(tmp_path / "in", ["a.png", "b.jpg", "c.png"])
    table = make_table(
        columns | {"split": ["train", "train", "val"]},
        {
            "image": [0, 0, 2, 2, 2],
            "class_id": [0, 0, 0, 0, 1],
            "kind": ["box"] * 5,
            "x1": [-10, 5, 10, 10, 10],
            "y1": [0, 5, 5, 5, 5],
            "x2": [20, 5, 30, 30, 30],
            "y2": [20, 9, 15, 15, 15],
        },
        ["thing", "other"],
    )
    view = export(table, Task.DETECT, tmp_path / "view")
    assert [(code, message.split()[0]) for code, message in view.findings] == [
        ("boxes_without_area", "1"),
        ("boxes_beyond_image", "1"),
        ("boxes_twice", "1"),
    ]
    assert {file: boxes.tolist() for file, boxes in boxes_of(tmp_path / "view").items()} == {
        "train/00000/a.png": [[0, 0.25, 0.5, 0.5, 1]],
        "train/00000/b.jpg": [],  # an image without boxes is background
        "val/00000/c.png": [[0, 0.5, 0.5, 0.5, 0.5], [1, 0.5, 0.5, 0.5, 0.5]],
    }


def test_classification_view_keeps_any_class_name_and_order(tmp_path) -> None:
    columns = images_on_disk(tmp_path / "in", [f"{n}.png" for n in range(6)])
    classes = ["zebra", "a/b", "00000"]
    table = make_table(
        columns | {"split": ["train"] * 3 + ["val"] * 3},
        {"image": [0, 1, 2, 3, 4], "class_id": [2, 1, 0, 0, 0], "kind": ["class"] * 5},
        classes,
    )
    view = export(table, Task.CLASSIFY, tmp_path / "view")
    assert view.images == {"train": 3, "val": 2}
    assert dict(view.findings) == {"images_unlabelled": "1 images have no class and take no part."}
    assert json.loads((view.source / "classes.json").read_text()) == classes
    for split in ("train", "val"):  # also the classes that a split has no image of
        assert sorted(p.name for p in (view.source / split).iterdir()) == ["00000", "00001", "00002"]
    assert [p.resolve().name for p in (view.source / "train" / "00002").iterdir()] == ["0.png"]


def test_a_folder_without_splits_is_split(tmp_path) -> None:
    table = load(DatasetFolder(path=str(draw_digits(tmp_path / "digits", side=16, per_class=10))))
    view = export(table, Task.CLASSIFY, tmp_path / "view")
    assert view.images == {"train": 80, "val": 20}


@pytest.mark.parametrize(
    ("task", "wanted"),
    [(Task.CLASSIFY, "no image of the dataset has a class"), (Task.DETECT, "no image of the dataset has a box")],
)
def test_data_of_another_task_is_refused(task, wanted, tmp_path) -> None:
    kind = "box" if task is Task.CLASSIFY else "class"
    columns = images_on_disk(tmp_path / "in", ["a.png", "b.png"])
    coordinates = (
        {c: [1.0, 1.0] if c[1] == "1" else [9.0, 9.0] for c in ("x1", "y1", "x2", "y2")} if kind == "box" else {}
    )
    table = make_table(
        columns | {"split": ["train", "val"]},
        {"image": [0, 1], "class_id": [0, 0], "kind": [kind] * 2} | coordinates,
        ["thing"],
    )
    with pytest.raises(DataError, match=f"(?i){wanted}") as caught:
        export(table, task, tmp_path / "view")
    assert caught.value.problem.code == "labels_missing"


def test_the_source_is_never_touched(shapes, tmp_path) -> None:
    def state():
        return {
            p: hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted((tmp_path / "shapes").rglob("*"))
            if p.is_file()
        }

    before = state()
    view = export(shapes, Task.DETECT, tmp_path / "view")
    image = next((tmp_path / "view" / "images" / "train" / "00000").iterdir())
    repaired = image.with_suffix(".tmp")
    repaired.write_bytes(b"as ultralytics repairs: a new file under the old name")
    repaired.replace(image)
    assert state() == before
    assert view.images["train"] == 4
