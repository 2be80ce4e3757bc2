"""The worker that makes a dataset version of an upload: `python -m retinue_platform.importer`, started by `imports`.

Answers {"stage", "progress"} while it works, then {"version"} or {"problem"}.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from retinue_platform.workers import take_order
from retinue_sdk import archive, formats, merge, split, store
from retinue_sdk.api import Finding, VersionContent
from retinue_sdk.archive_names import safe_parts
from retinue_sdk.dataset import manifest
from retinue_sdk.errors import DataError, RetinueError
from retinue_sdk.formats.files import is_image, measure
from retinue_sdk.formats.report import Report, refuse_blocking
from retinue_sdk.store_gc import hold
from retinue_sdk.table import AnnotationTable, make_table

_REPORT_SECONDS = 0.5


class Reporter:
    """Progress over all stages, as lines, at most two a second within a stage."""

    def __init__(self, out: IO[str]) -> None:
        self.out = out
        self.stage = ""
        self._from, self._share, self._last = 0.0, 0.0, 0.0

    def begin(self, stage: str, start: float, end: float) -> None:
        """A stage takes the progress from `start` to `end`."""
        self.stage, self._from, self._share = stage, start, end - start
        self._last = 0.0
        self.progress(0.0)

    def progress(self, part: float) -> None:
        """How much of the stage is done, 0 to 1."""
        now = time.monotonic()
        if now - self._last >= _REPORT_SECONDS:
            self._last = now
            self.send({"stage": self.stage, "progress": round(self._from + self._share * min(part, 1.0), 3)})

    def send(self, message: dict[str, Any]) -> None:
        """One line."""
        self.out.write(json.dumps(message) + "\n")
        self.out.flush()


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
        reporter.send({"problem": problem_of(error, order).problem.model_dump(mode="json")})


def make_version(order: dict[str, Any], reporter: Reporter) -> VersionContent:
    """Read the upload, add it to the parent where there is one, split where the data brings none, publish to the store."""
    read = _read(order, reporter)
    table, findings = read.table, list(read.findings)
    refuse_blocking(findings)
    reporter.begin("storing", 0.6, 1.0)
    target, merged = Path(order["store"]), None
    same_volume = target.stat().st_dev == Path(order["folder"]).stat().st_dev
    with hold(target):  # the parent's images stay until they are the new version's too
        if order["parent"] is None:
            table, rule = split.ensure(table, order["request"]["seed"])
        else:
            result = _merge(order, table)
            table, rule, merged = result.table, result.split_rule, result.counts
            findings += result.findings
        made = store.publish(table, target, reporter.progress, link=same_volume)
    return VersionContent(
        digest=made.digest,
        format=read.format,
        tasks=made.tasks,
        classes=made.classes,
        images=made.images,
        annotations=made.annotations,
        splits=made.splits,
        size_bytes=made.size_bytes,
        findings=findings,
        split_rule=rule,
        recognised=read.why,
        merged=merged,
    )


@dataclass(frozen=True)
class Read:
    """What an upload is: its format, why it was taken for that, its table, and what was found."""

    format: str
    why: str | None
    table: AnnotationTable
    findings: list[Finding]


def _read(order: dict[str, Any], reporter: Reporter) -> Read:
    """The format, the table and the findings of an archive, or of a single image that is to be added."""
    folder, upload = Path(order["folder"]), Path(order["upload"])
    folder.mkdir(parents=True)
    if order["parent"] is not None and is_image(order["filename"]):
        return _read_image(upload, order["filename"], folder / "files")
    reporter.begin("unpacking", 0.0, 0.3)
    root, unpacked = archive.unpack(upload, folder / "files", progress=reporter.progress, name=order["filename"])
    reporter.begin("reading", 0.3, 0.6)
    name, why = order["request"]["format"], None
    if name is None:
        name, confidence = formats.detect(root)
        why = formats.why(name, confidence)
    _, table, read = formats.read(root, name)
    return Read(name, why, table, [*unpacked, *read])


def _read_image(upload: Path, filename: str, folder: Path) -> Read:
    """One image without annotations, under its own name."""
    (key,) = safe_parts(filename, 1)
    folder.mkdir()
    shutil.copyfile(upload, folder / key)
    report = Report()
    table = make_table(measure(folder, [key], report).columns(), {}, [])
    return Read("image", None, table, report.findings())


def _merge(order: dict[str, Any], table: AnnotationTable) -> merge.Result:
    request, target = order["request"], Path(order["store"])
    base = store.load_version(manifest(target, order["parent"]))
    return merge.merge(
        base, table, merge.Wish(request["classes"], request["conflict"], request["split"], request["seed"])
    )


def problem_of(error: Exception, order: dict[str, Any]) -> RetinueError:
    """What a person is told of an error in a worker."""
    if isinstance(error, RetinueError):
        if error.problem.where == Path(order.get("upload", "/")).name:  # people know the file by its own name
            error.problem = error.problem.model_copy(update={"where": order["filename"]})
        return error
    if isinstance(error, MemoryError):
        return DataError(
            f"This needs more than the {order['memory_bytes'] / 1024**3:.0f} GiB of memory it may use.",
            code="import_out_of_memory",
            hint="Send the data in several datasets, or ask your administrator to raise RETINUE_IMPORT_MEMORY_GB.",
        )
    traceback.print_exception(error, file=sys.stderr)
    return DataError(
        "This failed in a way nobody foresaw.",
        code="import_failed",
        hint="Tell your administrator; the platform's log has the details.",
        where=order["folder"].rpartition("/")[2],
    )


if __name__ == "__main__":
    main()
