"""Real little datasets that are drawn, not downloaded: scanned digits, and shapes on noise with their boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SHAPES = ("disc", "box", "cross")


def draw_digits(folder: Path, side: int = 32, per_class: int | None = None) -> Path:
    """Write scikit-learn's 1,797 scanned digits (or the first few of each) as PNG, one folder per class."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    taken = dict.fromkeys(range(10), 0)
    for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        if per_class is not None and taken[label] >= per_class:
            continue
        taken[label] += 1
        target = folder / str(label) / f"{number:04d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray((pixels * 255 / 16).round().astype("uint8"))
        image.resize((side, side), Image.Resampling.BICUBIC).save(target)
    return folder


def draw_shapes(folder: Path, count: int = 8, side: int = 160, seed: int = 0) -> Path:
    """Write a YOLO dataset of `count` images with two to four shapes each, the same ones in train and in val."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        image = Image.fromarray(rng.integers(0, 90, (side, side, 3), dtype=np.uint8))
        pen, lines = ImageDraw.Draw(image), []
        for cell in rng.permutation(4)[: rng.integers(2, 5)]:
            label, size = int(rng.integers(len(SHAPES))), int(rng.integers(side // 5, side // 3))
            x, y = (int(v) * side // 2 + int(rng.integers(2, side // 2 - size - 1)) for v in divmod(int(cell), 2))
            _draw(pen, SHAPES[label], (x, y, x + size, y + size), tuple(int(c) for c in rng.integers(140, 256, 3)))
            box = ((x + size / 2) / side, (y + size / 2) / side, size / side, size / side)
            lines.append(f"{label} " + " ".join(f"{v:.6f}" for v in box))
        for split in ("train", "val"):
            images, labels = folder / "images" / split, folder / "labels" / split
            images.mkdir(parents=True, exist_ok=True)
            labels.mkdir(parents=True, exist_ok=True)
            image.save(images / f"{split}{number}.png")
            (labels / f"{split}{number}.txt").write_text("\n".join(lines) + "\n")
    names = "".join(f"  {i}: {name}\n" for i, name in enumerate(SHAPES))
    (folder / "data.yaml").write_text(f"train: images/train\nval: images/val\nnames:\n{names}")
    return folder


def _draw(pen: ImageDraw.ImageDraw, shape: str, box: tuple[int, int, int, int], colour: tuple[int, ...]) -> None:
    x1, y1, x2, y2 = box
    if shape == "disc":
        pen.ellipse(box, fill=colour)
    elif shape == "box":
        pen.rectangle(box, fill=colour)
    else:
        third = (x2 - x1) // 3
        pen.rectangle((x1 + third, y1, x2 - third, y2), fill=colour)
        pen.rectangle((x1, y1 + third, x2, y2 - third), fill=colour)
