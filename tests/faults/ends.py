"""Deaths that a job must show: of its training process, of its supervise, and of the hub (which it must not)."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil

from tests.faults.load import Load


def run_folder(settings: Any, job: dict[str, Any]) -> Path:
    """The run directory of the job's newest attempt."""
    runs: Path = settings.data / "trainers" / job["framework"] / "runs"
    return runs / job["id"] / str(job["attempt"])


def processes(settings: Any, job: dict[str, Any]) -> tuple[psutil.Process, psutil.Process]:
    """The job's supervise and the head of its training's group, as supervise has recorded them."""
    known = json.loads((run_folder(settings, job) / "process.json").read_text())
    training = psutil.Process(known["group"]["pid"])
    supervise = psutil.Process(known["supervise"]["pid"])
    assert "retinue_sdk.trainer.supervise" in supervise.cmdline()
    return supervise, training


def after_kill(
    settings: Any, load: Load, framework: str, which: str, **parameters: Any
) -> tuple[dict[str, Any], float]:
    """Kill "training" or "supervise" of a running job; the job at its end and how long that took to show."""
    job = load.start(framework, **parameters)
    load.wait_points(job)
    supervise, training = processes(settings, load.get(job))
    victim = training if which == "training" else supervise
    started = time.monotonic()
    os.kill(victim.pid, signal.SIGKILL)
    over = load.wait(job, "failed", "lost", "succeeded", "cancelled", timeout=60)
    shown = time.monotonic() - started
    psutil.wait_procs([supervise, training], timeout=10)
    assert not training.is_running() or training.status() == psutil.STATUS_ZOMBIE, "the training outlived its job"
    return over, shown
