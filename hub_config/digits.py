"""The 1,797 scanned digits that come with scikit-learn, as a zip of PNG files in a folder per class."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 32
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same bytes each time


def write_digits(path: Path) -> int:
    """Write the zip; how many images are in it."""
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # noqa: PLC0415 - a second of import

    digits = load_digits()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
            grey = np.clip(pixels / 16 * 255, 0, 255).astype(np.uint8)
            image = Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BICUBIC).convert("RGB")
            buffer = io.BytesIO()
            image.save(buffer, "PNG")
            archive.writestr(zipfile.ZipInfo(f"digits/{label}/{number:04d}.png", EPOCH), buffer.getvalue())
    return len(digits.target)
