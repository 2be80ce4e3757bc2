"""Rings of one COCO object that overlap. COCO takes them together; by even-odd, as here, what two of them cover is a hole.

Many objects are looked at at once: pairs of rings whose boxes meet, of these the edges near the other ring, and
whether two of them cross; without a crossing, whether one ring lies inside the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from retinue_sdk.geometry import Bools, Floats, Ints, cross

POINTS = 200_000  # looked at at once
NEIGHBOURS = 50  # rings of an object that each ring is compared with
TOGETHER = 1_000_000  # pairs of edges looked at at once
TOO_MANY = 100 * TOGETHER  # pairs of edges of two rings; rings of so many corners are not compared


@dataclass(frozen=True)
class Rings:
    """Rings of objects that have several: their points (n, 2) one after the other, how many each has, and whose it is."""

    points: Floats
    sizes: Ints
    owners: Ints  # rings of one object stand together


def overlapping(parts: Iterable[Rings]) -> Iterator[int]:
    """The objects of which rings overlap; an object is in one part only."""
    waiting: list[Rings] = []
    for part in parts:
        waiting.append(part)
        if sum(len(its.points) for its in waiting) > POINTS:
            yield from _overlapping(waiting)
            waiting = []
    yield from _overlapping(waiting)


def _overlapping(parts: list[Rings]) -> list[int]:
    if not parts:
        return []
    points, sizes, owners = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("points", "sizes", "owners")
    )
    starts = np.cumsum(sizes) - sizes
    low, high = (take(points, starts) for take in (np.minimum.reduceat, np.maximum.reduceat))
    found: set[int] = set()
    for apart in range(1, NEIGHBOURS + 1):
        first = np.flatnonzero(owners[apart:] == owners[:-apart])
        meet = ((low[first] < high[first + apart]) & (low[first + apart] < high[first])).all(axis=1)
        both = np.column_stack([first, first + apart])[meet]
        if not len(first):
            break
        area = np.stack([low[both].max(axis=1), high[both].min(axis=1)], axis=1)  # where their boxes meet
        one, other = (_edges(points, starts, sizes, rings, area) for rings in both.T)
        inside = [
            _inside(points[starts[inner]], points, _all_edges(starts, sizes, outer), len(both))
            for inner, outer in (both.T, both.T[::-1])
        ]
        same = (np.ptp(low[both], axis=1) == 0).all(axis=1) & (np.ptp(high[both], axis=1) == 0).all(axis=1)
        overlap = _crossing(points, one, other, len(both)) | inside[0] | inside[1] | same
        found |= set(owners[both[overlap, 0]].tolist())
    return sorted(found)


def _all_edges(starts: Ints, sizes: Ints, rings: Ints) -> tuple[Ints, Ints, Ints]:
    """The edges of these rings: which of the rings each belongs to, and its two points."""
    counts = sizes[rings]
    pair = np.repeat(np.arange(len(rings)), counts)
    place = np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts)
    begins = starts[rings][pair]
    return pair, begins + place, begins + (place + 1) % counts[pair]


def _edges(points: Floats, starts: Ints, sizes: Ints, rings: Ints, area: Floats) -> tuple[Ints, Ints, Ints]:
    """The edges of these rings that reach into an area (n, 2, 2), its least and its greatest corner."""
    pair, begin, end = _all_edges(starts, sizes, rings)
    low, high = np.minimum(points[begin], points[end]), np.maximum(points[begin], points[end])
    near = ((low <= area[pair, 1]) & (high >= area[pair, 0])).all(axis=1)
    return pair[near], begin[near], end[near]


def _crossing(points: Floats, one: tuple[Ints, Ints, Ints], other: tuple[Ints, Ints, Ints], pairs: int) -> Bools:
    """Whether an edge of the one ring crosses an edge of the other, for each pair of rings."""
    crossing = np.zeros(pairs, dtype=bool)
    for left, right in _products(one[0], other[0], pairs):
        a, b, c, d = (points[ends[rows]] for rows, (_, *both) in ((left, one), (right, other)) for ends in both)
        crossing[one[0][left[cross(a, b, c, d)]]] = True
    return crossing


def _products(one: Ints, other: Ints, pairs: int) -> Iterator[tuple[Ints, Ints]]:
    """Every row of the one with every row of the other that belongs to the same pair, some at a time."""
    left, right = np.bincount(one, minlength=pairs), np.bincount(other, minlength=pairs)
    right = np.where(left * right > TOO_MANY, 0, right)
    firsts = np.cumsum(np.bincount(other, minlength=pairs)) - np.bincount(other, minlength=pairs)
    counts = right[one]
    bounds = np.searchsorted(np.cumsum(counts), np.arange(0, counts.sum() + TOGETHER, TOGETHER), side="right")
    for begin, end in pairwise(bounds.tolist()):
        its = counts[begin:end]
        rows = np.repeat(np.arange(begin, end), its)
        place = np.arange(len(rows)) - np.repeat(np.cumsum(its) - its, its)
        yield rows, firsts[one[rows]] + place


def _inside(place: Floats, points: Floats, edges: tuple[Ints, Ints, Ints], pairs: int) -> Bools:
    """Whether a point (n, 2) lies inside the ring that has these edges, for each pair."""
    pair, begin, end = edges
    (x, y), a, b = place[pair].T, points[begin], points[end]
    with np.errstate(divide="ignore", invalid="ignore"):
        meets = a[:, 0] + (y - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
    hit = ((a[:, 1] > y) != (b[:, 1] > y)) & (x < meets)
    inside: Bools = np.bincount(pair[hit], minlength=pairs) % 2 == 1
    return inside
