"""Ultralytics' own trainers, adapted where they would guess class names or reach for the network.

Import only after `isolation.isolate`: ultralytics reads its environment when it is imported.
"""

from __future__ import annotations

import json
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import ultralytics.data.build
import ultralytics.engine.trainer
import ultralytics.utils.tqdm
from ultralytics.data import ClassificationDataset, YOLODataset
from ultralytics.models.yolo.classify import ClassificationTrainer
from ultralytics.models.yolo.detect import DetectionTrainer, DetectionValidator

from retinue_sdk.folders import folder
from retinue_sdk.metrics import Detections, DetectionScore, Truth, detection_score
from retinue_sdk.schema import Task
from retinue_ultralytics.data import boxes_of

if TYPE_CHECKING:
    from retinue_sdk.table import Floats


def amp_works(model: torch.nn.Module) -> bool:
    """Whether to train in mixed precision. Ultralytics' own answer downloads yolo26n.pt to find out."""
    return next(model.parameters()).device.type == "cuda"


ultralytics.engine.trainer.check_amp = amp_works
ultralytics.utils.tqdm.is_noninteractive_console = lambda: (
    True
)  # a log is no terminal: one line for each bar, at its end


class Classifier(ClassificationTrainer):  # type: ignore[misc]  # ultralytics has no types
    """Takes class names from `classes.json`: folders are numbers, so that any name and any order will do."""

    def get_dataset(self) -> dict[str, Any]:
        """The dataset with our names for its folders."""
        data: dict[str, Any] = super().get_dataset()
        names = json.loads((Path(self.args.data) / "classes.json").read_text(encoding="utf-8"))
        return data | {"names": dict(enumerate(names)), "nc": len(names)}

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> ClassificationDataset:  # noqa: ARG002 - ultralytics passes it
        """One split, its folders matched by number."""
        folders = {index: folder(index) for index in self.data["names"]}
        prefix = "train" if mode == "train" else self.args.split
        return ClassificationDataset(img_path, self.args, augment=mode == "train", prefix=prefix, names=folders)


class BoxDataset(YOLODataset):  # type: ignore[misc]  # ultralytics has no types
    """Takes the boxes from its view's own file; the images ultralytics still checks itself."""

    @cached_property
    def boxes(self) -> dict[str, Floats]:
        """(n, 5) class, centre and size as parts of the image, by `<split>/<number>/<file>`."""
        return boxes_of(Path(self.data["path"]))

    def get_label_files(self) -> list[str]:
        """There are none; named beside the images, since what ultralytics remembers of a split goes beside their folder."""
        self.label_files = [f"{image}.txt" for image in self.im_files]
        return self.label_files

    def result_to_label(self, result: list[Any]) -> tuple[dict[str, Any] | None, int, int, int, int, str]:
        """What ultralytics found of an image, with its boxes: label, then missing, found, empty, corrupt, message."""
        label, _, _, _, corrupt, message = super().result_to_label(result)
        if label is None:
            return None, 0, 0, 0, corrupt, message
        mine = self.boxes["/".join(Path(label["im_file"]).parts[-3:])].astype("float32")
        return label | {"cls": mine[:, :1], "bboxes": mine[:, 1:]}, 0, 1, int(not len(mine)), corrupt, message


ultralytics.data.build.YOLODataset = BoxDataset  # which takes no class of a dataset from a trainer


class Judge(DetectionValidator):  # type: ignore[misc]  # ultralytics has no types
    """Keeps what it compares in the final evaluation, for a figure of our own."""

    def init_metrics(self, model: torch.nn.Module) -> None:
        """Start anew."""
        super().init_metrics(model)
        self.found: list[Detections] = []
        self.truth: list[Truth] = []

    def update_metrics(self, preds: list[dict[str, torch.Tensor]], batch: dict[str, Any]) -> None:
        """Compare one batch, in pixels of the letterboxed image."""
        super().update_metrics(preds, batch)
        if self.training:
            return
        for at, pred in enumerate(preds):
            true = self._prepare_batch(at, batch)
            boxes, scores, classes = (pred[k].detach().cpu().float().numpy() for k in ("bboxes", "conf", "cls"))
            self.found.append(Detections(boxes, scores, classes.astype(int)))
            self.truth.append(Truth(true["bboxes"].cpu().numpy().reshape(-1, 4), true["cls"].cpu().numpy().astype(int)))

    def score(self) -> DetectionScore:
        """Our figure of the last final evaluation."""
        return detection_score(self.found, self.truth)


class Detector(DetectionTrainer):  # type: ignore[misc]  # ultralytics has no types
    """Validates with `Judge`."""

    def get_validator(self) -> Judge:
        """The validator of every epoch and of the final evaluation."""
        return Judge(self.test_loader, save_dir=self.save_dir, args=copy(self.args), _callbacks=self.callbacks)


TRAINERS: dict[Task, Any] = {Task.CLASSIFY: Classifier, Task.DETECT: Detector}
