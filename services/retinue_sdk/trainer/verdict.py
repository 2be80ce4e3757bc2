"""Why an attempt is over: a pure function of how its process ended and what it left behind."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import Any

from retinue_sdk.failure import ADVICE, FULL_DISK, FULL_DISK_EXIT

# Only the end of a log counts: libraries print handled errors all the time.
_PATTERNS = [
    ("cuda_oom", re.compile(r"CUDA out of memory|OutOfMemoryError: CUDA|CUDA error: out of memory")),
    ("disk_full", FULL_DISK),
    ("oom", re.compile(r"^MemoryError|Cannot allocate memory|can't allocate memory|std::bad_alloc", re.MULTILINE)),
    ("import_error", re.compile(r"^(ModuleNotFoundError|ImportError): ", re.MULTILINE)),
    ("nan_loss", re.compile(r"loss (is|became|=) *(nan|inf)|nan loss|non-finite loss", re.IGNORECASE)),
]
_SAID = {
    "cuda_oom": "The GPU ran out of memory.",
    "disk_full": "The disk became full.",
    "oom": "The training ran out of memory.",
    "import_error": "A Python package is missing in the trainer.",
    "nan_loss": "The loss became NaN.",
}
_KILLERS = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}
_TAIL_LINES = 30


@dataclass(frozen=True)
class Ending:
    """How the training process ended. `stopped` is what supervise itself had been asked for, or nothing."""

    exit_code: int | None
    signal: int | None
    stopped: str | None  # "cancelled", "timeout", or "terminated" when SIGTERM came without a cancel
    failure: dict[str, Any] | None
    log_tail: str
    oom_killed: bool  # the kernel counted an out-of-memory kill meanwhile
    time_limit: int | None = None
    cancel_message: str | None = None


def judge(end: Ending) -> tuple[str, str]:
    """Reason and message (one sentence each for cause and cure)."""
    if end.stopped:
        return _stopped(end)
    if end.exit_code == 0:
        return "succeeded", "Finished."
    if end.failure and end.exit_code is not None:
        return str(end.failure["reason"]), str(end.failure["message"])
    if end.signal == signal.SIGKILL and end.oom_killed:
        return "oom", f"The kernel killed the training because memory ran out. {ADVICE['oom']}"
    if end.signal in _KILLERS:
        return "killed", f"The training process was killed by {_name(end.signal)}. Start it again."
    return _from_log(end)


def _stopped(end: Ending) -> tuple[str, str]:
    """Supervise ended it: what it had been asked for is the reason, however the process took it."""
    if end.stopped == "cancelled":
        return "cancelled", end.cancel_message or "Cancelled as asked."
    if end.stopped == "timeout":
        return "timeout", f"The time limit of {end.time_limit} s was reached. Allow more time, or train less."
    return "killed", "The supervising process was told to end (SIGTERM) by someone else. Start it again."


def _from_log(end: Ending) -> tuple[str, str]:
    lines = [line for line in end.log_tail.splitlines() if line.strip()][-_TAIL_LINES:]
    for reason, pattern in _PATTERNS:
        if pattern.search("\n".join(lines)) or (reason == "disk_full" and end.exit_code == FULL_DISK_EXIT):
            return reason, f"{_SAID[reason]} {ADVICE[reason]}"
    how = f"by {_name(end.signal)}" if end.signal else f"with exit code {end.exit_code}"
    last = f" Its last line: {lines[-1].strip()[:300]}" if lines else ""
    return "failed", f"The training process ended {how}. {ADVICE['failed']}{last}"


def _name(number: int | None) -> str:
    try:
        return signal.Signals(number or 0).name
    except ValueError:
        return f"signal {number}"
