"""How a training process says why it failed: `failure.json` in its run directory, read by supervise.

A train module ends with `if __name__ == "__main__": run.main(train)`.
"""

from __future__ import annotations

import contextlib
import errno
import re
import shutil
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

FULL_DISK_EXIT = errno.ENOSPC  # exit code of a training that met a full disk: failure.json may not fit on it either
FULL_DISK = re.compile(
    r"No space left on device|Disk quota exceeded|PytorchStreamWriter failed|inline_container.cc.*unexpected pos"
)


def main(train: Callable[[Path], None]) -> None:
    """Run `train(run_dir)` of a train module: `python -m MODULE RUN_DIR`. An error becomes `failure.json` and exit code 1."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: python -m {getattr(sys.modules['__main__'].__spec__, 'name', 'MODULE')} RUN_DIR")
    run_dir = Path(sys.argv[1])
    try:
        train(run_dir)
    except Exception as error:  # noqa: BLE001  # whatever it was, it is the reason
        with contextlib.suppress(OSError):
            traceback.print_exc()
        said = explain(error)
        with contextlib.suppress(OSError):
            write_json(run_dir / "failure.json", said)
        sys.exit(FULL_DISK_EXIT if said["reason"] == "disk_full" else 1)


def full_volume(run_dir: Path) -> str:
    """What a person is told of a full disk: the volume, what is free, and the largest file that has to fit on it."""
    folders = [folder for folder in run_dir.iterdir() if folder.name != "dataset"]  # whose links may be many
    largest = max((path.lstat().st_size for folder in folders for path in [folder, *folder.rglob("*")]), default=0)
    free = shutil.disk_usage(run_dir).free
    needed = f"a file of this training needs {largest} or more, at least {max(largest - free, 1)} are missing"
    return f"The volume of {run_dir} is full: {free} bytes are free; {needed}. {ADVICE['disk_full']}"


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
    if (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)) or FULL_DISK.search(text):
        return "disk_full"
    return "failed"
