"""The list of a framework's models, made in a process of its own and served from a file.

`python -m retinue_sdk.trainer.catalogue MODULE:FUNCTION CACHE_FILE` imports the framework, the service never does.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import importlib.metadata
import importlib.util
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from retinue_sdk.files import read_json, write_json
from retinue_sdk.schema import ModelInfo, Task
from retinue_sdk.trainer import processes
from retinue_sdk.trainer.framework import Framework

log = logging.getLogger("retinue.catalogue")


def version_of(framework: Framework) -> str:
    """The installed version of the framework; empty when it is not installed."""
    try:
        return importlib.metadata.version(framework.distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


class Catalogue:
    """The cache file as the service sees it, and the child that writes it."""

    def __init__(self, framework: Framework, cache: Path) -> None:
        self.framework = framework
        self.path = cache / f"catalogue-{framework.name}-{version_of(framework) or 'missing'}.json"
        self.source = _fingerprint(framework.models)
        self.child: subprocess.Popen[bytes] | None = None
        self._seen: tuple[int, int] | None = None
        self._models: list[ModelInfo] = []
        self._complete = False

    def refresh(self) -> None:
        """Start the child while the cache is not complete. Call it from the main thread: the child dies with its parent."""
        if self.list()[0] or (self.child is not None and self.child.poll() is None):
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.child = subprocess.Popen(
            [sys.executable, "-m", "retinue_sdk.trainer.catalogue", self.framework.models, str(self.path)],
            env={**os.environ, **self.framework.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def close(self) -> None:
        """End the child."""
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait()

    def list(self, task: Task | None = None) -> tuple[bool, list[ModelInfo]]:
        """Whether the list is complete, and the models (of a task) known now."""
        self._load()
        return self._complete, [m for m in self._models if task is None or task in m.tasks]

    def get(self, name: str) -> ModelInfo | None:
        """One model."""
        return next((model for model in self.list()[1] if model.name == name), None)

    def _load(self) -> None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return
        if self._seen == (status.st_mtime_ns, status.st_ino):
            return
        content = read_json(self.path)
        try:
            models = [ModelInfo.model_validate(entry) for entry in content["models"]]
        except (TypeError, KeyError, ValueError):
            log.warning("%s is not a catalogue; it is made again", self.path)
            return
        self._seen = (status.st_mtime_ns, status.st_ino)
        self._models = models
        self._complete = bool(content.get("complete")) and content.get("source") == self.source


def _fingerprint(models: str) -> str:
    """Changes with the code that makes the list, so that an upgrade does not serve an old one as complete."""
    spec = importlib.util.find_spec(models.split(":", 1)[0])
    if spec is None or spec.origin is None:
        return ""
    return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()[:16]


def _write(path: Path, source: str, models: list[ModelInfo], *, complete: bool) -> None:
    content: dict[str, Any] = {"complete": complete, "source": source}
    write_json(path, {**content, "models": [model.model_dump(mode="json") for model in models]})


def main() -> None:
    """Make the list and write it after each growth. Dies with the service.

    The names are wanted at once; the details come at the lowest priority, beside the trainings.
    """
    if len(sys.argv) != 3:
        sys.exit("usage: python -m retinue_sdk.trainer.catalogue MODULE:FUNCTION CACHE_FILE")
    processes.prctl(processes.PR_SET_PDEATHSIG, signal.SIGKILL)
    name, path = sys.argv[1], Path(sys.argv[2])
    module, function = name.split(":", 1)
    source = _fingerprint(name)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several services with one cache, one does the work
        known = read_json(path) or {}
        if not (known.get("complete") and known.get("source") == source):
            _make(module, function, path, source)


def _make(module: str, function: str, path: Path, source: str) -> None:
    models: list[ModelInfo] = []
    for models in getattr(importlib.import_module(module), function)():
        _write(path, source, models, complete=False)
        os.nice(19)
    _write(path, source, models, complete=True)


if __name__ == "__main__":
    main()
