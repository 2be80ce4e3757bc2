"""The worker that writes a dataset version in a format: forked by `forkserver` for `exports`.

Answers {"losses"} or {"problem"}, or {"formats"} when it is asked for those. When the order asks for it, a zip of what was written follows at once.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import IO, Any

from retinue_platform.workers import gigabytes, problem_of, take_order
from retinue_sdk import elsewhere, formats, store
from retinue_sdk.api import Finding
from retinue_sdk.disk import appearing
from retinue_sdk.errors import DataError, RetinueError
from retinue_sdk.formats.files import is_image, symlink
from retinue_sdk.places import Source
from retinue_sdk.schema import DatasetManifest
from retinue_sdk.store_gc import hold


def main() -> None:
    """Do what the order says."""
    order, answers = take_order()
    if "formats" in order:
        answers.write(json.dumps({"formats": installed()}) + "\n")
        answers.flush()
        return
    folder = Path(order["folder"]) / "files"
    with hold(Path(order["store"])):  # what is written links to images: they stay until they are packed
        answer = answer_of(order, folder)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if order["archive"] and "losses" in answer:
            pack(folder, answers.buffer)  # type: ignore[attr-defined]  # the bytes below a text stream
            answers.buffer.flush()  # type: ignore[attr-defined]


def installed() -> list[dict[str, Any]]:
    """The formats as `DatasetFormat` says them."""
    return [
        {"name": name, "title": form.TITLE, "writes": hasattr(form, "write")}
        for name, form in formats.all_formats().items()
    ]


def answer_of(order: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The losses once all is written, or the problem; then the folder is not there."""
    try:
        with appearing(folder) as place:
            return {"losses": [loss.model_dump(mode="json") for loss in write(order, place)]}
    except Exception as error:  # noqa: BLE001 - the platform is told of every one, in the one shape
        told = problem_of(error, folder.parent, _out_of_memory(order), _unforeseen(order))
        return {"problem": told.problem.model_dump(mode="json")}


def write(order: dict[str, Any], folder: Path) -> list[Finding]:
    """Write the version into the folder, its images as links; the answer is what the format cannot hold."""
    writer = formats.writer(order["format"])
    with_images = order["archive"] or getattr(writer, "READS_IMAGES", False)
    if with_images:  # those that stayed elsewhere too
        sources = [Source(**source) for source in order["sources"]]
        elsewhere.bring(Path(order["store"]), order["manifest"]["digest"], sources)
    table = store.load_version(DatasetManifest.model_validate(order["manifest"]), whole=with_images)
    return writer.write(table, folder, symlink)


def pack(folder: Path, target: IO[bytes]) -> None:
    """A zip of all files below the folder, in order. Images are stored as they are: they are packed already.

    Raises
    ------
    FileNotFoundError
        When a link leads nowhere.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(p for p in folder.rglob("*") if not p.is_dir()):
            method = zipfile.ZIP_STORED if is_image(path.name) else zipfile.ZIP_DEFLATED
            archive.write(path, path.relative_to(folder).as_posix(), method)


def _out_of_memory(order: dict[str, Any]) -> RetinueError:
    return DataError(
        f"The export needs more than the {gigabytes(order)} of memory it may use.",
        code="export_out_of_memory",
        hint="Choose another format, or ask your administrator to raise RETINUE_IMPORT_MEMORY_GB.",
        where=order["format"],
    )


def _unforeseen(order: dict[str, Any]) -> RetinueError:
    return DataError(
        "The export failed in a way nobody foresaw.",
        code="export_failed",
        hint="Tell your administrator; the platform's log has the details.",
        where=order["format"],
    )
