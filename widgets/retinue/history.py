"""The points of one job as a chart needs them: per metric, in order of seq, complete and without doubles."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


def to_float(value: float | str) -> float:
    """A number of the wire: NaN and the infinities travel as strings."""
    return float(value)


@dataclass
class Series:
    """One metric; the lists have one entry per point."""

    seq: list[int] = field(default_factory=list)
    step: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)


class History:
    """Grows from batches that may overlap: a point whose seq is known already is left out. Safe between threads."""

    def __init__(self) -> None:
        self.attempt = 1
        self.seq = 0
        self.series: dict[str, Series] = {}
        self._events: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def restart(self, attempt: int) -> None:
        """A new attempt counts from 1 again; what the old one wrote is no longer the job's curve."""
        with self._lock:
            self.attempt, self.seq, self.series, self._events = attempt, 0, {}, []

    def add(self, points: Iterable[Mapping[str, Any]], up_to: int) -> list[dict[str, Any]]:
        """Take points `{"seq", "step", "values": {key: number}}`; `up_to` is the cursor after them. Returns the new ones."""
        with self._lock:
            new = [dict(point) for point in points if point["seq"] > self.seq]
            for point in new:
                for key, value in point["values"].items():
                    series = self.series.setdefault(key, Series())
                    series.seq.append(point["seq"])
                    series.step.append(point["step"])
                    series.value.append(to_float(value))
            self._events += new
            self.seq = max(self.seq, up_to)
            return new

    def after(self, seq: int) -> list[dict[str, Any]]:
        """All points with a seq greater than this."""
        with self._lock:
            return [point for point in self._events if point["seq"] > seq]
