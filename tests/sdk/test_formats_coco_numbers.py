"""Polygons from JSON's text into arrays, held to what Python's own reader makes of them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue_sdk.formats.coco_numbers import parse

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**80), 2**80)
polygons = st.lists(st.lists(numbers, min_size=1, max_size=9), min_size=1, max_size=4)
anything = st.recursive(
    numbers | st.sampled_from(["", "1", None, True, False, [], {}, "e", "[1]"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "1"]), inner, max_size=2),
    max_leaves=12,
)


def is_polygon(value):
    return (
        bool(value)
        and isinstance(value, list)
        and all(
            isinstance(ring, list) and ring and all(type(number) in (int, float) for number in ring) for ring in value
        )
    )


@given(st.lists(polygons, max_size=5), st.sampled_from([None, 0, 2]), st.sampled_from([(",", ":"), (" ,\r\t", ":")]))
def test_every_number_is_where_it_was(values, indent, separators):
    lists = parse([json.dumps(value, indent=indent, separators=separators).encode() for value in values])
    rings = [(owner, ring) for owner, value in enumerate(values) for ring in value]
    assert lists.owners.tolist() == [owner for owner, _ in rings]
    assert lists.sizes.tolist() == [len(ring) for _, ring in rings]
    np.testing.assert_array_equal(lists.values, np.array([float(n) for _, ring in rings for n in ring]))


@given(st.lists(anything | polygons, min_size=1, max_size=4))
def test_nothing_but_lists_of_lists_of_numbers_is_taken(values):
    lists = parse([json.dumps(value).encode() for value in values])
    assert (lists is not None) == all(map(is_polygon, values))


@pytest.mark.parametrize(
    "text",
    [
        "[[1e400]]",
        "[[-1e999, 2]]",
        f"[[{'9' * 400}]]",
        "[1]",
        "[[1], 2]",
        "[2, [1]]",
        "[[[1]]]",
        "[[1], []]",
        "[]",
        "5",
    ],
)
def test_what_is_no_polygon(text):
    assert parse([text.encode()]) is None
    assert parse([b"[[1, 2]]", text.encode(), b"[[3]]"]) is None


def test_a_number_too_many_makes_up_for_none_that_is_missing():
    assert parse([b"[5]", b"[[], [1, 2]]"]) is None


def test_numbers_are_read_exactly():
    texts = ["1e-400", "-0", "1E5", "2e+3", "0.1", "123456789012345678901234567890", "5e-324", "1.7976931348623157e308"]
    values = parse([f"[[{','.join(texts)}]]".encode()]).values.tolist()
    assert values == list(map(float, texts))
    assert math.copysign(1, values[1]) == -1
