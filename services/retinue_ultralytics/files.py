"""What ultralytics' installed files and the operator's weights folder tell, without importing ultralytics."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from retinue_sdk.errors import UnavailableError
from retinue_sdk.schema import Task

# By a model file's last layer. Other heads (segment, pose, RT-DETR, open vocabulary) need trainers of their own.
_HEADS = {"Classify": Task.CLASSIFY, "Detect": Task.DETECT, "v10Detect": Task.DETECT}
_FAMILY = re.compile(r"^(yolov?\d+)(.*)$")


class Architecture(NamedTuple):
    """One model that can be trained: `name` + ".yaml" is what ultralytics is asked for."""

    name: str
    task: Task
    input_size: int


@cache
def package() -> Path:
    """The folder of the installed ultralytics."""
    spec = find_spec("ultralytics")
    if spec is None or not spec.submodule_search_locations:
        raise UnavailableError(
            "ultralytics is not installed in this trainer.", hint='Run: pip install "retinue[ultralytics]"'
        )
    return Path(next(iter(spec.submodule_search_locations)))


@cache
def architectures() -> tuple[Architecture, ...]:
    """Every architecture of ultralytics' `cfg/models` that we train, one per scale, newest family first."""
    folder = package() / "cfg" / "models"
    found = [a for file in sorted(folder.glob("*/*.yaml")) for a in _read(file)]
    return tuple(sorted(found, key=lambda a: (-_generation(a.name), a.name)))


def read_yaml(file: Path) -> Any:
    """What a file of ultralytics' holds. By libyaml where it is there: each training reads all models before it begins."""
    return yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe


def input_size(task: Task, name: str) -> int:
    """The side that a model is meant for; P6 models have one more level of the pyramid."""
    if task is Task.CLASSIFY:
        return 224
    return 1280 if "-p6" in name else 640


def weights(name: str) -> Path | None:
    """The operator's weights of a model, if there are any: `$RETINUE_WEIGHTS/ultralytics/<name>.pt`."""
    folder = os.environ.get("RETINUE_WEIGHTS")
    file = Path(folder) / "ultralytics" / f"{name}.pt" if folder else None
    return file if file and file.is_file() else None


def _read(file: Path) -> Iterator[Architecture]:
    model: dict[str, Any] = read_yaml(file)
    task = _HEADS.get(model["head"][-1][2])
    layers = {layer[2] for layer in model["backbone"]}
    if task is None or "TorchVision" in layers:  # a torchvision backbone downloads its weights
        return
    sizes_itself = "ResNetLayer" in layers
    for scale in [""] if sizes_itself else model.get("scales") or [""]:
        name = _scaled(file.stem, scale)
        yield Architecture(name, task, input_size(task, name))


def _scaled(stem: str, scale: str) -> str:
    """`yolov8-ghost-p2` and `n` give `yolov8n-ghost-p2`; a file that is of one scale keeps its name."""
    family = _FAMILY.match(stem)
    if not family or not scale or family[2].startswith(scale):
        return stem
    return f"{family[1]}{scale}{family[2]}"


def _generation(name: str) -> int:
    number = re.search(r"\d+", name)
    return int(number[0]) if number else 0
