"""The worker that makes a dataset version of what comes in: forked by `forkserver` for `imports`.

Answers {"stage", "progress"} while it works, then {"version"} or {"problem"}.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from retinue_platform.reading import read
from retinue_platform.reporter import Reporter
from retinue_platform.workers import gigabytes, problem_of, take_order
from retinue_sdk import merge, split, store
from retinue_sdk.api import VersionContent
from retinue_sdk.dataset import manifest
from retinue_sdk.elsewhere import read_objects
from retinue_sdk.errors import DataError, RetinueError
from retinue_sdk.formats.report import refuse_blocking
from retinue_sdk.store_gc import hold
from retinue_sdk.table import AnnotationTable


def main() -> None:
    """Do what the order says. Exit code 0 whenever an answer was given."""
    order, answers = take_order()
    os.nice(10)
    tempfile.tempdir = order["folder"]  # where readers put what they make: removed with it, and on one volume with it
    reporter = Reporter(answers)
    try:
        version = make_version(order, reporter)
        reporter.send({"version": version.model_dump(mode="json")})
    except Exception as error:  # noqa: BLE001 - the platform is told of every one, in the one shape
        reporter.send({"problem": told(error, order).problem.model_dump(mode="json")})


def make_version(order: dict[str, Any], reporter: Reporter) -> VersionContent:
    """Read what comes in, add it to the parent where there is one, split where the data brings none, publish to the store."""
    found = read(order, reporter)
    table, findings = found.table, list(found.findings)
    refuse_blocking(findings)
    reporter.begin("storing", 1.0)
    target, merged, away = Path(order["store"]), None, {}
    same_volume = target.stat().st_dev == Path(order["folder"]).stat().st_dev
    with hold(target):  # the parent's images stay until they are the new version's too
        if order["parent"] is None:
            table, rule = split.ensure(table, order["request"]["seed"])
        else:
            result = _merge(order, table)
            away = read_objects(target / "versions" / order["parent"])
            table, rule, merged = result.table, result.split_rule, result.counts
            findings += result.findings
        made = store.publish(table, target, reporter.progress, link=same_volume, urls=found.urls, away=away)
    return VersionContent(
        digest=made.digest,
        format=found.format,
        tasks=made.tasks,
        classes=made.classes,
        images=made.images,
        annotations=made.annotations,
        splits=made.splits,
        size_bytes=made.size_bytes,
        findings=findings,
        split_rule=rule,
        recognised=found.why,
        merged=merged,
        origin=order["origin"],
        elsewhere=made.elsewhere,
    )


def _merge(order: dict[str, Any], table: AnnotationTable) -> merge.Result:
    request, target = order["request"], Path(order["store"])
    base = store.load_version(manifest(target, order["parent"]), whole=False)
    return merge.merge(
        base, table, merge.Wish(request["classes"], request["conflict"], request["split"], request["seed"])
    )


def told(error: Exception, order: dict[str, Any]) -> RetinueError:
    """What a person is told of an error in an import."""
    if isinstance(error, RetinueError) and error.problem.where == Path(order.get("upload", "/")).name:
        # people know the file by that name
        error.problem = error.problem.model_copy(update={"where": order["filename"]})
    return problem_of(error, Path(order["folder"]).parent, _out_of_memory(order), _unforeseen(order))


def _out_of_memory(order: dict[str, Any]) -> RetinueError:
    return DataError(
        f"The import needs more than the {gigabytes(order)} of memory it may use.",
        code="import_out_of_memory",
        hint="Send the data in several datasets, or ask your administrator to raise RETINUE_IMPORT_MEMORY_GB.",
    )


def _unforeseen(order: dict[str, Any]) -> RetinueError:
    return DataError(
        "The import failed in a way nobody foresaw.",
        code="import_failed",
        hint="Tell your administrator; the platform's log has the details.",
        where=Path(order["folder"]).name,
    )
