"""Between shapes and pixels: run lengths, COCO's compressed ones, polygons filled, and masks outlined.

A pixel belongs to a polygon when its centre lies inside (even-odd). Outlines run along the edges of pixels, so that an
outline filled again is the very mask it came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from retinue_sdk.geometry import Floats, Ints, join_rings, rings

Mask = npt.NDArray[np.bool_]

MAX_COUNTS = 40_000_000  # characters of a compressed mask; no image we read needs as many


def encode(mask: Mask) -> Ints:
    """Run lengths by column of a mask (height, width), beginning with background."""
    flat = mask.reshape(-1, order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], changes, [len(flat)]]))
    return np.concatenate([[0], runs]) if len(flat) and flat[0] else runs


def encode_each(labels: npt.NDArray[Any]) -> dict[int, Ints]:
    """Run lengths of each value in an array (height, width), in one pass: what `encode(labels == value)` gives."""
    return {number: runs for (number,), runs in _encode_each(labels)}


def encode_pairs(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> dict[tuple[int, int], Ints]:
    """Run lengths of each pair of values that two arrays (height, width) have at the same pixel, in order of the pairs."""
    return {(a, b): runs for (a, b), runs in _encode_each(first, second)}


def _encode_each(*labels: npt.NDArray[Any]) -> Iterator[tuple[list[int], Ints]]:
    flat = [array.reshape(-1, order="F") for array in labels]
    size = len(flat[0])
    if not size:
        return
    changes = np.zeros(size - 1, dtype=bool)
    for values in flat:
        changes |= values[1:] != values[:-1]
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    ends = np.append(starts[1:], size)
    found, which = np.unique(np.column_stack([values[starts] for values in flat]), axis=0, return_inverse=True)
    order = np.argsort(which.reshape(-1), kind="stable")
    bounds = np.cumsum(np.bincount(which.reshape(-1)))[:-1]
    for numbers, rows in zip(found.tolist(), np.split(order, bounds), strict=True):
        yield numbers, _runs(starts[rows], ends[rows], size)


def encode_part(part: Mask, left: int, top: int, width: int, height: int) -> Ints:
    """Run lengths of an image's mask that is `part` from (left, top) on and background elsewhere, without unpacking it."""
    edges = np.diff(np.pad(part, ((1, 1), (0, 0))).astype(np.int8), axis=0).T
    offset = left * height + top
    column, row = np.nonzero(edges == 1)
    starts = offset + column * height + row
    column, row = np.nonzero(edges == -1)
    ends = offset + column * height + row
    if part.shape[0] == height and len(starts):  # runs over the end of a column are one
        apart = starts[1:] != ends[:-1]
        starts, ends = starts[np.append(True, apart)], ends[np.append(apart, True)]
    return _runs(starts, ends, width * height)


def _runs(starts: Ints, ends: Ints, size: int) -> Ints:
    """Run lengths of foreground from each start to before its end."""
    bounds = np.column_stack([starts, ends]).reshape(-1)
    runs = np.diff(np.concatenate([[0], bounds, [size]]))
    return runs[:-1] if len(runs) > 1 and runs[-1] == 0 else runs


def decode_part(runs: npt.ArrayLike, width: int, height: int) -> tuple[Mask, int, int]:
    """The part of a mask that holds all its foreground, and its left and top; without pixels for an empty mask."""
    x1, y1, x2, y2 = map(int, box_of_runs(runs, height))
    return decode(runs, width, height)[y1:y2, x1:x2], x1, y1


def decode(runs: npt.ArrayLike, width: int, height: int) -> Mask:
    """The mask (height, width) of run lengths that sum to width x height."""
    lengths = np.asarray(runs).astype(np.int64)
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return flat.reshape((height, width), order="F")


def box_of_runs(runs: npt.ArrayLike, height: int) -> tuple[float, float, float, float]:
    """x1, y1, x2, y2 in pixels around a mask's foreground; all zero for an empty one. No mask is unpacked."""
    ends = np.cumsum(np.asarray(runs).astype(np.int64))
    last = ends[1::2] - 1
    first = ends[: 2 * len(last) : 2]
    first, last = first[last >= first], last[last >= first]
    if not len(first):
        return 0.0, 0.0, 0.0, 0.0
    left, right = first // height, last // height
    whole = (left < right).any()  # a run over the end of a column reaches bottom and top
    top = 0 if whole else int((first % height).min())
    bottom = height - 1 if whole else int((last % height).max())
    return float(left.min()), float(top), float(right.max() + 1), float(bottom + 1)


