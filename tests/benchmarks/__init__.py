"""Benchmarks: `python -m tests.benchmarks NAME [--json]` prints its figures and exits 1 when a goal is missed.

A benchmark is a module here with `run(arguments) -> list[Figure]`. It runs Retinue and its peer side by side.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Figure:
    """One measured number. `goal` is None where the figure is only recorded; `peer` is what stood beside it."""

    figure: str
    value: float
    unit: str
    goal: float | None = None
    better: Literal["less", "more"] = "less"
    spread: str = ""
    peer: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the goal is met; None without one."""
        if self.goal is None:
            return None
        return self.value <= self.goal if self.better == "less" else self.value >= self.goal


def median_interval(values: list[float]) -> tuple[float, float, float]:
    """Median with its 95 % interval from order statistics (binomial; Conover 1999, section 3.2): no shape is assumed."""
    ordered = sorted(values)
    count = len(ordered)
    # P(k values below the median) is binomial(n, 1/2); take the widest tails that leave at least 95 % between them
    tail, low = 0.0, 0
    for k in range(count // 2):
        tail += _choose(count, k) / 2**count
        if 2 * tail > 0.05:
            break
        low = k + 1
    low = max(low - 1, 0)
    return statistics.median(ordered), ordered[low], ordered[count - 1 - low]


def _choose(n: int, k: int) -> int:
    result = 1
    for i in range(k):
        result = result * (n - i) // (i + 1)
    return result
