"""What the demo's recipes reach: each trained from scratch with three seeds, through the platform, on the same split."""

from __future__ import annotations

import statistics
from datetime import datetime

from tests.benchmarks import Figure
from tests.benchmarks.overhead import stack

SEEDS = (0, 1, 2)


def run(_arguments: list[str]) -> list[Figure]:
    """Mean top-1 and the seconds of a job, start to end."""
    figures = []
    with stack() as s:
        for framework in ("ultralytics", "timm", "huggingface"):
            jobs = [s.load.wait(s.load.start(framework, seed=seed), "succeeded", timeout=600) for seed in SEEDS]
            top1 = [job["latest"].get("final/top1", job["latest"]["val/top1"]) for job in jobs]
            seconds = [_seconds(job["started_at"], job["ended_at"]) for job in jobs]
            each = ", ".join(f"{value:.3f}" for value in top1)
            mean = statistics.mean(top1)
            figures += [
                Figure(f"recipe {framework}: top-1, mean of {len(SEEDS)} seeds", mean, "", 0.94, "more", each),
                Figure(f"recipe {framework}: seconds of a job, median", statistics.median(seconds), "s"),
            ]
    return figures


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
