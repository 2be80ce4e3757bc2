"""The colours of Pascal VOC's masks, and the labelmap.txt that CVAT writes beside them.

Number n has the colour whose bits are those of n, dealt out to red, green and blue in turn: a colour is a number and a number a colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from retinue_sdk.formats.report import Report

Colors = npt.NDArray[np.uint8]

BACKGROUND = 0
VOID = 255  # the border of objects: of neither class
VOID_NAMES = {"ignored", "void", "border"}
OFFICIAL = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog", "horse",
    "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
MAX_BYTES = 1_000_000  # of a labelmap.txt


_BITS = (np.arange(256)[:, np.newaxis] >> np.arange(7, -1, -1)) & 1  # of each value, the highest first
_SPREAD = [(_BITS << (3 * np.arange(8) + channel)).sum(axis=1).astype(np.int32) for channel in range(3)]


def colors_of(numbers: npt.ArrayLike) -> Colors:
    """The colours (..., 3) of numbers below 2**24."""
    given = np.asarray(numbers, dtype=np.int32)
    colors = np.zeros((*given.shape, 3), dtype=np.uint8)
    for channel in range(3):
        for bit in range(8):
            colors[..., channel] |= (((given >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return colors


def numbers_of(colors: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """The numbers of colours (..., 3)."""
    red, green, blue = np.moveaxis(np.asarray(colors, dtype=np.uint8), -1, 0)
    return np.asarray(_SPREAD[0][red] | _SPREAD[1][green] | _SPREAD[2][blue])


PALETTE: list[int] = colors_of(np.arange(256)).reshape(-1).tolist()


@dataclass
class Labelmap:
    """What a labelmap.txt says: names by number of their colour, in the order of the file, background included."""

    names: dict[int, str] = field(default_factory=dict)

    def classes(self) -> dict[int, str]:
        """The classes by number: neither background nor void."""
        return {number: name for number, name in self.names.items() if kind_of(number, self.names) == "class"}

    def ids(self) -> list[int]:
        """The ids of the classes: their numbers, or their places in the file when colours were chosen freely."""
        places = {number: place for place, number in enumerate(self.names)}
        numbers = list(self.classes())
        return numbers if all(number < VOID for number in numbers) else [places[number] for number in numbers]


def kind_of(number: int, names: Mapping[int, str] | None) -> Literal["class", "background", "void", "unknown"]:
    """What a number stands for. Names may call another one background, and 255 a class."""
    name = (names or {}).get(number, "").lower()
    if number == BACKGROUND or name == "background":
        return "background"
    if number == VOID and (not name or name in VOID_NAMES):
        return "void"
    return "class" if name or names is None else "unknown"


def read_labelmap(path: Path, name: str, report: Report) -> Labelmap:
    """Read lines of `name:r,g,b:parts:actions`; what cannot be used is reported."""
    found = Labelmap()
    with path.open("rb") as stream:
        lines = stream.read(MAX_BYTES).decode("utf-8-sig", errors="replace").split("\n")
    for line, text in enumerate(lines, 1):
        label, *rest = text.strip().rsplit(":", 3)  # a name may have colons
        channels = [c.strip() for c in (rest[0] if rest else "").split(",")]
        usable = len(channels) == 3 and all(
            c.isascii() and c.isdigit() and len(c) < 4 and int(c) < 256 for c in channels
        )
        number = int(numbers_of([int(c) for c in channels])) if usable else -1
        if usable and number not in found.names:
            found.names[number] = label
        elif label and not label.startswith("#"):
            report.add("labelmap_invalid", f"{name}:{line}", text)
    return found


def write_labelmap(path: Path, classes: Mapping[int, str]) -> None:
    """Write the classes by number, after the background."""
    lines = ["# label:color_rgb:parts:actions"]
    for number, name in {BACKGROUND: "background", **classes}.items():
        lines.append(f"{name}:{','.join(map(str, colors_of(number).tolist()))}::")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def usable_numbers(ids: Sequence[int]) -> list[Any]:
    """The number of each class: its id, or counted from 1 where an id stands for background or void or is too large."""
    if all(0 < number < VOID for number in ids):
        return list(ids)
    return [number for number in range(1, len(ids) + 2) if number != VOID][: len(ids)]
