"""Starts the process that reads, notes what it says, and starts another one where it was killed."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.worker import SECONDS, Progress


@dataclass(frozen=True)
class Failure:
    """A case that failed; `files` is the folder its files are in, empty for one of a kind that is there already."""

    reader: str
    seed: int
    case: int
    what: str
    files: str = ""


def run(readers: Sequence[str], goal: int, seed: int, out: Path) -> tuple[dict[str, Progress], list[Failure]]:
    """Send so many fragments to each reader."""
    left = {name: Progress(name) for name in readers}
    done: dict[str, Progress] = {}
    failures: list[Failure] = []
    while left:
        with tempfile.TemporaryDirectory(prefix="retinue-fuzz-") as folder:
            said = {"readers": [asdict(p) for p in left.values()], "goal": goal, "seed": seed, "folder": folder}
            command = [sys.executable, "-m", "tests.fuzz.worker", json.dumps(said)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                for line in process.stdout or ():
                    message = json.loads(line)
                    if "done" in message:
                        progress = Progress(**message["done"])
                        done[progress.reader] = left.pop(progress.reader) and progress
                    elif message.pop("smaller"):
                        _keep(message, out)
                    else:
                        failures.append(Failure(**{**message, "files": _keep(message, out)}))
            if left and process.returncode == 0:
                raise AssertionError("the process ended without all of its readers")
            if left:
                failures += _killed(process.returncode, Path(folder) / "state", left, done, seed)
    return done, failures


def _killed(status: int, state: Path, left: dict[str, Progress], done: dict[str, Progress], seed: int) -> list[Failure]:
    """The case that ended the process, unless it is told already; the next process goes on behind it."""
    said = json.loads(state.read_text()) if state.exists() and state.stat().st_size else None
    if said is None or status > 0:  # it never began, or ended itself: the next one would, too
        name = next(iter(left))
        done[name] = left.pop(name)
        return [Failure(name, seed, -1, f"the process ended with {status}")]
    progress = Progress(**said["progress"])
    late = f": more than {SECONDS} s of processor" if -status == signal.SIGPROF else ""
    failure = Failure(progress.reader, seed, progress.case, f"killed by signal {-status}{late}")
    progress.case += 1
    progress.fragments += 1
    left[progress.reader] = progress
    return [] if said["told"] else [failure]


def _keep(message: dict[str, Any], out: Path) -> str:
    """Write the files of a failure into a folder of its own, in place of those that were there; its path."""
    if message["files"] is None:
        return ""
    folder = out / f"{message['reader']}-{message['seed']}-{message['case']}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = sorted(message["files"])
    (folder / "FAILURE.txt").write_text(f"{message['what']}\n{names}\n", encoding="utf-8", errors="backslashreplace")
    for name, content in message["files"].items():
        path = folder / "data" / name
        with contextlib.suppress(OSError, UnicodeError):  # a name that the seed's folder could not have either
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes.fromhex(content or ""))
    return str(folder)
