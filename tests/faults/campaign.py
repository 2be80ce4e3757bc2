"""One campaign: kill one service again and again during trainings, then compare the ledgers."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Any

from hub_config.processes import Marks

from tests.faults.kills import kill, percentile
from tests.faults.ledger import NOTHING, Difference, in_mlflow, in_platform, written
from tests.faults.load import Load

RATE = 250  # metric events a second of each points job, of two points each
BETWEEN = (0.3, 1.5)  # seconds that a service lives between two kills


@dataclass
class Outcome:
    """What a campaign saw."""

    victim: str
    ready: list[float] = field(default_factory=list)  # seconds from each kill until the service answered
    jobs: int = 0
    disturbed: list[str] = field(default_factory=list)
    points: int = 0
    platform: Difference = NOTHING
    mlflow: Difference = NOTHING

    @property
    def clean(self) -> bool:
        """No job disturbed, nothing lost, nothing doubled."""
        return not self.disturbed and self.platform == self.mlflow == NOTHING

    def __str__(self) -> str:
        ready = f"ready p50 {percentile(self.ready, 0.5):.2f} s, p95 {percentile(self.ready, 0.95):.2f} s"
        return (
            f"{self.victim:20} {len(self.ready):3} kills, {ready}; {self.jobs} jobs, {len(self.disturbed)} disturbed; "
            f"{self.points} points: platform lost {self.platform.lost}, doubled {self.platform.doubled}; "
            f"MLflow lost {self.mlflow.lost}, doubled {self.mlflow.doubled}"
        )


def run(settings: Any, marks: Marks, load: Load, victim: str, kills: int, points: int) -> Outcome:
    """Kill `victim` `kills` times while jobs report at least `points` points between them."""
    outcome = Outcome(victim)
    each = -(-points // 4)  # two jobs, two values an event
    jobs = [load.start("points", points=each, rate=RATE) for _ in range(2)]
    framework = victim.removeprefix("trainer ")
    if victim.startswith("trainer ") and framework not in settings.extra_trainers:
        jobs.append(load.start(framework, epochs=max(4, kills)))
    for job in jobs:
        load.wait_points(job)
    for _ in range(kills):
        time.sleep(random.uniform(*BETWEEN))
        outcome.ready.append(kill(settings, marks, victim))
    for job in jobs:
        _settle(settings, load, job, outcome)
    return outcome


def _settle(settings: Any, load: Load, job: dict[str, Any], outcome: Outcome) -> None:
    """Wait for the job's end and for MLflow to have all of it; add what differs."""
    over = load.wait(job, "succeeded", "failed", "cancelled", "lost", timeout=1200)
    outcome.jobs += 1
    if over["status"] != "succeeded":
        outcome.disturbed.append(f"{over['framework']}: {over['status']} {over['message']}")
    truth = written(settings, over)
    outcome.points += truth.total()
    outcome.platform += Difference.between(truth, in_platform(load.client, over))
    deadline = time.monotonic() + 120
    difference = Difference.between(truth, in_mlflow(settings, over))
    while difference.lost and time.monotonic() < deadline:
        time.sleep(0.5)
        difference = Difference.between(truth, in_mlflow(settings, load.get(over)))
    outcome.mlflow += difference
