"""Where things are in a YOLO dataset, whatever its task: images and their labels, the splits, names without a data.yaml.

All usual layouts: images/train beside labels/train, train/images beside train/labels, labels beside their images, lists of
images in .txt.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from retinue_sdk.formats import files
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.yolo_config import Config

NAME_LISTS = ("classes.txt", "obj.names", "_darknet.labels")
DARKNET = "obj.data"  # names the lists of images, with lines like `train = data/train.txt`
MAX_BYTES = 1_000_000  # of a list of names
SNIFFED = 20  # label files looked at
SNIFFED_BYTES = 100_000  # of each
_NUMBERS = re.compile(rb"[-+.eE\d\s]+")


def label_of(key: str) -> str:
    """The label file of an image: the last `images` folder of its path becomes `labels`, the suffix .txt."""
    head, found, tail = f"/{key}".rpartition("/images/")
    stem = os.path.splitext(f"{head}/labels/{tail}" if found else f"/{key}")[0]  # noqa: PTH122 - called once per image
    return f"{stem[1:]}.txt"


def label_files(listing: Iterable[str]) -> list[str]:
    """The label files of a listing: those of its images, and all texts in folders called `labels`."""
    listing = list(listing)
    wanted = {label_of(key) for key in listing if files.is_image(key)}
    return [name for name in listing if name.endswith(".txt") and (name in wanted or _is_label(name))]


def _is_label(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return "labels" in parts[:-1] and parts[-1] not in NAME_LISTS


def columns_of(root: Path, texts: Sequence[str]) -> list[int]:
    """How many columns the first rows of some label files have; none for a row with something else than numbers."""
    return [len(row) for _, rows in sample_rows(root, texts) for row in rows]


def sample_rows(root: Path, texts: Sequence[str]) -> Iterator[tuple[str, list[list[bytes]]]]:
    """Some label files with the columns of their first rows; none for a row with something else than numbers."""
    for name in texts[:: len(texts) // SNIFFED + 1]:
        with (root / name).open("rb") as stream:
            lines = stream.read(SNIFFED_BYTES).splitlines(keepends=True)[:100]
            whole = lines if len(b"".join(lines)) < SNIFFED_BYTES else lines[:-1]
        yield name, [line.split() if _NUMBERS.fullmatch(line) else [] for line in whole if line.strip()]


def name_lists(listing: Iterable[str]) -> list[str]:
    """The files that name the classes, one a line."""
    return [name for name in listing if PurePosixPath(name).name in NAME_LISTS]


def without_config(root: Path, listing: Sequence[str], report: Report) -> Config:
    """Class names of a dataset without data.yaml: those of a list of names, or made of the ids that are used."""
    splits = _darknet_lists(root, listing) if DARKNET in listing else {}
    lists = {name: _names(root / name, name, report) for name in name_lists(listing)}
    if not any(lists.values()):
        report.add("class_names_made", root.name)
        return Config({}, splits)
    where, names = next((where, names) for where, names in lists.items() if names)
    for other, its in lists.items():
        if its and its != names:
            report.add("class_lists_differ", other, where)
    return Config(dict(enumerate(files.check_class_names(names, where, report))), splits)


def _darknet_lists(root: Path, listing: Sequence[str]) -> dict[str, list[str]]:
    """The list of images of each split, as Darknet and CVAT name them; one that is not there is left out."""
    with (root / DARKNET).open(encoding="utf-8-sig", errors="replace") as stream:
        pairs = [line.partition("=") for line in stream.read(MAX_BYTES).splitlines()]
    named = {files.SPLITS[key.strip()]: value.strip() for key, _, value in pairs if key.strip() in files.SPLITS}
    found = {split: _within(listing, entry) for split, entry in named.items()}
    return {split: [name] for split, name in found.items() if name.lower().endswith(".txt")}


def _within(known: Collection[str], entry: str) -> str:
    """A path among those known, also without its first folder, which exporters made up; empty for none."""
    path = os.path.normpath(entry)
    return next((name for name in (path, path.partition("/")[2]) if name in known), "")


def _names(path: Path, name: str, report: Report) -> list[str]:
    if path.stat().st_size > MAX_BYTES:
        report.add("label_too_long", name, f"{path.stat().st_size} bytes")
        return []
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()]


def splits_of(root: Path, config: Config, listing: Iterable[str], report: Report) -> dict[str, str]:
    """The images to read and the split of each."""
    images = [f for f in listing if files.is_image(f)]
    if not config.splits:
        return dict(files.by_split(images))
    named = {split: _expand(root, entries, images, report) for split, entries in config.splits.items()}
    if "train" in named and named["train"] == named.get("val"):
        return dict.fromkeys(named["train"], "")  # a demonstration set trains and checks on one folder: no split at all
    splits: dict[str, str] = {}
    for split, keys in named.items():
        for key in keys:
            if splits.setdefault(key, split) != split:
                report.add("split_overlap", key, f"{splits[key]}, {split}")
    for key in images:
        if key not in splits:
            report.add("image_unlisted", key)
    return splits


def _expand(root: Path, entries: Iterable[str], images: list[str], report: Report) -> list[str]:
    """The images that a split's folders, lists or single files mean."""
    known, found = set(images), []
    for entry in entries:
        if entry.lower().endswith(".txt") and (root / entry).is_file():
            found += _listed(root, entry, known, report)
        else:
            prefix = "" if entry == "." else f"{entry}/"
            found += [key for key in images if key.startswith(prefix) or key == entry]
    return found


def _listed(root: Path, entry: str, known: set[str], report: Report) -> list[str]:
    found = []
    folder = PurePosixPath(entry).parent
    text = (root / entry).read_text(encoding="utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        name = line.strip().replace("\\", "/")
        if not name:
            continue
        beside = os.path.normpath(folder / name)
        key = beside if beside in known else _within(known, name)
        if key:
            found.append(key)
        else:
            plain = os.path.normpath(name)
            escapes = plain.startswith(("/", "..")) or plain[1:2] == ":"
            report.add("list_path_escapes" if escapes else "image_missing", f"{entry}:{number}", line)
    return found


def report_pairs(keys: Sequence[str], sources: Sequence[str], present: set[str], report: Report) -> None:
    """Report images without a label, labels without an image, and labels that two images share."""
    seen: dict[str, str] = {}
    for key, source in zip(keys, sources, strict=True):
        if source in seen:
            report.add("image_same_stem", key, seen[source])
        seen[source] = key
        if source not in present:
            report.add("image_without_label", key)
    for name in sorted(present - seen.keys()):
        if name.endswith(".txt") and _is_label(name):
            report.add("label_without_image", name)
