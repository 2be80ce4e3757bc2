"""Real ultralytics trainings in processes of their own, on drawn data, with the network watched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import TypeAdapter

from retinue_sdk import schema
from retinue_sdk.dataset import load
from retinue_sdk.errors import RetinueError
from retinue_sdk.memory import KEEP_MEMORY
from retinue_sdk.metrics import Detections, Truth, detection_score, match, top_k
from retinue_sdk.run import Run
from retinue_ultralytics.data import export
from retinue_ultralytics.report import Reporter
from tests.trainers.drawn import SHAPES, draw_digits, draw_shapes
from tests.trainers.served import FrameworkService
from tests.trainers.stores import closed

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(1200)]  # seconds on an idle machine, minutes on a shared one
RECIPES = Path(__file__).parents[2] / "hub_config" / "recipes"
EVENT = TypeAdapter(
    schema.MetricEvent | schema.ProgressEvent | schema.ArtifactEvent | schema.ImageEvent | schema.WarningEvent
)
# Every look-up and connection of the training process is refused and written down.
NO_NETWORK = """
import os, sys
def refuse(event, args):
    if event == "socket.getaddrinfo" or (event == "socket.connect" and isinstance(args[1], tuple)):
        with open(os.environ["NETWORK_LOG"], "a") as log:
            log.write(f"{event} {args}\\n")
        raise OSError("no network in this test")
