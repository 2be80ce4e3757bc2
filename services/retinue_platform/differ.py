"""The worker that compares two versions: forked by `forkserver` for `versions`.

Answers {"diff"} or {"problem"}. The tables are of any size, so they are not read into the platform's own memory.
"""

from __future__ import annotations

import json
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from retinue_platform.workers import take_order
from retinue_sdk.diff import KINDS, diff, read
from retinue_sdk.errors import RetinueError, UnavailableError

_ANNOTATIONS = {"added": "annotations_added", "removed": "annotations_removed", "modified": "annotations_changed"}


def main() -> None:
    """Do what the order says."""
    order, answers = take_order()
    try:
        answer: dict[str, Any] = {"diff": compare(Path(order["a"]), Path(order["b"]), order["limit"], order["offset"])}
    except Exception as error:  # noqa: BLE001 - the platform is told of every one, in the one shape
        answer = {"problem": _problem(error).problem.model_dump(mode="json")}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def compare(a: Path, b: Path, limit: int, offset: int) -> dict[str, Any]:
    """The counts, and a page of each list: what `VersionDiff` holds beside the two numbers."""
    with ThreadPoolExecutor(2) as pool:
        found = diff(*pool.map(read, (a, b)))
    return {
        "images": {kind: found.count(kind) for kind in KINDS},
        "annotations": {kind: found.count(column) for kind, column in _ANNOTATIONS.items()},
        "classes_added": found.classes_added,
        "classes_removed": found.classes_removed,
    } | {kind: found.page(kind, limit, offset) for kind in KINDS}


def _problem(error: Exception) -> RetinueError:
    if isinstance(error, RetinueError):
        return error
    traceback.print_exception(error, file=sys.stderr)
    return UnavailableError(
        "The two versions could not be compared.",
        code="comparison_failed",
        hint="Tell your administrator; the platform's log has the details. Large datasets need RETINUE_IMPORT_MEMORY_GB.",
    )
