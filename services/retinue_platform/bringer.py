"""The worker that gets the images of a version that stayed elsewhere: forked by `forkserver` for `bringing`.

Answers {"progress"} while it works, then {"brought"} or {"problem"}.
"""

from __future__ import annotations

import os
from pathlib import Path

from retinue_platform.importer import problem_of
from retinue_platform.reporter import Reporter
from retinue_platform.workers import take_order
from retinue_sdk import elsewhere
from retinue_sdk.places import Source


def main() -> None:
    """Do what the order says. Exit code 0 whenever an answer was given."""
    order, answers = take_order()
    os.nice(10)
    reporter = Reporter(answers)
    reporter.begin("bringing", 1.0)
    try:
        sources = [Source(**source) for source in order["sources"]]
        brought = elsewhere.bring(Path(order["store"]), order["digest"], sources, reporter.progress)
        reporter.send({"brought": brought})
    except Exception as error:  # noqa: BLE001 - the platform is told of every one, in the one shape
        reporter.send({"problem": problem_of(error, order).problem.model_dump(mode="json")})
