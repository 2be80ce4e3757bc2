"""LabelMe: one JSON file for each image, beside it. Images embedded in the JSON are not read.

A rectangle and points of one group are a pose. Flags of an image that are true are its classes.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from retinue_sdk.api import Finding
from retinue_sdk.formats import files
from retinue_sdk.formats.fit import Holds, fit
from retinue_sdk.formats.image_names import ImageNames
from retinue_sdk.formats.items import by_image
from retinue_sdk.formats.json_files import finite, items, load_json, mapping, text
from retinue_sdk.formats.labelme_shapes import Shapes, extras
from retinue_sdk.formats.labelme_writer import Writer
from retinue_sdk.formats.part_masks import PartMasks
from retinue_sdk.formats.poses import Poses
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Rows, to_json
from retinue_sdk.table import AnnotationTable

NAME = "labelme"
TITLE = "LabelMe"
HOLDS = Holds(
    ("polygon", "box", "mask", "keypoints", "class"),
    attributes=True,
    image_attributes=True,
    class_attributes=("keypoints",),
    class_order=False,
    class_unused=False,
    rings=False,
    unclassed=False,
    unplaced=False,
)
MAX_BYTES = 256_000_000  # most of it is the embedded image
SNIFFED = 20
KNOWN = {
    "version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth", "lineColor", "fillColor", "keypoints",
}  # fmt: skip


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read all JSON files of a folder, with the splits its folders are named by."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    documents = [f for f in listing if f.lower().endswith(".json")]
    measured = files.measure(root, [f for f in listing if files.is_image(f)], report)
    dataset = _Dataset(measured, report)
    for name in documents:
        dataset.read(root / name, name)
    if not documents:
        report.add("annotations_missing", root.name)
    return dataset.table(), report.findings()


def sniff(path: Path) -> float:
    """JSON files that begin as LabelMe's do."""
    root = files.dataset_root(path)
    documents = [f for f in files.list_files(root) if f.lower().endswith(".json")]
    looked = documents[:: len(documents) // SNIFFED + 1]
    return 0.95 if looked and sum(_is_labelme(root / f) for f in looked) * 2 > len(looked) else 0.0


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    """Write each image with its JSON into a folder of its split."""
    table, report = fit(table, HOLDS, NAME)
    writer = Writer(dict(zip(table.classes, table.class_attributes, strict=True)), NAME, report)
    images = table.images
    columns = (images["path"], images["split"], images["width"], images["height"], images["attributes"])
    for name, source, split, width, height, said, found in zip(
        table.file_names, *columns, by_image(table), strict=True
    ):
        folder = path / split
        folder.mkdir(parents=True, exist_ok=True)
        place(Path(source), folder / name)
        more = json.loads(said) if said else {}
        if more.keys() & KNOWN:
            report.add("loss_image_attributes", NAME, name)
        document = {
            "version": "5.5.0",
            **writer.document(found, (width, height)),
            "imagePath": name,
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
            **{key: value for key, value in more.items() if key not in KNOWN},
        }
        (folder / name).with_suffix(".json").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return report.findings()


@dataclass
class _Dataset:
    """What has been read so far."""

    measured: files.Measured
    report: Report
    flags: set[str] = field(default_factory=set)
    attributes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rows = Rows(self.report)
        self._poses = Poses(self.report)
        self._shapes = Shapes(self._rows, self._poses, PartMasks(self._rows))
        self._names = ImageNames(self.measured.key)
        self._beside = {os.path.splitext(key)[0]: key for key in self.measured.key}  # noqa: PTH122 - called once per image
        self._position = {key: row for row, key in enumerate(self.measured.key)}

    def read(self, path: Path, name: str) -> None:
        """One document."""
        document = load_json(path, name, self.report, MAX_BYTES)
        if document is None:
            return
        if not isinstance(document, dict) or not isinstance(document.get("shapes"), list):
            self.report.add("files_ignored", name)
            return
        key = self._image(text(document.get("imagePath")), name)
        if key is None:
            embedded = " (embedded only)" if document.get("imageData") else ""
            self.report.add("image_missing", name, f"{text(document.get('imagePath'))}{embedded}")
        elif key in self.attributes:
            self.report.add("image_described_twice", name, key)
        else:
            self._add(document, name, key)

    def _image(self, written: str, name: str) -> str | None:
        """The image of a document: where it says, beside it, or somewhere under that file name."""
        exact = self._names.at(written, name.rpartition("/")[0])
        found = exact or self._beside.get(name.rpartition(".")[0]) or self._names.find(written)
        if found and not exact:
            self.report.add("image_matched_by_name", name, written)
        return found

    def _add(self, document: dict[str, Any], name: str, key: str) -> None:
        self.attributes[key] = to_json(extras(document, KNOWN))
        row = self._position[key]
        size = (self.measured.width[row], self.measured.height[row])
        said = (finite(document.get("imageWidth")), finite(document.get("imageHeight")))
        if None not in said and said != size:
            self.report.add("image_size_mismatch", name, f"{said}, image {size}")
        for label, points in mapping(document.get("keypoints")).items():
            self._poses.know(label, [point for point in items(points) if isinstance(point, str)], name)
        for flag, value in mapping(document.get("flags")).items():
            self.flags.add(flag)
            if value is True:
                self._rows.add_class(row, flag, name)
        self._shapes.add(document["shapes"], row, size, name)

    def table(self) -> AnnotationTable:
        """The table of it all."""
        self._poses.finish(self._rows)
        for key in self.measured.key:
            if key not in self.attributes:
                self.report.add("image_without_label", key)
        classes = sorted({*self._rows.name, *self.flags})
        known = [{"keypoints": self._poses.names[name]} if name in self._poses.names else {} for name in classes]
        splits = [split for _, split in files.by_split(self.measured.key)]
        attributes = [self.attributes.get(key, "") for key in self.measured.key]
        return self._rows.table(
            self.measured, {"split": splits, "attributes": attributes}, "shapes", classes, None, known
        )


def _is_labelme(path: Path) -> bool:
    """Whether a JSON file begins as LabelMe's do."""
    with path.open("rb") as stream:
        head = stream.read(4000)
    return b'"shapes"' in head and any(key in head for key in (b'"version"', b'"imagePath"', b'"flags"'))
