"""A process that reads cases within limits: 2 GB more than it begins with, and 60 s of processor for a call.

It prints a line of JSON for each failure and at the end of each reader, and keeps a file with where it is: who finds it dead
knows the case that killed it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from random import Random

from retinue_sdk import formats
from tests.fuzz import checks
from tests.fuzz.cases import Case, Seed, case, placed
from tests.fuzz.seeds import seeds
from tests.fuzz.shrink import shrink

SECONDS = 60
BYTES = 2 << 30
SPARE = 1 << 30  # of address space beyond that: what is only reserved costs nothing; the resident size is what counts
SAMPLED, CONVERTED = 0.1, 0.02  # of the tables are kept as NDJSON, and written in some other format


@dataclass
class Progress:
    """How far a reader is."""

    reader: str
    case: int = 0
    fragments: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    slowest_case: int = 0
    peak: int = 0  # bytes resident


def run(progress: Progress, goal: int, seed: int, folder: Path, state: int) -> None:
    """Read cases until there were so many fragments."""
    started, before = time.perf_counter(), progress.seconds
    name = progress.reader
    found = [Seed.of(name, root) for root in seeds(name, folder / name)]
    if not found:
        raise LookupError(f"{name} has no writer; add a seed for it to tests/fuzz/seeds.py")
    known: set[str] = set()
    _limit()
    while progress.fragments < goal:
        made = case(found, f"{seed} {name} {progress.case}")
        _note(state, progress)
        clock = time.process_time()
        failed = _failure(name, found, made, folder, f"{seed} {name} {progress.case}")
        spent = time.process_time() - clock
        progress.peak = max(progress.peak, _peak())
        if _peak() > BYTES:
            failed = failed or f"more than {BYTES >> 30} GB of memory"
            _forget_peak()
        if spent > progress.slowest:
            progress.slowest, progress.slowest_case = spent, progress.case
        if failed:
            kind = failed.partition("\n")[0]
            _report(progress, seed, failed, made.content if kind not in known else None)
            if kind not in known:  # told before it is cut down, which may end this process
                _note(state, progress, told=True)
                _report(progress, seed, failed, _small(name, found, made, folder, failed), smaller=True)
            known.add(kind)
        progress.case += 1
        progress.fragments += made.fragments
        progress.seconds = before + time.perf_counter() - started
    print(json.dumps({"done": asdict(progress)}), flush=True)


def _note(state: int, progress: Progress, *, told: bool = False) -> None:
    """Write down where this process is; `told` when the failure of this case has been reported."""
    os.pwrite(state, json.dumps({"told": told, "progress": asdict(progress)}).ljust(400).encode(), 0)


def _failure(name: str, found: list[Seed], made: Case, folder: Path, number: str) -> str:
    """What is wrong, where in our code it was noticed first; empty when all is well."""
    random = Random(f"{number} checks")
    seed = next(one for one in found if one.root == made.seed)
    with placed(seed, made.content) as root:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            table = checks.read(name, root)
            signal.setitimer(signal.ITIMER_PROF, 0)
            if table is not None and random.random() < SAMPLED:
                checks.kept(table, folder / "again")
            if table is not None and random.random() < CONVERTED:
                checks.written(random.choice(_writers()), table, folder / "other")
        except Exception as error:  # noqa: BLE001 - which one it is, is what we want to know
            return _said(error)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    return ""


@cache
def _writers() -> list[str]:
    return [name for name, form in formats.all_formats().items() if hasattr(form, "write")]


def _said(error: Exception) -> str:
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if "retinue_sdk" in f.filename or "fuzz/checks" in f.filename
    ]
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].name}" if frames else "outside"
    return f"{type(error).__name__} at {place}\n{str(error)[:500]}"


def _small(name: str, found: list[Seed], made: Case, folder: Path, failed: str) -> dict[str, bytes | None]:
    """The files of a case that fails the same way, as short as is cheap to find."""

    def fails(content: dict[str, bytes | None]) -> bool:
        again = _failure(name, found, Case(made.seed, content, 1), folder, f"{failed} again")
        return again.partition("\n")[0] == failed.partition("\n")[0]

    return shrink(made.content, fails)


def _report(
    progress: Progress, seed: int, failed: str, content: dict[str, bytes | None] | None, *, smaller: bool = False
) -> None:
    """A failure with its files; `smaller` for the files of one that was told already."""
    files = None if content is None else {name: data if data is None else data.hex() for name, data in content.items()}
    said = {"reader": progress.reader, "seed": seed, "case": progress.case, "what": failed, "files": files}
    print(json.dumps({**said, "smaller": smaller}), flush=True)


def _limit() -> None:
    status = Path("/proc/self/status").read_text()
    size = int(status.partition("VmSize:")[2].split()[0]) << 10
    resource.setrlimit(resource.RLIMIT_AS, (size + BYTES + SPARE, resource.getrlimit(resource.RLIMIT_AS)[1]))
    _forget_peak()


def _forget_peak() -> None:
    """The peak begins anew: it is that of one reader, and one that is too high is told once."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def main() -> None:
    """Arguments: a JSON object with progress, goal, seed and folder."""
    said = json.loads(sys.argv[1])
    warnings.simplefilter("error", RuntimeWarning)  # a number that overflowed, or nothing that was divided by
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    folder = Path(said["folder"])
    state = os.open(folder / "state", os.O_RDWR | os.O_CREAT)
    for progress in said["readers"]:
        run(Progress(**progress), said["goal"], said["seed"], folder, state)


if __name__ == "__main__":
    main()
