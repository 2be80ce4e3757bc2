"""Cityscapes: leftImg8bit/<split>/<city>/*_leftImg8bit.png with gtFine/.../*_gtFine_labelIds.png, or the polygons in JSON."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from retinue_sdk.api import Finding
from retinue_sdk.formats import files
from retinue_sdk.formats.json_files import items, load_json, mapping, points, text
from retinue_sdk.formats.mask_files import Masks, Size
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Rows
from retinue_sdk.table import AnnotationTable

NAME = "cityscapes"
TITLE = "Cityscapes"
IMAGE_END, IDS_END, POLYGONS_END = "_leftImg8bit.png", "_gtFine_labelIds.png", "_gtFine_polygons.json"
MAX_BYTES = 64_000_000
# the official labels in the order of their ids
CATEGORIES = {
    "void": ("unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground"),
    "flat": ("road", "sidewalk", "parking", "rail track"),
    "construction": ("building", "wall", "fence", "guard rail", "bridge", "tunnel"),
    "object": ("pole", "polegroup", "traffic light", "traffic sign"),
    "nature": ("vegetation", "terrain"),
    "sky": ("sky",),
    "human": ("person", "rider"),
    "vehicle": ("car", "truck", "bus", "caravan", "trailer", "train", "motorcycle", "bicycle"),
}
LABELS = [label for labels in CATEGORIES.values() for label in labels]
WITHOUT_ID = "license plate"


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read masks of the labels; polygons where an image has no masks. Images of one city are a group."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    images = [f for f in listing if f.startswith("leftImg8bit/") and f.endswith(IMAGE_END)]
    measured = files.measure(root, images, report)
    present = set(listing)
    masks = Masks(root, Rows(report), dict(enumerate(LABELS)))
    for index, key in enumerate(measured.key):
        size = (measured.width[index], measured.height[index])
        ids, polygons = label_of(key, IDS_END), label_of(key, POLYGONS_END)
        if ids in present:
            masks.add(index, ids, size)
        elif polygons in present:
            _add_polygons(masks.rows, root, index, polygons, size)
        else:
            report.add("image_without_label", key)
    _report_strays(listing, set(images), report)
    columns = {
        "split": [split for _, split in files.by_split(measured.key)],
        "group": [PurePosixPath(key).parent.name for key in measured.key],
    }
    categories = [{"supercategory": category} for category, labels in CATEGORIES.items() for _ in labels]
    return masks.table(measured, columns, NAME, categories), report.findings()


def sniff(path: Path) -> float:
    """Images in leftImg8bit with labels in gtFine."""
    listing = files.list_files(files.dataset_root(path))
    present = set(listing)
    images = [f for f in listing if f.startswith("leftImg8bit/") and f.endswith(IMAGE_END)]
    return 0.98 if any(label_of(key, end) in present for key in images for end in (IDS_END, POLYGONS_END)) else 0.0


def label_of(key: str, end: str) -> str:
    """The file of an image's labels."""
    return f"gtFine/{key.removeprefix('leftImg8bit/').removesuffix(IMAGE_END)}{end}"


def _add_polygons(rows: Rows, root: Path, image: int, source: str, size: Size) -> None:
    document = mapping(load_json(root / source, source, rows.report, MAX_BYTES))
    for number, entry in enumerate(items(document.get("objects")), 1):
        item = mapping(entry)
        label, corners = text(item.get("label")), points(item.get("polygon"))
        where = f"{source}: object {number}"
        one = label.removesuffix("group")
        if label == WITHOUT_ID or item.get("deleted"):
            rows.report.add("cityscapes_left_out", where, label)
        elif corners is None or len(corners) < 3:
            rows.report.add("shape_incomplete", where, label)
        elif label in LABELS:
            rows.add_shape(image, label, "polygon", np.array(corners), size, source)
        elif one in LABELS:
            rows.add_shape(image, one, "polygon", np.array(corners), size, source, attributes={"group": 1})
        else:
            rows.report.add("class_out_of_range", where, label)


def _report_strays(listing: list[str], images: set[str], report: Report) -> None:
    for name in listing:
        for end in (IDS_END, POLYGONS_END):
            image = f"leftImg8bit/{name.removeprefix('gtFine/').removesuffix(end)}{IMAGE_END}"
            if name.startswith("gtFine/") and name.endswith(end) and image not in images:
                report.add("label_without_image", name)
