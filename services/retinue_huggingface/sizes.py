"""Named sizes of transformers' image classifiers: overrides of a type's configuration, and the weights that fit them.

Plain tables, so that the service never imports transformers. A type's own name (`vit`) is its default configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DEFAULT_SIZE = 224

# Types of the registry that are no plain image classifiers: they need other inputs than a batch of pixels.
EXCLUDED = {
    "dinat": "needs the natten library, which builds for few machines",
    "imagegpt": "reads colour clusters, not pixels",
    "perceiver": "has three input schemes and takes no pixel_values",
    "pp_lcnet": "returns neither logits nor a loss",
    "shieldgemma2": "is a language model that judges safety policies",
    "siglip2": "needs patches, masks and shapes from its own processor",
}


@dataclass(frozen=True)
class Size:
    """One named size."""

    type: str
    config: dict[str, Any] = field(default_factory=dict)
    weights: str | None = None  # repository on the hub
    image_size: int = DEFAULT_SIZE


def _convnext(kind: str, width: int, depths: list[int], weights: str) -> Size:
    return Size(kind, {"hidden_sizes": [width, 2 * width, 4 * width, 8 * width], "depths": depths}, weights)


def _vit(kind: str, width: int, weights: str) -> Size:
    heads = {"hidden_size": width, "num_attention_heads": width // 64}
    return Size(kind, heads | ({} if kind == "dinov2" else {"intermediate_size": 4 * width}), weights)


def _resnet(kind: str, depths: list[int], weights: str) -> Size:
    widths = [64, 128, 256, 512] if kind == "basic" else [256, 512, 1024, 2048]
    return Size("resnet", {"layer_type": kind, "depths": depths, "hidden_sizes": widths}, weights)


SIZES: dict[str, Size] = {
    "convnext-tiny": _convnext("convnext", 96, [3, 3, 9, 3], "facebook/convnext-tiny-224"),
    "convnext-small": _convnext("convnext", 96, [3, 3, 27, 3], "facebook/convnext-small-224"),
    "convnext-base": _convnext("convnext", 128, [3, 3, 27, 3], "facebook/convnext-base-224"),
    "convnextv2-atto": _convnext("convnextv2", 40, [2, 2, 6, 2], "facebook/convnextv2-atto-1k-224"),
    "convnextv2-femto": _convnext("convnextv2", 48, [2, 2, 6, 2], "facebook/convnextv2-femto-1k-224"),
    "convnextv2-pico": _convnext("convnextv2", 64, [2, 2, 6, 2], "facebook/convnextv2-pico-1k-224"),
    "convnextv2-nano": _convnext("convnextv2", 80, [2, 2, 8, 2], "facebook/convnextv2-nano-1k-224"),
    "convnextv2-tiny": _convnext("convnextv2", 96, [3, 3, 9, 3], "facebook/convnextv2-tiny-1k-224"),
    "convnextv2-base": _convnext("convnextv2", 128, [3, 3, 27, 3], "facebook/convnextv2-base-1k-224"),
    "dinov2-small": _vit("dinov2", 384, "facebook/dinov2-small"),
    "dinov2-base": _vit("dinov2", 768, "facebook/dinov2-base"),
    "mobilenet_v2-small": Size("mobilenet_v2", {"depth_multiplier": 0.35}, "google/mobilenet_v2_0.35_96", 96),
    "mobilenet_v2-base": Size("mobilenet_v2", {}, "google/mobilenet_v2_1.0_224"),
    "resnet-tiny": Size(
        "resnet", {"layer_type": "basic", "embedding_size": 16, "hidden_sizes": [16, 32, 64, 128], "depths": [1, 1, 1, 1]}
    ),
    "resnet-18": _resnet("basic", [2, 2, 2, 2], "microsoft/resnet-18"),
    "resnet-34": _resnet("basic", [3, 4, 6, 3], "microsoft/resnet-34"),
    "resnet-50": _resnet("bottleneck", [3, 4, 6, 3], "microsoft/resnet-50"),
    "swinv2-tiny": Size("swinv2", {"window_size": 8}, "microsoft/swinv2-tiny-patch4-window8-256", 256),
    "swinv2-small": Size(
        "swinv2", {"window_size": 8, "depths": [2, 2, 18, 2]}, "microsoft/swinv2-small-patch4-window8-256", 256
    ),
    "vit-tiny": _vit("vit", 192, "facebook/deit-tiny-patch16-224"),
    "vit-small": _vit("vit", 384, "facebook/deit-small-patch16-224"),
    "vit-base": _vit("vit", 768, "google/vit-base-patch16-224"),
}  # fmt: skip


def find(model: str) -> Size:
    """The size of that name; any other name is a type at its default configuration."""
    return SIZES.get(model) or Size(model)
