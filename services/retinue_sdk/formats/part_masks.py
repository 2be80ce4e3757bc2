"""Masks that annotation tools give for a part of an image only, decoded within limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from retinue_sdk import raster
from retinue_sdk.formats.mask_files import MAX_CHANGES
from retinue_sdk.formats.rows import Rows

MAX_AREA = 4_000_000_000  # pixels of all parts of one image together; a few bytes may claim as many


@dataclass
class PartMasks:
    """Adds masks to rows. Ask `fits` before the pixels are decoded."""

    rows: Rows
    _area: dict[int, int] = field(default_factory=dict)

    def fits(self, image: int, size: tuple[int, int], part: tuple[int, int, int, int], where: str) -> bool:
        """Whether a part (left, top, width, height) lies in its image of this size, and may be decoded."""
        left, top, width, height = part
        if min(part) < 0 or left + width > size[0] or top + height > size[1] or not width or not height:
            self.rows.report.add("mask_size_mismatch", where, f"{part}, image {size[0]} x {size[1]}")
            return False
        area = self._area[image] = self._area.get(image, 0) + width * height
        if area > MAX_AREA:
            self.rows.report.add("masks_too_large", where, f"{area} pixels")
        return area <= MAX_AREA

    def add(
        self,
        image: int,
        name: str,
        part: raster.Mask,
        corner: tuple[int, int],
        size: tuple[int, int],
        source: str,
        line: int,
        attributes: Mapping[str, Any],
    ) -> None:
        """A mask that is `part` from its left and top corner on."""
        where = f"{source}:{line}" if line else source
        rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
        if len(rows):
            part = part[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            corner = (corner[0] + int(columns[0]), corner[1] + int(rows[0]))
        if np.count_nonzero(part[1:] != part[:-1]) > MAX_CHANGES:
            self.rows.report.add("mask_too_detailed", where)
        elif not len(rows):
            self.rows.report.add("mask_empty", where, name)
        else:
            runs = raster.encode_part(part, *corner, *size)
            self.rows.add_mask(image, name, runs, raster.box_of_runs(runs, size[1]), source, line, attributes)
