"""CVAT for images 1.1: annotations.xml with labels and all shapes, beside images/. Skeletons are keypoints, tags are classes.

A <box> with a rotation is an oriented box. Several annotations.xml, as in the export of a project, are read one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from retinue_sdk.api import Finding
from retinue_sdk.formats import cvat_xml, files, xml_files
from retinue_sdk.formats.cvat_labels import Labels, write_labels
from retinue_sdk.formats.cvat_shapes import Shapes
from retinue_sdk.formats.cvat_tags import IN_IMAGE, Tags, input_types
from retinue_sdk.formats.fit import Holds, fit
from retinue_sdk.formats.image_names import ImageNames, leads_outside
from retinue_sdk.formats.items import by_image
from retinue_sdk.formats.part_masks import PartMasks
from retinue_sdk.formats.poses import Poses, point_names
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Rows, number, to_json
from retinue_sdk.table import AnnotationTable

NAME = "cvat"
TITLE = "CVAT for images 1.1"
HOLDS = Holds(
    ("polygon", "box", "mask", "keypoints", "obb", "class"),
    attributes=True,
    image_attributes=True,
    class_attributes=("color", "type", "keypoints", "skeleton"),
    rings=False,
    unclassed=False,
)
MAX_BYTES = 1_000_000_000  # it is never in memory as a whole
SNIFFED = 20


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read all CVAT documents of a folder."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    documents = [f for f in listing if _is_cvat(root / f)]
    measured = files.measure(root, [f for f in listing if files.is_image(f)], report)
    dataset = _Dataset(measured, report)
    for name in documents:
        dataset.read(root / name, name)
    if not documents:
        report.add("annotations_missing", root.name)
    return dataset.table(), report.findings()


def sniff(path: Path) -> float:
    """An XML file that begins as CVAT's do."""
    root = files.dataset_root(path)
    documents = [f for f in files.list_files(root) if f.lower().endswith(".xml")][:SNIFFED]
    return 0.97 if any(_is_cvat(root / f) for f in documents) else 0.0


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    """Write annotations.xml and images/."""
    table, report = fit(table, HOLDS, NAME)
    (path / "images").mkdir(parents=True, exist_ok=True)
    for name, source in zip(table.file_names, table.images["path"], strict=True):
        place(Path(source), path / "images" / name)
    names = _skeletons(table)
    inputs = input_types(item for items in by_image(table) for item in items)
    tags = Tags(names, report)
    with (path / "annotations.xml").open("w", encoding="utf-8") as out:
        labels = write_labels(table.classes, table.class_attributes, names, inputs)
        out.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n')
        out.write(f"<meta><task><size>{len(table)}</size><mode>annotation</mode>\n{labels}</task></meta>\n")
        sizes = table.images[["width", "height"]].to_numpy().tolist()
        columns = (table.file_names, table.images["split"], sizes, table.images["attributes"], by_image(table))
        for row, (name, split, size, said, items) in enumerate(zip(*columns, strict=True)):
            out.write(tags.image(row, name, split, (size[0], size[1]), said, items))
        out.write("</annotations>\n")
    return report.findings()


def _skeletons(table: AnnotationTable) -> dict[str, list[str]]:
    """The keypoints of each class, by name; classes whose points have no name and are all visible are no skeletons."""
    attributes = dict(zip(table.classes, table.class_attributes, strict=True))
    counts: dict[str, int] = {}
    for items in by_image(table):
        for item in items:
            named = item.kind == "keypoints" and "keypoints" in attributes[item.name]
            if named or (item.kind == "keypoints" and (item.shape[2::3] != 2).any()):
                counts[item.name] = max(counts.get(item.name, 0), len(item.shape) // 3)
    return {name: point_names(attributes[name], count) for name, count in counts.items()}


@dataclass
class _Dataset:
    """What has been read so far."""

    measured: files.Measured
    report: Report
    labels: Labels = field(default_factory=Labels)

    def __post_init__(self) -> None:
        self._rows = Rows(self.report)
        self._poses = Poses(self.report)
        self._masks = PartMasks(self._rows)
        self._names = ImageNames(self.measured.key)
        self._position = {key: row for row, key in enumerate(self.measured.key)}
        self._described: dict[str, Mapping[str, str]] = {}

    def read(self, path: Path, name: str) -> None:
        """One document."""
        shapes = Shapes(name, self._rows, self._poses, self._masks, self.labels)
        on_label = partial(self.labels.add, poses=self._poses, where=name)
        reader = cvat_xml.Reader(on_label, partial(self._add, shapes))
        xml_files.parse(path, name, reader, self.report, MAX_BYTES)
        if reader.tracks:
            self.report.add("shape_unsupported", name, "track", count=reader.tracks)

    def _add(self, shapes: Shapes, image: cvat_xml.Image) -> None:
        """One image, unless it is not there or has been described before."""
        where = f"{shapes.source}:{image.line}"
        name, subset = image.values.get("name", ""), image.values.get("subset", "")
        folder = shapes.source.rpartition("/")[0]
        key = self._names.find(name, f"{folder}/images/{subset}", f"{folder}/images", folder)
        if leads_outside(name):
            self.report.add("xml_filename_escapes", where, name)
        elif key is None:
            self.report.add("image_missing", where, name)
        elif key in self._described:
            self.report.add("image_described_twice", where, name)
        else:
            self._described[key] = image.values
            row = self._position[key]
            size = (self.measured.width[row], self.measured.height[row])
            said = (number(image.values.get("width", "")), number(image.values.get("height", "")))
            if None not in said and said != size:
                self.report.add("image_size_mismatch", where, f"{said}, image {size}")
            for shape in image.shapes:
                shapes.add(shape, row, size)

    def table(self) -> AnnotationTable:
        """The table of it all."""
        self._poses.finish(self._rows)
        for key in self.measured.key:
            if key not in self._described:
                self.report.add("image_without_label", key)
        splits, attributes = [], []
        for key in self.measured.key:
            values = dict(self._described.get(key, {}))
            subset = values.get("subset", "default")
            split = files.SPLITS.get(subset.lower(), "")
            more = {k: v for k, v in values.items() if k not in (*IN_IMAGE, "subset")}
            splits.append(split)
            attributes.append(to_json(more if split or subset.lower() == "default" else {**more, "subset": subset}))
        classes = list(self.labels.attributes) or sorted(set(self._rows.name))
        known = [self.labels.class_attributes(name, self._poses.names.get(name, [])) for name in classes]
        images: dict[str, Any] = {"split": splits, "attributes": attributes}
        return self._rows.table(self.measured, images, "labels", classes, None, known)


def _is_cvat(path: Path) -> bool:
    """Whether an XML file begins as CVAT's do."""
    if path.suffix.lower() != ".xml":
        return False
    with path.open("rb") as stream:
        head = stream.read(4000)
    return b"<annotations" in head and any(tag in head for tag in (b"<meta>", b"<image", b"<version>", b"<track"))
