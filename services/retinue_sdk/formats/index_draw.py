"""Index masks as they are written: what is in an image, drawn in the numbers of the classes."""

from __future__ import annotations

from operator import ne

import numpy as np

from retinue_sdk.errors import DataError
from retinue_sdk.formats.mask_files import BACKGROUND, VOID, Indexes
from retinue_sdk.formats.report import Report
from retinue_sdk.geometry import Floats
from retinue_sdk.table import AnnotationTable


class Drawing:
    """The masks of a table, drawn image by image. `name` is the format that they are drawn for."""

    def __init__(self, table: AnnotationTable, name: str, report: Report) -> None:
        self.numbers = numbers = _numbers(table, name, report)
        self._blank = next(value for value in (BACKGROUND, *VOID) if value not in numbers)
        self._kind = np.uint8 if max([*numbers, self._blank]) <= 255 else np.uint16
        self._table = table
        self._report = report
        self._numbers = [numbers[index] for index in table.annotations["class_id"]]
        self._values, self._starts = table.coordinates()
        self._size = table.images[["width", "height"]].to_numpy()

    def draw(self, row: int) -> Indexes:
        """The numbers of an image's pixels (height, width); where masks overlap, the later one holds."""
        width, height = map(int, self._size[row])
        flat = np.full(width * height, self._blank, dtype=self._kind)
        first, last = int(self._table.offsets[row]), int(self._table.offsets[row + 1])
        merged = last - first - len(set(self._numbers[first:last]))
        lost = sum(self._paint(flat, i) for i in range(first, last))
        for code, count in (("loss_objects", merged), ("loss_overlap", lost)):
            if count:
                self._report.add(code, self._table.images["key"][row], count=count)
        if self._blank != BACKGROUND and (flat == self._blank).any():
            self._report.add("loss_background", self._table.images["key"][row])
        return flat.reshape((height, width), order="F")

    def _paint(self, flat: Indexes, i: int) -> int:
        """Draw one annotation; the answer is how many pixels another class loses by it."""
        runs: Floats = self._values[self._starts[i] : self._starts[i + 1]]
        lengths = runs[1:].astype(np.int64)
        start = int(runs[0])
        inside = np.repeat(np.arange(len(lengths)) % 2 == 0, lengths)
        part = flat[start : start + len(inside)]
        lost = int((inside & (part != self._blank) & (part != self._numbers[i])).sum())
        part[inside] = self._numbers[i]
        return lost


def _numbers(table: AnnotationTable, name: str, report: Report) -> list[int]:
    """The number of each class in the masks: its id, or counted from 1 where ids do not fit into 16 bits."""
    if all(0 <= number < VOID[-1] for number in table.class_ids):
        return table.class_ids
    if len(table.classes) >= VOID[-1]:
        raise DataError(
            "There are more classes than a mask has numbers.", code="classes_too_many", hint="Choose another format."
        )
    numbers = list(range(1, len(table.classes) + 1))
    report.add("loss_class_ids", name, count=sum(map(ne, numbers, table.class_ids)))
    return numbers
