"""data.yaml of YOLO datasets: parsed by us and by nobody else, because frameworks run what its `download` key says.

Every scalar is text (a class called `no` stays `no`); aliases, tags and duplicate keys are refused.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from retinue_sdk.errors import DataError
from retinue_sdk.formats.files import SPLITS, check_class_names
from retinue_sdk.formats.report import Report, printable

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
KNOWN = {"path", "train", "val", "valid", "test", "nc", "names"}


@dataclass
class Config:
    """What a data.yaml says, with paths checked: class names by id, and what each split names, relative to the root."""

    names: dict[int, str]
    splits: dict[str, list[str]] = field(default_factory=dict)


class _Loader(yaml.SafeLoader):
    """Safe, and stricter: everything is text, a list or a mapping with distinct keys."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # the stubs left it out
            raise _Refused("yaml_alias_forbidden", "Aliases are not read.", "Write the value out in full.", mark)
        return super().compose_node(parent, index)

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:  # noqa: N803 - the library's name
        if self.flow_level >= MAX_DEPTH:  # the library's own time grows with the square of the depth
            raise _Refused(
                "yaml_invalid", "The YAML file is nested too deeply.", "Write names and paths only.", self.get_mark()
            )
        super().fetch_flow_collection_start(TokenClass)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise _Refused(
                        "yaml_key_duplicate",
                        f"The key {printable(key.value)!r} is there twice.",
                        "Keep one of them.",
                        key.start_mark,
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}  # of this class only; no scalar is a bool, a number or a time


class _Refused(Exception):  # noqa: N818 - it carries a problem to where the file's name is known
    def __init__(self, code: str, message: str, hint: str, mark: Any) -> None:
        super().__init__(code, message, hint, mark.line + 1)


def find_config(root: Path) -> Path | None:
    """The data.yaml of a folder, by its usual names, or the only YAML there."""
    found = sorted(p for p in root.iterdir() if p.suffix.lower() in {".yaml", ".yml"} and p.is_file())
    usual = [p for p in found if p.stem.lower() in {"data", "dataset", "config"}]
    return usual[0] if usual else found[0] if len(found) == 1 else None


