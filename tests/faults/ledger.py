"""The same points in three places: what the training wrote, what the platform holds, what MLflow holds.

A point is (key, step, milliseconds, value as text); text, because NaN equals nothing.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Points = Counter[tuple[str, int, int, str]]


def _milliseconds(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)


def _text(value: Any) -> str:
    return repr(float(value))


def written(settings: Any, job: dict[str, Any]) -> Points:
    """The truth: the events file, which only the training process appends to. Its seq must count without a gap."""
    folder = settings.data / "trainers" / job["framework"] / "runs" / job["id"] / str(job["attempt"])
    events = [json.loads(line) for line in (folder / "events.jsonl").read_bytes().splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1)), "the training itself skipped a number"
    return Counter(
        (key, event["step"], _milliseconds(event["time"]), _text(value))
        for event in events
        if event["type"] == "metric"
        for key, value in event["values"].items()
    )


def in_platform(client: Any, job: dict[str, Any]) -> Points:
    """The platform's answer at full resolution."""
    return Counter(
        (series["key"], step, _milliseconds(time), _text(value))
        for series in client.get(f"/jobs/{job['id']}/metrics", max_points=0)["series"]
        for step, time, value in zip(series["step"], series["time"], series["value"], strict=True)
    )


def in_mlflow(settings: Any, job: dict[str, Any]) -> Points:
    """The rows of MLflow's own database."""
    with contextlib.closing(
        sqlite3.connect(f"file:{settings.data}/mlflow/mlflow.db?mode=ro", uri=True, timeout=30)
    ) as db:
        rows = db.execute(
            "SELECT key, step, timestamp, value, is_nan FROM metrics WHERE run_uuid = ?", (job["mlflow_run_id"],)
        ).fetchall()
    return Counter((key, step, time, _text("nan" if is_nan else value)) for key, step, time, value, is_nan in rows)


@dataclass(frozen=True)
class Difference:
    """What a copy lacks, and what it has too often or too much."""

    lost: int
    doubled: int

    @classmethod
    def between(cls, truth: Points, copy: Points) -> Difference:
        """Compare as multisets."""
        return cls((truth - copy).total(), (copy - truth).total())

    def __add__(self, other: Difference) -> Difference:
        return Difference(self.lost + other.lost, self.doubled + other.doubled)


NOTHING = Difference(0, 0)