sys.addaudithook(refuse)
"""
OVERFIT = {
    "epochs": 40, "batch": 2, "nbs": 2, "imgsz": 96, "optimizer": "AdamW", "lr0": 0.001, "warmup_epochs": 1.0, "patience": 0,
    "mosaic": 0.0, "translate": 0.0, "scale": 0.0, "fliplr": 0.0, "hsv_h": 0.0, "hsv_s": 0.0, "hsv_v": 0.0, "plots": False,
}  # fmt: skip


class Job:
    """One run directory and what became of it."""

    def __init__(self, folder: Path, data: Path, task: str, model: str, parameters: dict) -> None:
        self.path = folder / "run"
        self.path.mkdir()
        self.network = folder / "network.log"
        site = folder / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(NO_NETWORK)
        self.environment = os.environ | KEEP_MEMORY | {"PYTHONPATH": str(site), "NETWORK_LOG": str(self.network)}
        body = {
            "job_id": str(uuid.uuid4()), "attempt": 1, "task": task, "model": model, "parameters": parameters,
            "dataset": {"kind": "folder", "path": str(data)},
        }  # fmt: skip
        (self.path / "spec.json").write_text(json.dumps(body))

    def run(self) -> int:
        with (self.path / "log.txt").open("w") as log:
            command = [sys.executable, "-m", "retinue_ultralytics.train", str(self.path)]
            code = subprocess.run(command, stdout=log, stderr=log, env=self.environment, check=False).returncode
        assert not self.network.exists(), self.network.read_text()
        return code

    @property
    def log(self) -> str:
        return (self.path / "log.txt").read_text()

    def events(self, kind: str) -> list:
        lines = (self.path / "events.jsonl").read_bytes().splitlines()
        events = [EVENT.validate_json(line) for line in lines]
        assert [e.seq for e in events] == list(range(1, len(events) + 1))
        return [e for e in events if e.type == kind]

    def series(self, key: str) -> list[float]:
        return [e.values[key] for e in self.events("metric") if key in e.values]


@pytest.fixture(scope="module")
def ultralytics(tmp_path_factory):
    """Ultralytics imported into this process, kept to itself as in a training."""
    from retinue_ultralytics.isolation import isolate

    isolate(tmp_path_factory.mktemp("config"))
    import ultralytics

    return ultralytics


def test_digits_recipe(tmp_path, ultralytics) -> None:
    recipe = json.loads((RECIPES / "digits-ultralytics.json").read_text())
    digits = draw_digits(tmp_path / "digits")
    job = Job(tmp_path, digits, recipe["task"], recipe["model"], recipe["parameters"])
    assert job.run() == 0, job.log
    epochs = recipe["parameters"]["epochs"]
    assert job.series("final/top1")[0] == pytest.approx(max(job.series("val/top1")), abs=0.005)
    assert job.series("final/top1")[0] >= 0.90
    assert len(job.series("val/top1")) == len(job.series("val/top5")) == epochs
    steps = [e.step for e in job.events("metric") if "train/loss" in e.values]
    assert steps == list(range(1, epochs * 45 + 1))  # 1,438 training images in batches of 32
    progress = job.events("progress")
    assert (progress[-1].epoch, progress[-1].step, progress[-1].steps) == (epochs, steps[-1], steps[-1])
    assert {"best.pt", "last.pt", "args.yaml", "results.csv"} <= {e.name for e in job.events("artifact")}
    assert not (job.path / "work").exists()

    model = ultralytics.YOLO(job.path / "checkpoints" / "best.pt")
    assert model.names == {i: str(i) for i in range(10)}
    answers = model.predict([str(p) for p in sorted((digits / "7").iterdir())[:20]], imgsz=32, verbose=False)
    assert sum(a.probs.top1 == 7 for a in answers) >= 17


def test_detector_learns_eight_images_and_our_figure_is_ultralytics(tmp_path, ultralytics) -> None:
    data = draw_shapes(tmp_path / "shapes", count=8, side=96)
    job = Job(tmp_path, data, "detect", "yolov8n", OVERFIT)
    assert job.run() == 0, job.log
    ours50, ours = job.series("final/map50")[0], job.series("final/map50_95")[0]
    assert ours50 >= 0.5
    assert max(job.series("val/map50")) == pytest.approx(ours50, abs=0.01)

    model = ultralytics.YOLO(job.path / "checkpoints" / "best.pt")
    assert list(model.names.values()) == list(SHAPES)
    theirs = model.val(
        data=str(data / "data.yaml"), imgsz=96, batch=4, plots=False, verbose=False, device="cpu",
        project=str(tmp_path), name="val",
    )  # fmt: skip
    assert abs(ours50 - theirs.box.map50) <= 0.005 + 1e-9
    assert abs(ours - theirs.box.map) <= 0.005 + 1e-9


@pytest.mark.usefixtures("ultralytics")
def test_a_view_reads_as_the_label_files_it_came_from(tmp_path) -> None:
    from ultralytics.data import YOLODataset

    from retinue_ultralytics.trainers import BoxDataset

    data = draw_shapes(tmp_path / "shapes", count=4, side=96)
    (data / "labels" / "train" / "train1.txt").write_text("")
    view = export(load(schema.DatasetFolder(path=str(data))), schema.Task.DETECT, tmp_path / "view")
    broken = tmp_path / "view" / "images" / "train" / "00000" / "train3.png"
    broken.unlink()
    broken.write_bytes(b"no image any more")
    names = {"names": dict(enumerate(view.classes))}
    theirs = YOLODataset(data / "images" / "train", data=names, imgsz=96).labels
    for held in ("as scanned", "as kept by ultralytics"):
        ours = BoxDataset(
            tmp_path / "view" / "images" / "train", data=names | {"path": tmp_path / "view"}, imgsz=96
        ).labels
        assert [Path(label["im_file"]).name for label in ours] == ["train0.png", "train1.png", "train2.png"], held
        for mine, other in zip(ours, theirs, strict=False):
            assert mine["shape"] == other["shape"]
            for key in ("cls", "bboxes"):
                assert mine[key].dtype == other[key].dtype
                np.testing.assert_allclose(mine[key], other[key], atol=2e-6)
    assert (tmp_path / "view" / "images" / "train" / "00000.cache").is_file()


def test_our_figure_is_ultralytics_for_any_predictions(ultralytics) -> None:
    import torch
    from ultralytics.models.yolo.detect import DetectionValidator
    from ultralytics.utils.metrics import ap_per_class, box_iou

    judge = DetectionValidator.__new__(DetectionValidator)
    judge.iouv = torch.linspace(0.5, 0.95, 10)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        truth, found, stats = [], [], []
        for _ in range(int(rng.integers(1, 40))):
            true, seen = _noisy(rng, noise=seed)
            truth.append(true)
            found.append(seen)
            order = np.argsort(-seen.scores)
            boxes = torch.tensor(seen.boxes[order])
            right = judge.match_predictions(
                torch.tensor(seen.classes[order]), torch.tensor(true.classes), box_iou(torch.tensor(true.boxes), boxes)
            ).numpy()
            assert (right == match(Detections(*(v[order] for v in seen)), true)).all()
            stats.append((right, seen.scores[order], seen.classes[order], true.classes))
        table = ap_per_class(*(np.concatenate(column) for column in zip(*stats, strict=True)))[5]
        score = detection_score(found, truth)
        assert score.average_precision.shape == table.shape
        assert np.abs(score.average_precision - table).max(initial=0) <= 0.005 + 1e-9
        assert abs(score.map50 - table[:, 0].mean()) <= 0.005 + 1e-9


def _noisy(rng: np.random.Generator, noise: int) -> tuple[Truth, Detections]:
    """Some true boxes, and detections of them that are moved, missed, doubled, mislabelled and invented."""
    count = int(rng.integers(1, 9))
    corner = rng.uniform(0, 300, (count, 2))
    boxes = np.hstack([corner, corner + rng.uniform(5, 120, (count, 2))])
    classes = rng.integers(0, 3, count)
    again = np.concatenate([np.arange(count), rng.integers(0, count, 3)])[rng.random(count + 3) > noise / 30]
    moved = boxes[again] + rng.normal(0, 1 + noise, (len(again), 4))
    labels = np.where(rng.random(len(again)) < noise / 40, rng.integers(0, 3, len(again)), classes[again])
    scores = rng.random(len(again))
    return Truth(boxes, classes), Detections(moved, scores, labels)


def test_our_top_k_is_ultralytics(ultralytics) -> None:
    import torch
    from ultralytics.utils.metrics import ClassifyMetrics

    rng = np.random.default_rng(1)
    scores, labels = rng.random((200, 12)), rng.integers(0, 12, 200)
    theirs = ClassifyMetrics()
    theirs.process([torch.tensor(labels)], [torch.tensor(scores).argsort(1, descending=True)[:, :5]])
    assert top_k(scores, labels, 1) == pytest.approx(theirs.top1)
    assert top_k(scores, labels, 5) == pytest.approx(theirs.top5)


def test_stop_after_this_epoch_keeps_results(tmp_path) -> None:
    job = Job(
        tmp_path,
        draw_digits(tmp_path / "digits", per_class=8),
        "classify",
        "yolov8n-cls",
        {"epochs": 50, "imgsz": 32, "plots": False},
    )
    (job.path / "stop_after_epoch").touch()
    assert job.run() == 0, job.log
    assert len(job.series("val/top1")) == len(job.series("final/top1")) == 1
    assert (job.path / "checkpoints" / "best.pt").is_file()


def test_data_without_boxes_fails_as_data(tmp_path) -> None:
    job = Job(tmp_path, draw_digits(tmp_path / "digits", per_class=2), "detect", "yolo11n", {"epochs": 1})
    assert job.run() == 1
    failure = json.loads((job.path / "failure.json").read_text())
    assert (failure["reason"], failure["code"]) == ("data_error", "labels_missing")


def test_a_loss_that_diverges_in_the_first_epoch_ends_the_training(tmp_path) -> None:
    import torch

    reporter = Reporter(Run(tmp_path), {"train": 1, "val": 1})
    trainer = SimpleNamespace(loss=torch.tensor(float("nan")), epoch=0, start_epoch=0, stop=False)
    with pytest.raises(RetinueError) as caught:
        reporter.on_train_epoch_end(trainer)
    assert caught.value.problem.code == "nan_loss"
    reporter.on_train_epoch_end(SimpleNamespace(**vars(trainer) | {"epoch": 1}))  # ultralytics goes back and repeats it
    assert b"nan_loss" in (tmp_path / "events.jsonl").read_bytes()


def test_training_through_the_service(tmp_path, ultralytics) -> None:
    source = draw_shapes(tmp_path / "source", count=8, side=64)
    small = {"epochs": 2, "batch": 4, "imgsz": 64, "plots": False, "device": "cpu"}
    roots = {"RETINUE_TRAINER_ROOTS": str(tmp_path)}
    with (
        closed(source, tmp_path, "kitti") as version,  # a format that ultralytics does not know
        FrameworkService("retinue_ultralytics.service", tmp_path, **roots) as service,
    ):
        service.ready()
        job = service.job("yolov8n", small, version, "detect")
        state = job.wait()
        assert state.status is schema.Status.SUCCEEDED, (state.message, job.log())
        points = [e for e in job.events("metric") if "train/loss" in e.values]
        assert [(e.step, e.epoch) for e in points] == [(1, 1), (2, 1), (3, 2), (4, 2)]  # 8 images in 4s
        assert len(job.series("val/map50")) == 2
        file = tmp_path / "best.pt"
        file.write_bytes(job.get("artifacts/checkpoints/best.pt"))
        with service.client() as client, pytest.raises(RetinueError, match="mosaic"):
            client.post("/train", {**job_body(service.data), "parameters": {"mosaic": 1.0}})
    assert sorted(ultralytics.YOLO(file).names.values()) == sorted(SHAPES)


def job_body(data: Path) -> dict:
    """A request for a digits training."""
    return {
        "job_id": str(uuid.uuid4()), "attempt": 1, "task": "classify", "model": "yolov8n-cls",
        "dataset": {"kind": "folder", "path": str(data)},
    }  # fmt: skip
