"""The files of a COCO dataset: which JSON is read for which split, and which image its names mean.

Of several files about one split's images only one is read: instances before other files, these before keypoints; what is not
read is reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from retinue_sdk.formats import files
from retinue_sdk.formats.coco_part import LEFT_OUT, Index
from retinue_sdk.formats.coco_records import Listed
from retinue_sdk.formats.coco_rows import Columns
from retinue_sdk.formats.image_names import ImageNames
from retinue_sdk.formats.report import Report

# what files about the same images are called, the one to read first
PURPOSES = ("instances", "", "person_keypoints", "keypoints", "stuff", "image_info")
PANOPTIC = ("panoptic",)
NAMED = re.compile(rf"({'|'.join(p for p in (*PURPOSES, *PANOPTIC, 'captions') if p)})_(.+)")
WORDS = re.compile(rb'"(images|annotations|categories|image_id|category_id|file_name)"')
BEGINNING = 64_000


@dataclass(frozen=True)
class Source:
    """A file to read. `tag` is what its name says besides its purpose, such as train2017."""

    name: str
    purpose: str
    tag: str

    @property
    def split(self) -> str:
        """The split that its name or a folder's name means."""
        words = re.findall(r"[a-z]+", self.tag.lower())
        named = next((files.SPLITS[word] for word in words if word in files.SPLITS), "")
        return named or next(split for _, split in files.by_split([self.name]))

    @property
    def folders(self) -> list[str]:
        """Where its images may be, the likeliest first."""
        folder = PurePosixPath(self.name).parent
        below = (self.tag, self.split, f"images/{self.tag}", f"images/{self.split}", ".", "images", "data")
        return [str(base / part) for base in (folder, folder.parent) for part in below]


def source_of(name: str) -> Source:
    """What the name of a file says."""
    stem = PurePosixPath(name).stem
    named = NAMED.fullmatch(stem)
    return Source(name, named[1], named[2]) if named else Source(name, "", stem)


def sources(root: Path, listing: Iterable[str], purposes: Sequence[str], report: Report) -> list[Source]:
    """The files to read: those that look like COCO, or all, so that reading says what is wrong with them."""
    names = json_files(listing)
    if not names:
        report.add("annotations_missing", root.name)
    alike = [name for name in names if looks_like(root / name, panoptic=purposes is PANOPTIC)]
    groups: dict[tuple[PurePosixPath, str], list[Source]] = {}
    for source in map(source_of, alike or names):
        groups.setdefault((PurePosixPath(source.name).parent, source.tag), []).append(source)
    chosen: list[Source] = []
    for group in groups.values():
        ranked = sorted(group, key=lambda s: purposes.index(s.purpose) if s.purpose in purposes else len(purposes))
        readable = ranked[0].purpose in purposes or purposes is PANOPTIC
        chosen += ranked[:readable]
        for source in ranked[readable:]:
            report.add("coco_file_unread", source.name, f"{ranked[0].name} is read" if readable else "")
    for name in sorted(set(names) - set(alike)) if alike else []:
        report.add("files_ignored", name)
    return chosen


def json_files(listing: Iterable[str]) -> list[str]:
    """The JSON files of a listing."""
    return [name for name in listing if name.lower().endswith(".json")]


def looks_like(path: Path, *, panoptic: bool = False) -> bool:
    """Whether the beginning and the end of a file speak of what COCO speaks of, and whether of segments."""
    with path.open("rb") as stream:
        text = stream.read(BEGINNING)
        stream.seek(max(0, path.stat().st_size - BEGINNING))
        ends = text + stream.read(BEGINNING)
    begins = text.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    return begins and len(set(WORDS.findall(ends))) >= 3 and (b'"segments_info"' in ends) == panoptic


class Pictures:
    """The images of a dataset, given out to the files that list them."""

    def __init__(self, root: Path, keys: Sequence[str]) -> None:
        self.root, self.names, self.left = root, ImageNames(keys), set(keys)
        self.splits: dict[str, str] = {}  # of those given out

    def add(self, source: Source, listed: Sequence[Listed], columns: Columns, report: Report) -> Index:
        """Add the images of a file that are there and can be read. Their sizes are the images' own."""
        found: dict[str, Listed] = {}
        for image in listed:
            key = self.names.find(image.key, *source.folders)
            if key is None:
                report.add("image_missing", f"{image.where}.file_name", image.key)
            elif key in self.left:
                self.left.discard(key)
                self.splits[key] = source.split
                found[key] = image
            else:
                repeated = self.splits[key] == source.split
                report.add(
                    "coco_image_repeated" if repeated else "split_overlap", f"{image.where}.file_name", image.key
                )
        measured = files.measure(self.root, found, report) if found else files.Measured([], [], [], [])
        sizes = zip(measured.width, measured.height, strict=True)
        for key, size in zip(measured.key, sizes, strict=True):
            if found[key].size not in {(0, 0), size}:
                report.add("image_size_mismatch", found[key].where, f"{found[key].size}, image {size}")
        rows = dict.fromkeys((image.id for image in listed), LEFT_OUT)
        rows.update({found[key].id: row for row, key in enumerate(measured.key, len(columns.images["key"]))})
        columns.add_images(
            **measured.columns(),
            split=[source.split or split for _, split in files.by_split(measured.key)],
            attributes=[found[key].attributes for key in measured.key],
        )
        return Index(rows)

    def report_left(self, report: Report) -> None:
        """Report the images that no file lists."""
        for key in sorted(self.left):
            report.add("image_unlisted", key)
