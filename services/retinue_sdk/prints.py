"""Prints of annotations: 64-bit numbers that are equal where two annotations say the same, whatever tables they are in.

All columns are hashed at once; nothing is looped over but pieces of long columns. Prints are for comparing inside one
process and are never stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from retinue_sdk.table import AnnotationTable, Floats, Ints

Prints = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_PIECE = 1 << 17  # coordinates hashed at once: what fits into a cache is twice as fast


@dataclass(frozen=True)
class AnnotationPrints:
    """One number per annotation for each question."""

    label: Prints  # kind and name of the class
    shape: Prints  # kind, box and geometry
    whole: Prints  # all of it: label, shape and attributes


def of_annotations(table: AnnotationTable, geometry: Prints | None = None) -> AnnotationPrints:
    """The prints of each annotation. A class counts by its name, not by its number.

    `geometry` has the prints of a geometry that was left out of the table.
    """
    geometry = of_geometry([table.coordinates()]) if geometry is None else geometry
    rows = table.annotations
    kind = _of_texts(rows["kind"])
    names = np.append(_hashed(table.classes), np.uint64(0))  # -1 is no class
    label = _chained([kind, names[rows["class_id"].to_numpy()]])
    shape = _chained([kind, *(_bits(corner) for corner in table.boxes.T), geometry])
    return AnnotationPrints(label, shape, _chained([label, shape, _of_texts(rows["attributes"])]))


def of_images(table: AnnotationTable, prints: Prints) -> Prints:
    """One number per image for all its annotations, in whatever order they come."""
    sums = np.append(np.uint64(0), np.cumsum(mixed(prints)))
    return sums[table.offsets[1:]] - sums[table.offsets[:-1]]


def mixed(numbers: Prints) -> Prints:
    """Numbers of which every bit depends on every bit of what they were (the finaliser of SplitMix64)."""
    numbers = numbers ^ (numbers >> np.uint64(30))  # of our own from here on: in place is faster
    numbers *= np.uint64(0xBF58476D1CE4E5B9)
    numbers ^= numbers >> np.uint64(27)
    numbers *= np.uint64(0x94D049BB133111EB)
    numbers ^= numbers >> np.uint64(31)
    return numbers


def _chained(columns: list[Prints]) -> Prints:
    chain = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        chain = mixed(chain * np.uint64(31) + column + _GOLDEN)
    return chain


def _of_texts(column: pd.Series) -> Prints:
    codes, texts = pd.factorize(column)
    return _hashed(list(texts))[codes]


def _hashed(texts: list[str]) -> Prints:
    return pd.util.hash_array(np.array(texts, dtype=object), categorize=False)


def of_geometry(parts: Iterable[tuple[Floats, Ints]]) -> Prints:
    """One number per annotation for its geometry, which comes in parts: coordinates, and where each one's begin and end."""
    found = [_of_part(values, offsets) for values, offsets in parts]
    return np.concatenate(found) if found else np.zeros(0, dtype=np.uint64)


def _of_part(values: Floats, offsets: Ints) -> Prints:
    result = np.zeros(len(offsets) - 1, dtype=np.uint64)
    first = 0
    while first < len(result) and len(values):
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + _PIECE, side="right")) - 1)
        result[first:last] = _of_lists(
            values[offsets[first] : offsets[last]], offsets[first : last + 1] - offsets[first]
        )
        first = last
    return result


def _of_lists(values: Floats, offsets: Ints) -> Prints:
    """One number per list: the sum over its values, each mixed with its place in it."""
    lengths = np.diff(offsets)
    place = np.arange(len(values)) - np.repeat(offsets[:-1], lengths)
    sums = np.append(np.uint64(0), np.cumsum(mixed(_bits(values) + (place + 1).astype(np.uint64) * _GOLDEN)))
    return sums[offsets[1:]] - sums[offsets[:-1]] + lengths.astype(np.uint64)


def _bits(values: Floats) -> Prints:
    """The bits of each number; there is one NaN and one zero."""
    return np.where(np.isnan(values), np.nan, values + 0.0).view(np.uint64)
