"""data.yaml of YOLO datasets: parsed by us and by nobody else, because frameworks run what its `download` key says.

Every scalar is text (a class called `no` stays `no`, and is reported: YAML 1.1 takes it for a truth value); aliases, tags
and duplicate keys are refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from retinue_sdk.errors import DataError
from retinue_sdk.formats.files import SPLITS, check_class_names
from retinue_sdk.formats.report import Report
from retinue_sdk.names import printable

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
IDS = "class_ids"  # ours: the ids that classes had before labels were numbered anew, as frameworks want them
TASK = "task"  # detect, segment, pose or obb: tells oriented boxes from polygons of four corners
KNOWN = {"path", "train", "val", "valid", "test", "nc", "names", IDS, TASK}
_WHOLE = re.compile(r"-?[0-9]{1,100}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NUMBERS: dict[str, type[int | float]] = {"tag:yaml.org,2002:int": int, "tag:yaml.org,2002:float": float}


@dataclass
class Config:
    """What a data.yaml says, with paths checked: class names by id, and what each split names, relative to the root."""

    names: dict[int, str]
    splits: dict[str, list[str]] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)  # keys that one task knows more than the others
    where: str = ""  # the file's name
    ids: list[int] = field(default_factory=list)  # of the classes, where they are other than the numbers in labels


class Plain(str):
    """A scalar without quotes: text here, and perhaps something else to another reader."""

    __slots__ = ()


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

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        value = super().construct_scalar(node)
        if _SURROGATE.search(value):
            raise _Refused("yaml_invalid", "A text holds half of a character.", "Write it as UTF-8.", node.start_mark)
        return Plain(value) if isinstance(node, yaml.ScalarNode) and node.style is None else value

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
        content = _parse(path.read_bytes())
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


@lru_cache(maxsize=1)  # every task looks at it before one reads it, and a list of 100,000 names takes two seconds
def _parse(data: bytes) -> Any:
    return yaml.load(data.decode("utf-8-sig"), Loader=_Loader)  # noqa: S506 - a SafeLoader, made stricter above


def read_config(path: Path, root: Path, report: Report, keys: Collection[str] = ()) -> Config:
    """Read and check a data.yaml; what can be lived with is reported, what cannot raises. `keys` are known besides the usual."""
    content = load_yaml(path)
    for key in sorted(content.keys() - KNOWN - set(keys)):
        report.add("yaml_download_dropped" if key == "download" else "yaml_unknown_key", path.name, key)
    names = read_names(content, path.name, report)
    usable = check_class_names(list(names.values()), path.name, report)
    place = _Place(root, path.name, report)
    base = place.base(str(content.get("path") or ""))
    extra = {key: content[key] for key in keys if key in content}
    config = Config(dict(zip(names, usable, strict=True)), extra=extra, where=path.name)
    if IDS in content:
        config.ids = _ids(content[IDS], len(names))
        if not config.ids:
            report.add("yaml_unknown_key", path.name, IDS)
    for key in ("train", "val", "valid", "test"):
        value = content.get(key)
        entries = value if isinstance(value, list) else [value] if value else []
        for entry in entries:
            if not isinstance(entry, str):
                raise DataError(f"`{key}` is not a path or a list of paths.", code="yaml_invalid", where=path.name)
            found = place.entry(base, entry, key)
            if found is not None:
                config.splits.setdefault(SPLITS[key], []).append(found)
    return config


def _ids(value: Any, count: int) -> list[int]:
    """As many different whole numbers as there are classes; none for anything else."""
    ids = (
        [int(item) for item in value if isinstance(item, str) and _WHOLE.fullmatch(item)]
        if isinstance(value, list)
        else []
    )
    return ids if len(ids) == len(set(ids)) == count == len(value) else []


def read_names(content: dict[str, Any], where: str, report: Report) -> dict[int, str]:
    """The name of each class id by `names` or `nc`, as they are written."""
    names = content.get("names")
    count = content.get("nc")
    if isinstance(names, dict):
        ids = [whole(key, "names", where) for key in names]
        if len(set(ids)) != len(ids):
            raise DataError(
                "A class id is there twice.", code="yaml_key_duplicate", hint="Keep one of them.", where=where
            )
        pairs = dict(sorted(zip(ids, (_text(name, where, report) for name in names.values()), strict=True)))
    elif isinstance(names, list):
        pairs = {i: _text(name, where, report) for i, name in enumerate(names)}
    elif names:
        raise DataError(
            "`names` is not a list or a mapping.", code="yaml_invalid", hint="Write `names: [cat, dog]`.", where=where
        )
    elif count is not None:
        report.add("class_names_made", where)
        return {i: f"class_{i}" for i in range(min(whole(count, "nc", where), 100_000))}
    else:
        raise DataError(
            "The YAML file names no classes.", code="yaml_invalid", hint="Add `names: [cat, dog]`.", where=where
        )
    if count is not None and whole(count, "nc", where) != len(pairs):
        report.add("yaml_count_wrong", where, f"nc {count}, {len(pairs)} names")
    return pairs


def _text(value: Any, where: str, report: Report) -> str:
    """A class name as it is written; what is no text becomes empty, which is reported as an invalid name."""
    if isinstance(value, Plain) and _reads_otherwise(value):
        report.add("class_name_ambiguous", where, value)
    return str(value) if isinstance(value, str) else ""


def _reads_otherwise(text: str) -> bool:
    """Whether YAML 1.1, which frameworks read, takes this unquoted text for a truth value, a number or a time."""
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers.get(text[:1], [])
    tag = next((tag for tag, pattern in resolvers if pattern.match(text)), None)
    try:
        return tag is not None and str(_NUMBERS[tag](text)) != text
    except (KeyError, ValueError):
        return True


def whole(value: Any, key: str, where: str) -> int:
    """A whole number in the YAML file, which has text only."""
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

    def entry(self, base: PurePosixPath, entry: str, key: str) -> str | None:
        """An entry of a split, relative to the root; None for a test split that is not there, which nobody needs.

        Some exporters write `../train/images` or `name of the dataset/train/images` and mean `train/images`.
        """
        _normal(entry, key, self.where)  # an absolute one is refused before it is joined
        relative = _normal(str(base / entry), key, self.where)
        if relative is not None and self._there(relative):
            return relative.as_posix()
        shorter = _normal(entry.replace("\\", "/").partition("/")[2].lstrip("/"), key, self.where)
        if shorter and shorter.parts and self._there(shorter):
            self.report.add("yaml_path_corrected", self.where, f"{key}: {entry}")
            return shorter.as_posix()
        if relative is None and not (shorter and shorter.parts):
            raise _escapes(key, entry, self.where)
        if key == "test":
            self.report.add("yaml_split_missing", self.where, f"{key}: {entry}")
            return None
        raise DataError(
            f"`{key}` names {printable(entry)!r}, which is not there.",
            code="yaml_path_missing",
            hint="Correct the path, or add the folder.",
            where=self.where,
        )


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
