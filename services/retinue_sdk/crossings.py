"""Polygons whose border crosses itself: what such a ring covers depends on who fills it, even-odd or not.

Many rings are looked at at once, twice. First, whether a ring goes around the mean of its corners in a single turn, as most
that people draw do: then it cannot cross itself. For the others a sweep along x: each edge is compared with those that begin
before it ends (sweep and prune; Baraff, Dynamic Simulation of Non-penetrating Rigid Bodies, 1992). Edges that touch do
not cross, and one that is gone back along covers nothing: bridges between the parts of an object do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from retinue_sdk.api import Finding
from retinue_sdk.formats.report import Report
from retinue_sdk.geometry import Bools, Floats, Ints, cross
from retinue_sdk.prints import mixed
from retinue_sdk.table import AnnotationTable

POINTS = 500_000  # looked at at once
MOST = 50_000_000  # pairs of edges compared among so many points; a ring made to need more is not found


@dataclass(frozen=True)
class _Rings:
    """Rings of polygons, one after the other."""

    points: Floats  # (n, 2)
    begins: Ints  # of each ring in `points`
    ring: Ints  # (n,) which one each point is of
    owner: Ints  # the polygon each ring is of

    def following(self) -> Ints:
        """(n,): the point at which the edge ends that begins at each point."""
        following = np.arange(1, len(self.points) + 1)
        following[np.append(self.begins[1:], len(self.points)) - 1] = self.begins
        return following

    def ends(self) -> Floats:
        """(n, 2): where the edge that begins at each point ends."""
        ends: Floats = self.points[self.following()]
        return ends

    def select(self, wanted: Bools) -> _Rings:
        """Some of the rings."""
        kept = wanted[self.ring]
        return _rings(self.points[kept], self.ring[kept], self.owner)


def findings(table: AnnotationTable) -> list[Finding]:
    """One finding about all polygons of the table that cross themselves, with where the first ones are written."""
    report, code = Report(), "polygon_crosses_itself"
    for row in crossing(table).tolist():
        report.add(code, *(_place(table, row) if report.wants_example(code) else ("",)))
    return report.findings()


def crossing(table: AnnotationTable) -> Ints:
    """The annotations that are polygons with a ring that crosses itself."""
    rows = np.flatnonzero((table.annotations["kind"] == "polygon").to_numpy())
    values, offsets = table.coordinates()
    begins, lengths = offsets[rows], np.diff(offsets)[rows]
    part = np.cumsum(lengths) // (2 * POINTS)
    bounds = [*np.flatnonzero(np.diff(part, prepend=-1)), len(rows)]
    found = [np.empty(0, dtype=np.int64)]
    for first, last in pairwise(bounds):
        its = lengths[first:last]
        places = np.arange(its.sum()) + np.repeat(begins[first:last] - (np.cumsum(its) - its), its)
        owner = np.repeat(np.arange(first, last), its // 2)
        found.append(rows[_crossing(values[places].reshape(-1, 2), owner)])
    return np.concatenate(found)


def _crossing(points: Floats, owner: Ints) -> Ints:
    """The owners of rings that cross themselves; rings of one owner are separated by NaN."""
    corner = ~np.isnan(points[:, 0])
    ring = np.cumsum(~corner | (np.diff(owner, prepend=-1) != 0)) - 1
    rings = _rings(points[corner], ring[corner], owner[np.flatnonzero(np.diff(ring, prepend=-1))])
    with np.errstate(over="ignore", invalid="ignore"):  # corners far outside any image
        for seen in (_turned, _swept, _swept_without_bridges):
            rings = rings.select(seen(rings)) if len(rings.points) else rings
    return np.unique(rings.owner)


def _rings(points: Floats, ring: Ints, owner: Ints) -> _Rings:
    begins = np.flatnonzero(np.diff(ring, prepend=-1))
    numbers = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, len(ring))))
    return _Rings(points, begins, numbers, owner[ring[begins]])


def _turned(rings: _Rings) -> Bools:
    """Whether a ring turns back, or more than once, on its way around the mean of its corners."""
    sizes = np.diff(np.append(rings.begins, len(rings.points)))
    middle = (np.add.reduceat(rings.points, rings.begins) / sizes[:, None])[rings.ring]
    (ax, ay), (bx, by) = (rings.points - middle).T, (rings.ends() - middle).T
    turn, away = ax * by - ay * bx, ax * bx + ay * by > 0
    left, right = (turn > 0) | ((turn == 0) & away), (turn < 0) | ((turn == 0) & away)
    turns = np.add.reduceat((ay < 0) & (by >= 0), rings.begins, dtype=np.int64)
    same = np.logical_and.reduceat(left, rings.begins) | np.logical_and.reduceat(right, rings.begins)
    turned: Bools = ~(same & (turns == 1))
    return turned


def _swept_without_bridges(rings: _Rings) -> Bools:
    begin = rings.ring.astype(np.uint64)  # each point as one number
    for axis in (0, 1):
        begin = mixed(begin) ^ (rings.points[:, axis] + 0.0).view(np.uint64)  # for -0.0 is 0.0
    end = begin[rings.following()]
    return _swept(rings, ~np.isin(mixed(begin) ^ end, mixed(end) ^ begin))


def _swept(rings: _Rings, wanted: Bools | None = None) -> Bools:
    """Whether two edges of a ring cross, of all or of those wanted."""
    crosses = np.zeros(len(rings.begins), dtype=bool)
    begins, ends = rings.points, rings.ends()
    order = np.lexsort((np.minimum(begins[:, 0], ends[:, 0]), rings.ring))
    order = order if wanted is None else order[wanted[order]]
    a, b, ring = begins[order], ends[order], rings.ring[order]
    low, high = np.minimum(a, b), np.maximum(a, b)
    edges, compared = np.arange(len(ring)), 0
    for apart in range(1, len(ring)):
        edges = edges[: np.searchsorted(edges, len(ring) - apart)]
        other = edges + apart
        near = (ring[edges] == ring[other]) & (low[other, 0] <= high[edges, 0])
        edges, other = edges[near], other[near]
        compared += len(edges)
        if not len(edges) or compared > MOST:
            break
        meet = (low[other, 1] <= high[edges, 1]) & (low[edges, 1] <= high[other, 1])
        one, two = edges[meet], other[meet]
        crosses[ring[one[cross(a[one], b[one], a[two], b[two])]]] = True
    return crosses


def _place(table: AnnotationTable, row: int) -> tuple[str, str]:
    """Where an annotation is written, and its image."""
    source, line, image = (table.annotations[name].iloc[row] for name in ("source", "line", "image"))
    return (f"{source}:{line}" if line else str(source)), str(table.images["key"].iloc[image])
