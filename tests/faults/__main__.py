"""The fault runs, `make faults`: all of them when none is named; exit status 1 when a promise is broken."""

from __future__ import annotations

import argparse
import importlib
import sys
import warnings

from tests.benchmarks import Figure, show
from tests.faults.services import VICTIMS
from tests.faults.services import run as kill_services

# each a module here with `run() -> list[Figure]`
DATA = {
    "life": "F23, the life of datasets: 20,000 random steps and kills",
    "upload": "F24, 2 GB and 100 kills",
    "imports": "F25, 50 kills of the import worker",
    "full_disk": "F15, 40 full disks",
}


def main() -> None:
    """Print the figures of the runs named."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    said = ", ".join(f"{name} ({what})" for name, what in DATA.items())
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"a service to be killed ({', '.join(VICTIMS)}), or {said}"
    )
    parser.add_argument("--kills", type=int, default=20, help="of each service")
    parser.add_argument("--points", type=int, default=20_000, help="metric points in flight at least")
    parser.add_argument("--json", action="store_true", help="print the figures about data as a JSON list")
    args = parser.parse_args()
    names = args.names or [*VICTIMS, *DATA]
    if unknown := set(names) - set(VICTIMS) - set(DATA):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    warnings.simplefilter("ignore")
    victims = [name for name in names if name in VICTIMS]
    broken = kill_services(victims, args.kills, args.points) if victims else False
    figures: list[Figure] = []
    for name in names:
        if name in DATA:
            figures += importlib.import_module(f"tests.faults.{name}").run()
    show(figures, as_json=args.json)
    sys.exit(broken or any(f.holds is False for f in figures))


if __name__ == "__main__":
    main()
