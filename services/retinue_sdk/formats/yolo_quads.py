"""Rows of four corners in YOLO labels: oriented boxes, or polygons that happen to have four. The corners of boxes are rectangles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from retinue_sdk import geometry
from retinue_sdk.formats import files
from retinue_sdk.formats.yolo_layout import label_of, sample_rows
from retinue_sdk.geometry import Floats

CORNERS = 9  # columns of such a row, the class with them
MOST = 0.75  # of the rows; boxes cut at the border of their image are none any more
TOLERANCE = 0.05  # of the longer side: boxes drawn by hand, as in DOTA, are nearly rectangles
ROUNDING = 1.5  # pixels
LOOKED_AT = 200
BEYOND = 1e6  # what is no part of an image; reading says what is wrong with it


def are_rectangles(root: Path, listing: Iterable[str], texts: Sequence[str]) -> bool:
    """Whether most of the four corners in these label files, all of which have that many, are rectangles in pixels."""
    images = {label_of(key): key for key in listing if files.is_image(key)}
    found = [is_rectangle(quad) for quad, _ in zip(_quads(root, images, texts), range(LOOKED_AT), strict=False)]
    return sum(found) > MOST * len(found)


def is_rectangle(corners: Floats) -> bool:
    """Whether four corners (4, 2) are those of the smallest rectangle around them, nearly."""
    box = geometry.least_rectangle(corners).reshape(4, 2)
    longer = float(np.hypot(*(box - np.roll(box, 1, axis=0)).T).max())
    apart = np.hypot(*(box[:, None] - corners[None]).transpose(2, 0, 1)).min(axis=1)
    return float(apart.max()) <= max(ROUNDING, TOLERANCE * longer)


def _quads(root: Path, images: dict[str, str], texts: Sequence[str]) -> Iterator[Floats]:
    """The corners in pixels, of images that can be opened."""
    for name, rows in sample_rows(root, texts):
        if name not in images:
            continue
        try:
            with Image.open(root / images[name], formats=files.RASTERS) as image:
                size = np.array(image.size, dtype=np.float64)
            places = np.array([row[1:] for row in rows], dtype=np.float64).reshape(-1, 4, 2)
            yield from places[(np.abs(places) < BEYOND).all(axis=(1, 2))] * size
        except (*files.UNREADABLE, Image.DecompressionBombError):
            continue
