"""Kills processes of a running hub of its own during trainings, and compares three ledgers afterwards."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from hub_config.keys import key
from hub_config.processes import Marks
from hub_config.session import free_ports, running_hub
from hub_config.settings import HubSettings

from tests.faults import campaign, ends
from tests.faults.kills import percentile
from tests.faults.ledger import Difference, in_platform, written
from tests.faults.load import Load

VICTIMS = ("platform", "trainer points", "trainer ultralytics", "trainer timm", "trainer huggingface", "mlflow")
READY_GOAL = {"mlflow": 20.0}  # seconds, p95; 3 for all others


def run(victims: Sequence[str], kills: int, points: int) -> bool:
    """Kill each of these again and again, then a training, a supervise and the hub; whether a promise was broken."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        settings = HubSettings(
            data=folder / "data",
            port=free_ports(30_000),
            slots=4,
            extra_trainers={"points": "tests.trainers.points.service"},
        )
        os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
        with running_hub(settings, (folder / "output.txt").open("w"), exclusive=True) as hub, hub.admin() as admin:
            marks = Marks(key(settings.data / "secrets" / "instance"), settings.data)
            load = Load(settings, admin.token(), folder)
            broken = [_campaign(settings, marks, load, victim, kills, points) for victim in victims]
            broken += [
                _end(settings, load, "training", "failed", "killed"),
                _end(settings, load, "supervise", "lost", "lost"),
            ]
            broken.append(_hub(settings, hub, load))
    return any(broken)


def _campaign(settings: HubSettings, marks: Marks, load: Load, victim: str, kills: int, points: int) -> bool:
    outcome = campaign.run(settings, marks, load, victim, kills, points)
    late = percentile(outcome.ready, 0.95) > READY_GOAL.get(victim, 3.0)
    print(outcome, "" if outcome.clean and not late else "BROKEN", *outcome.disturbed, flush=True)
    return late or not outcome.clean


def _end(settings: HubSettings, load: Load, which: str, status: str, reason: str) -> bool:
    over, seconds = ends.after_kill(settings, load, "points", which, points=100_000, rate=100)
    broken = (over["status"], over["reason"]) != (status, reason) or seconds > 5
    print(f"kill -9 of {which}: {over['status']}, {over['reason']}, after {seconds:.2f} s", "BROKEN" if broken else "")
    return broken


def _hub(settings: HubSettings, hub: object, load: Load) -> bool:
    """Kill JupyterHub itself in the middle of a job, start it again, and find everything."""
    job = load.start("points", points=6000, rate=200)
    load.wait_points(job)
    os.kill(hub.hub_pid, signal.SIGKILL)  # type: ignore[attr-defined]  # a RunningHub
    hub.process.wait(60)  # type: ignore[attr-defined]
    started = time.monotonic()
    hub.start()  # type: ignore[attr-defined]
    back = time.monotonic() - started
    over = load.wait(job)
    difference = Difference.between(written(settings, over), in_platform(load.client, over))
    broken = over["status"] != "succeeded" or difference != Difference(0, 0)
    print(
        f"kill -9 of the hub: back after {back:.1f} s, job {over['status']}, {difference}", "BROKEN" if broken else ""
    )
    return broken
