"""Brush masks of Label Studio: run lengths of the bytes of an RGBA image, packed into bits (thi.ng's rle-pack).

A head of 32 bits counts the values, 5 bits say how many bits a value has, and four times 4 bits how many a length may have.
Then blocks follow: one bit for a repeated value or single ones, two bits for the size of the length, the length, the values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from retinue_sdk.raster import Mask

CHANNELS = 4
ALPHA = 3  # the channel that says what was painted
MAX_BLOCKS = 10_000_000


class _Bits:
    """Numbers of some bits each, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def read(self, count: int) -> int:
        """The next number of so many bits."""
        end = self._take(count)
        last = (end + 7) // 8
        chunk = int.from_bytes(self._data[(end - count) // 8 : last], "big")
        return (chunk >> (last * 8 - end)) & ((1 << count) - 1)

    def read_many(self, numbers: int, count: int) -> Any:
        """An array of numbers of so many bits each."""
        end = self._take(numbers * count)
        start = end - numbers * count
        bits = np.unpackbits(np.frombuffer(self._data[start // 8 : (end + 7) // 8], dtype=np.uint8))
        weights = 1 << np.arange(count - 1, -1, -1, dtype=np.int64)
        return bits[start % 8 : start % 8 + numbers * count].reshape(numbers, count) @ weights

    def _take(self, count: int) -> int:
        self._place += count
        if self._place > len(self._data) * 8:
            raise ValueError("a mask that is cut off")
        return self._place


def decode(data: bytes, width: int, height: int) -> Mask:
    """The mask (height, width) of what was painted. ValueError for bytes that are no mask of this size."""
    bits = _Bits(data)
    total = bits.read(32)
    if total != width * height * CHANNELS:
        raise ValueError(f"{total} values for {width} x {height} pixels")
    size = bits.read(5) + 1
    sizes = [bits.read(4) + 1 for _ in range(4)]
    mask = np.zeros(width * height, dtype=bool)
    place = 0
    for _ in range(MAX_BLOCKS):
        if place == total:
            return mask.reshape(height, width)
        repeated = bits.read(1)
        end = place + 1 + bits.read(sizes[bits.read(2)])
        if end > total:
            raise ValueError("a mask of too many values")
        pixels = slice(place // CHANNELS, end // CHANNELS)  # those whose alpha lies between place and end
        if repeated:
            mask[pixels] = bits.read(size) > 0
        else:
            mask[pixels] = bits.read_many(end - place, size)[(ALPHA - place) % CHANNELS :: CHANNELS] > 0
        place = end
    raise ValueError("a mask of too many runs")
