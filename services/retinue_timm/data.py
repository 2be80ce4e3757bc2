"""From a view of links by class to timm's loaders, with timm's own dataset and transforms."""

from __future__ import annotations

import logging
from typing import Any

import torch
from timm.data import create_dataset, create_loader

from retinue_sdk.folders import ClassFolders
from retinue_sdk.run import Run

IMAGES = ".png;.jpg;.jpeg;.jpe;.jfif;.mpo;.bmp;.dib;.webp;.tif;.tiff;.gif;.ppm;.pgm;.pbm;.pnm"
POLICIES = {"none": None, "randaugment": "rand-m7-mstd0.5", "augmix": "augmix-m3-w3", "trivialaugment": "3a"}


def make_loaders(
    view: ClassFolders, config: dict[str, Any], p: dict[str, Any], device: torch.device
) -> tuple[Any, Any]:
    """Loaders of train, augmented, and of val."""

    def loader(split: str, *, training: bool, **options: Any) -> Any:
        dataset = create_dataset(
            "", str(view.root / split), split, class_map=view.class_map, search_split=False, input_key=IMAGES
        )
        return create_loader(
            dataset,
            config["input_size"],
            min(p["batch_size"], len(dataset)),
            is_training=training,
            interpolation=config["interpolation"],
            mean=config["mean"],
            std=config["std"],
            num_workers=p["workers"],
            persistent_workers=p["workers"] > 0,
            pin_memory=device.type == "cuda",
            device=device,
            use_prefetcher=False,
            **options,
        )

    augmented = {
        "hflip": p["horizontal_flip"],
        "vflip": p["vertical_flip"],
        "scale": (p["crop_scale"], 1.0),
        "color_jitter": p["color_jitter"],
        "re_prob": p["random_erasing"],
        "auto_augment": POLICIES[p["auto_augment"]],
    }
    return loader("train", training=True, **augmented), loader("val", training=False, crop_pct=1.0)


def warn_about(run: Run, view: ClassFolders) -> None:
    """What was left out, said once; and timm's own warnings about images it skips."""
    for code, message in view.findings:
        run.warning(code, message)
    logging.getLogger("timm.data.dataset").addHandler(_Skipped(run))


class _Skipped(logging.Handler):
    """Timm goes on with the next image when one cannot be read; the person should know."""

    def __init__(self, run: Run) -> None:
        super().__init__(logging.WARNING)
        self.run = run

    def emit(self, record: logging.LogRecord) -> None:
        self.run.warning("image_unreadable", record.getMessage())
