"""In the import worker: brings the data onto this disk where it is not there yet, and reads it into a table."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from retinue_platform.workers import WAITING, wait_for_turn
from retinue_sdk import archive, formats
from retinue_sdk.api import Finding
from retinue_sdk.archive_names import safe_parts
from retinue_sdk.fetch import Policy, fetch
from retinue_sdk.formats.files import is_image, measure
from retinue_sdk.formats.report import Report
from retinue_sdk.places import Source, not_in_place
from retinue_sdk.remote import Brought, bring
from retinue_sdk.table import AnnotationTable, make_table
from retinue_sdk.video import VideoLimits, extract_frames, is_video

if TYPE_CHECKING:
    from retinue_platform.reporter import Reporter

_SECONDS = 1.0  # between two frames of a video, when nothing is said


@dataclass(frozen=True)
class Read:
    """What the data is: its format, why it was taken for that, its table, and what was found."""

    format: str
    why: str | None
    table: AnnotationTable
    findings: list[Finding]
    urls: dict[str, str] = field(default_factory=dict)  # of the files that are to stay where they are


def read(order: dict[str, Any], reporter: Reporter) -> Read:
    """The table of a folder, an archive, a video, or a single image that is to be added.

    A file that had to be brought is the order's `upload` from then on, under the `filename` it had.
    """
    folder = Path(order["folder"])
    folder.mkdir(parents=True)
    if order["source"] is not None:
        brought = _bring(order["source"], folder, reporter)
        reporter.begin(WAITING, 0.3)
        wait_for_turn()  # others may be read meanwhile
        if brought.path.is_dir():
            found = _read_folder(brought.path, brought.findings, order, reporter)
            return replace(found, urls=brought.urls) if order["request"].get("in_place") else found
        order |= {"upload": str(brought.path), "filename": brought.path.name}
        if order["request"].get("in_place"):
            raise not_in_place()
    upload, name, request = Path(order["upload"]), order["filename"], order["request"]
    if request.get("every") or request.get("seconds") or (not is_image(name) and is_video(upload)):
        return _read_video(upload, name, order, reporter)
    if order["parent"] is not None and is_image(name):
        return _read_image(upload, name, folder / "files")
    reporter.begin("unpacking", 0.4)
    limits = archive.Limits(total_bytes=order["unpacked_bytes"])
    root, findings = archive.unpack(upload, folder / "files" / _called(name), limits, reporter.progress, name)
    return _read_folder(root, findings, order, reporter)


def _bring(source: dict[str, Any], folder: Path, reporter: Reporter) -> Brought:
    """A source as a folder, or as a file under its own name."""
    if "policy" in source:
        reporter.begin("fetching", 0.3)
        got = fetch(source["url"], folder / "fetched" / "file", Policy(**source["policy"]), reporter.progress)
        (name,) = safe_parts(got.name, 1)
        return Brought((folder / "fetched" / "file").rename(folder / "fetched" / name), [], {})
    reporter.begin("copying", 0.3)
    places = [Source(**place) for place in source["places"]]
    limits = archive.Limits(total_bytes=source["largest"])
    return bring(source["url"], folder / "copied" / _called(source["url"]), places, limits, reporter.progress)


def _called(name: str) -> str:
    """What the folder of the data is called, for findings name it: as the file is, or the last part of the URL."""
    stem = PurePosixPath(name).stem.removesuffix(".tar")
    return stem if re.fullmatch(r"\w[\w .-]{0,49}", stem) else "data"


def _read_folder(root: Path, findings: list[Finding], order: dict[str, Any], reporter: Reporter) -> Read:
    reporter.begin("reading", 0.6)
    name, why = order["request"]["format"], None
    if name is None:
        name, confidence = formats.detect(root)
        why = formats.why(name, confidence)
    _, table, found = formats.read(root, name)
    return Read(name, why, table, [*findings, *found])


def _read_video(path: Path, filename: str, order: dict[str, Any], reporter: Reporter) -> Read:
    """Frames without annotations; all know the video as their group."""
    reporter.begin("frames", 0.6)
    every, seconds = order["request"].get("every"), order["request"].get("seconds")
    if every is None and seconds is None:
        seconds = _SECONDS
    frames, findings = extract_frames(
        path, Path(order["folder"]) / "files",
        every=every, seconds=seconds, name=Path(filename).stem,
        limits=VideoLimits(seconds=order["cpu_seconds"]), progress=reporter.progress,
    )  # fmt: skip
    columns = ("key", "path", "width", "height", "group", "attributes")
    table = make_table({name: [getattr(frame, name) for frame in frames] for name in columns}, {}, [])
    step = f"every {every}. frame" if every is not None else f"a frame every {seconds:g} s"
    return Read("video", f"It is a video, of which {step} was taken.", table, findings)


def _read_image(upload: Path, filename: str, folder: Path) -> Read:
    """One image without annotations, under its own name."""
    (key,) = safe_parts(filename, 1)
    folder.mkdir()
    shutil.copyfile(upload, folder / key)
    report = Report()
    table = make_table(measure(folder, [key], report).columns(), {}, [])
    return Read("image", None, table, report.findings())
