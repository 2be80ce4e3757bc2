"""Exports of Label Studio: the tasks in them, the image each is about, and the results that hold for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from retinue_sdk.formats.image_names import ImageNames
from retinue_sdk.formats.json_files import finite, items, mapping, text
from retinue_sdk.formats.report import Report

_UPLOADED = re.compile(r"[0-9a-f]{8}-")  # what Label Studio puts before the name of an uploaded file
FIRST_AFTER_RESULTS = "annotator"  # in JSON-MIN results stand between the task's id and this


@dataclass(frozen=True)
class Result:
    """One result of an annotation."""

    id: str
    tool: str  # the control tag it was made with
    value: Mapping[str, Any]
    size: tuple[float | None, float | None]  # of the image it was made on, as written
    rotation: float  # of that image
    parent: str
    meta: Mapping[str, Any]


def tasks_of(document: Any) -> list[dict[str, Any]]:
    """The tasks in a document: a list of them, one alone, or one annotation with its task."""
    if isinstance(document, dict) and isinstance(document.get("task"), dict) and "result" in document:
        return [{**document["task"], "annotations": [document]}]
    return [task for task in (document if isinstance(document, list) else [document]) if isinstance(task, dict)]


def is_task(task: Mapping[str, Any]) -> bool:
    """Whether this is a task, in full or as in JSON-MIN."""
    full = isinstance(task.get("data"), dict) and ("annotations" in task or "completions" in task)
    return full or FIRST_AFTER_RESULTS in task


def data_of(task: Mapping[str, Any]) -> dict[str, Any]:
    """What a task is about: an image and more."""
    if isinstance(task.get("data"), dict):
        return dict(task["data"])
    keys = list(task)
    return {key: task[key] for key in keys[: keys.index("id") if "id" in keys else len(keys)]}


def image_of(task: Mapping[str, Any], names: ImageNames, where: str, report: Report) -> tuple[str | None, str]:
    """The image that is meant, by its file name, and the key of the data that says so."""
    data = {key: value for key, value in data_of(task).items() if isinstance(value, str)}
    for key, value in [*data.items(), ("", text(task.get("file_upload")))]:
        name = _file_of(value)
        found = names.find(name) if name else None
        bare = _UPLOADED.sub("", name.rpartition("/")[2], count=1)
        if found is None and bare and (found := names.find(bare)):
            report.add("image_matched_by_name", where, value)
        if found:
            return found, key
    report.add("image_missing", where, next(iter(data.values()), ""))
    return None, ""


def results_of(task: Mapping[str, Any], where: str, report: Report) -> list[Result]:
    """The results of the first annotation that was not cancelled."""
    if task.get("predictions"):
        report.add("predictions_ignored", where)
    if "annotations" not in task and "completions" not in task:
        return list(_short(task))
    found = [mapping(a) for a in items(task.get("annotations", task.get("completions")))]
    valid = [a for a in found if a.get("was_cancelled") is not True]
    if len(found) > 1:
        report.add("annotation_other", where, f"{len(found)} annotations")
    return [_result(r, f"#{i}") for i, r in enumerate(items(valid[0].get("result")))] if valid else []


def _result(result: Any, number: str) -> Result:
    said = mapping(result)
    return Result(
        text(said.get("id")) or number,
        text(said.get("from_name")) or text(said.get("type")),
        mapping(said.get("value")),
        (finite(said.get("original_width")), finite(said.get("original_height"))),
        finite(said.get("image_rotation")) or 0.0,
        text(said.get("parentID")),
        mapping(said.get("meta")),
    )


def _short(task: Mapping[str, Any]) -> Iterator[Result]:
    """The results of a task in JSON-MIN: values by control tag; a single choice is a mere text."""
    keys = list(task)
    first = keys.index("id") + 1 if "id" in keys else 0
    last = keys.index(FIRST_AFTER_RESULTS) if FIRST_AFTER_RESULTS in keys else len(keys)
    for tool in keys[first:last]:
        found = task[tool]
        for number, value in enumerate(found if isinstance(found, list) else [found]):
            choice = {"choices": [value]} if isinstance(value, str) else value
            yield _result({**mapping(choice), "from_name": tool, "value": choice}, f"{tool} {number}")


def _file_of(address: str) -> str:
    """The path in an address: of a local file behind `?d=`, or of the address itself."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    behind = parse_qs(parts.query).get("d") if parts.path.rstrip("/").endswith("local-files") else None
    return behind[0] if behind else unquote(parts.path)
