"""How a training process says why it failed: `failure.json` in its run directory, read by supervise.

A train module ends with `if __name__ == "__main__": run.main(train)`.
"""

from __future__ import annotations

import contextlib
import errno
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from retinue_sdk.files import write_json

ADVICE = {
    "oom": "Use a smaller batch, fewer loader workers, or more memory.",
    "cuda_oom": "Use a smaller batch or image size, or a GPU with more memory.",
    "disk_full": "Free some space on the volume of the run directories and start it again.",
    "import_error": "Install what is missing into the trainer's environment.",
    "nan_loss": "Use a lower learning rate, or switch off mixed precision.",
    "data_error": "Correct the dataset and start it again.",
    "failed": "The log shows where.",
}


def main(train: Callable[[Path], None]) -> None:
    """Run `train(run_dir)` of a train module: `python -m MODULE RUN_DIR`. An error becomes `failure.json` and exit code 1."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: python -m {getattr(sys.modules['__main__'].__spec__, 'name', 'MODULE')} RUN_DIR")
    run_dir = Path(sys.argv[1])
    try:
        train(run_dir)
    except Exception as error:  # noqa: BLE001  # whatever it was, it is the reason
        traceback.print_exc()
        with contextlib.suppress(OSError):
            write_json(run_dir / "failure.json", explain(error))
        sys.exit(1)


def explain(error: BaseException) -> dict[str, str]:
    """Reason and one sentence for an error of a training, without importing any framework."""
    text = str(error).strip()
    said = text.splitlines()[0] if text else "no message"
    problem = getattr(error, "problem", None)
    if problem is not None:  # one of ours: it says itself what is wrong and how to cure it
        reason = "nan_loss" if problem.code == "nan_loss" else "data_error" if problem.status == 422 else "failed"
        return {"reason": reason, "code": problem.code, "message": str(error)}
    reason = _reason(error, text)
    return {"reason": reason, "code": reason, "message": f"{type(error).__name__}: {said}. {ADVICE[reason]}"}


def _reason(error: BaseException, text: str) -> str:
    if isinstance(error, ImportError):
        return "import_error"
    if type(error).__name__ == "OutOfMemoryError" or "CUDA out of memory" in text:
        return "cuda_oom"
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        return "oom"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk_full"
    return "failed"
