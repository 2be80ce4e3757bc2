"""The parameters of an ultralytics training as JSON Schema, from ultralytics' own `cfg/default.yaml`.

The file is found and read without importing ultralytics: defaults, types and most help are its own; ranges, titles and
units are ours, because it has none.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from retinue_sdk.schema import Task
from retinue_sdk.trainer import describe
from retinue_sdk.trainer.describe import object_schema, property_schema
from retinue_ultralytics import files

OPTIMIZERS = ("auto", "SGD", "MuSGD", "Adam", "Adamax", "AdamW", "NAdam", "RAdam", "RMSProp")
PRECISIONS = ("auto", "fp32", "fp16", "bf16")
DEVICES = ("auto", "cpu", "cuda")

# name: (title, minimum, maximum or choices, unit, group); the default is ultralytics' unless _DEFAULTS has one.
_Row = tuple[str, Any, Any, str | None, str]
_COMMON: dict[str, _Row] = {
    "epochs": ("Epochs", 1, 10_000, "epochs", "Training"),
    "batch": ("Batch size", 1, 1024, "images", "Training"),
    "imgsz": ("Image size", 32, 4096, "pixels", "Training"),
    "pretrained": ("Pretrained weights", None, None, None, "Training"),
    "patience": ("Patience", 0, 1000, "epochs", "Training"),
    "fraction": ("Share of the training images", 0.001, 1.0, None, "Training"),
    "freeze": ("Frozen layers", 0, 100, "layers", "Training"),
    "optimizer": ("Optimiser", None, OPTIMIZERS, None, "Optimiser"),
    "lr0": ("Learning rate", 1e-6, 1.0, None, "Optimiser"),
    "lrf": ("Final share of the learning rate", 0.0, 1.0, None, "Optimiser"),
    "cos_lr": ("Cosine schedule", None, None, None, "Optimiser"),
    "momentum": ("Momentum", 0.0, 0.999, None, "Optimiser"),
    "weight_decay": ("Weight decay", 0.0, 0.1, None, "Optimiser"),
    "nbs": ("Nominal batch size", 1, 4096, "images", "Optimiser"),
    "warmup_epochs": ("Warm-up", 0.0, 100.0, "epochs", "Optimiser"),
    "warmup_momentum": ("Momentum at the start", 0.0, 0.999, None, "Optimiser"),
    "warmup_bias_lr": ("Learning rate of biases at the start", 0.0, 1.0, None, "Optimiser"),
    "cls_pw": ("Class weighting", 0.0, 1.0, None, "Loss"),
    "hsv_h": ("Hue", 0.0, 1.0, None, "Augmentation"),
    "hsv_s": ("Saturation", 0.0, 1.0, None, "Augmentation"),
    "hsv_v": ("Brightness", 0.0, 1.0, None, "Augmentation"),
    "scale": ("Scale", 0.0, 0.95, None, "Augmentation"),
    "flipud": ("Vertical flip", 0.0, 1.0, None, "Augmentation"),
    "fliplr": ("Horizontal flip", 0.0, 1.0, None, "Augmentation"),
    "device": ("Device", None, DEVICES, None, "Hardware"),
    "workers": ("Data workers", 0, 64, "processes", "Hardware"),
    "amp": ("Precision", None, PRECISIONS, None, "Hardware"),
    "cache": ("Keep images in memory", None, None, None, "Hardware"),
    "deterministic": ("Deterministic", None, None, None, "Hardware"),
    "plots": ("Plots", None, None, None, "Output"),
}
_CLASSIFY: dict[str, _Row] = {
    "dropout": ("Dropout", 0.0, 0.9, None, "Regularisation"),
    "auto_augment": (
        "Automatic augmentation",
        None,
        ("none", "randaugment", "autoaugment", "augmix"),
        None,
        "Augmentation",
    ),
    "erasing": ("Random erasing", 0.0, 1.0, None, "Augmentation"),
}
_DETECT: dict[str, _Row] = {
    "box": ("Box loss", 0.0, 50.0, None, "Loss"),
    "cls": ("Class loss", 0.0, 50.0, None, "Loss"),
    "dfl": ("Distance loss", 0.0, 50.0, None, "Loss"),
    "rect": ("Rectangular batches", None, None, None, "Training"),
    "single_cls": ("One class", None, None, None, "Training"),
    "multi_scale": ("Multi-scale range", 0.0, 0.9, None, "Augmentation"),
    "degrees": ("Rotation", 0.0, 180.0, "degrees", "Augmentation"),
    "translate": ("Shift", 0.0, 0.9, None, "Augmentation"),
    "shear": ("Shear", 0.0, 45.0, "degrees", "Augmentation"),
    "perspective": ("Perspective", 0.0, 0.001, None, "Augmentation"),
    "mosaic": ("Mosaic", 0.0, 1.0, None, "Augmentation"),
    "close_mosaic": ("No mosaic at the end", 0, 1000, "epochs", "Augmentation"),
    "mixup": ("MixUp", 0.0, 1.0, None, "Augmentation"),
    "cutmix": ("CutMix", 0.0, 1.0, None, "Augmentation"),
    "iou": ("IoU of duplicates", 0.0, 1.0, None, "Validation"),
    "max_det": ("Most objects", 1, 10_000, "objects per image", "Validation"),
}
# Where ultralytics' default is unset, of several types, or needs a network.
_DEFAULTS: dict[str, Any] = {"pretrained": False, "freeze": 0, "device": "auto", "amp": "auto"}
_HELP = {
    "pretrained": "Start from weights instead of from scratch; needs $RETINUE_WEIGHTS/ultralytics/<model>.pt.",
    "batch": "Images per batch; less needs less memory.",
    "imgsz": "Images are brought to a square of this side, rounded up to the model's stride.",
    "fraction": "Train on this share of the training images only.",
    "freeze": "The first so many layers are not trained.",
    "device": "auto takes the GPU when there is one.",
    "amp": "auto is fp16 where the GPU can, else fp32; bf16 needs a recent GPU.",
    "scale": "How much smaller or larger objects may be made.",
    "multi_scale": "Vary the image size by this share, batch by batch.",
    "cache": "Decode each image once and keep it; faster, needs the memory.",
    "workers": "Processes that read images; none are used on the CPU.",
    "plots": "Draw sample batches, curves and the confusion matrix at the end.",
    "auto_augment": "A ready-made policy on top of the others, or none.",
    "iou": "Overlap above which the weaker of two boxes is dropped in validation.",
}
_DEPENDS = {"close_mosaic": {"mosaic": {"exclusiveMinimum": 0}}}
_COMMENT = re.compile(r"^(\w+):.*?#\s*\(([^)]*)\)\s*(.*)$", re.MULTILINE)


@cache
def shipped() -> tuple[dict[str, Any], dict[str, str]]:
    """Ultralytics' own defaults and the help in their comments, by name."""
    file = files.package() / "cfg" / "default.yaml"
    comments = _COMMENT.finditer(file.read_text(encoding="utf-8"))
    return files.read_yaml(file), {m[1]: _sentence(m[3]) for m in comments}


