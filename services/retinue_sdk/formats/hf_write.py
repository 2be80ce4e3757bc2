"""Writes a Hugging Face dataset: parquet shards of each split, with the features in the schema's metadata.

Masks are written where they are the only shapes: one image of class numbers for each image, and id2label.json.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from retinue_sdk.formats.fit import Holds, fit
from retinue_sdk.formats.hf_columns import METADATA, OURS
from retinue_sdk.formats.index_draw import Drawing
from retinue_sdk.formats.label_columns import VALUE_PREFIX
from retinue_sdk.formats.mask_files import Indexes
from retinue_sdk.formats.report import Report
from retinue_sdk.table import AnnotationTable, Ints

HOLDS = Holds(
    kinds=("box", "class", "value", "mask"),
    attributes=True,
    image_attributes=True,
    groups=True,
    unsplit=False,
    unclassed=False,
)
ID2LABEL = "id2label.json"
SHARD = 500 << 20  # bytes of images in one file
GROUP_ROWS = 100  # at most in a row group, which is held in memory whole by who writes or reads it
GROUP_BYTES = 64 << 20
SPLITS = {"": "train", "val": "validation"}

INTEGER = {"dtype": "int64", "_type": "Value"}
REAL = {"dtype": "float64", "_type": "Value"}
STRING = {"dtype": "string", "_type": "Value"}
IMAGE: Any = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
OBJECTS: dict[str, tuple[Any, Any]] = {
    "id": (pa.int64(), INTEGER),
    "bbox": (pa.list_(pa.float64()), {"feature": REAL, "_type": "Sequence"}),
    "area": (pa.float64(), REAL),
}
TEXTS: dict[str, tuple[Any, Any]] = {"attributes": (pa.string(), STRING)}


def write_parquet(table: AnnotationTable, path: Path, name: str, shard_bytes: int = SHARD) -> Report:
    """Write the shards of every split into data/; the losses."""
    table, report = fit(table, _holds(table), name)
    rows = _Rows(table, name, report)
    (path / "data").mkdir(parents=True, exist_ok=True)
    if rows.drawing:
        names = dict(zip(rows.drawing.numbers, table.classes, strict=True))
        (path / ID2LABEL).write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")
    for split, members in _by_split(table, name, report):
        shards = _shards(table, members, shard_bytes)
        for number, shard in enumerate(shards):
            file = path / "data" / f"{split}-{number:05d}-of-{len(shards):05d}.parquet"
            with pq.ParquetWriter(file, rows.schema) as writer:
                for group in _groups(table, shard):
                    cells = [rows.cells(int(row)) for row in group]
                    writer.write_batch(pa.RecordBatch.from_pylist(cells, schema=rows.schema))
    return report


def _holds(table: AnnotationTable) -> Holds:
    """Masks and the ids of classes, or boxes: a mask for each image is of little use where some objects are in none."""
    shapes = set(table.annotations["kind"]) - {"class", "value"}
    return replace(HOLDS, class_ids=True) if shapes == {"mask"} else replace(HOLDS, kinds=HOLDS.kinds[:-1])


def _unused_measures(table: AnnotationTable, kinds: npt.NDArray[Any]) -> list[str]:
    """Classes without annotations in a table of values only: each of its measures is a column, and none lists classes."""
    used = set(table.annotations["class_id"])
    only_values = len(kinds) > 0 and bool((kinds == "value").all())
    return [name for index, name in enumerate(table.classes) if only_values and index not in used]


class _Rows:
    """The cells of each image, and their schema: a column for each thing that any image has."""

    def __init__(self, table: AnnotationTable, name: str, report: Report) -> None:
        self._table = table
        columns = (table.images[column].tolist() for column in ("path", "key", "group", "attributes"))
        self._images = list(zip(*columns, strict=True))
        self._kinds = table.annotations["kind"].to_numpy(dtype=object)
        self._labels = table.annotations["class_id"].to_numpy()
        self._attributes = table.annotations["attributes"].to_numpy(dtype=object)
        self._values, self._offsets = table.coordinates()
        self._boxes = table.boxes
        masks = self._kinds == "mask"
        self.drawing = Drawing(table.keep(masks), name, report) if masks.any() else None
        if lost := int(((self._attributes != "") & (self._kinds != "box")).sum()):
            report.add("loss_attributes", name, count=lost)
        measures = set(self._labels[self._kinds == "value"]) - set(self._labels[self._kinds != "value"])
        self._names = [i for i in range(len(table.classes)) if i not in measures]
        if unused := _unused_measures(table, self._kinds):
            report.add("loss_class_unused", name, ", ".join(unused), count=len(unused))
        self._number = {label: number for number, label in enumerate(self._names)}
        owners = table.annotations["image"].to_numpy()[self._kinds == "class"]
        self._several = len(np.unique(owners)) < len(owners)
        self.schema = self._schema()

    def cells(self, row: int) -> dict[str, Any]:
        """What is written of an image."""
        path, key, group, attributes = self._images[row]
        cells: dict[str, Any] = {
            "image": {"bytes": Path(path).read_bytes(), "path": key}, "group": group, "attributes": attributes,
        }  # fmt: skip
        mine = np.arange(self._table.offsets[row], self._table.offsets[row + 1])
        kinds = self._kinds[mine]
        labels = [self._number[label] for label in self._labels[mine[kinds == "class"]]]
        cells["label"] = labels if self._several else next(iter(labels), None)
        if self.drawing:
            cells[self._mask_name()] = {"bytes": _png(self.drawing.draw(row)), "path": f"{Path(key).stem}.png"}
        for i in mine[kinds == "value"]:
            cells[VALUE_PREFIX + self._table.classes[self._labels[i]]] = float(self._values[self._offsets[i]])
        cells["objects"] = self._objects(mine[kinds == "box"])
        return {name: cells.get(name) for name in self.schema.names}

    def _objects(self, rows: Ints) -> dict[str, list[Any]]:
        x1, y1, x2, y2 = self._boxes[rows].T
        return {
            "id": rows.tolist(),
            "bbox": np.column_stack([x1, y1, x2 - x1, y2 - y1]).tolist(),
            "area": ((x2 - x1) * (y2 - y1)).tolist(),
            "category": [self._number[label] for label in self._labels[rows]],
            "attributes": self._attributes[rows].tolist(),
        }

    def _mask_name(self) -> str:
        return "annotation" if (self._kinds == "class").any() else "label"

    def _schema(self) -> Any:
        label: dict[str, Any] = {"names": [self._table.classes[i] for i in self._names], "_type": "ClassLabel"}
        columns: dict[str, tuple[Any, Any]] = {"image": (IMAGE, {"_type": "Image"})}
        if (self._kinds == "class").any():
            columns["label"] = (pa.list_(pa.int64()), _sequence(label)) if self._several else (pa.int64(), label)
        if self.drawing:
            columns[self._mask_name()] = (IMAGE, {"_type": "Image"})
        for i in np.unique(self._labels[self._kinds == "value"]):
            columns[VALUE_PREFIX + self._table.classes[i]] = (pa.float64(), REAL)
        if (self._kinds == "box").any():
            said = (self._attributes[self._kinds == "box"] != "").any()
            columns["objects"] = _objects_column(
                {**OBJECTS, "category": (pa.int64(), label), **(TEXTS if said else {})}
            )
        for name in ("group", "attributes"):
            if (self._table.images[name] != "").any():
                columns[name] = (pa.string(), STRING)
        features = {"info": {"features": {name: feature for name, (_, feature) in columns.items()}}}
        return pa.schema(
            [(name, kind) for name, (kind, _) in columns.items()],
            {METADATA: json.dumps(features).encode(), OURS: b'{"boxes":"xywh"}'},
        )


def _png(indexes: Indexes) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(indexes).save(stream, format="PNG")
    return stream.getvalue()


def _objects_column(fields: Mapping[str, tuple[Any, Any]]) -> tuple[Any, dict[str, Any]]:
    kind = pa.struct([(name, pa.list_(inner)) for name, (inner, _) in fields.items()])
    return kind, _sequence({name: feature for name, (_, feature) in fields.items()})


def _sequence(feature: dict[str, Any]) -> dict[str, Any]:
    return {"feature": feature, "_type": "Sequence"}


def _by_split(table: AnnotationTable, name: str, report: Report) -> Iterator[tuple[str, Ints]]:
    """The images of each split, by a name that a shard may have."""
    splits = table.images["split"].to_numpy(dtype=object)
    names = {split: SPLITS.get(split) or re.sub(r"\W+", "_", split) for split in set(splits)}
    for split, written in names.items():
        if split not in SPLITS and split != written:
            report.add("loss_split_name", name, f"{split} as {written}")
    shown = np.array([names[split] for split in splits], dtype=object)
    for written in sorted(set(names.values())):
        yield written, np.flatnonzero(shown == written).astype(np.int64)


def _shards(table: AnnotationTable, rows: Ints, most: int) -> list[Ints]:
    sizes = np.cumsum([Path(path).stat().st_size for path in table.images["path"].iloc[rows]])
    return np.split(rows, np.flatnonzero(np.diff(sizes // most)) + 1)


def _groups(table: AnnotationTable, rows: Ints) -> Iterator[list[int]]:
    """Row groups of at most so many images, and bytes unless one image alone has more."""
    group: list[int] = []
    size = 0
    for row, path in zip(rows.tolist(), table.images["path"].iloc[rows], strict=True):
        more = Path(path).stat().st_size
        if group and (len(group) == GROUP_ROWS or size + more > GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(row)
        size += more
    if group:
        yield group
