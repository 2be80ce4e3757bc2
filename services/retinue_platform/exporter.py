"""The worker that writes a dataset version in a format: `python -m retinue_platform.exporter`, started by `exports`.

Reads one line of JSON (its order) and answers with one: {"losses"} or {"problem"}. When the order asks for it, a zip of
what was written follows at once. It ends when its input does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import zipfile
from pathlib import Path
from typing import IO, Any

from retinue_platform.importer import end_with_input, limit, problem_of
from retinue_sdk import formats, store
from retinue_sdk.api import Finding
from retinue_sdk.formats.files import is_image, symlink
from retinue_sdk.schema import DatasetManifest


def main() -> None:
    """Do what the order says. Exit code 0 whenever an answer was given."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not speak into the answers
    orders = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115 - a file descriptor
    order = json.loads(orders.readline())
    threading.Thread(target=end_with_input, daemon=True).start()
    limit(order["memory_bytes"], order["cpu_seconds"])
    folder = Path(order["folder"])
    try:
        losses = [finding.model_dump(mode="json") for finding in write(order, folder)]
        _answer(answers, {"losses": losses})
    except Exception as error:  # noqa: BLE001 - the platform is told of every one, in the one shape
        _answer(answers, {"problem": problem_of(error, order).problem.model_dump(mode="json")})
        return
    if order["archive"]:
        pack(folder, answers)
    answers.close()


def write(order: dict[str, Any], folder: Path) -> list[Finding]:
    """Write the version into the folder, its images as links; the answer is what the format cannot hold."""
    table = store.load_version(DatasetManifest.model_validate(order["manifest"]))
    folder.mkdir(parents=True)
    return formats.writer(order["format"]).write(table, folder, symlink)


def pack(folder: Path, target: IO[bytes]) -> None:
    """A zip of all files below the folder, in order. Images are stored as they are: they are packed already."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            method = zipfile.ZIP_STORED if is_image(path.name) else zipfile.ZIP_DEFLATED
            archive.write(path, path.relative_to(folder).as_posix(), method)


def _answer(answers: IO[bytes], message: dict[str, Any]) -> None:
    answers.write(json.dumps(message).encode() + b"\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
