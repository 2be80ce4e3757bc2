"""Send every case of the corpus in every way, and measure; exit status 1 when an answer is not as expected, or late."""

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
import warnings
from functools import cache
from pathlib import Path

from tests.corpus.cases import Case, cases
from tests.corpus.ways import Answer, World, misses, order_of

SECONDS, ARCHIVE_SECONDS, BOMB_SECONDS, BOMB_MB = 2, 10, 2, 200
LIMITED = ["prlimit", f"--as={2 << 30}", "--cpu=60"]
BOMBS = (
    "08_", "09_", "10_", "11_", "46_", "55_", "61_yaml_text-deep", "61_yaml_text-fifty", "63_coco_root-two", "70_", "73_coco_json-deep", "74_",
)  # fmt: skip
GOOD = Case("", "a good one", {"base": "yolo_detect", "outcome": "imported"})


@dataclasses.dataclass
class Line:
    """What came of one case in one way."""

    row: str
    case: str
    way: str
    seconds: float
    megabytes: float | None  # that a worker's memory grew by, for bombs
    misses: list[str]


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.corpus", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="which rows, such as 8 or 35-79; all by default")
    parser.add_argument("--ways", nargs="*", default=["worker", "http", "sdk", "magic"], help="which of these ways")
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", "Duplicate name")
    chosen = [case for case in cases() if not args.rows or any(_is_row(case, text) for text in args.rows)]
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            lines = [line for case in chosen for line in _sent(world, case, args)]
            left = world.left_behind() + (
                ["a traceback in the log"] if "Traceback" in world.platform.read_log() else []
            )
        finally:
            world.close()
    if args.json:
        print(json.dumps([dataclasses.asdict(line) for line in lines], indent=1))
    missed = [line for line in lines if line.misses]
    slowest = max(lines, key=lambda line: line.seconds)
    print(
        f"{len(lines)} answers to {len(chosen)} cases, {len(missed)} not as expected, left behind: {left or 'nothing'}; "
        f"the slowest {slowest.seconds:.2f} s ({slowest.row} {slowest.case}, {slowest.way})",
        file=sys.stderr,
    )
    sys.exit(bool(missed or left))


def _is_row(case, text):
    first, _, last = text.partition("-")
    return int(first) <= int(case.row[:2]) <= int(last or first)


def _sent(world, case, args):
    """The lines of a case, each printed as it comes."""
    bomb = str(case).startswith(BOMBS)
    for way in args.ways:
        if way == "worker" and bomb:
            answer, grown = _in_worker(case)
            late = ARCHIVE_SECONDS if "large" in case.says else BOMB_SECONDS
        elif way in case.ways:
            answer, grown = getattr(world, way)(case), None
            late = ARCHIVE_SECONDS if "into" not in case.says or "large" in case.says else SECONDS
        else:
            continue
        found = misses(case, answer)
        if not found and answer.seconds > late:  # once more: other work of this machine is no fault of ours
            answer = _in_worker(case)[0] if grown is not None else getattr(world, way)(case)
        if answer.seconds > late:
            found.append(f"after {answer.seconds:.1f} s, not {late}")
        if grown is not None and grown > BOMB_MB:
            found.append(f"{grown:.0f} MB of memory, not {BOMB_MB}")
        line = Line(case.row, case.name, way, round(answer.seconds, 3), grown, found)
        if not args.json:
            memory = "" if grown is None else f"{grown:.0f} MB"
            holds = "; ".join(found) or "yes"
            print(f"{line.row:26} {line.case:40} {way:6} {line.seconds:6.2f} s {memory:>7} {holds}", flush=True)
        yield line


def _in_worker(case):
    """The answer of a limited worker, and by how many MB its memory grew over what a good dataset takes."""
    answer, peak = _worker(case)
    return answer, round(peak - _usual(), 1)


@cache
def _usual():
    return _worker(GOOD)[1]


def _worker(case):
    with tempfile.TemporaryDirectory() as folder:
        order = json.dumps(order_of(case, Path(folder))) + "\n"
        began = time.monotonic()
        with subprocess.Popen(
            [*LIMITED, sys.executable, "-m", "tests.corpus.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            process.stdin.write(order)
            process.stdin.flush()  # it stays open: its end is the worker's
            last = process.stdout.readlines()[-1]
            seconds = time.monotonic() - began
            peak = int(process.stderr.read().splitlines()[-1]) / 1024
    said = json.loads(last)
    return Answer(said.get("problem"), said.get("version"), seconds=seconds), peak


if __name__ == "__main__":
    main()
