"""From a view of links by class to what the Trainer reads, with torchvision's dataset and transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from retinue_sdk.folders import ClassFolders

Example = tuple[torch.Tensor, int]


def make_datasets(view: ClassFolders, processor: Any, p: dict[str, Any]) -> tuple[ImageFolder, ImageFolder]:
    """Train, augmented, and val, which goes through the very processor that is saved with the model."""

    # every file of the view is an image, whatever its name: the version was checked when it was published
    def read(split: str, transform: Callable[[Any], torch.Tensor]) -> ImageFolder:
        return ImageFolder(str(view.root / split), transform, is_valid_file=lambda _: True, allow_empty=True)

    return read("train", augmentation(processor, p)), read("val", Processed(processor))


class Processed:
    """An image as the processor sees it."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    def __call__(self, image: Any) -> torch.Tensor:
        """The image as a tensor."""
        pixels: torch.Tensor = self.processor(images=image, return_tensors="pt")["pixel_values"][0]
        return pixels


def augmentation(processor: Any, p: dict[str, Any]) -> v2.Compose:
    """The random changes asked for, then the processor's own normalisation."""
    steps: list[torch.nn.Module] = [v2.RandomResizedCrop(p["image_size"], scale=(p["crop_scale"], 1.0), antialias=True)]
    if p["horizontal_flip"]:
        steps.append(v2.RandomHorizontalFlip(p["horizontal_flip"]))
    if p["vertical_flip"]:
        steps.append(v2.RandomVerticalFlip(p["vertical_flip"]))
    if p["color_jitter"]:
        steps.append(v2.ColorJitter(*(p["color_jitter"],) * 3))
    steps += [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)]
    steps.append(v2.Normalize(processor.image_mean, processor.image_std))
    if p["random_erasing"]:
        steps.append(v2.RandomErasing(p["random_erasing"]))
    return v2.Compose(steps)


def collate(examples: Sequence[Example]) -> dict[str, torch.Tensor]:
    """A batch by the names that the models take."""
    return {
        "pixel_values": torch.stack([image for image, _ in examples]),
        "labels": torch.tensor([label for _, label in examples]),
    }
