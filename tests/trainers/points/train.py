"""One training of the points trainer: `python -m tests.trainers.points.train RUN_DIR`."""

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from retinue_sdk import run


def train(run_dir: Path) -> None:
    with run.Run(run_dir) as reporter:
        parameters = reporter.spec.parameters
        points, rate = parameters["points"], parameters["rate"]
        misbehave(parameters["fail"])
        per_epoch = max(1, points // 10)
        start = time.monotonic()
        for step in range(1, points + 1):
            epoch = 1 + (step - 1) // per_epoch
            reporter.metric(step, {"train/loss": math.exp(-step / points), "val/top1": step / points}, epoch)
            if step % per_epoch == 0:
                reporter.progress(epoch, 10, step, points, (points - step) / rate)
                if reporter.should_stop():
                    break
            if (wait := start + step / rate - time.monotonic()) > 0.001:
                time.sleep(wait)
        (run_dir / "weights.bin").write_bytes(b"points" * 100)
        reporter.checkpoint("last.bin", run_dir / "weights.bin", step)
        print(f"trained {step} points")


ENDS: dict[str, str | int] = {
    "exit": 7,
    "cuda_oom": "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
    "import": "ModuleNotFoundError: No module named 'nothing'",
    "nan": "the loss is nan at step 3",
}
SLEEPER = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"]


def misbehave(how: str) -> None:
    """What the tests of supervision need a training to do wrong; a real trainer has nothing like it."""
    if how in ENDS:
        sys.exit(ENDS[how])
    if how == "error":
        raise ValueError("the answer was not 42")
    if how == "memory":
        raise MemoryError("no more")
    if how == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif how == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif how == "grandchildren":
        grow_a_family()


def grow_a_family() -> None:
    """One child in our group, and one forked twice into a session of its own, that has forgotten who made it."""
    subprocess.Popen(SLEEPER)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve(sys.executable, SLEEPER, {})  # without the environment, only its parents tell
        os._exit(0)
    os.wait()


if __name__ == "__main__":
    run.main(train)
