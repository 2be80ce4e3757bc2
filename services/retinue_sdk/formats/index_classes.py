"""Which number is which class in index masks: a config.yaml, a classes.json, a classes.txt, or Roboflow's _classes.csv."""

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
        return from_json(root, "classes.json", report), "classes.json"
    if "classes.txt" in listing:
        return dict(
            enumerate(name for _, name in read_lines(root / "classes.txt", "classes.txt", report))
        ), "classes.txt"
    if lists := [name for name in listing if f"/{name}".endswith("/_classes.csv")]:
        return _from_csv(root, lists, report), lists[0]
    return None, root.name


def _from_csv(root: Path, lists: list[str], report: Report) -> Names:
    """Names of lines like `1, cat` below a header. Each folder of images has a list; they should say the same."""
    first: dict[int, str] = {}
    for name in lists:
        found: dict[int, str] = {}
        for line, text in read_lines(root / name, name, report)[1:]:
            number, _, label = text.partition(",")
            whole = _whole(number.strip())
            if whole is None or whole in found:
                report.add("classes_invalid", f"{name}:{line}", text)
            else:
                found[whole] = label.strip()
        first = first or found
        if found != first:
            report.add("class_lists_differ", name, lists[0])
    return first


def from_json(root: Path, source: str, report: Report) -> dict[int, str]:
    """Names of a list of names, a list of objects, numbers to names, or names to numbers."""
    found: dict[int, str] = {}
    for number, name in _entries(load_json(root / source, source, report, MAX_BYTES)):
        whole = _whole(number)
        if whole is None or whole in found or not isinstance(name, str):
            report.add("classes_invalid", source, f"{number}: {name}")
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
