"""Killing one service of a hub, as a power cut would: SIGKILL to its whole process group, then wait until it answers."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
from hub_config.keys import key
from hub_config.processes import Marks, belonging
from hub_config.start import probes

from tests.trainers.harness import plain_client

# what a keeper's command line holds behind its `--`
COMMANDS = {"platform": "retinue_platform", "mlflow": "mlflow"}


def command_of(settings: Any, victim: str) -> str:
    """The module that runs as this service."""
    name = victim.removeprefix("trainer ")
    return COMMANDS.get(victim) or settings.extra_trainers.get(name) or f"retinue_{name}.service"


def service(marks: Marks, module: str) -> psutil.Process:
    """The process of a service: the child of the keeper that was told to run the module."""
    for process in belonging(marks, descendants=False):
        try:
            words = process.cmdline()
            kept = words[words.index("--") + 1 :] if "retinue_sdk.keeper" in words else []
            if module in kept and process.children():
                return process.children()[0]
        except (psutil.Error, ValueError):
            continue
    raise AssertionError(f"no process runs {module}")


@contextlib.contextmanager
def stopped(process: psutil.Process) -> Iterator[None]:
    """Without this service, and with its keeper kept from starting another."""
    keeper = psutil.Process(process.ppid())
    keeper.suspend()
    try:
        os.killpg(process.pid, signal.SIGKILL)
        yield
    finally:
        keeper.resume()


def kill(settings: Any, marks: Marks, victim: str, timeout: float = 60) -> float:
    """Kill the service's group; the seconds until it is ready again."""
    process = service(marks, command_of(settings, victim))
    url = probes(settings)[victim]
    token = {"Authorization": f"Bearer {key(settings.trainer_token_file)}"} if victim.startswith("trainer ") else {}
    started = time.monotonic()
    os.killpg(os.getpgid(process.pid), signal.SIGKILL)
    process.wait(5)
    with plain_client(timeout=1) as client:
        while time.monotonic() - started < timeout:
            try:
                if client.get(url, headers=token).status_code == httpx.codes.OK:
                    return time.monotonic() - started
            except httpx.HTTPError:
                pass
            time.sleep(0.02)
    raise AssertionError(f"{victim} was not back after {timeout:.0f} s")


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 1).__int__() - 1)]
