"""COCO panoptic: a JSON of segments per split, and a PNG per image whose colours are the segments' ids. Import only.

Each segment becomes a mask. The id of a pixel is R + 256 G + 65536 B; pixels of id 0 are of no segment.
"""

from __future__ import annotations

import warnings
from pathlib import Path, PurePosixPath

import msgspec
import numpy as np
from PIL import Image

from retinue_sdk import raster
from retinue_sdk.api import Finding
from retinue_sdk.formats import coco_json, files
from retinue_sdk.formats.coco_files import PANOPTIC, Pictures, Source, json_files, looks_like, sources
from retinue_sdk.formats.coco_json import Document, shallow
from retinue_sdk.formats.coco_part import LEFT_OUT, UNKNOWN, Index
from retinue_sdk.formats.coco_records import Id, images_of
from retinue_sdk.formats.coco_rows import Columns
from retinue_sdk.formats.image_names import ImageNames
from retinue_sdk.formats.mask_files import MAX_CHANGES
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Rows
from retinue_sdk.geometry import Ints
from retinue_sdk.table import AnnotationTable

NAME = "coco_panoptic"
TITLE = "COCO panoptic"
SNIFFED = 20
COLOURED = ("RGB", "RGBA", "P")


class Segment(msgspec.Struct):
    """What is said of a segment; its box and area are taken from its pixels."""

    id: Id
    category_id: Id
    iscrowd: int | bool = 0


class Segments(msgspec.Struct):
    """The segments of an image and the file of their pixels."""

    image_id: Id
    file_name: str
    segments_info: list[Segment]


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read every split; sizes are the images' own."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    chosen = sources(root, listing, PANOPTIC, report)
    masks = _masks(listing, chosen)
    pictures = Pictures(root, [f for f in listing if files.is_image(f) and f not in masks])
    columns, rows = Columns(report), Rows(report)
    for source in chosen:
        with shallow(source.name, report):
            document = coco_json.load(root / source.name, source.name, report)
            if document is not None:
                images = pictures.add(source, images_of(document, report), columns, report)
                _File(root, source, document, columns, rows).add(images, ImageNames(masks))
    pictures.report_left(report)
    if not columns.images["key"]:
        report.add("dataset_empty", root.name)
    measured = files.Measured(*(columns.images[name] for name in ("key", "path", "width", "height")))
    said = {name: columns.images[name] for name in ("split", "attributes")}
    names, attributes = columns.class_names, columns.class_attributes
    return rows.table(measured, said, root.name, names, list(columns.classes), attributes), report.findings()


def sniff(path: Path) -> float:
    """JSON files that speak of segments."""
    root = files.dataset_root(path)
    names = json_files(files.list_files(root))[:SNIFFED]
    return 0.93 if any(looks_like(root / name, panoptic=True) for name in names) else 0.0


def _masks(listing: list[str], chosen: list[Source]) -> set[str]:
    """The PNG files in the folders called like the JSON files; without such folders, all PNG files."""
    pixels = [f for f in listing if f.lower().endswith(".png")]
    stems = {PurePosixPath(source.name).stem for source in chosen}
    return {f for f in pixels if stems & set(PurePosixPath(f).parts[:-1])} or set(pixels)


class _File:
    """One JSON file and the masks it names."""

    def __init__(self, root: Path, source: Source, document: Document, columns: Columns, rows: Rows) -> None:
        self.root, self.source, self.document, self.columns, self.rows = root, source, document, columns, rows
        self.report = rows.report

    def add(self, images: Index, masks: ImageNames) -> None:
        """Add the segments of all images."""
        categories = self.columns.add_categories(self.document)
        folder, stem = PurePosixPath(self.source.name).parent, PurePosixPath(self.source.name).stem
        seen: set[int] = set()
        for where, record in coco_json.records(self.document, "annotations", self.report):
            entry = coco_json.typed(record, Segments, where, self.report)
            image = LEFT_OUT if entry is None else images.row(entry.image_id)
            if entry is None or image == LEFT_OUT:
                continue
            name = masks.find(entry.file_name, f"{folder}/{stem}", stem)
            if image == UNKNOWN:
                self.report.add("coco_image_unknown", f"{where}.image_id", entry.image_id)
            elif image in seen:
                self.report.add("coco_image_repeated", f"{where}.image_id", entry.image_id)
            elif name is None:
                self.report.add("image_missing", f"{where}.file_name", entry.file_name)
            else:
                seen.add(image)
                self._add_segments(image, entry.segments_info, name, where, categories)

    def _add_segments(self, image: int, segments: list[Segment], name: str, where: str, categories: Index) -> None:
        size = self.columns.images["width"][image], self.columns.images["height"][image]
        pixels = read_ids(self.root / name, name, size, self.report)
        if pixels is None:
            return
        runs = raster.encode_each(pixels)
        runs.pop(0, None)
        for place, segment in enumerate(segments):
            here = f"{where}.segments_info[{place}]"
            category = categories.row(segment.category_id)
            its = runs.pop(segment.id, None)
            if category == UNKNOWN:
                self.report.add("coco_category_unknown", f"{here}.category_id", segment.category_id)
            elif its is None:
                self.report.add("panoptic_segment_missing", f"{here}.id", segment.id)
            else:
                said = {"coco_id": segment.id, **({"iscrowd": 1} if segment.iscrowd else {})}
                label, box = self.columns.class_names[category], raster.box_of_runs(its, size[1])
                self.rows.add_mask(image, label, its, box, self.source.name, attributes=said)
        for number in runs:
            self.report.add("panoptic_segment_unlisted", name, number)


def read_ids(path: Path, name: str, size: tuple[int, int], report: Report) -> Ints | None:
    """The segment of each pixel; None, with a finding, for a file that is no coloured PNG of that size."""
    try:
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", Image.DecompressionBombWarning
            )  # the size is the image's, which was checked
            with Image.open(stream, formats=("PNG",)) as mask:
                if mask.mode not in COLOURED:
                    report.add("panoptic_not_coloured", name, mask.mode)
                    return None
                if mask.size != size:
                    report.add("mask_size_mismatch", name, f"{mask.size}, image {size}")
                    return None
                colours = np.asarray(mask.convert("RGB"), dtype=np.int64)
    except (*files.UNREADABLE, Image.DecompressionBombError) as error:
        report.add("mask_unreadable", name, error)
        return None
    ids: Ints = colours @ np.array([1, 256, 65536])
    if np.count_nonzero(ids[1:] != ids[:-1]) > MAX_CHANGES:
        report.add("mask_too_detailed", name)
        return None
    return ids
