"""Follows jobs through the WebSocket bridge and shows them: a table that stays in place, or lines where there is no terminal."""

from __future__ import annotations

import json
import shutil
import sys
import time
from typing import Any

from hub_config.person import Person
from websockets.exceptions import ConnectionClosed

from retinue_sdk.errors import UnavailableError, from_problem

OVER = frozenset({"succeeded", "failed", "cancelled", "lost"})
SHOWN = ("train/loss", "val/top1", "val/map50", "val/map50_95")
WIDTHS = (14, 30, 10, 9, 7)
QUIET = 900  # seconds without any message before we give up


class JobTable:
    """What is known of each job, and the drawing of it."""

    def __init__(self, jobs: list[dict[str, Any]]) -> None:
        self.jobs = {job["id"]: job for job in jobs}
        self.points = dict.fromkeys(self.jobs, 0)
        self.values: dict[str, dict[str, Any]] = {ident: {} for ident in self.jobs}
        self.live = sys.stdout.isatty()
        self._drawn, self._printed = 0, dict.fromkeys(self.jobs, "")

    @property
    def over(self) -> bool:
        """Nothing more will happen."""
        return all(job["status"] in OVER for job in self.jobs.values())

    def take(self, message: dict[str, Any]) -> None:
        """Note what a message of the platform says."""
        ident = str(message.get("topic")).partition(":")[2]
        if message["type"] == "error":
            raise from_problem(message["problem"])
        if message["type"] == "attempt":
            self.points[ident] = 0
        elif message["type"] == "job":
            self.jobs[ident] = message["job"]
        elif message["type"] == "points":
            self.points[ident] += len(message["points"])
            for point in message["points"]:
                self.values[ident].update(point["values"])

    def draw(self) -> None:
        """Show it: in place on a terminal, else a line for each job whose state or epoch has changed."""
        if self.live:
            lines = [_row(("framework", "model", "status", "epoch", "eta"), "points, newest values")]
            lines += [self._line(ident) for ident in self.jobs]
            back = f"\x1b[{self._drawn}A" if self._drawn else ""
            width = shutil.get_terminal_size().columns - 1  # a line that wraps would spoil the way back up
            sys.stdout.write(back + "".join(f"\x1b[2K{line[:width]}\n" for line in lines))
            self._drawn = len(lines)
        else:
            for ident, job in self.jobs.items():
                state = f"{job['status']} {_epoch(job)}"
                if state != self._printed[ident]:
                    self._printed[ident] = state
                    print(self._line(ident))
        sys.stdout.flush()

    def _line(self, ident: str) -> str:
        job = self.jobs[ident]
        eta = (job["progress"] or {}).get("eta_seconds")
        left = "" if eta is None or job["status"] in OVER else f"{float(eta):.0f} s"
        values = {**job["latest"], **self.values[ident]}
        shown = "  ".join(f"{key} {_number(values[key])}" for key in SHOWN if key in values)
        columns = (job["framework"], job["model"], job["status"], _epoch(job), left)
        return _row(columns, f"{self.points[ident]:>6}  {shown}")


def _row(columns: tuple[str, ...], rest: str) -> str:
    return " ".join(f"{text:<{width}}" for text, width in zip(columns, WIDTHS, strict=True)) + " " + rest


def _epoch(job: dict[str, Any]) -> str:
    progress = job["progress"]
    return f"{progress['epoch']}/{progress['epochs']}" if progress else ""


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4f}"


def follow(person: Person, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Show the jobs until all are over; their last state. A lost connection is taken up again."""
    table = JobTable(jobs)
    failures = 0
    while not table.over:
        try:
            with person.socket() as socket:
                for ident in table.jobs:
                    table.points[ident] = 0
                    socket.send(json.dumps({"op": "subscribe", "topic": f"job:{ident}"}))
                while not table.over:
                    table.take(json.loads(socket.recv(timeout=QUIET)))
                    table.draw()
        except TimeoutError:
            raise UnavailableError(f"Nothing was heard of the jobs for {QUIET} s.") from None
        except ConnectionClosed as error:
            failures += 1
            if failures > 10:
                raise UnavailableError(f"The live connection breaks again and again: {error}.") from error
            time.sleep(1)
    return list(table.jobs.values())
