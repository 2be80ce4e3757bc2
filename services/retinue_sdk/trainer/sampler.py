"""What an attempt uses of the machine: one line of system.jsonl a sample, appended by supervise only."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from retinue_sdk.follow import last_seq
from retinue_sdk.trainer.processes import descendants


class Sampler:
    """Sums processor time and memory over the training process and all of its descendants."""

    def __init__(self, run_dir: Path, pid: int) -> None:
        self.path = run_dir / "system.jsonl"
        self.pid = pid
        self.known: dict[int, psutil.Process] = {}
        self.seq = last_seq(self.path)
        self.nvml = _nvml()

    def sample(self) -> None:
        """Append one sample. A full disk or a vanished process only costs the sample."""
        cpu, memory = 0.0, 0
        alive: dict[int, psutil.Process] = {}
        for pid in [self.pid, *descendants(self.pid)]:
            try:
                process = self.known.get(pid) or psutil.Process(pid)
                with process.oneshot():
                    cpu += process.cpu_percent()  # since this process's last sample; 0 the first time
                    memory += process.memory_info().rss
            except psutil.Error:
                continue
            alive[pid] = process
        self.known = alive
        event = {
            "seq": self.seq + 1,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "type": "system",
            "cpu_percent": round(cpu, 1),
            "memory_bytes": memory,
            "gpus": _gpus(self.nvml),
        }
        with contextlib.suppress(OSError):
            self._append(json.dumps(event, separators=(",", ":")).encode() + b"\n")

    def _append(self, line: bytes) -> None:
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(file).st_size
            if os.write(file, line) == len(line):
                self.seq += 1
            else:
                os.ftruncate(file, size)
        finally:
            os.close(file)


def _nvml() -> Any:
    """NVIDIA's management library, where there is a GPU and Python bindings for it."""
    if not Path("/dev/nvidiactl").exists():
        return None
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
    except Exception:  # noqa: BLE001  # no driver, no bindings: no GPU figures
        return None
    return nvml


def _gpus(nvml: Any) -> list[dict[str, float]]:
    if nvml is None:
        return []
    found = []
    try:
        for index in range(nvml.nvmlDeviceGetCount()):
            device = nvml.nvmlDeviceGetHandleByIndex(index)
            memory = nvml.nvmlDeviceGetMemoryInfo(device)
            busy = nvml.nvmlDeviceGetUtilizationRates(device).gpu
            found.append(
                {"index": index, "percent": busy, "memory_bytes": memory.used, "memory_total_bytes": memory.total}
            )
    except nvml.NVMLError:
        return found
    return found
