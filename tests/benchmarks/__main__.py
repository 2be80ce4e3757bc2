"""Run benchmarks by name; all of them when none is named."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys

from tests import benchmarks
from tests.benchmarks import Figure, show


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
    show(figures, as_json=args.json)
    sys.exit(any(f.holds is False for f in figures))


if __name__ == "__main__":
    main()
