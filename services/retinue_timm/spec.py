"""The parameters of a timm training as JSON Schema: plain tables, so that the service never imports timm or torch."""

from __future__ import annotations

import re
from typing import Any

from retinue_sdk.schema import Task
from retinue_sdk.trainer import describe
from retinue_sdk.trainer.describe import Row, object_schema, property_schema

OPTIMIZERS = (
    "adamw", "sgd", "adam", "nadamw", "lamb", "lion", "muon", "rmsproptf", "adopt", "adafactorbv", "kron", "mars", "nadam", "laprop",
)  # fmt: skip
SCHEDULERS = ("cosine", "tanh", "step", "poly", "wsd", "rsqrt", "constant", "none")
AUGMENTATIONS = ("none", "randaugment", "augmix", "trivialaugment")
DEFAULT_SIZE = 224

_TABLE: dict[str, Row] = {
    "epochs": (30, 1, 10_000, "Epochs", "epochs", "Training", "How many times every training image is seen."),
    "batch_size": (32, 1, 4096, "Batch size", "images", "Training", "Images per optimiser step; less needs less memory."),
    "image_size": (DEFAULT_SIZE, 16, 2048, "Image size", "pixels", "Training", "Images are brought to a square of this side."),
    "pretrained": (False, None, None, "Pretrained weights", None, "Training", "Start from published weights; needs the hub, its cache or RETINUE_WEIGHTS."),
    "patience": (0, 0, 1000, "Patience", "epochs", "Training", "Stop after so many epochs without a better val/top1; 0 never stops early."),
    "optimizer": ("adamw", None, OPTIMIZERS, "Optimiser", None, "Optimiser", "The optimiser, by timm's name."),
    "learning_rate": (1e-3, 0.0, 10.0, "Learning rate", None, "Optimiser", "The highest learning rate, reached after the warm-up."),
    "weight_decay": (0.05, 0.0, 1.0, "Weight decay", None, "Optimiser", "Not applied to biases and normalisation layers."),
    "momentum": (0.9, 0.0, 0.999, "Momentum", None, "Optimiser", "For optimisers that have one, such as sgd."),
    "clip_gradient": (0.0, 0.0, 1000.0, "Gradient clipping", None, "Optimiser", "Largest norm of the gradient; 0 does not clip."),
    "scheduler": ("cosine", None, SCHEDULERS, "Schedule", None, "Optimiser", "How the learning rate changes, step by step."),
    "warmup_epochs": (3, 0, 100, "Warm-up", "epochs", "Optimiser", "Epochs in which the learning rate rises to its highest value."),
    "min_learning_rate": (1e-6, 0.0, 1.0, "Lowest learning rate", None, "Optimiser", "Where a decaying schedule ends."),
    "label_smoothing": (0.1, 0.0, 0.9, "Label smoothing", None, "Regularisation", "Share of the target spread over all classes."),
    "dropout": (0.0, 0.0, 0.9, "Dropout", None, "Regularisation", "Dropout before the classifier."),
    "drop_path": (0.0, 0.0, 0.9, "Stochastic depth", None, "Regularisation", "Rate of dropped blocks; not every architecture has it."),
    "ema": (False, None, None, "Average weights", None, "Regularisation", "Validate and keep an exponential moving average of the weights."),
    "ema_decay": (0.999, 0.0, 0.99999, "Averaging decay", None, "Regularisation", "How slowly the average follows; it warms up by itself."),
    "horizontal_flip": (0.5, 0.0, 1.0, "Horizontal flip", None, "Augmentation", "Probability. Use 0 for digits, text and anything with a side."),
    "vertical_flip": (0.0, 0.0, 1.0, "Vertical flip", None, "Augmentation", "Probability."),
    "crop_scale": (0.35, 0.01, 1.0, "Smallest crop", None, "Augmentation", "Least share of the image's area that a random crop keeps; 1 keeps everything."),
    "color_jitter": (0.4, 0.0, 1.0, "Colour jitter", None, "Augmentation", "Strength of brightness, contrast and saturation changes."),
    "random_erasing": (0.0, 0.0, 1.0, "Random erasing", None, "Augmentation", "Probability of erasing a rectangle."),
    "auto_augment": ("none", None, AUGMENTATIONS, "Automatic augmentation", None, "Augmentation", "A ready-made policy on top of the above."),
    "precision": ("fp32", None, ("fp32", "bf16"), "Precision", None, "Hardware", "bf16 is faster on recent GPUs."),
    "device": ("auto", None, ("auto", "cpu", "cuda"), "Device", None, "Hardware", "auto takes the GPU when there is one."),
    "workers": (1, 0, 64, "Data workers", "processes", "Hardware", "Processes that read images; 0 reads in the training process."),
}  # fmt: skip
_DEPENDS = {"ema_decay": {"ema": {"const": True}}}


def image_size(model: str) -> int:
    """The size a model's name tells (`vit_base_patch16_384`), else the usual one."""
    numbers = [int(n) for n in re.findall(r"_r?(\d{2,4})(?=$|[._])", model)]
    fitting = [n for n in numbers if 96 <= n <= 1024]
    return fitting[-1] if fitting else DEFAULT_SIZE


def parameters(task: Task, model: str) -> dict[str, Any]:
    """The JSON Schema of a model's parameters."""
    properties = {name: property_schema(row, _DEPENDS.get(name)) for name, row in _TABLE.items()}
    properties["image_size"]["default"] = image_size(model)
    return object_schema(f"timm {model}: {task.value}", properties)


def defaults(task: Task, model: str) -> dict[str, Any]:
    """Every parameter at its default."""
    return describe.defaults(parameters(task, model))
