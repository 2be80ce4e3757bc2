"""Which number is which class in index masks: a config.yaml, a classes.json or a classes.txt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from retinue_sdk.formats.json_files import items, load_json
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.text_files import read_lines
from retinue_sdk.formats.yolo_config import find_config, load_yaml, read_names

MAX_BYTES = 16_000_000
KNOWN = {"path", "train", "val", "valid", "test", "nc", "names", "classes"}

Names = dict[int, str] | None


def read_classes(root: Path, listing: list[str], report: Report) -> tuple[Names, str]:
    """The name of each number and the file that says so; no names where no file does."""
    config = find_config(root)
    content = load_yaml(config) if config else {}
    if config and content.keys() & {"names", "classes"}:
        for key in sorted(content.keys() - KNOWN):
            report.add("yaml_download_dropped" if key == "download" else "yaml_unknown_key", config.name, key)
        known = {"names": content.get("names", content.get("classes")), "nc": content.get("nc")}
        return read_names(known, config.name, report), config.name
    if "classes.json" in listing:
        return _from_json(load_json(root / "classes.json", "classes.json", report, MAX_BYTES), report), "classes.json"
    if "classes.txt" in listing:
        return dict(
            enumerate(name for _, name in read_lines(root / "classes.txt", "classes.txt", report))
        ), "classes.txt"
    return None, root.name


def _from_json(content: Any, report: Report) -> Names:
    """Names of a list of names, a list of objects, numbers to names, or names to numbers."""
    found: dict[int, str] = {}
    for number, name in _entries(content):
        whole = _whole(number)
        if whole is None or whole in found or not isinstance(name, str):
            report.add("classes_invalid", "classes.json", f"{number}: {name}")
        else:
            found[whole] = name
    return found


def _entries(content: Any) -> list[tuple[Any, Any]]:
    if isinstance(content, dict):
        return [(key, value) if isinstance(value, str) else (value, key) for key, value in content.items()]
    return [(e.get("id"), e.get("name")) if isinstance(e, dict) else (i, e) for i, e in enumerate(items(content))]


def _whole(value: Any) -> int | None:
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None
    return value if type(value) is int and 0 <= value < 10**9 else None
