"""Annotations as a writer takes them: one after the other, image by image."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from retinue_sdk.formats.rows import Box
from retinue_sdk.geometry import Floats
from retinue_sdk.table import AnnotationTable


@dataclass(frozen=True)
class Item:
    """One annotation."""

    name: str  # of its class
    kind: str
    box: Box
    shape: Floats
    attributes: dict[str, Any]


def by_image(table: AnnotationTable) -> Iterator[list[Item]]:
    """The annotations of each image."""
    values, starts = table.coordinates()
    rows = table.annotations
    boxes, kinds, labels = table.boxes.tolist(), rows["kind"].tolist(), rows["class_id"].tolist()
    texts = rows["attributes"].tolist()
    for first, last in zip(table.offsets, table.offsets[1:], strict=False):
        yield [
            Item(
                table.classes[labels[i]],
                kinds[i],
                tuple(boxes[i]),
                values[starts[i] : starts[i + 1]],
                json.loads(texts[i]) if texts[i] else {},
            )
            for i in range(first, last)
        ]


def digits(value: float) -> str:
    """A number with as many digits as give it back, and no more."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
