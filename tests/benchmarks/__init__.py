"""Benchmarks: `python -m tests.benchmarks NAME [--json]` prints its figures and exits 1 when a goal is missed.

A benchmark is a module here with `run(arguments) -> list[Figure]`. It runs Retinue and its peer side by side.
"""

from __future__ import annotations

import dataclasses
import json
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


def show(figures: list[Figure], *, as_json: bool = False) -> None:
    """Print figures: a table, or a JSON list."""
    if as_json:
        print(json.dumps([{**dataclasses.asdict(f), "holds": f.holds} for f in figures], indent=1))
        return
    for f in figures:
        goal = "" if f.goal is None else f"{'<=' if f.better == 'less' else '>='} {f.goal:g}"
        holds = {True: "yes", False: "NO", None: ""}[f.holds]
        print(f"{f.figure:58} {f.value:10.4g} {f.unit:6} {goal:9} {holds:3} {f.spread}  {f.peer}")


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
