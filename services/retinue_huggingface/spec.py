"""The parameters of a transformers training as JSON Schema: plain tables, so that the service never imports it."""

from __future__ import annotations

from typing import Any

from retinue_huggingface import sizes
from retinue_sdk.schema import Task
from retinue_sdk.trainer import describe
from retinue_sdk.trainer.describe import Row, object_schema, property_schema

OPTIMIZERS = ("adamw_torch", "adamw_torch_fused", "sgd", "adafactor", "adagrad", "rmsprop")
SCHEDULERS = (
    "cosine", "linear", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt", "cosine_with_restarts",
)  # fmt: skip

_TABLE: dict[str, Row] = {
    "epochs": (30, 1, 10_000, "Epochs", "epochs", "Training", "How many times every training image is seen."),
    "batch_size": (32, 1, 4096, "Batch size", "images", "Training", "Images per optimiser step and device; less needs less memory."),
    "image_size": (sizes.DEFAULT_SIZE, 16, 2048, "Image size", "pixels", "Training", "Images are brought to a square of this side."),
    "pretrained": (False, None, None, "Pretrained weights", None, "Training", "Start from published weights; needs the hub, its cache or RETINUE_WEIGHTS."),
    "freeze": (False, None, None, "Freeze the backbone", None, "Training", "Train the classifier alone."),
    "patience": (0, 0, 1000, "Patience", "epochs", "Training", "Stop after so many epochs without a better val/top1; 0 never stops early."),
    "config": ({}, None, None, "Configuration", None, "Model", "Overrides of the model's configuration, by transformers' names, such as {\"patch_size\": 4}."),
    "optimizer": ("adamw_torch", None, OPTIMIZERS, "Optimiser", None, "Optimiser", "The optimiser, by transformers' name."),
    "learning_rate": (5e-4, 0.0, 10.0, "Learning rate", None, "Optimiser", "The highest learning rate, reached after the warm-up."),
    "weight_decay": (0.05, 0.0, 1.0, "Weight decay", None, "Optimiser", "Not applied to biases and normalisation layers."),
    "clip_gradient": (1.0, 0.0, 1000.0, "Gradient clipping", None, "Optimiser", "Largest norm of the gradient; 0 does not clip."),
    "scheduler": ("cosine", None, SCHEDULERS, "Schedule", None, "Optimiser", "How the learning rate changes, step by step."),
    "warmup_epochs": (3, 0, 100, "Warm-up", "epochs", "Optimiser", "Epochs in which the learning rate rises to its highest value."),
    "label_smoothing": (0.0, 0.0, 0.9, "Label smoothing", None, "Regularisation", "Share of the target spread over all classes."),
    "horizontal_flip": (0.5, 0.0, 1.0, "Horizontal flip", None, "Augmentation", "Probability. Use 0 for digits, text and anything with a side."),
    "vertical_flip": (0.0, 0.0, 1.0, "Vertical flip", None, "Augmentation", "Probability."),
    "crop_scale": (0.35, 0.01, 1.0, "Smallest crop", None, "Augmentation", "Least share of the image's area that a random crop keeps; 1 keeps everything."),
    "color_jitter": (0.0, 0.0, 1.0, "Colour jitter", None, "Augmentation", "Strength of brightness, contrast and saturation changes."),
    "random_erasing": (0.0, 0.0, 1.0, "Random erasing", None, "Augmentation", "Probability of erasing a rectangle."),
    "precision": ("fp32", None, ("fp32", "bf16", "fp16"), "Precision", None, "Hardware", "bf16 and fp16 are faster on GPUs; fp16 needs one."),
    "device": ("auto", None, ("auto", "cpu", "cuda"), "Device", None, "Hardware", "auto takes the GPU when there is one."),
    "workers": (1, 0, 64, "Data workers", "processes", "Hardware", "Processes that read images; 0 reads in the training process."),
}  # fmt: skip
_DEPENDS = {"freeze": {"pretrained": {"const": True}}}


def parameters(task: Task, model: str) -> dict[str, Any]:
    """The JSON Schema of a model's parameters."""
    properties = {name: property_schema(row, _DEPENDS.get(name)) for name, row in _TABLE.items()}
    properties["image_size"]["default"] = sizes.find(model).image_size
    return object_schema(f"transformers {model}: {task.value}", properties)


def defaults(task: Task, model: str) -> dict[str, Any]:
    """Every parameter at its default."""
    return describe.defaults(parameters(task, model))
