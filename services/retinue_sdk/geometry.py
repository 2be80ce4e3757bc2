"""What the geometry of an annotation means, kind by kind, and the shapes that follow from it.

class, box   nothing; a box is its x1, y1, x2, y2
value        one number
polygon      x, y of each corner in pixels; rings of one polygon are separated by a pair of NaN, and fill by even-odd
obb          x, y of four corners in order
keypoints    x, y, visibility (0 not labelled, 1 hidden, 2 visible) of each point
mask         run lengths by column, from the top left, beginning with background, as COCO counts them; their sum is
             width x height of the image
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

RING_END = (np.nan, np.nan)
TYPE = pa.large_list(pa.float64())


def column(parts: Iterable[npt.ArrayLike]) -> Any:
    """A geometry column with one entry per part."""
    arrays = [np.asarray(part).reshape(-1) for part in parts]
    lengths = np.fromiter((len(a) for a in arrays), dtype=np.int64, count=len(arrays))
    return from_flat(np.concatenate([np.empty(0), *arrays], dtype=np.float64), lengths)


def from_flat(values: Floats, lengths: Ints) -> Any:
    """A geometry column of all values in a row, and how many each entry has."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(np.asarray(values, dtype=np.float64)))


def rings(polygon: Floats) -> list[Floats]:
    """The rings of a polygon, each as (n, 2)."""
    points = polygon.reshape(-1, 2)
    ends = np.flatnonzero(np.isnan(points[:, 0])).tolist()
    return [points[start:end] for start, end in zip([0, *(end + 1 for end in ends)], [*ends, len(points)], strict=True)]


def join_rings(parts: Sequence[npt.ArrayLike]) -> Floats:
    """One polygon of several rings."""
    flat: list[Floats] = []
    for part in parts:
        flat += [np.asarray(RING_END), np.asarray(part, dtype=np.float64).reshape(-1)]
    return np.concatenate(flat[1:]) if flat else np.empty(0)


def one_ring(polygon: Floats) -> Floats:
    """A polygon of several rings as one ring that covers the same: it goes from each ring to the next and all the way back.

    The bridges have no width. They are short, not the shortest, which would take time that grows with the square of the points.
    """
    points = np.ascontiguousarray(polygon).view(np.complex128)  # each step below is half as many for them
    ends = np.flatnonzero(np.isnan(points)).tolist()
    here, *others = [points[start + 1 : end] for start, end in pairwise([-1, *ends, len(points)]) if end > start + 1]
    there: list[npt.NDArray[np.complex128]] = []
    back: list[npt.NDArray[np.complex128]] = []
    for ring in others:
        leave = int(np.abs(here - ring[0]).argmin())
        enter = int(np.abs(ring - here[leave]).argmin())
        there.append(here[: leave + 1])
        back.append(here[leave:])
        here = np.concatenate([ring[enter:], ring[: enter + 1]])
    return np.concatenate([*there, here, *reversed(back)]).view(np.float64)


def hulls(values: Floats, lengths: Ints, stride: int = 2) -> Floats:
    """(n, 4): x1, y1, x2, y2 around the points of each entry; NaN for an entry without any. `stride` is 3 for keypoints."""
    boxes = np.full((len(lengths), 4), np.nan)
    filled = np.flatnonzero(lengths >= stride)
    if len(filled):
        starts = (np.cumsum(lengths) - lengths)[filled] // stride
        for axis in (0, 1):
            coordinates = values[axis::stride]
            boxes[filled, axis] = np.fmin.reduceat(coordinates, starts)
            boxes[filled, axis + 2] = np.fmax.reduceat(coordinates, starts)
    return boxes


def corners(boxes: Floats) -> Floats:
    """(n, 8): the four corners of boxes, clockwise from the top left."""
    x1, y1, x2, y2 = boxes.T
    return np.column_stack([x1, y1, x2, y1, x2, y2, x1, y2])


