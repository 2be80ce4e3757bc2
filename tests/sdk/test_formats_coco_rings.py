"""Rings of one COCO object that overlap: found as their pixels say, and told."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from retinue_sdk import raster
from retinue_sdk.formats import coco_rings
from retinue_sdk.formats.coco_rings import Rings, overlapping
from tests.sdk.checks import codes
from tests.sdk.coco_files import SQUARE, TRIANGLE, content, item, read_only

INNER = [2, 2, 4, 2, 4, 4, 2, 4]
BESIDE = [5, 1, 9, 1, 9, 5, 5, 5]
CROSS = [0, 2, 8, 2, 8, 4, 0, 4]  # no corner of it lies in the square, and none of the square's in it
POINTED = [20, 1, 30, 1, 30, 11, 29, 11, 29, 2, 20, 2]


@pytest.mark.parametrize(
    ("rings", "told"),
    [
        ([SQUARE], 0),
        ([SQUARE, TRIANGLE], 0),
        ([SQUARE, BESIDE], 0),
        ([SQUARE, INNER], 1),
        ([INNER, SQUARE], 1),
        ([SQUARE, CROSS], 1),
        ([SQUARE, SQUARE], 1),
        ([SQUARE, TRIANGLE, BESIDE, CROSS], 1),
        ([POINTED, [21, 3, 27, 3, 27, 10, 21, 10]], 0),  # in its box, and not in it
    ],
)
def test_overlaps_are_told_once_for_each_object(tmp_path, rings, told):
    table, findings = read_only(tmp_path, content(item(segmentation=rings), item(2, segmentation=[TRIANGLE])))
    assert codes(findings) == ({"coco_rings_overlap": 1} if told else {})
    assert len(table.annotations) == 2
    if told:
        assert findings[0].examples == ["instances_val2017.json:annotations[0].segmentation"]


@pytest.mark.parametrize(("together", "points"), [(1_000_000, 200_000), (3, 100)])
def test_they_are_those_whose_pixels_overlap(monkeypatch, together, points):
    monkeypatch.setattr(coco_rings, "TOGETHER", together)
    monkeypatch.setattr(coco_rings, "POINTS", points)
    number = np.random.default_rng(0)
    rings, owners = [], []
    for owner in range(60):
        for _ in range(number.integers(1, 4)):
            angles = np.sort(number.random(number.integers(3, 9))) * 2 * np.pi
            radii = number.uniform(1, 12) * number.uniform(0.5, 1, (len(angles), 1))
            rings.append(number.random(2) * 30 + 15 + radii * np.column_stack([np.cos(angles), np.sin(angles)]))
            owners.append(owner)
    sizes = np.array([len(ring) for ring in rings])
    halves = [
        Rings(np.concatenate(rings[a:b]), sizes[a:b], np.array(owners[a:b]))
        for a, b in pairwise([0, owners.index(30), len(rings)])
    ]
    found = list(overlapping(halves))
    covered = [
        sum(
            raster.fill(20 * r.reshape(-1), 1200, 1200).astype(int)
            for r, o in zip(rings, owners, strict=True)
            if o == n
        )
        for n in range(60)
    ]
    assert found == [n for n, times in enumerate(covered) if (times > 1).any()]
    assert 5 < len(found) < 40


def test_rings_of_very_many_corners_are_not_compared(monkeypatch):
    monkeypatch.setattr(coco_rings, "TOO_MANY", 3)
    points = np.array([SQUARE, CROSS], dtype=float).reshape(-1, 2)
    assert list(overlapping([Rings(points, np.array([4, 4]), np.array([0, 0]))])) == []
