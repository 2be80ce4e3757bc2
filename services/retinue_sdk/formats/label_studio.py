"""Label Studio's JSON and JSON-MIN, import only. Images are found by their file name: the addresses are those of a server.

Coordinates are percent of the image. Of several annotations of a task the first that is not cancelled holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from retinue_sdk.api import Finding
from retinue_sdk.formats import files
from retinue_sdk.formats.image_names import ImageNames
from retinue_sdk.formats.json_files import integer, load_json
from retinue_sdk.formats.label_studio_regions import Regions
from retinue_sdk.formats.label_studio_tasks import data_of, image_of, is_task, results_of, tasks_of
from retinue_sdk.formats.part_masks import PartMasks
from retinue_sdk.formats.poses import Poses
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Rows, to_json
from retinue_sdk.table import AnnotationTable

NAME = "label_studio"
TITLE = "Label Studio"
MAX_BYTES = 256_000_000
SNIFFED = 20
HEAD = 20_000
MARKS = (
    b'"was_cancelled"',
    b'"completed_by"',
    b'"from_name"',
    b'"annotation_id"',
    b'"original_width"',
    b'"file_upload"',
)


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read all exports in a folder, with the splits its folders are named by."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    documents = [f for f in listing if f.lower().endswith(".json")]
    measured = files.measure(root, [f for f in listing if files.is_image(f)], report)
    dataset = _Dataset(measured, report)
    for name in documents:
        dataset.read(root / name, name)
    if not dataset.tasks:
        report.add("annotations_missing", root.name)
    return dataset.table(), report.findings()


def sniff(path: Path) -> float:
    """JSON files that begin with a task."""
    root = files.dataset_root(path)
    documents = [f for f in files.list_files(root) if f.lower().endswith(".json")][:SNIFFED]
    return 0.95 if any(_is_export(root / f) for f in documents) else 0.0


@dataclass
class _Dataset:
    """What has been read so far."""

    measured: files.Measured
    report: Report
    tasks: int = 0
    attributes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rows = Rows(self.report)
        self._poses = Poses(self.report)
        self._regions = Regions(self._rows, self._poses, PartMasks(self._rows))
        self._names = ImageNames(self.measured.key)
        self._position = {key: row for row, key in enumerate(self.measured.key)}

    def read(self, path: Path, name: str) -> None:
        """One document."""
        document = load_json(path, name, self.report, MAX_BYTES)
        if document is None:
            return
        tasks = [task for task in tasks_of(document) if is_task(task)]
        if not tasks:
            self.report.add("files_ignored", name)
        for number, task in enumerate(tasks):
            self.tasks += 1
            self._add(task, name, f"{name} task {integer(task.get('id')) or number}")

    def _add(self, task: dict[str, Any], name: str, where: str) -> None:
        key, said = image_of(task, self._names, where, self.report)
        if key is None:
            return
        if key in self.attributes:
            self.report.add("image_described_twice", where, key)
            return
        more = {k: v for k, v in data_of(task).items() if k != said and isinstance(v, str | int | float)}
        self.attributes[key] = to_json(more)
        row = self._position[key]
        size = (self.measured.width[row], self.measured.height[row])
        results = results_of(task, where, self.report)
        if not results:
            self.report.add("image_without_label", where, key)
        sizes = {result.size for result in results if None not in result.size} - {size}
        if sizes:
            self.report.add("image_size_mismatch", where, f"{min(map(str, sizes))}, image {size}")
        self._regions.add(results, row, size, name, where)

    def table(self) -> AnnotationTable:
        """The table of it all."""
        self._poses.finish(self._rows)
        for key in self.measured.key:
            if key not in self.attributes:
                self.report.add("image_without_label", key)
        classes = sorted(set(self._rows.name))
        known = [{"keypoints": self._poses.names[name]} if name in self._poses.names else {} for name in classes]
        splits = [split for _, split in files.by_split(self.measured.key)]
        attributes = [self.attributes.get(key, "") for key in self.measured.key]
        images = {"split": splits, "attributes": attributes}
        return self._rows.table(self.measured, images, "labels", classes, None, known)


def _is_export(path: Path) -> bool:
    """Whether a JSON file begins with a task, in full or as in JSON-MIN."""
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    full = b'"annotations"' in head or b'"completions"' in head
    return head.lstrip()[:1] in {b"[", b"{"} and sum(mark in head for mark in MARKS) > 1 - full and b'"id"' in head
