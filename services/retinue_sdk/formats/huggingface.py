"""Hugging Face datasets: folders of parquet as on the Hub, folders of `save_to_disk`, and image folders with metadata.

A second column of images, called label, annotation, mask or the like, has the numbers of classes; id2label.json names them.

Read without the `datasets` library. Images inside of parquet or Arrow files are written to a folder of this process (see
`scratch`), never into the dataset. Written are data/<split>-00000-of-00001.parquet with the features that make
`datasets.load_dataset(folder)` give Images, ClassLabels and objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from retinue_sdk.api import Finding
from retinue_sdk.formats import csv_labels, files, hf_rows, jsonl_labels, label_files, label_rows
from retinue_sdk.formats.hf_files import Source, data_files, holds_images, sources
from retinue_sdk.formats.hf_images import Images, extract
from retinue_sdk.formats.hf_objects import Objects, objects_of
from retinue_sdk.formats.hf_write import HOLDS, ID2LABEL, write_parquet
from retinue_sdk.formats.index_classes import from_json
from retinue_sdk.formats.mask_files import Masks
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Rows
from retinue_sdk.table import AnnotationTable

__all__ = ["HOLDS"]
NAME = "huggingface"
TITLE = "Hugging Face datasets"
READS_IMAGES = True
METADATA = ("metadata.jsonl", "metadata.csv")
FILE_NAME = "file_name"


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read a dataset; boxes of four numbers are taken as x, y, width, height, and that is said."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    if not data_files(listing):
        return _read_folder(root, listing, report), report.findings()
    found = sources(root, listing, report)
    images = extract(root, listing, found, report)
    names = from_json(root, ID2LABEL, report) if ID2LABEL in listing else None
    return _table(root, found, images, Masks(root, Rows(report), names)), report.findings()


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:  # noqa: ARG001
    """Write the shards of every split; the images are inside of them, so none is placed."""
    return write_parquet(table, path, NAME).findings()


def sniff(path: Path) -> float:
    """Parquet or Arrow with a column of images, or images beside a metadata file with `file_name`."""
    root = files.dataset_root(path)
    listing = files.list_files(root)
    if any(holds_images(root, name) for name in data_files(listing)[: label_files.SNIFFED_FILES]):
        return 0.95
    metadata = _metadata(listing)[: label_files.SNIFFED_FILES]
    if not metadata or not any(map(files.is_image, listing)):
        return 0.0
    return 0.95 if any(FILE_NAME in _beginning(root / name) for name in metadata) else 0.0


def _table(root: Path, found: Sequence[Source], images: Images, masks: Masks) -> AnnotationTable:
    """The table of the images that can be read, with what their rows say."""
    report = masks.rows.report
    keys = images.keys(found)
    measured = files.measure_files(zip(keys, map(Path, images.path), strict=True), root.name, report)
    index = {key: number for number, key in enumerate(measured.key)}
    sizes = list(zip(measured.width, measured.height, strict=True))
    by_source: list[dict[int, int]] = [{} for _ in found]
    for key, number, row in zip(keys, images.source, images.row, strict=True):
        if key in index:
            by_source[number][row] = index[key]
    splits = {key: found[number].split for key, number in zip(keys, images.source, strict=True)}
    told = hf_rows.Told()
    for source, numbers in zip(found, by_source, strict=True):
        hf_rows.add(source, numbers, sizes, masks, told)
    count = range(len(measured.key))
    columns = {
        "split": [splits[key] for key in measured.key],
        "group": [told.group.get(i, "") for i in count],
        "attributes": [told.attributes.get(i, "") for i in count],
    }
    classes, ids = _classes(found, masks)
    return masks.rows.table(measured, columns, root.name, classes, ids)


def _classes(found: Sequence[Source], masks: Masks) -> tuple[list[str], list[int]]:
    """The names and ids of the numbers in masks, then the names of ClassLabels in their order, then those that only rows have."""
    stated = [name for s in found for name in (*s.columns.names, *s.columns.object_names)]
    drawn = masks.known if any(s.columns.mask for s in found) else {}
    if drawn and masks.names is None:
        masks.rows.report.add("class_names_made", found[0].name)
    rest = [n for n in dict.fromkeys([*stated, *sorted(set(masks.rows.name))]) if n not in drawn.values()]
    first = max(drawn, default=-1) + 1
    return [*drawn.values(), *rest], [*drawn, *range(first, first + len(rest))]


def _read_folder(root: Path, listing: list[str], report: Report) -> AnnotationTable:
    """An image folder with metadata: labels as in JSON Lines or CSV, and objects."""
    records: list[label_rows.Record] = []
    names = _metadata(listing)
    typed = any(name.lower().endswith(".jsonl") for name in names)
    for name in names:
        if name.lower().endswith(".jsonl"):
            records += jsonl_labels.records(root, name, report)
        elif not typed:
            records += csv_labels.records(root, name, report)
    fields = {name for r in records for item in objects_of(r.cells.get("objects")) or () for name in item}
    readers: list[Objects] = []

    def add_objects(rows: Rows, image: int, size: tuple[int, int], record: label_rows.Record) -> None:
        if not readers:
            readers.append(Objects(rows, sorted(fields), [], report))
        readers[0].add(image, size, record.cells["objects"], record.source, record.line)

    table = label_rows.read(root, listing, records, report, typed=typed, more={"objects": add_objects})
    if readers:
        readers[0].conclude(records[0].source)
    return table


def _metadata(listing: Sequence[str]) -> list[str]:
    return [name for name in listing if PurePosixPath(name).name.lower() in METADATA]


def _beginning(path: Path) -> str:
    with path.open("rb") as stream:
        return stream.read(label_files.SNIFFED_BYTES).decode("utf-8", "replace")