def scale(values: Floats, lengths: Ints, factors: Floats) -> Floats:
    """The x and y of each entry times its own two factors (n, 2)."""
    scaled = np.repeat(factors, lengths // 2, axis=0).reshape(-1)
    scaled *= values
    return scaled


def turn(points: npt.ArrayLike, degrees: float, around: tuple[float, float]) -> Floats:
    """Points (n, 2) turned clockwise, as one sees it where y grows downwards."""
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned: Floats = (np.asarray(points, dtype=np.float64).reshape(-1, 2) - around) @ matrix + around
    return turned


def ellipse(middle: tuple[float, float], radii: tuple[float, float], degrees: float = 0.0, count: int = 64) -> Floats:
    """(count, 2): corners on an ellipse, turned clockwise."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return turn(np.column_stack([np.cos(angles), np.sin(angles)]) * radii + middle, degrees, middle)


def cross(a: Floats, b: Floats, c: Floats, d: Floats) -> Bools:
    """(n,): whether the edge from a to b crosses the one from c to d; all (n, 2). Edges that touch do not."""
    return (_side(a, b, c) * _side(a, b, d) < 0) & (_side(c, d, a) * _side(c, d, b) < 0)


def _side(a: Floats, b: Floats, c: Floats) -> Floats:
    side: Floats = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    return side


def least_rectangle(points: Floats) -> Floats:
    """(8,): the corners of the smallest rectangle around points (n, 2): one of its sides lies on their convex hull."""
    points = points[np.isfinite(points).all(axis=1)]
    hull = _convex_hull(points)
    sides = np.roll(hull, -1, axis=0) - hull
    angles = np.unique(np.arctan2(sides[:, 1], sides[:, 0]) % (np.pi / 2))
    best, least = np.empty((4, 2)), np.inf
    for angle in angles if len(angles) else [0.0]:
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turned = hull @ turn
        low, high = turned.min(axis=0), turned.max(axis=0)
        area = float(np.prod(high - low))
        if area < least:
            least = area
            best = np.array([low, [high[0], low[1]], high, [low[0], high[1]]]) @ turn.T
    return best.reshape(-1)


def _convex_hull(points: Floats) -> Floats:
    """Andrew's monotone chain (1979)."""
    ordered = np.unique(points, axis=0)
    if len(ordered) < 3:
        return ordered

    def chain(side: Floats) -> list[Floats]:
        kept: list[Floats] = []
        for p in side:
            while len(kept) > 1 and _turn(kept[-2], kept[-1], p) <= 0:
                kept.pop()
            kept.append(p)
        return kept[:-1]

    return np.array([*chain(ordered), *chain(ordered[::-1])])


def _turn(a: Floats, b: Floats, c: Floats) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


def problems(kinds: npt.NDArray[Any], values: Floats, lengths: Ints, pixels: Ints) -> list[str]:
    """What is wrong with geometries, of these kinds and for images of so many pixels."""
    starts = np.cumsum(lengths) - lengths
    checks = {
        "a class or a box has a geometry": (np.isin(kinds, ("class", "box")), lengths == 0),
        "a value is not one number": (kinds == "value", lengths == 1),
        "an oriented box has not four corners": (kinds == "obb", lengths == 8),
        "keypoints are not x, y, visibility": (kinds == "keypoints", (lengths % 3 == 0) & (lengths > 0)),
        "a polygon has not x and y of three corners or more": (kinds == "polygon", (lengths % 2 == 0) & (lengths >= 6)),
        "a mask has no runs": (kinds == "mask", lengths > 0),
    }
    found = [text for text, (rows, good) in checks.items() if (rows & ~good).any()]
    found += _not_finite(kinds, values, lengths, starts)
    masks = np.flatnonzero((kinds == "mask") & (lengths > 0))
    runs = values[_within(starts[masks], lengths[masks])]
    if (runs < 0).any():
        found.append("a mask has a negative run")
    if (runs != np.floor(runs)).any():
        found.append("a run of a mask is no whole number")
    if len(masks) and (_sums(values, starts[masks], lengths[masks]) != pixels[masks]).any():
        found.append("a mask does not cover its image")
    return found


def _not_finite(kinds: npt.NDArray[Any], values: Floats, lengths: Ints, starts: Ints) -> list[str]:
    """What is wrong with numbers that are none: only between the rings of a polygon they mean something, and in pairs."""
    bare = ~np.isfinite(values)
    places = np.flatnonzero(bare)
    if not len(places):
        return []
    owners = np.searchsorted(starts + lengths, places, side="right")
    partners = places + 1 - 2 * ((places - starts[owners]) % 2)
    paired = np.append(bare, False)[partners] & np.isnan(values[places])
    corners = lengths - np.bincount(owners, minlength=len(lengths))
    found = ["a coordinate or a value is no number"] if (~paired | (kinds[owners] != "polygon")).any() else []
    if (corners[owners] < 6).any():
        found.append("the rings of a polygon have not three corners or more")
    return found


def _within(starts: Ints, lengths: Ints) -> Ints:
    """The places of all values of these entries."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))


def _sums(values: Floats, starts: Ints, lengths: Ints) -> Floats:
    picked = values[_within(starts, lengths)]
    return np.add.reduceat(picked, np.cumsum(lengths) - lengths)