def decompress(text: bytes) -> Ints:
    """Run lengths of COCO's compressed text: base-48 characters of 5 bits, differences to the run but one before.

    The format is that of pycocotools' `rleFrString`. Raises ValueError for text it cannot have written.
    """
    if len(text) > MAX_COUNTS:
        raise ValueError("a mask of too many characters")
    codes = np.frombuffer(text, dtype=np.uint8).astype(np.int64) - 48
    if ((codes < 0) | (codes > 63)).any():
        raise ValueError("a character that no mask has")
    last = (codes & 0x20) == 0
    if len(codes) == 0 or not last[-1]:
        raise ValueError("a mask that is cut off")
    starts = np.concatenate([[0], np.flatnonzero(last)[:-1] + 1])
    place = np.arange(len(codes)) - np.repeat(starts, np.diff(np.concatenate([starts, [len(codes)]])))
    if place.max() > 6:  # 35 bits: more than any image has pixels
        raise ValueError("a run that is too long")
    numbers = np.add.reduceat((codes & 0x1F) << (5 * place), starts)
    negative = (codes[last] & 0x10) != 0
    numbers -= np.where(negative, np.int64(1) << (5 * (place[last] + 1)), 0)
    for parity in (1, 2):  # runs 1, 3, 5 ... and 2, 4, 6 ... each add up; run 0 stands alone
        numbers[parity::2] = np.cumsum(numbers[parity::2])
    if (numbers < 0).any():
        raise ValueError("a negative run")
    return numbers


def compress(runs: npt.ArrayLike) -> bytes:
    """COCO's compressed text of run lengths (pycocotools' `rleToString`)."""
    lengths = [int(run) for run in np.asarray(runs)]
    text = bytearray()
    for i, run in enumerate(lengths):
        value = run - lengths[i - 2] if i > 2 else run
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != (-1 if bits & 0x10 else 0)
            text.append((bits | 0x20 if more else bits) + 48)
    return bytes(text)


def fill(polygon: Floats, width: int, height: int) -> Mask:
    """The pixels whose centres lie inside the polygon's rings, by even-odd."""
    mask = np.zeros((height, width), dtype=bool)
    for ring in rings(polygon):
        start, end = ring, np.roll(ring, -1, axis=0)
        for (x1, y1), (x2, y2) in zip(start, end, strict=True):
            if y1 == y2:
                continue
            (xa, ya), (xb, yb) = ((x1, y1), (x2, y2)) if y1 < y2 else ((x2, y2), (x1, y1))
            first, past = max(0, int(np.ceil(ya - 0.5))), min(height, int(np.ceil(yb - 0.5)))
            if first >= past:
                continue
            crossing = xa + (np.arange(first, past) + 0.5 - ya) * (xb - xa) / (yb - ya)
            columns = np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.int64)
            rows = np.arange(first, past)
            inside = columns < width
            mask[rows[inside], columns[inside]] ^= True
    return np.logical_xor.accumulate(mask, axis=1)


def outline(mask: Mask) -> Floats:
    """The polygon along the edges of a mask's pixels; holes are rings of their own. Empty for an empty mask."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def add(edges: Mask, start: tuple[int, int], end: tuple[int, int]) -> None:
        for y, x in np.argwhere(edges).tolist():
            following.setdefault((x + start[0], y + start[1]), []).append((x + end[0], y + end[1]))

    # each edge between inside and outside once, with the inside on its right
    add(inside & ~padded[:-2, 1:-1], (0, 0), (1, 0))
    add(inside & ~padded[1:-1, 2:], (1, 0), (1, 1))
    add(inside & ~padded[2:, 1:-1], (1, 1), (0, 1))
    add(inside & ~padded[1:-1, :-2], (0, 1), (0, 0))
    return join_rings([_ring(following) for _ in iter(lambda: bool(following), False)])


def _ring(following: dict[tuple[int, int], list[tuple[int, int]]]) -> Floats:
    """Take one closed ring out of the edges; corners on a straight line are left out."""
    first = next(iter(following))
    here, before = first, None
    ring: list[tuple[int, int]] = []
    while True:
        ways = following[here]
        # where two pixels touch at a corner, turn right: the ring stays with its own pixel
        way = ways[0] if len(ways) == 1 or before is None else min(ways, key=partial(_left, before, here))
        ways.remove(way)
        if not ways:
            del following[here]
        direction = (way[0] - here[0], way[1] - here[1])
        if before is None or direction != (here[0] - before[0], here[1] - before[1]):
            ring.append(here)
        before, here = here, way
        if here == first:
            break
    if len(ring) > 1 and _straight(ring[-1], ring[0], ring[1]):
        ring.pop(0)
    return np.array(ring, dtype=np.float64)


def _left(before: tuple[int, int], here: tuple[int, int], way: tuple[int, int]) -> int:
    """Negative for a turn to the right, in pixels whose y grows downwards."""
    return -((here[0] - before[0]) * (way[1] - here[1]) - (here[1] - before[1]) * (way[0] - here[0]))


def _straight(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> bool:
    return _left(a, b, c) == 0
