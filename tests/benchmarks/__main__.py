"""Run benchmarks by name; all of them when none is named."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import pkgutil
import sys

from tests import benchmarks
from tests.benchmarks import Figure

HOLDS = {True: "yes", False: "NO", None: ""}


def main() -> None:
    """Print the figures of the benchmarks named; exit 1 when a goal is missed."""
    names = sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name not in ("bare", "__main__"))
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    args, rest = parser.parse_known_args()
    figures: list[Figure] = []
    for name in args.names or names:
        figures += importlib.import_module(f"tests.benchmarks.{name}").run(rest)
    if args.json:
        print(json.dumps([{**dataclasses.asdict(f), "holds": f.holds} for f in figures], indent=1))
    else:
        for f in figures:
            goal = "" if f.goal is None else f"{'<=' if f.better == 'less' else '>='} {f.goal:g}"
            print(f"{f.figure:58} {f.value:10.4g} {f.unit:6} {goal:9} {HOLDS[f.holds]:3} {f.spread}  {f.peer}")
    sys.exit(any(f.holds is False for f in figures))


if __name__ == "__main__":
    main()
