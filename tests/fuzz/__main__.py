"""Fuzz the readers of datasets; all of them when none is named. Exit status 1 when one of them fails."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from retinue_sdk import formats
from tests.fuzz.campaign import Failure, run

ROW = "{:17} {:>9} fragments in {:>6} calls {:7.1f} s, slowest call {:6.2f} s, peak {:5} MB, {} failures"


def main() -> None:
    """Print a line for each reader, and each failure with the folder its files are in."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", metavar="READER", help=f"one of {', '.join(formats.all_formats())}")
    parser.add_argument("--fragments", type=int, default=100_000, help="of each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of lines")
    parser.add_argument("--out", type=Path, help="where the files of failures go; a temporary folder by default")
    args = parser.parse_args()
    out = args.out or Path(tempfile.mkdtemp(prefix="retinue-fuzz-"))
    results = []
    for name in args.readers or formats.all_formats():
        progress, failures = run([name], args.fragments, args.seed, out)
        results.append({**asdict(progress[name]), "failures": [asdict(failure) for failure in failures]})
        if not args.json:
            done = progress[name]
            print(
                ROW.format(name, done.fragments, done.case, done.seconds, done.slowest, done.peak >> 20, len(failures)),
                flush=True,
            )
            for line in _distinct(failures):
                print(line, flush=True)
    if args.json:
        print(json.dumps(results, indent=1))
    sys.exit(any(result["failures"] for result in results))


def _distinct(failures: list[Failure]) -> list[str]:
    """Each kind of failure once, with how often it came."""
    first: dict[str, Failure] = {}
    counts: dict[str, int] = {}
    for failure in failures:
        kind = failure.what.partition("\n")[0]
        first.setdefault(kind, failure)
        counts[kind] = counts.get(kind, 0) + 1
    return [f"    {counts[kind]} x {f.what!r} case {f.case} {f.files}" for kind, f in first.items()]


if __name__ == "__main__":
    main()
