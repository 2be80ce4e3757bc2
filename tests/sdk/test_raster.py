"""Masks, run lengths and outlines: the way there and back of each, and rectangles around points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from retinue_sdk import geometry, raster

some = settings(max_examples=100, derandomize=True)
masks = arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9))
runs = st.lists(st.integers(0, 2**30), min_size=1, max_size=30)
points = arrays.arrays(float, st.tuples(st.integers(3, 12), st.just(2)), elements=st.integers(-50, 50))


@some
@given(masks)
def test_a_mask_is_its_runs(mask):
    height, width = mask.shape
    lengths = raster.encode(mask)
    assert lengths.sum() == mask.size
    assert (lengths[1:] > 0).all()
    assert (raster.decode(lengths, width, height) == mask).all()


@some
@given(runs)
def test_compressed_runs_are_the_runs(lengths):
    assert raster.decompress(raster.compress(lengths)).tolist() == lengths


# run lengths and what pycocotools' rleToString makes of them: five bits a character, from the fourth run on the
# difference to the run but one before
@pytest.mark.parametrize(
    ("lengths", "text"),
    [
        ([0], b"0"),
        ([15], b"?"),
        ([16], b"`0"),
        ([31], b"o0"),
        ([32], b"P1"),
        ([6, 1, 40, 4, 5, 4, 5, 4, 21], b"61X13mN000`0"),
        ([1000], b"Xo0"),
        ([5, 5, 5, 5, 5], b"55500"),
        ([5, 9, 5, 5], b"595L"),
    ],
)
def test_known_texts(lengths, text):
    assert raster.compress(lengths) == text
    assert raster.decompress(text).tolist() == lengths


@pytest.mark.parametrize(
    "text", [b"", b"/", b"p", b"\xff", b"X", b"ooooooooo0", b"O", b"111O1L1111111I", b"1" * (raster.MAX_COUNTS + 1)]
)
def test_what_no_mask_is_written_as_is_refused(text):
    with pytest.raises(ValueError):
        raster.decompress(text)


@some
@given(st.binary(max_size=40))
def test_any_bytes_are_runs_or_refused(text):
    try:
        lengths = raster.decompress(text)
    except ValueError:
        return
    assert (lengths >= 0).all()


@some
@given(masks)
def test_an_outline_filled_is_the_mask(mask):
    height, width = mask.shape
    outline = raster.outline(mask)
    if mask.any():
        assert (raster.fill(outline, width, height) == mask).all()
    else:
        assert len(outline) == 0


@some
@given(masks)
def test_the_box_of_runs_is_that_of_the_mask(mask):
    box = raster.box_of_runs(raster.encode(mask), len(mask))
    rows, columns = np.nonzero(mask)
    around = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else (0, 0, 0, 0)
    assert box == around


@some
@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 3)))
def test_each_value_has_the_runs_of_its_mask(labels):
    found = raster.encode_each(labels)
    assert found.keys() == set(np.unique(labels))
    assert all(lengths.tolist() == raster.encode(labels == value).tolist() for value, lengths in found.items())


@some
@given(masks, st.tuples(*[st.integers(0, 3)] * 4))
def test_a_part_has_the_runs_of_the_whole(part, margins):
    left, top, right, bottom = margins
    whole = np.pad(part, ((top, bottom), (left, right)))
    height, width = whole.shape
    lengths = raster.encode_part(part, left, top, width, height)
    assert lengths.tolist() == raster.encode(whole).tolist()
    inside, x, y = raster.decode_part(lengths, width, height)
    again = np.zeros_like(whole)
    again[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    assert (again == whole).all()


def test_rings_inside_one_another_are_holes():
    square, hole = [0, 0, 6, 0, 6, 6, 0, 6], [2, 2, 4, 2, 4, 4, 2, 4]
    mask = raster.fill(geometry.join_rings([square, hole]), 8, 8)
    assert mask.sum() == 36 - 4
    assert not mask[3, 3]


@some
@given(points)
def test_the_least_rectangle_holds_all_points(found):
    corners = geometry.least_rectangle(found).reshape(4, 2)
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.linalg.norm(sides, axis=1)
    low, high = found.min(axis=0), found.max(axis=0)
    assert lengths[0] * lengths[1] <= np.prod(high - low) + 1e-6
    for corner, side, length in zip(corners, sides, lengths, strict=True):
        if length > 1e-9 and lengths.min() > 1e-9:
            across = (found - corner) @ np.array([-side[1], side[0]]) / length
            assert (across > -1e-6).all() or (across < 1e-6).all()
    assert (corners.min(axis=0) <= low + 1e-6).all()
    assert (corners.max(axis=0) >= high - 1e-6).all()


@some
@given(st.lists(points, min_size=1, max_size=4))
def test_rings_are_joined_and_parted(parts):
    polygon = geometry.join_rings(parts)
    assert [ring.tolist() for ring in geometry.rings(polygon)] == [part.tolist() for part in parts]
    box = geometry.hulls(polygon, np.array([len(polygon)]))[0]
    together = np.concatenate(parts)
    assert box.tolist() == [*together.min(axis=0), *together.max(axis=0)]
