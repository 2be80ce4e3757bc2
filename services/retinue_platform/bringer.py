"""The worker that gets the images of a version that stayed elsewhere: forked by `forkserver` for `bringing`.

Answers {"progress"} while it works, then {"brought"} or {"problem"}.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from retinue_platform.reporter import Reporter
from retinue_platform.workers import gigabytes, problem_of, take_order
from retinue_sdk import elsewhere
from retinue_sdk.errors import DataError, RetinueError
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
        told = problem_of(error, Path(order["store"]), _out_of_memory(order), _unforeseen(order))
        reporter.send({"problem": told.problem.model_dump(mode="json")})


def _out_of_memory(order: dict[str, Any]) -> RetinueError:
    return DataError(
        f"Getting the images from their place needs more than the {gigabytes(order)} of memory it may use.",
        code="bringing_out_of_memory",
        hint="Ask your administrator to raise RETINUE_IMPORT_MEMORY_GB.",
        where=order["digest"],
    )


def _unforeseen(order: dict[str, Any]) -> RetinueError:
    return DataError(
        "Getting the images from their place failed in a way nobody foresaw.",
        code="bringing_failed",
        hint="Tell your administrator; the platform's log has the details.",
        where=order["digest"],
    )
