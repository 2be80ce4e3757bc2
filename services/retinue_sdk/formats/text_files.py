"""Label files of one line per object, whose columns are divided by blanks: DOTA and KITTI."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import number

MAX_BYTES = 32_000_000
MAX_LINES = 100_000


def read_lines(path: Path, name: str, report: Report) -> list[tuple[int, str]]:
    """The lines of a text file that are not empty, with their numbers; nothing, with a finding, for what is no text."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        report.add("label_too_long", name, f"{size} bytes")
        return []
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        report.add("label_unreadable", name)
        return []
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")  # as an editor counts them
    if len(lines) > MAX_LINES:
        report.add("label_too_long", name, f"{len(lines)} lines")
        return []
    return [(i, line.strip()) for i, line in enumerate(lines, 1) if line and not line.isspace()]


def read_columns(path: Path, name: str, report: Report) -> Iterator[tuple[int, list[str]]]:
    """The columns of each line; a line that is there twice comes twice, with a finding."""
    seen: set[str] = set()
    for line, content in read_lines(path, name, report):
        if content in seen:
            report.add("label_duplicate", f"{name}:{line}", content)
        seen.add(content)
        yield line, content.split()


def numbers(columns: Sequence[str], where: str, report: Report) -> list[float] | None:
    """The columns as numbers; None, with a finding, when one is none."""
    values = [number(column) for column in columns]
    found = [value for value in values if value is not None]
    if len(found) < len(values):
        report.add("label_not_a_number", where, " ".join(columns))
        return None
    return found


def plain(value: float) -> float:
    """A whole number as such, for JSON."""
    return int(value) if value.is_integer() else value


def shortest(value: float) -> str:
    """A number as short as it can be written without losing more than a billionth of it."""
    return f"{value:.10g}"


def attributes_of(text: str) -> dict[str, Any]:
    """What `rows.to_json` made a text of."""
    return dict(json.loads(text)) if text else {}
