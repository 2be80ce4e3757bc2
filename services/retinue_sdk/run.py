"""The training side of a run directory: append an event and go on.

Reporting is one local write, at most 20 microseconds a point, and no error of it ever reaches the training. With
`NullRun` the same script runs by hand. `follow` reads what `Run` writes.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from retinue_sdk.failure import main
from retinue_sdk.files import copy_whole, describe, write_manifest
from retinue_sdk.follow import follow, last_seq
from retinue_sdk.names import LONGEST_PATH

if TYPE_CHECKING:
    from retinue_sdk.schema import TrainRequest

__all__ = ["NullRun", "Run", "follow", "main"]

ArtifactKind = Literal["checkpoint", "plot", "report", "export", "predictions"]
_INFINITY = float("inf")
# Made once: making it costs more than using it. Not ASCII, so that half a surrogate pair fails here, not at each reader.
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode


def _number(value: Any) -> float | int | str:
    """A number as the wire has it: JSON knows neither NaN nor infinity. Tensors and numpy scalars become floats."""
    if type(value) is int:
        return value
    number = float(value)
    if number != number:  # noqa: PLR0124  # NaN is what differs from itself; cheaper than a call
        return "NaN"
    if number in (_INFINITY, -_INFINITY):
        return "Infinity" if number > 0 else "-Infinity"
    return number


class Run:
    """One attempt's run directory, open for reporting. Thread-safe; only one process of an attempt may report.

    A training that is over without its newest checkpoints is no success: leaving the `with` block says so.
    """

    def __init__(self, run_dir: str | Path) -> None:
        self.path = Path(run_dir)
        self._lock = threading.Lock()
        self._told: set[str] = set()
        self._unkept: dict[str, OSError] = {}  # checkpoints whose newest state could not be written
        self._stop = self.path / "stop_after_epoch"
        self._fd = -1
        self._seq = 0
        self._size = 0
        try:
            self._open()
        except OSError as error:
            self._tell(f"events cannot be written: {error}")

    @cached_property
    def spec(self) -> TrainRequest:
        """The request this attempt was started with."""
        from retinue_sdk.schema import TrainRequest  # noqa: PLC0415  # pydantic is not needed to report

        return TrainRequest.model_validate_json((self.path / "spec.json").read_bytes())

    def metric(self, step: int, values: Mapping[str, Any], epoch: int | None = None) -> None:
        """Report values of metrics at a step: `run.metric(120, {"train/loss": 0.42}, epoch=3)`."""
        try:
            fields = {
                "step": int(step),
                "epoch": epoch if epoch is None else int(epoch),
                "values": {key: _number(value) for key, value in values.items()},
            }
        except Exception as error:  # noqa: BLE001  # nothing a value does may end a training
            self._tell(f"a metric was left out: {error}")
            return
        self._append("metric", fields)

    def progress(self, epoch: int, epochs: int, step: int, steps: int, eta_seconds: float | None = None) -> None:
        """Report how far the training is."""
        fields = {"epoch": epoch, "epochs": epochs, "step": step, "steps": steps, "eta_seconds": eta_seconds}
        self._append("progress", fields)

    def warning(self, code: str, message: str) -> None:
        """Tell the person something that does not end the training."""
        self._append("warning", {"code": code, "message": message})

    def image(self, key: str, step: int, path: str | Path, predictions: list[dict[str, Any]]) -> None:
        """Report sample predictions on the fixed image `key`, drawn or stored at `path` under the run directory."""
        self._append("image", {"key": key, "step": step, "path": str(path), "predictions": predictions})

    def artifact(self, path: str | Path, kind: ArtifactKind, name: str | None = None, step: int | None = None) -> None:
        """Report a file or folder that lies under the run directory; its sha256 goes into a manifest beside it."""
        try:
            whole = self.path / path
            relative = whole.relative_to(self.path)
            if ".." in relative.parts:
                raise ValueError("it is not under the run directory")  # noqa: TRY301  # said like every other cause
            if len(str(relative)) > LONGEST_PATH:
                raise ValueError(f"its path has more than {LONGEST_PATH} characters")  # noqa: TRY301  # the same
            size, digest, files = describe(whole)
            write_manifest(whole, {"kind": kind, "step": step, "size": size, "sha256": digest, "files": files})
        except (OSError, ValueError) as error:
            self._fail("artifact_failed", f"{path} could not be recorded: {error}")
            return
        fields = {"name": name or relative.name, "kind": kind, "path": str(relative)}
        self._append("artifact", {**fields, "size": size, "sha256": digest, "step": step})

    def checkpoint(self, name: str, source_path: str | Path, step: int) -> None:
        """Keep a copy of a file or folder as checkpoint `name`, whole or not at all, and report it."""
        try:
            copy_whole(Path(source_path), self.path / "checkpoints" / name)
        except OSError as error:
            self._fail("checkpoint_failed", f"Checkpoint {name} could not be kept: {error}")
            self._unkept[name] = error
            return
        self._unkept.pop(name, None)
        self.artifact(Path("checkpoints") / name, "checkpoint", name, step)

    def should_stop(self) -> bool:
        """Whether someone asked to stop after this epoch, keeping results. Ask at the end of each epoch."""
        return self._stop.exists()

    def close(self) -> None:
        """Close the file. Later reports are left out with a line on stderr."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if kind is None and self._unkept:
            raise next(iter(self._unkept.values()))

    def _open(self) -> None:
        """Open for appending, after the last complete line: what a process wrote half before it died is cut off."""
        path = self.path / "events.jsonl"
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._fd).st_size
        end = self._size
        while end:
            start = max(0, end - 65536)
            newline = os.pread(self._fd, end - start, start).rfind(b"\n")
            end = start + newline + 1 if newline >= 0 else start
            if newline >= 0:
                break
        if end != self._size:
            os.ftruncate(self._fd, end)
            self._size = end
        self._seq = last_seq(path)

    def _append(self, kind: str, fields: dict[str, Any]) -> None:
        try:
            with self._lock:
                event = {
                    "seq": self._seq + 1,
                    "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                    "type": kind,
                    **fields,
                }
                line = _encode(event).encode() + b"\n"
                written = os.write(self._fd, line)
                if written < len(line):  # the disk is full: no torn line stays, and the seq is used again
                    os.ftruncate(self._fd, self._size)
                    self._tell("the disk is full: events are left out")
                    return
                self._seq += 1
                self._size += written
        except Exception as error:  # noqa: BLE001  # a reporting error never reaches the training
            self._tell(f"an event was left out: {error}")

    def _fail(self, code: str, message: str) -> None:
        self._tell(message)
        self.warning(code, message)

    def _tell(self, message: str) -> None:
        """Say a thing once on stderr, which is the attempt's log."""
        if message not in self._told and len(self._told) < 100:
            self._told.add(message)
            print(f"retinue: {message}", file=sys.stderr, flush=True)  # noqa: T201  # stderr is the log


class NullRun(Run):
    """The same interface, doing nothing: for running a training script by hand."""

    def __init__(self, run_dir: str | Path = ".", spec: TrainRequest | None = None) -> None:
        self.path = Path(run_dir)
        self._unkept = {}
        if spec is not None:
            self.spec = spec

    def _append(self, kind: str, fields: dict[str, Any]) -> None:
        """Leave it out."""

    def artifact(self, path: str | Path, kind: ArtifactKind, name: str | None = None, step: int | None = None) -> None:
        """Leave it out."""

    def checkpoint(self, name: str, source_path: str | Path, step: int) -> None:
        """Leave it out."""

    def metric(self, step: int, values: Mapping[str, Any], epoch: int | None = None) -> None:
        """Leave it out."""

    def should_stop(self) -> bool:
        """Nobody can ask."""
        return False

    def close(self) -> None:
        """Nothing is open."""
