"""Lists of lists of numbers, such as polygons, from JSON's text into arrays.

There are tens of millions of numbers in a file: none becomes an object of Python on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from retinue_sdk.geometry import Floats, Ints

WHITESPACE = b" \t\r\n"
_NUMBERS = b"0123456789+-.eE"
_COMMA, _BEGIN, _END = b",[]"


@dataclass(frozen=True)
class Lists:
    """All numbers, how many each inner list has, and which outer list it is of."""

    values: Floats
    sizes: Ints
    owners: Ints


def parse(texts: Sequence[bytes]) -> Lists | None:
    """The numbers of texts that are valid JSON, each a list of lists of finite numbers and none of them empty; else None."""
    text = b",".join(texts)
    found = _lists(np.frombuffer(text.translate(None, _NUMBERS + WHITESPACE), dtype=np.uint8), len(texts))
    if found is None:
        return None
    sizes, owners = found
    values = _values(text.translate(None, b"[]" + WHITESPACE)) if texts else np.empty(0)
    right = len(values) == sizes.sum() and np.isfinite(values).all()
    return Lists(values, sizes, owners) if right else None


def _lists(text: npt.NDArray[np.uint8], count: int) -> tuple[Ints, Ints] | None:
    """How many numbers each inner list has and whose it is, of text of which only brackets and commas are left.

    `[[,,],[,]],[[,]]` has lists of 3, 2 and 2 numbers; the first two are of 0, the third of 1.
    """
    places = np.flatnonzero(text != _COMMA)  # of brackets, if there is nothing else
    marks, commas = text[places], np.diff(places) - 1
    begins, ends = marks == _BEGIN, marks == _END
    depth = np.cumsum(begins.view(np.int8) - ends.view(np.int8), dtype=np.int32)
    outer, inner = (np.flatnonzero(begins[:-1] & (depth[:-1] == level)) for level in (1, 2))
    expected = (ends[:-1] & begins[1:]).astype(np.int64)  # one between two lists
    expected[inner] = commas[inner]
    only_lists = (begins | ends).all() and depth.max(initial=0) <= 2 and len(outer) == count
    if not only_lists or not begins[outer + 1].all() or (commas != expected).any():
        return None
    return commas[inner] + 1, np.searchsorted(outer, inner) - 1


def _values(text: bytes) -> Floats:
    """Numbers with commas between them; none where two commas follow each other."""
    try:
        texts = pc.split_pattern(pa.array([text], pa.large_string()), ",").values
        values: Floats = texts.cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return np.empty(0)
    return values
