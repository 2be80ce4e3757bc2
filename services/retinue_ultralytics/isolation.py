"""Keeps ultralytics to itself: no network, no installing, no telemetry, no integrations, a configuration of its own."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

ENVIRONMENT = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "ULTRALYTICS_SAFE_LOAD": "1"}
INTEGRATIONS = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")


def isolate(config: Path) -> None:
    """Prepare this process for importing ultralytics, with `config` as its configuration folder, and import it."""
    os.environ.update(ENVIRONMENT, YOLO_CONFIG_DIR=str(config))
    os.environ.pop("ULTRALYTICS_API_KEY", None)
    _put_fonts(config / "Ultralytics")  # the name ultralytics adds itself

    from ultralytics import settings  # noqa: PLC0415 - reads the environment above when imported

    settings.update(
        sync=False,
        api_key="",
        vscode_msg=False,
        weights_dir=str(config / "weights"),
        datasets_dir=str(config / "datasets"),
        runs_dir=str(config / "runs"),
        **dict.fromkeys(INTEGRATIONS, False),
    )


def _put_fonts(folder: Path) -> None:
    """Plots look for Arial there and download it otherwise; matplotlib brings a free font."""
    folder.mkdir(parents=True, exist_ok=True)
    package = find_spec("matplotlib")
    if package is None or not package.submodule_search_locations:
        return
    font = Path(next(iter(package.submodule_search_locations))) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(font)
