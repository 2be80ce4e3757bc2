"""Masks of Pascal VOC as numbers: index PNGs with or without a palette, and PNGs in the colours of the numbers."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from retinue_sdk.formats import files
from retinue_sdk.formats.mask_files import MAX_CHANGES, Indexes, Size, read_indexes
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.voc_colors import BACKGROUND, PALETTE, VOID, Labelmap, colors_of, numbers_of

COLORS = {"RGB", "RGBA"}
MAX_NUMBERS = 2000  # different ones in a mask; a photograph has more


def read_numbers(path: Path, name: str, size: Size, labelmap: Labelmap | None, report: Report) -> Indexes | None:
    """The numbers of a mask (height, width); None, with a finding, for a file that is none of that size.

    With a labelmap they are the numbers of its colours, whatever way the file says which class is meant.
    """
    mode, palette = _header(path, size)
    if mode in COLORS:
        numbers = _read_colors(path, name, size, report)
    else:
        numbers = read_indexes(path, name, size, report)
        if numbers is not None and labelmap:
            numbers = _translated(numbers, palette, labelmap)
    if numbers is None:
        return None
    if numbers.dtype != np.uint8 and len(_distinct(numbers)) > MAX_NUMBERS:
        report.add("mask_too_detailed", name, f"more than {MAX_NUMBERS} numbers")
        return None
    return numbers


def write_numbers(path: Path, numbers: Indexes) -> None:
    """Write a mask as a palette PNG, or in colours where a palette has not enough of them."""
    if int(numbers.max(initial=0)) <= VOID:
        image = Image.fromarray(numbers.astype(np.uint8))
        image.putpalette(PALETTE)
    else:
        image = Image.fromarray(colors_of(numbers))
    image.save(path)


def _header(path: Path, size: Size) -> tuple[str, list[int]]:
    """The mode of a PNG, and the numbers of its palette's colours if it is of this size; nothing for a file that is no PNG."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", Image.DecompressionBombWarning
            )  # the palette comes with all pixels, whose number is checked
            with Image.open(path, formats=("PNG",)) as image:
                colors = image.getpalette() if image.mode == "P" and image.size == size else None
                return image.mode, numbers_of(np.reshape(colors or [], (-1, 3))).tolist()
    except (*files.UNREADABLE, Image.DecompressionBombError):
        return "", []


def _read_colors(path: Path, name: str, size: Size, report: Report) -> Indexes | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", Image.DecompressionBombWarning
            )  # the size is the image's, which was checked
            with Image.open(path, formats=("PNG",)) as image:
                if image.size != size:
                    report.add("mask_size_mismatch", name, f"{image.size}, image {size}")
                    return None
                numbers = numbers_of(np.asarray(image)[..., :3])
    except (*files.UNREADABLE, Image.DecompressionBombError) as error:
        report.add("mask_unreadable", name, error)
        return None
    if np.count_nonzero(numbers[1:] != numbers[:-1]) > MAX_CHANGES:
        report.add("mask_too_detailed", name)
        return None
    return numbers


def _translated(indexes: Indexes, palette: list[int], labelmap: Labelmap) -> Indexes:
    """Indexes as the numbers of a labelmap's colours: by the palette if all its colours are there, or else by their place."""
    table = np.arange(max(int(indexes.max(initial=0)), VOID) + 1, dtype=np.int32)
    used = _distinct(indexes)
    colors = {index: palette[index] for index in used if index < len(palette)}
    places = list(labelmap.names)
    if len(colors) == len(used) and set(colors.values()) <= {BACKGROUND, VOID, *places}:
        table[list(colors)] = list(colors.values())
    else:
        table[: len(places)] = places[: len(table)]
    translated: Indexes = table[indexes]
    return translated


def _distinct(numbers: Indexes) -> list[int]:
    """The different numbers, found where they change: far fewer places than pixels."""
    flat = numbers.reshape(-1, order="F")
    found: list[int] = np.unique(np.append(flat[:1], flat[1:][flat[1:] != flat[:-1]])).tolist()
    return found
