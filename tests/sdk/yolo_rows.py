"""A good row of each YOLO task, and datasets made of rows, for the tests of the four tasks."""

from __future__ import annotations

from retinue_sdk.formats import yolo_detect, yolo_obb, yolo_pose, yolo_segment
from tests.sdk.drawn import yolo

PATHS = "train: images/train\nval: images/val\n"
NAMES = PATHS + "names: [cat, dog]\n"
POSE = NAMES + "kpt_shape: [3, 3]\n"
GOOD = {
    yolo_detect: "0 0.5 0.5 0.25 0.5",
    yolo_segment: "0 0.1 0.1 0.6 0.1 0.6 0.7 0.2 0.8 0.05 0.4",
    yolo_pose: "0 0.5 0.5 0.5 0.5 0.3 0.3 2 0.6 0.6 1 0 0 0",
    yolo_obb: "0 0.25 0.125 0.625 0.291666667 0.5 0.791666667 0.125 0.625",
}


def codes(findings):
    return {f.code: f.count for f in findings}


def config_of(task):
    return POSE if task is yolo_pose else NAMES


def made(root, task, text, config=None):
    """A dataset with this label text for one image, and a good row for another."""
    labels = {"images/train/a.png": text, "images/val/b.png": GOOD[task]}
    return yolo(root, labels, config or config_of(task))
