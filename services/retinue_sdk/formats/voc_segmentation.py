"""Pascal VOC segmentation: SegmentationClass/*.png, SegmentationObject/*.png, JPEGImages/ and ImageSets/Segmentation.

Each object is a mask of the class of its pixels; without SegmentationObject there is one mask for each class in an image. Void
pixels, the border of objects, are left out. Names and colours come from CVAT's labelmap.txt, or are the 20 of Pascal VOC. Boxes
in Annotations/ are those of the format Pascal VOC.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import ne
from pathlib import Path, PurePosixPath

import numpy as np

from retinue_sdk import raster
from retinue_sdk.api import Finding
from retinue_sdk.formats import files
from retinue_sdk.formats.fit import Holds, fit
from retinue_sdk.formats.items import Item, by_image
from retinue_sdk.formats.mask_files import Indexes, Size
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Rows
from retinue_sdk.formats.voc_colors import (
    BACKGROUND,
    OFFICIAL,
    VOID,
    Labelmap,
    kind_of,
    read_labelmap,
    usable_numbers,
    write_labelmap,
)
from retinue_sdk.formats.voc_masks import read_numbers, write_numbers
from retinue_sdk.formats.voc_sets import images_of, read_sets, write_sets
from retinue_sdk.table import AnnotationTable

NAME = "voc_segmentation"
TITLE = "Pascal VOC segmentation"
HOLDS = Holds(("mask",), class_ids=True, unclassed=False)
FOLDERS = ("segmentationclass", "segmentationobject")  # in small letters
LABELMAP = "labelmap.txt"


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read one mask annotation for each object, or for each class in an image."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    images = images_of(listing)
    splits = read_sets(root, listing, images, "segmentation", report)
    measured = files.measure(root, sorted(splits), report)
    found = next((f for f in listing if PurePosixPath(f).name.lower() == LABELMAP), "")
    masks = _Masks(root, Rows(report), read_labelmap(root / found, found, report) if found else None)
    classes, objects = (_masks_of(listing, images, folder, report) for folder in FOLDERS)
    if not classes:
        report.add("annotations_missing", root.name)
    for row, key in enumerate(measured.key):
        if key in classes:
            masks.add(row, classes[key], objects.get(key, ""), (measured.width[row], measured.height[row]))
        else:
            report.add("image_without_label", key)
    if boxes := sum(f.endswith(".xml") and _folder(f) == "annotations" for f in listing):
        report.add("boxes_ignored", "Annotations", count=boxes)
    names, ids = masks.classes(found or "SegmentationClass")
    columns = {"split": [splits[key] for key in measured.key]}
    return masks.rows.table(measured, columns, found or "SegmentationClass", names, ids), report.findings()


def sniff(path: Path) -> float:
    """PNGs in SegmentationClass/; a little less when there are boxes, too."""
    listing = files.list_files(files.dataset_root(path))
    if not any(f.lower().endswith(".png") and _folder(f) == FOLDERS[0] for f in listing):
        return 0.0
    return 0.9 if any(f.lower().endswith(".xml") and _folder(f) == "annotations" for f in listing) else 0.97


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    """Write JPEGImages, SegmentationClass, SegmentationObject, ImageSets/Segmentation and labelmap.txt."""
    table, report = fit(table, HOLDS, NAME)
    numbers = usable_numbers(table.class_ids)
    if numbers != table.class_ids:
        report.add("loss_class_ids", NAME, count=sum(map(ne, numbers, table.class_ids)))
    folders = [path / name for name in ("JPEGImages", "SegmentationClass", "SegmentationObject")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    by_name = dict(zip(table.classes, numbers, strict=True))
    sizes = table.images[["width", "height"]].to_numpy().tolist()
    for name, source, (width, height), items in zip(
        table.file_names, table.images["path"], sizes, by_image(table), strict=True
    ):
        place(Path(source), folders[0] / name)
        drawn = _draw(items, by_name, (width, height), name, report)
        for folder, mask in zip(folders[1:], drawn, strict=True):
            write_numbers((folder / name).with_suffix(".png"), mask)
    stems = [PurePosixPath(name).stem for name in table.file_names]
    write_sets(path / "ImageSets" / "Segmentation", stems, list(table.images["split"]))
    write_labelmap(path / LABELMAP, dict(zip(numbers, table.classes, strict=True)))
    return report.findings()


@dataclass
class _Masks:
    """Annotations as masks are read. Their names are their numbers until all of them are known."""

    root: Path
    rows: Rows
    labelmap: Labelmap | None

    def add(self, image: int, classes: str, objects: str, size: Size) -> None:
        """The masks of one image of this size (width, height); `objects` may be empty."""
        report = self.rows.report
        numbers = read_numbers(self.root / classes, classes, size, self.labelmap, report)
        if numbers is None:
            return
        apart = read_numbers(self.root / objects, objects, size, None, report) if objects else None
        if apart is None:
            found = {(0, number): runs for number, runs in raster.encode_each(numbers).items()}
        else:
            found = raster.encode_pairs(apart, numbers)
        kinds = {number: self._kind(number, classes) for number in dict.fromkeys(number for _, number in found)}
        seen: set[int] = set()
        for (item, number), runs in found.items():
            if kinds[number] == "class":
                if item in seen and item not in (BACKGROUND, VOID):
                    report.add("mask_object_mixed", objects, item)
                seen.add(item)
                self.rows.add_mask(image, str(number), runs, raster.box_of_runs(runs, size[1]), classes)

    def _kind(self, number: int, source: str) -> str:
        """What a number of a mask stands for; void is reported, and what is in no labelmap."""
        kind = kind_of(number, self.labelmap.names if self.labelmap else None)
        if kind == "void":
            self.rows.report.add("mask_void", source, number)
        elif kind == "unknown":
            self.rows.report.add("class_out_of_range", source, number)
        return kind

    def classes(self, where: str) -> tuple[list[str], list[int]]:
        """Names and ids of the classes; the rows get these names."""
        if self.labelmap:
            names, ids = self.labelmap.classes(), self.labelmap.ids()
        else:
            used = sorted(set(map(int, self.rows.name)))
            official = bool(used) and used[-1] <= len(OFFICIAL)
            if used:
                self.rows.report.add("class_names_assumed" if official else "class_names_made", where)
            names = dict(enumerate(OFFICIAL, 1)) if official else {number: f"class_{number}" for number in used}
            ids = list(names)
        self.rows.name = [names[int(number)] for number in self.rows.name]
        return list(names.values()), ids


def _folder(name: str) -> str:
    return PurePosixPath(name).parent.name.lower()


def _masks_of(listing: list[str], images: list[str], folder: str, report: Report) -> dict[str, str]:
    """The mask of each image: in the folder beside the image's, or the only one of its stem."""
    present = [PurePosixPath(f) for f in listing if f.lower().endswith(".png") and _folder(f) == folder]
    places = {(mask.parent.parent, mask.stem): mask.as_posix() for mask in present}
    stems: dict[str, str] = {}
    for mask in present:
        stems[mask.stem] = "" if mask.stem in stems else mask.as_posix()
    keys = [PurePosixPath(key) for key in images]
    found = {str(k): places.get((k.parent.parent, k.stem)) or stems.get(k.stem, "") for k in keys}
    for name in sorted({mask.as_posix() for mask in present} - set(found.values())):
        report.add("label_without_image", name)
    return {key: name for key, name in found.items() if name}


def _draw(items: list[Item], numbers: dict[str, int], size: Size, name: str, report: Report) -> tuple[Indexes, Indexes]:
    """The classes and the objects of an image (height, width); where masks overlap, the later one holds."""
    width, height = size
    small = len(items) < VOID and max(numbers.values(), default=0) <= VOID
    classes, objects = (np.zeros(width * height, dtype=np.uint8 if small else np.int32) for _ in range(2))
    for item, number in zip(items, (n for n in range(1, len(items) + 2) if n != VOID), strict=False):
        runs = item.shape.astype(np.int64)
        pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        if not pixels.any():
            report.add("loss_shape", NAME, f"{name}: a mask without a pixel")
        if lost := int(np.count_nonzero(objects[pixels])):
            report.add("loss_overlap", name, count=lost)
        classes[pixels], objects[pixels] = numbers[item.name], number
    return classes.reshape((height, width), order="F"), objects.reshape((height, width), order="F")
