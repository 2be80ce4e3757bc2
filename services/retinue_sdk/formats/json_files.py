"""JSON of strangers: one file parsed whole and strictly, and values taken out of it that may be of any type."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import Any

from retinue_sdk.formats.report import Report

MAX_BYTES = 2_000_000_000  # of the largest JSON that any format reads
MAX_DEPTH = 100
LARGEST = 1e12  # no coordinate, size or measure of an image is larger
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class _DuplicateKeyError(ValueError):
    """A key that is there twice: parsers differ in which one holds, so neither does."""


def load_json(path: Path, name: str, report: Report, max_bytes: int) -> Any | None:
    """What a JSON file holds; None, with a finding at `name`, for one that cannot be read or is no more than a scalar."""
    size = os.stat(path).st_size  # noqa: PTH116 - called once per file
    if size > max_bytes:
        report.add("json_too_large", name, f"{size} bytes, at most {max_bytes}")
        return None
    try:
        value = parse(path.read_bytes().decode("utf-8-sig"))
    except _DuplicateKeyError as error:
        report.add("json_key_duplicate", name, error)
    except json.JSONDecodeError as error:
        report.add("json_invalid", f"{name}:{error.lineno}", error.msg)
    except UnicodeError:
        report.add("json_invalid", name, "not UTF-8, or half of a surrogate pair")
    except RecursionError:
        report.add("json_invalid", name, "nested too deeply")
    except ValueError as error:
        report.add("json_invalid", name, error)
    else:
        return value
    return None


def parse(text: str) -> Any:
    """The object or array in a text. ValueError or RecursionError for anything that `load_json` refuses."""
    value = json.loads(text, object_pairs_hook=_distinct, parse_constant=_refuse, parse_float=_float)
    check(value, text)
    return value


def object_of(text: str) -> dict[str, Any]:
    """The object that a text of attributes holds. ValueError for a text that no writer could take for one."""
    try:
        value = json.loads(text)
        check(value, text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("a text that holds no object")  # noqa: TRY004 - the data is wrong, not the caller
    return value


def finite(value: Any) -> float | None:
    """A JSON number that can be a coordinate or a measure; None for anything else, true and false included."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -LARGEST <= value <= LARGEST:
        return None
    return float(value)


def integer(value: Any) -> int | None:
    """A JSON number that is whole, 3.0 included; None for anything else."""
    number = finite(value)
    return int(number) if number is not None and number.is_integer() else None


def text(value: Any) -> str:
    """A JSON string; empty for anything else."""
    return value if isinstance(value, str) else ""


def mapping(value: Any) -> dict[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """A JSON array; an empty one for anything else."""
    return value if isinstance(value, list) else []


def points(value: Any) -> list[tuple[float, float]] | None:
    """An array of [x, y]; None when anything in it is not one."""
    if not isinstance(value, list):
        return None
    found = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            return None
        x, y = finite(pair[0]), finite(pair[1])
        if x is None or y is None:
            return None
        found.append((x, y))
    return found


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKeyError(key)
            seen.add(key)
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _float(literal: str) -> float:
    value = float(literal)
    if math.isinf(value):
        raise ValueError(f"{literal[:20]} is too large")
    return value


def check(value: Any, text: str) -> None:
    """Refuse what would break later: a mere scalar, a depth that recursion cannot follow, and half characters."""
    if not isinstance(value, dict | list):
        raise ValueError("neither an object nor an array")  # noqa: TRY004 - the data is wrong, not the caller
    if is_deep(value):
        raise RecursionError("nested too deeply")
    if _SURROGATE.search(text):
        json.dumps(value, ensure_ascii=False).encode()


def is_deep(value: Any) -> bool:
    """Whether objects and arrays are nested deeper than MAX_DEPTH."""
    level = [value]
    for _ in range(MAX_DEPTH):
        if not level:
            break
        values = (child for parent in level for child in (parent.values() if isinstance(parent, dict) else parent))
        level = [child for child in values if isinstance(child, dict | list)]
    return bool(level)
