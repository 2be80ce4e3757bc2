"""Images and the label files beside them: images/train/a.jpg belongs to masks/train/a.png, train/images/a.jpg to train/masks/a.png."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

from retinue_sdk.formats.files import is_image
from retinue_sdk.formats.report import Report

Place = tuple[str, ...]


def find_pairs(
    listing: Sequence[str], images: Collection[str], labels: Collection[str], suffix: str, report: Report
) -> dict[str, str]:
    """The label file of every image, empty for an image without one. Folders are known by their names in small letters."""
    sources: dict[Place, str] = {}
    keys: dict[str, Place] = {}
    structure = {*images, *labels}
    for name in listing:
        folder, place = _place(name, structure)
        if folder in labels and name.lower().endswith(suffix):
            if place in sources:
                report.add("files_ignored", sources[place])  # of two versions of the labels the last counts
            sources[place] = name
        elif folder in images and is_image(name):
            keys[name] = place
        elif is_image(name):
            report.add("files_ignored", name)
    _report_strays(keys, sources, report)
    return {key: sources.get(place, "") for key, place in keys.items()}


def has_pairs(listing: Sequence[str], images: Collection[str], labels: Collection[str], suffix: str) -> list[str]:
    """The label files that belong to an image; what `sniff` looks at."""
    folders = {name.rpartition("/")[0].lower() for name in listing}
    parts = {part for folder in folders for part in folder.split("/")}
    if parts.isdisjoint(images) or parts.isdisjoint(labels):
        return []  # most datasets are of another format, and large
    return sorted(filter(None, find_pairs(listing, images, labels, suffix, Report()).values()))


def _place(name: str, structure: Collection[str]) -> tuple[str, Place]:
    """The last folder that is structure, and the path without such folders and without its suffix."""
    *folders, last = name.split("/")
    found = [folder.lower() for folder in folders if folder.lower() in structure]
    rest = [folder for folder in folders if folder.lower() not in structure]
    stem = os.path.splitext(last)[0]  # noqa: PTH122 - called once per file
    return found[-1] if found else "", (*rest, stem)


def _report_strays(keys: dict[str, Place], sources: dict[Place, str], report: Report) -> None:
    seen: dict[Place, str] = {}
    for key, place in keys.items():
        if place in seen:
            report.add("image_same_stem", key, seen[place])
        seen[place] = key
        if place not in sources:
            report.add("image_without_label", key)
    for place, source in sources.items():
        if place not in seen:
            report.add("label_without_image", source)
