"""What Retinue costs a training: the same one bare and through the platform, in ABBA order, in one run.

Figures per framework: the median ratio of epoch times with its 95 % interval, and the seconds from `POST /jobs` to the
first optimiser step beyond those of the bare command.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hub_config.session import free_ports, running_hub
from hub_config.settings import HubSettings

from retinue_sdk.schema import Task
from tests.benchmarks import Figure, median_interval
from tests.faults.load import RECIPES, Load

BARE = Path(__file__).with_name("bare.py")
EPOCH_SECONDS = 22.0  # or more takes an epoch, on any machine: its images are sized for that
LARGER: dict[str, dict[str, Any]] = {  # the recipes, one epoch at larger sizes
    "ultralytics": {"epochs": 1, "imgsz": 160, "plots": False},
    "timm": {"epochs": 1, "image_size": 160, "warmup_epochs": 0},
    "huggingface": {"epochs": 1, "image_size": 256, "warmup_epochs": 0},
}


def run(arguments: list[str]) -> list[Figure]:
    """Measure; `--pairs N` and `--only FRAMEWORK` shorten it."""
    parser = argparse.ArgumentParser(prog="overhead")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--only", choices=sorted(LARGER), action="append")
    args = parser.parse_args(arguments)
    figures: list[Figure] = []
    with stack() as s:
        for framework in args.only or LARGER:
            figures += measure(s, framework, args.pairs)
    return figures


@contextlib.contextmanager
def stack() -> Iterator[SimpleNamespace]:
    """The embedded hub with everything, its catalogues complete, so that it idles beside the bare arm."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        settings = HubSettings(data=folder / "data", port=free_ports(31_000), slots=1)
        with running_hub(settings, (folder / "output.txt").open("w"), exclusive=True) as hub, hub.admin() as admin:
            load = Load(settings, admin.token(), folder)
            while not all(t["complete"] for t in load.client.get("/models")["trainers"]):
                time.sleep(2)
            yield SimpleNamespace(settings=settings, load=load, folder=folder)


def measure(s: SimpleNamespace, framework: str, pairs: int) -> list[Figure]:
    """All pairs of one framework."""
    changes = sized(s, framework)
    epochs: dict[str, list[float]] = {"bare": [], "retinue": []}
    firsts: dict[str, list[float]] = {"bare": [], "retinue": []}
    for pair in range(pairs):
        for arm in ("bare", "retinue") if pair % 2 == 0 else ("retinue", "bare"):
            begun, stamps = bare(s, framework) if arm == "bare" else through(s, framework, changes)
            epochs[arm].append(stamps[-1] - stamps[0])
            firsts[arm].append(stamps[0] - begun)
            line = f"{framework} pair {pair + 1} {arm}: epoch {epochs[arm][-1]:.2f} s, first step after {firsts[arm][-1]:.2f} s"
            print(line, file=sys.stderr, flush=True)
    ratios = [ours / theirs for ours, theirs in zip(epochs["retinue"], epochs["bare"], strict=True)]
    beyond = [ours - theirs for ours, theirs in zip(firsts["retinue"], firsts["bare"], strict=True)]
    peer = f"bare {framework}: epoch {statistics.median(epochs['bare']):.1f} s"
    return [
        _figure(f"overhead {framework}: ratio of epoch times", ratios, "", 1.02, peer),
        _figure(f"overhead {framework}: start beyond the bare command's", beyond, "s", 1.0, peer),
    ]


def sized(s: SimpleNamespace, framework: str) -> dict[str, Any]:
    """The recipe's changes for epochs of EPOCH_SECONDS, by one uncounted training, after which both arms find warm caches."""
    changes = LARGER[framework]
    _, stamps = through(s, framework, changes)
    name = "imgsz" if "imgsz" in changes else "image_size"
    wanted = changes[name] * math.sqrt(EPOCH_SECONDS / (stamps[-1] - stamps[0]))
    size = math.ceil(wanted / 32) * 32  # as ultralytics wants them
    print(f"{framework}: images of {size} pixels", file=sys.stderr, flush=True)
    return {**changes, name: size}


def _figure(name: str, values: list[float], unit: str, goal: float, peer: str) -> Figure:
    median, low, high = median_interval(values)
    return Figure(name, median, unit, goal, "less", f"95 % [{low:.3f}, {high:.3f}], n={len(values)}", peer)


def through(s: SimpleNamespace, framework: str, changes: dict[str, Any]) -> tuple[float, list[float]]:
    """The platform's arm: when it was asked for, and the time of each optimiser step."""
    begun = time.time()
    job = s.load.start(framework, **changes)
    # nobody asks ten times a second: that would be measured too
    over = s.load.wait(job, "succeeded", timeout=600, every=3)
    s.view = s.settings.data / "trainers" / framework / "runs" / over["id"] / str(over["attempt"]) / "dataset"
    s.parameters = over["parameters"]
    series = s.load.client.get(f"/jobs/{over['id']}/metrics", max_points=0, keys="train/loss")["series"][0]
    return begun, [datetime.fromisoformat(t).timestamp() for t in series["time"]]


def bare(s: SimpleNamespace, framework: str) -> tuple[float, list[float]]:
    """The bare arm, on the very files that the platform's arm last trained on."""
    for cache in s.view.glob(
        "*.cache"
    ):  # ultralytics' list of checked images: a bare command would have to make it too
        cache.unlink()
    with tempfile.TemporaryDirectory() as work:
        recipe = json.loads((RECIPES / f"digits-{framework}.json").read_text())
        settings = {
            "framework": framework, "model": recipe["model"], "view": str(s.view), "work": work, "seed": 0,
            "parameters": (parameters := defaults(framework, recipe["model"]) | s.parameters),
            "arguments": arguments(parameters) if framework == "ultralytics" else {},
            "folders": {"classes": [str(n) for n in range(10)], "images": {}, "findings": []},
        }  # fmt: skip
        (Path(work) / "settings.json").write_text(json.dumps(settings))
        environment = {**os.environ, "YOLO_CONFIG_DIR": work, "YOLO_OFFLINE": "true", "OMP_WAIT_POLICY": "PASSIVE"}
        command = [sys.executable, str(BARE), str(Path(work) / "settings.json")]
        begun = time.time()
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=work)
        assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.rpartition("\n")[2])
    return begun + said["ours"], said["stamps"]


def defaults(framework: str, model: str) -> dict[str, Any]:
    """The trainer's own defaults: both arms train with the same settings."""
    import importlib

    spec = importlib.import_module(f"retinue_{framework}.spec")
    values: dict[str, Any] = spec.defaults(Task.CLASSIFY, model)
    return values


def arguments(parameters: dict[str, Any]) -> dict[str, Any]:
    """The same in ultralytics' words."""
    from retinue_ultralytics import spec

    return spec.arguments(parameters)