def parameters(task: Task, model: str) -> dict[str, Any]:
    """The JSON Schema of a model's parameters."""
    rows = _COMMON | (_CLASSIFY if task is Task.CLASSIFY else _DETECT)
    properties = {name: _property(name, row) for name, row in rows.items()}
    properties["imgsz"]["default"] = files.input_size(task, model)
    if files.weights(model) is None:
        properties["pretrained"]["enum"] = [False]
        properties["pretrained"]["description"] = (
            f"There are no weights at $RETINUE_WEIGHTS/ultralytics/{model}.pt: training is from scratch."
        )
    return object_schema(f"ultralytics {model}: {task.value}", properties)


def defaults(task: Task, model: str) -> dict[str, Any]:
    """Every parameter at its default."""
    return describe.defaults(parameters(task, model))


def arguments(values: dict[str, Any]) -> dict[str, Any]:
    """What ultralytics' trainer is called with: our few choices in its own words."""
    amp = {"auto": True}.get(values["amp"], values["amp"])
    policy = {"none": None}.get(values["auto_augment"], values["auto_augment"]) if "auto_augment" in values else None
    ours = {"amp": amp, "freeze": values["freeze"] or None, "auto_augment": policy}
    return {k: v for k, v in values.items() if k not in ("device", "pretrained")} | ours


def _property(name: str, row: _Row) -> dict[str, Any]:
    title, least, most, unit, group = row
    values, comments = shipped()
    default = _DEFAULTS.get(name, values[name])
    description = _HELP.get(name, comments.get(name, ""))
    return property_schema((default, least, most, title, unit, group, description), _DEPENDS.get(name))


def _sentence(text: str) -> str:
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}." if text else ""
