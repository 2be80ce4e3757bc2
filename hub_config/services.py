"""The managed services of the embedded hub: platform, trainers and MLflow, each under the keeper.

The hub hands a service nothing of its own environment, so all of it is written here; secrets travel as files.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from hub_config.settings import HubSettings

# Of MLflow's own features, off: running jobs on request, its assistant, and reporting home.
MLFLOW_SAFETY = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_REMOTE_ASSISTANT": "false",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_SERVER_JOB_ENABLE_PERIODIC_TASKS": "false",
}
# What the operator may set of the platform; the rest is worked out here.
PLATFORM_SETTINGS = (
    "RETINUE_DATABASE_URL",
    "RETINUE_FETCH_HOSTS",
    "RETINUE_FETCH_NETWORKS",
    "RETINUE_IMPORT_MEMORY_GB",
    "RETINUE_IMPORT_SECONDS",
    "RETINUE_IMPORT_WORKERS",
    "RETINUE_SOURCES",
    "RETINUE_TRASH_DAYS",
    "RETINUE_UPLOAD_LIMIT_GB",
)


def make_services(settings: HubSettings, trainer_token_file: Path) -> list[dict[str, Any]]:
    """What `c.JupyterHub.services` is set to. Trainers and MLflow have no `url`: with one they would be on the proxy."""
    return [
        _platform(settings, trainer_token_file),
        *(_trainer(settings, name, url, trainer_token_file) for name, url in settings.trainers.items()),
        _mlflow(settings),
    ]


def _kept(lock: Path, *command: str) -> list[str]:
    return [sys.executable, "-m", "retinue_sdk.keeper", "--lock", str(lock), "--", *command]


def _common(settings: HubSettings) -> dict[str, str]:
    return {
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONUNBUFFERED": "1",
        "RETINUE_CACHE": str(settings.cache),
        "RETINUE_INSTANCE": settings.instance,
    }


def _platform(settings: HubSettings, token_file: Path) -> dict[str, Any]:
    environment = {
        **_common(settings),
        "RETINUE_DATA": str(settings.data),
        "RETINUE_MLFLOW_URL": settings.mlflow_url,
        "RETINUE_PLATFORM_HOST": "127.0.0.1",
        "RETINUE_PLATFORM_PORT": str(settings.port + 3),
        "RETINUE_PREFIX": "/services/retinue",
        "RETINUE_SLOTS": str(settings.slots),
        "RETINUE_TRAINERS": json.dumps(settings.trainers),
        "RETINUE_TRAINER_TOKEN_FILE": str(token_file),
    }
    environment |= {name: os.environ[name] for name in PLATFORM_SETTINGS if name in os.environ}
    return {
        "name": "retinue",
        "url": f"http://127.0.0.1:{settings.port + 3}",
        "display": False,
        "timeout": 60,  # the hub exits when a service with a url is later than this
        "command": _kept(settings.data / "platform", sys.executable, "-m", "retinue_platform"),
        "environment": environment,
    }


def _trainer(settings: HubSettings, name: str, url: str, token_file: Path) -> dict[str, Any]:
    folder = settings.data / "trainers" / name
    environment = {
        **_common(settings),
        "RETINUE_TRAINER_HOST": "127.0.0.1",
        "RETINUE_TRAINER_PORT": url.rpartition(":")[2],
        "RETINUE_TRAINER_ROOTS": str(settings.data / "store"),
        "RETINUE_TRAINER_RUNS": str(folder / "runs"),
        "RETINUE_TRAINER_SLOTS": str(settings.slots),
        "RETINUE_TRAINER_STOP_JOBS_ON_EXIT": "true",
        "RETINUE_TRAINER_TOKEN_FILE": str(token_file),
    }
    for variable in (
        "CUDA_VISIBLE_DEVICES",
        "HF_HOME",
        "HF_HUB_OFFLINE",
        "PYTHONPATH",
        "RETINUE_WEIGHTS",
        "TORCH_HOME",
    ):
        if variable in os.environ:
            environment[variable] = os.environ[variable]
    module = settings.extra_trainers.get(name, f"retinue_{name}.service")
    command = _kept(folder, sys.executable, "-m", module)
    return {"name": f"retinue-{name}", "display": False, "command": command, "environment": environment}


def _mlflow(settings: HubSettings) -> dict[str, Any]:
    folder = settings.data / "mlflow"
    address = settings.mlflow_url.removeprefix("http://")
    command = _kept(
        folder, sys.executable, "-m", "mlflow", "server",
        "--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder / "artifacts"),
        "--allowed-hosts", address, "--cors-allowed-origins", settings.mlflow_url,
    )  # fmt: skip
    environment = {**_common(settings), **MLFLOW_SAFETY}
    return {
        "name": "retinue-mlflow",
        "display": False,
        "command": command,
        "environment": environment,
        "cwd": str(folder),
    }
