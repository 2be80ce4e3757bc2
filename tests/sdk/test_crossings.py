"""Polygons that cross themselves: found as comparing every edge with every other finds them, in all formats, and told."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue_sdk import crossings, formats
from retinue_sdk.geometry import column, join_rings
from retinue_sdk.table import make_table
from tests.sdk.checks import codes
from tests.sdk.coco_files import content, item, save

BOW_TIE = [10, 10, 30, 30, 30, 10, 10, 30]
SQUARE = [0, 0, 10, 0, 10, 10, 0, 10]
INNER = [2, 2, 4, 2, 4, 4, 2, 4]
BRIDGED = [0, 0, 10, 0, 10, 10, 0, 10, 0, 0, 2, 2, 2, 4, 4, 4, 4, 2, 2, 2]
ZIGZAG = [0, 0, 1, 9, 2, 1, 3, 9, 4, 1, 5, 9, 6, 0]
TWICE_AROUND = [0, 5, 5, 0, 10, 5, 5, 10, 1, 5, 5, 1, 9, 5, 5, 9]
BRIDGE_ACROSS = [0, 0, 10, 0, 10, 10, 5, 10, 5, -9, 4, -9, 4, -8, 5, -9, 5, 10, 0, 10]  # through the lower side
TOUCHING = [0, 0, 5, 5, 0, 10, 10, 10, 5, 5, 10, 0]  # at a corner
rings = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=3, max_size=9)


def table(polygons, kinds=None):
    rows = {"image": [0] * len(polygons), "class_id": 0, "kind": kinds or "polygon", "x1": 0, "y1": 0, "x2": 1, "y2": 1}
    images = {"key": ["a.png"], "width": 64, "height": 48}
    return make_table(images, rows, ["cat"], geometry=column(polygons))


def by_every_pair(ring):
    """Whether two edges of a ring have one point in common that is the end of neither."""
    points = [tuple(p) for p in np.asarray(ring).reshape(-1, 2)]
    edges = list(zip(points, [*points[1:], points[0]], strict=True))

    def turn(a, b, c):
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    edges = [(a, b) for a, b in edges if (b, a) not in edges]  # a bridge between parts
    return any(
        turn(a, b, c) * turn(a, b, d) < 0 and turn(c, d, a) * turn(c, d, b) < 0
        for (a, b), (c, d) in combinations(edges, 2)
    )


@pytest.mark.parametrize(
    ("polygon", "told"),
    [
        (BOW_TIE, True), (TWICE_AROUND, True), (join_rings([SQUARE, BOW_TIE]), True), (join_rings([BOW_TIE, SQUARE]), True),
        (SQUARE, False), (SQUARE[::-1], False), (BRIDGED, False), (ZIGZAG, False), (TOUCHING, False), (BRIDGE_ACROSS, False),
        (join_rings([SQUARE, INNER]), False), (join_rings([SQUARE, [5, 5, 15, 5, 15, 15]]), False),
    ],
)  # fmt: skip
def test_a_polygon_is_found_by_itself_and_among_others(polygon, told):
    assert crossings.crossing(table([polygon])).tolist() == [0] * told
    others = table([SQUARE, [1, 2, 2], polygon, BOW_TIE], ["polygon", "keypoints", "polygon", "polygon"])
    assert crossings.crossing(others).tolist() == [2] * told + [3]


@given(st.lists(rings, max_size=8), st.sampled_from([1, 5, 500_000]))
def test_they_are_those_that_every_pair_of_edges_shows(many, together):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crossings, "POINTS", together)
        found = crossings.crossing(table([np.ravel(ring) for ring in many])).tolist()
    assert found == [n for n, ring in enumerate(many) if by_every_pair(ring)]


def test_a_ring_made_to_cost_much_is_given_up(monkeypatch):
    monkeypatch.setattr(crossings, "MOST", 1)
    assert crossings.crossing(table([[*BOW_TIE, 0, 0, 40, 40]])).tolist() == []


def test_whoever_reads_is_told_where(tmp_path):
    save(tmp_path, content(item(segmentation=[SQUARE]), item(2, segmentation=[BOW_TIE])))
    _, _, found = formats.read(tmp_path, "coco")
    assert codes(found) == {"polygon_crosses_itself": 1}
    assert found[0].examples == ["annotations/instances_train.json: images/train/a.png"]
