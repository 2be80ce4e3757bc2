"""The rows of a Hugging Face dataset without their images: labels, values, objects and the rest, as annotations."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from retinue_sdk.formats.hf_files import UNREADABLE, Source
from retinue_sdk.formats.hf_objects import Objects, said
from retinue_sdk.formats.json_files import finite, mapping
from retinue_sdk.formats.mask_files import Masks
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Rows, to_json

Size = tuple[int, int]


@dataclass
class Told:
    """What rows say of images as a whole, by the number of the image."""

    group: dict[int, str] = field(default_factory=dict)
    attributes: dict[int, str] = field(default_factory=dict)


def add(source: Source, images: Mapping[int, int], sizes: Sequence[Size], masks: Masks, told: Told) -> None:
    """Add a source's rows. `images` has the number of the image of each row that has one, `sizes` is by that number."""
    columns, rows, report = source.columns, masks.rows, masks.rows.report
    for name in columns.ignored:
        report.add("column_ignored", source.name, name)
    objects = Objects(rows, columns.object_fields, columns.object_names, report, stated=source.stated)
    objects.made_names &= bool(columns.objects)
    nameless = False
    try:
        for row, cells in enumerate(_rows(source)):
            if (image := images.get(row)) is None:
                continue
            if columns.mask:
                _add_mask(cells[columns.mask], image, sizes[image], source.name, row + 1, masks)
            nameless |= _add_label(cells, image, source, row + 1, rows, report)
            _add_values(cells, image, source, row + 1, rows, report)
            if columns.objects:
                objects.add(image, sizes[image], cells[columns.objects], source.name, row + 1)
            _tell(cells, image, source, told)
    except UNREADABLE as error:
        report.add("rows_unreadable", source.name, error)
    objects.conclude(source.name)
    if nameless:
        report.add("labels_taken", source.name, f"{columns.label}: whole numbers, taken as classes")


def classes_of(value: Any, names: Sequence[str]) -> list[str] | None:
    """The classes of a label: none for null and -1; None for a number that has no name, or what is no label."""
    if isinstance(value, list):
        parts = [classes_of(part, names) for part in value]
        return None if None in parts else [name for part in parts for name in part or ()]
    if value is None or value == -1:
        return []
    if isinstance(value, str | bool):
        return [str(value)] if value != "" else []
    if isinstance(value, int):
        return [str(value)] if not names else [names[value]] if 0 <= value < len(names) else None
    return None


def _rows(source: Source) -> Iterator[dict[str, Any]]:
    """The cells of each row but for the image."""
    names = source.columns.used()
    for batch in source.rows(names) if names else ():
        yield from (dict(zip(names, cells, strict=True)) for cells in zip(*batch.values(), strict=True))


def _add_label(cells: Mapping[str, Any], image: int, source: Source, line: int, rows: Rows, report: Report) -> bool:
    """Whether there is a label that has only a number for a name."""
    columns = source.columns
    if not columns.label:
        return False
    value = cells[columns.label]
    found = classes_of(value, columns.names)
    if found is None:
        report.add("class_out_of_range", f"{source.name}:{line}", value)
    for name in dict.fromkeys(found or ()):
        rows.add_class(image, name, source.name, line)
    return bool(found) and not columns.names and not isinstance(value, str) and not _are_texts(value)


def _add_mask(value: Any, image: int, size: Size, source: str, line: int, masks: Masks) -> None:
    data = mapping(value).get("bytes") if not isinstance(value, bytes) else value
    if isinstance(data, bytes) and data:
        masks.add_from(image, io.BytesIO(data), source, size, line)
    elif mapping(value).get("path"):
        masks.rows.report.add("mask_unreadable", f"{source}:{line}", "not inside of the file")


def _add_values(cells: Mapping[str, Any], image: int, source: Source, line: int, rows: Rows, report: Report) -> None:
    for column, name in source.columns.values.items():
        value = cells[column]
        if value is None:
            continue
        if finite(value) is None:
            report.add("label_not_a_number", f"{source.name}:{line}", f"{name}: {value}")
        else:
            rows.add_value(image, name, float(value), source.name, line)


def _tell(cells: Mapping[str, Any], image: int, source: Source, told: Told) -> None:
    columns = source.columns
    if columns.group and cells[columns.group]:
        told.group[image] = cells[columns.group]
    if columns.attributes and cells[columns.attributes]:
        told.attributes[image] = to_json(said(cells[columns.attributes]))
        return
    scalars = {name: cells[name] for name in columns.scalars if _is_told(cells[name])}
    if scalars:
        told.attributes[image] = to_json(scalars)


def _is_told(value: Any) -> bool:
    return value is not None and value != "" and not (isinstance(value, float) and not math.isfinite(value))


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(part, str) for part in value)