def load_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, all scalars as text."""
    name = path.name
    if path.stat().st_size > MAX_BYTES:
        raise DataError(
            "The YAML file is larger than 1 MB.",
            code="yaml_too_large",
            hint="A data.yaml holds names and paths only.",
            where=name,
        )
    try:
        content = yaml.load(path.read_bytes().decode("utf-8-sig"), Loader=_Loader)  # noqa: S506 - a SafeLoader, made stricter above
    except _Refused as error:
        code, message, hint, line = error.args
        raise DataError(message, code=code, hint=hint, where=f"{name}:{line}") from None
    except UnicodeDecodeError as error:
        raise DataError(
            "The YAML file is not UTF-8.", code="yaml_invalid", hint="Save it as UTF-8.", where=name
        ) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = printable(str(getattr(error, "problem", None) or error))
        where = f"{name}:{mark.line + 1}" if mark else name
        raise DataError(
            f"The YAML file cannot be read: {problem}.",
            code="yaml_invalid",
            hint="Correct it at the line named.",
            where=where,
        ) from error
    if not isinstance(content, dict):
        raise DataError(
            "The YAML file is not a mapping of keys.", code="yaml_invalid", hint="Write `names:` and paths.", where=name
        )
    return {str(key): value for key, value in content.items()}


def read_config(path: Path, root: Path, report: Report) -> Config:
    """Read and check a data.yaml; what can be lived with is reported, what cannot raises."""
    content = load_yaml(path)
    for key in sorted(content.keys() - KNOWN):
        report.add("yaml_download_dropped" if key == "download" else "yaml_unknown_key", path.name, key)
    names = read_names(content, path.name, report)
    usable = check_class_names(list(names.values()), path.name, report)
    place = _Place(root, path.name, report)
    base = place.base(str(content.get("path") or ""))
    config = Config(dict(zip(names, usable, strict=True)))
    for key in ("train", "val", "valid", "test"):
        value = content.get(key)
        entries = value if isinstance(value, list) else [value] if value else []
        for entry in entries:
            if not isinstance(entry, str):
                raise DataError(f"`{key}` is not a path or a list of paths.", code="yaml_invalid", where=path.name)
            config.splits.setdefault(SPLITS[key], []).append(place.entry(base, entry, key))
    return config


def read_names(content: dict[str, Any], where: str, report: Report) -> dict[int, str]:
    """The name of each class id by `names` or `nc`, as they are written."""
    names = content.get("names")
    count = content.get("nc")
    if isinstance(names, dict):
        ids = [_whole(key, "names", where) for key in names]
        if len(set(ids)) != len(ids):
            raise DataError(
                "A class id is there twice.", code="yaml_key_duplicate", hint="Keep one of them.", where=where
            )
        pairs = dict(sorted(zip(ids, map(_text, names.values()), strict=True)))
    elif isinstance(names, list):
        pairs = dict(enumerate(map(_text, names)))
    elif names:
        raise DataError(
            "`names` is not a list or a mapping.", code="yaml_invalid", hint="Write `names: [cat, dog]`.", where=where
        )
    elif count is not None:
        report.add("class_names_made", where)
        return {i: f"class_{i}" for i in range(min(_whole(count, "nc", where), 100_000))}
    else:
        raise DataError(
            "The YAML file names no classes.", code="yaml_invalid", hint="Add `names: [cat, dog]`.", where=where
        )
    if count is not None and _whole(count, "nc", where) != len(pairs):
        report.add("yaml_count_wrong", where, f"nc {count}, {len(pairs)} names")
    return pairs


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""  # reported as an invalid class name


def _whole(value: Any, key: str, where: str) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    raise DataError(
        f"`{key}` holds {printable(str(value))!r}, which is no whole number.", code="yaml_invalid", where=where
    )


@dataclass(frozen=True)
class _Place:
    """Where a data.yaml's paths are looked for, and its name."""

    root: Path
    where: str
    report: Report

    def base(self, path: str) -> PurePosixPath:
        """The folder `path:` means, relative to the root; one that is not there is the root itself."""
        relative = _normal(path, "path", self.where)
        if relative is None:
            raise _escapes("path", path, self.where)
        if not self._there(relative):
            self.report.add("yaml_path_corrected", self.where, f"path: {path}")
            return PurePosixPath()
        return relative

    def _there(self, relative: PurePosixPath) -> bool:
        try:
            return (self.root / relative).exists()
        except OSError:  # a name no file can have
            return False

    def entry(self, base: PurePosixPath, entry: str, key: str) -> str:
        """An entry of a split, relative to the root. Some exporters write `../train/images` and mean `train/images`."""
        _normal(entry, key, self.where)  # an absolute one is refused before it is joined
        relative = _normal(str(base / entry), key, self.where)
        if relative is None:
            relative = _normal(entry.removeprefix("../"), key, self.where)
            if relative is None or not self._there(relative):
                raise _escapes(key, entry, self.where)
            self.report.add("yaml_path_corrected", self.where, f"{key}: {entry}")
        if not self._there(relative):
            raise DataError(
                f"`{key}` names {printable(entry)!r}, which is not there.",
                code="yaml_path_missing",
                hint="Correct the path, or add the folder.",
                where=self.where,
            )
        return relative.as_posix()


def _normal(text: str, key: str, where: str) -> PurePosixPath | None:
    """A relative path without `..`; None when it leads outside."""
    text = text.replace("\\", "/")
    if text.startswith(("/", "~")) or text[1:2] == ":" or "://" in text:
        raise _escapes(key, text, where)
    parts: list[str] = []
    for part in PurePosixPath(text).parts:
        if part == ".." and not parts:
            return None
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return PurePosixPath(*parts)


def _escapes(key: str, value: str, where: str) -> DataError:
    return DataError(
        f"`{key}` names {printable(value)!r}, which is outside the dataset.",
        code="yaml_path_escapes",
        hint="Write paths relative to the data.yaml, without `..`.",
        where=where,
    )
