"""COCO: one JSON of instances or keypoints per split, in `annotations/` or, as Roboflow writes them, beside the images.

`read_annotations` reads a file without its images. Which files are read is in `coco_files`, what becomes of an annotation in
`coco_part`.
"""

from __future__ import annotations

from pathlib import Path

from retinue_sdk.api import Finding
from retinue_sdk.formats import files
from retinue_sdk.formats.coco_files import NAMED, PURPOSES, Pictures, Source, json_files, looks_like, source_of, sources
from retinue_sdk.formats.coco_json import load, shallow
from retinue_sdk.formats.coco_part import LEFT_OUT, Index
from retinue_sdk.formats.coco_records import Listed, images_of
from retinue_sdk.formats.coco_rows import Columns
from retinue_sdk.formats.coco_write import HOLDS, NAME, write
from retinue_sdk.formats.report import Report
from retinue_sdk.table import AnnotationTable

__all__ = ["HOLDS", "NAME", "TITLE", "read", "read_annotations", "sniff", "write"]

TITLE = "COCO"
SNIFFED = 20


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read every split; sizes are the images' own."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    pictures = Pictures(root, [f for f in listing if files.is_image(f)])
    columns = Columns(report)
    for source in sources(root, listing, PURPOSES, report):
        _add(root, source, pictures, columns)
    pictures.report_left(report)
    if not columns.images["key"]:
        report.add("dataset_empty", root.name)
    return columns.table(root.name), report.findings()


def read_annotations(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read one file without looking for its images: keys and sizes are what it says."""
    columns = Columns(Report())
    _add(path.parent, source_of(path.name), None, columns)
    return columns.table(path.name), columns.report.findings()


def _add(root: Path, source: Source, pictures: Pictures | None, columns: Columns) -> None:
    """Add a file, with its images where they are looked for."""
    report = columns.report
    with shallow(source.name, report):
        document = load(root / source.name, source.name, report)
        if document is None:
            return
        listed = images_of(document, report)
        images = pictures.add(source, listed, columns, report) if pictures else _as_listed(source, listed, columns)
        columns.add_file(document, images)


def _as_listed(source: Source, listed: list[Listed], columns: Columns) -> Index:
    usable = [image for image in listed if _has_size(image, columns.report)]
    columns.add_images(
        key=[image.key for image in usable],
        path=[""] * len(usable),
        width=[image.size[0] for image in usable],
        height=[image.size[1] for image in usable],
        split=[source.split] * len(usable),
        attributes=[image.attributes for image in usable],
    )
    rows = dict.fromkeys((image.id for image in listed), LEFT_OUT)
    return Index(rows | {image.id: row for row, image in enumerate(usable)})


def sniff(path: Path) -> float:
    """JSON files that speak of images, annotations and categories, or are at least called as COCO's are."""
    root = files.dataset_root(path)
    names = [n for n in json_files(files.list_files(root)) if source_of(n).purpose in PURPOSES][:SNIFFED]
    found = [name for name in names if looks_like(root / name)]
    usual = any(n.endswith("_annotations.coco.json") or NAMED.match(Path(n).name) for n in found or names)
    return (0.95 if usual else 0.85) if found else 0.5 if usual else 0.0


def _has_size(image: Listed, report: Report) -> bool:
    width, height = image.size
    if not width or not height:
        report.add("coco_value_invalid", image.where, "no width and height")
    elif width * height > files.MAX_PIXELS:
        report.add("image_too_large", image.where, f"{width} x {height}")
    else:
        return True
    return False
