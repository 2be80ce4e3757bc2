"""The worker that makes a dataset version of an upload: `python -m retinue_platform.importer`, started by `imports`.

Reads one line of JSON (its order) and answers with lines of JSON: {"stage", "progress"} while it works, then {"version"}
or {"problem"}. It handles strangers' files, so it limits itself before it looks at any, and ends when its input does.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import threading
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from retinue_sdk import archive, formats, split, store
from retinue_sdk.api import DatasetVersion
from retinue_sdk.errors import DataError, RetinueError
from retinue_sdk.formats.report import refuse_blocking

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
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a library that prints must not speak into the answers
    orders = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115 - a file descriptor
    order = json.loads(orders.readline())
    threading.Thread(target=end_with_input, daemon=True).start()
    limit(order["memory_bytes"], order["cpu_seconds"])
    tempfile.tempdir = order["folder"]  # where readers put what they make: removed with it, and on one volume with it
    reporter = Reporter(answers)
    try:
        version = make_version(order, reporter)
        reporter.send({"version": version.model_dump(mode="json")})
    except Exception as error:  # noqa: BLE001 - the platform is told of every one, in the one shape
        reporter.send({"problem": problem_of(error, order).problem.model_dump(mode="json")})


def make_version(order: dict[str, Any], reporter: Reporter) -> DatasetVersion:
    """Unpack, read, split where the data brings none, and publish to the store."""
    folder = Path(order["folder"])
    folder.mkdir(parents=True)
    reporter.begin("unpacking", 0.0, 0.3)
    root, unpacked = archive.unpack(Path(order["upload"]), folder / "files", progress=reporter.progress)
    reporter.begin("reading", 0.3, 0.6)
    name, table, read = formats.read(root, order["format"])
    findings = [*unpacked, *read]
    refuse_blocking(findings)
    table, rule = split.ensure(table, order["seed"])
    reporter.begin("storing", 0.6, 1.0)
    target = Path(order["store"])
    same_volume = target.stat().st_dev == folder.stat().st_dev
    made = store.publish(table, target, reporter.progress, link=same_volume)
    return DatasetVersion(
        number=1,
        digest=made.digest,
        format=name,
        tasks=made.tasks,
        classes=made.classes,
        images=made.images,
        annotations=made.annotations,
        splits=made.splits,
        size_bytes=made.size_bytes,
        findings=findings,
        split_rule=rule,
        created_at=datetime.now(UTC),
        created_by=order["created_by"],
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


def limit(memory_bytes: int, cpu_seconds: int) -> None:
    """Bound this process before it looks at strangers' files."""
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        _soft, hard = resource.getrlimit(what)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))
    os.nice(10)


def end_with_input() -> None:
    """The platform holds the other end: when it dies, however, so do we."""
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
