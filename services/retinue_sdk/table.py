"""AnnotationTable: what every format is read into and written from, and what a trainer gets.

Scalar columns live in two pandas frames; all coordinates of polygons and the like live in one float64 Arrow large list
column beside them, addressed by offsets; `geometry` says what they mean. Annotations are ordered by image, so one
image's rows are a range. Every shape has a box around it; a class and a value have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from retinue_sdk import geometry as shapes
from retinue_sdk.errors import DataError
from retinue_sdk.names import is_plain, unique_names
from retinue_sdk.schema import Task

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

KINDS = ("class", "box", "polygon", "mask", "keypoints", "obb", "value")
TASKS = {
    "class": Task.CLASSIFY,
    "box": Task.DETECT,
    "polygon": Task.SEGMENT,
    "mask": Task.SEMANTIC,
    "keypoints": Task.POSE,
    "obb": Task.OBB,
    "value": Task.REGRESS,
}
IMAGE_COLUMNS = {
    "key": "str",  # path relative to the dataset root
    "blob": "str",  # sha256 of the file, or empty before it is stored
    "path": "str",  # where the file is on this machine, or empty; never stored
    "width": "int32",
    "height": "int32",
    "split": "str",
    "group": "str",  # images that must stay on one side of a split: one patient, one video
    "attributes": "str",  # a JSON object, or empty
}
ANNOTATION_COLUMNS = {
    "image": "int64",  # row of `images`
    "class_id": "int32",  # index into `classes`, -1 for none
    "kind": "str",
    "x1": "float64",
    "y1": "float64",
    "x2": "float64",
    "y2": "float64",
    "source": "str",
    "line": "int32",
    "attributes": "str",  # a JSON object, or empty
}
_IMAGE_DEFAULTS = {"blob": "", "path": "", "width": 0, "height": 0, "split": "", "group": "", "attributes": ""}
_NAN = float("nan")
_ANNOTATION_DEFAULTS = {
    "class_id": -1, "x1": _NAN, "y1": _NAN, "x2": _NAN, "y2": _NAN, "source": "", "line": 0, "attributes": "",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class AnnotationTable:
    """Images, their annotations and the classes. Checked when it is made; never changed in place."""

    images: pd.DataFrame
    annotations: pd.DataFrame
    geometry: Any  # pyarrow.LargeListArray of float64, one entry per annotation
    classes: list[str]
    class_ids: list[int]  # the ids the data came with, in the order of `classes`
    class_attributes: list[dict[str, Any]] = field(
        default_factory=list
    )  # "supercategory", "keypoints", "skeleton", "flip"

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_attributes", self.class_attributes or [{} for _ in self.classes])
        object.__setattr__(self, "images", _typed(self.images, IMAGE_COLUMNS))
        object.__setattr__(self, "annotations", _typed(self.annotations, ANNOTATION_COLUMNS))
        _check(self)

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def offsets(self) -> Ints:
        """Annotations of image i are the rows offsets[i]:offsets[i + 1]."""
        column = self.annotations["image"].to_numpy()
        return np.searchsorted(column, np.arange(len(self.images) + 1)).astype(np.int64)

    @cached_property
    def boxes(self) -> Floats:
        """All boxes as an array of (x1, y1, x2, y2) in pixels, one row per annotation."""
        return self.annotations[["x1", "y1", "x2", "y2"]].to_numpy(dtype=np.float64)

    @cached_property
    def file_names(self) -> list[str]:
        """A flat file name for each image that keeps its suffix; no two share a name or a stem."""
        return unique_names(self.images["key"].tolist())

    @cached_property
    def files(self) -> list[Path]:
        """Where each image is on this machine."""
        return [Path(path) for path in self.images["path"]]

    def coordinates(self) -> tuple[Floats, Ints]:
        """The flat coordinates of all annotations, and where each annotation's begin and end in them."""
        offsets = self.geometry.offsets.to_numpy()
        return self.geometry.flatten().to_numpy(zero_copy_only=False), offsets - offsets[0]

    @property
    def tasks(self) -> list[Task]:
        """What can be trained on this, by the kinds of annotation in it."""
        kinds = set(self.annotations["kind"].unique())
        return [TASKS[kind] for kind in KINDS if kind in kinds]

    @property
    def splits(self) -> dict[str, int]:
        """Images per split; images without one count under the empty name."""
        counts = self.images["split"].value_counts()
        order = {"train": 0, "val": 1, "test": 2}
        return {str(k): int(counts[k]) for k in sorted(counts.index, key=lambda k: (order.get(k, 3), k))}

    def labels(self) -> Ints:
        """The class index of each image's first `class` annotation, -1 for an image without one."""
        rows = self.annotations[self.annotations["kind"] == "class"].drop_duplicates("image")
        labels = np.full(len(self.images), -1, dtype=np.int64)
        labels[rows["image"].to_numpy()] = rows["class_id"].to_numpy()
        return labels

    def rows(self, split: str) -> Ints:
        """The rows of `images` that are in this split."""
        return np.flatnonzero(self.images["split"].to_numpy() == split).astype(np.int64)

    def select(self, rows: npt.ArrayLike) -> AnnotationTable:
        """A table of these images, in this order, with their annotations."""
        rows = np.asarray(rows, dtype=np.int64)
        starts = self.offsets[rows]
        counts = self.offsets[rows + 1] - starts
        before = np.cumsum(counts) - counts
        taken = np.repeat(starts - before, counts) + np.arange(int(counts.sum()))
        owners = np.repeat(np.arange(len(rows)), counts)
        return replace(
            self,
            images=self.images.take(rows),
            annotations=self.annotations.take(taken).assign(image=owners),
            geometry=self.geometry.take(pa.array(taken, type=pa.int64())),
        )

    def slice(self, start: int, stop: int) -> AnnotationTable:
        """A table of images start:stop; nothing but the image numbers is copied."""
        first, last = int(self.offsets[start]), int(self.offsets[min(stop, len(self))])
        part = self.annotations.iloc[first:last]
        return replace(
            self,
            images=self.images.iloc[start:stop],
            annotations=part.assign(image=part["image"] - start),
            geometry=self.geometry.slice(first, last - first),
        )

    def keep(self, mask: npt.NDArray[np.bool_]) -> AnnotationTable:
        """The same images with only the annotations the mask is true for."""
        if mask.all():
            return self
        return replace(self, annotations=self.annotations[mask], geometry=self.geometry.filter(pa.array(mask)))

    def with_images(self, **columns: Any) -> AnnotationTable:
        """The same table with some columns of `images` replaced."""
        return replace(self, images=self.images.assign(**columns))

    def flat_boxes(self) -> npt.NDArray[np.bool_]:
        """True for each box without an area: kept in the data, kept out of training."""
        x1, y1, x2, y2 = self.boxes.T
        # a copy: pandas lends its arrays read-only
        flat: npt.NDArray[np.bool_] = (self.annotations["kind"] == "box").to_numpy(dtype=bool, copy=True)
        flat &= ~((x2 > x1) & (y2 > y1))
        return flat

    def to_parquet(self, folder: Path) -> None:
        """Write images.parquet and annotations.parquet; local paths stay behind."""
        images = pa.Table.from_pandas(self.images.drop(columns="path"), preserve_index=False)
        pq.write_table(images, folder / "images.parquet")
        rows = pa.Table.from_pandas(self.annotations, preserve_index=False)
        alike = [name for name, kind in ANNOTATION_COLUMNS.items() if kind != "float64"]  # no two coordinates are
        pq.write_table(
            rows.append_column("geometry", self.geometry), folder / "annotations.parquet", use_dictionary=alike
        )

    @classmethod
    def from_parquet(
        cls,
        folder: Path,
        classes: Sequence[str],
        class_ids: Sequence[int],
        class_attributes: Sequence[dict[str, Any]] = (),
        leave_out: Sequence[str] = (),
    ) -> AnnotationTable:
        """Read what `to_parquet` wrote, now or in an earlier version of Retinue.

        `leave_out` names columns of annotations that are not read: they have their defaults then.
        """
        try:
            images = pq.read_table(folder / "images.parquet").to_pandas()
            path = folder / "annotations.parquet"
            with pq.ParquetFile(path) as file:
                rows = file.read([n for n in file.schema_arrow.names if n not in ("geometry", *leave_out)])
            geometry = no_geometry(len(rows)) if "geometry" in leave_out else _geometry(path)
        except (OSError, KeyError, pa.ArrowException) as error:
            raise DataError(f"The table cannot be read: {error}", code="table_unreadable", where=str(folder)) from error
        return cls(
            images=_filled(images, _IMAGE_DEFAULTS, IMAGE_COLUMNS),
            annotations=_filled(rows.to_pandas(), _ANNOTATION_DEFAULTS, ANNOTATION_COLUMNS),
            geometry=geometry,
            classes=list(classes),
            class_ids=list(class_ids),
            class_attributes=list(class_attributes),
        )


def make_table(
    images: Mapping[str, Any],
    annotations: Mapping[str, Any],
    classes: Sequence[str],
    class_ids: Sequence[int] | None = None,
    geometry: Any = None,
    class_attributes: Sequence[Mapping[str, Any]] = (),
) -> AnnotationTable:
    """A table from columns. Missing columns get their defaults; annotations may come in any order of images.

    Raises DataError `table_invalid` for what a reader of the table could trip over, geometry included.
    """
    image_frame = _filled(images, _IMAGE_DEFAULTS, IMAGE_COLUMNS)
    frame = _filled(annotations, _ANNOTATION_DEFAULTS, ANNOTATION_COLUMNS)
    geometry = no_geometry(len(frame)) if geometry is None else geometry
    order = np.argsort(frame["image"].to_numpy(), kind="stable")
    if not np.array_equal(order, np.arange(len(order))):
        frame, geometry = frame.take(order), geometry.take(pa.array(order))
    ids = list(range(len(classes))) if class_ids is None else list(class_ids)
    table = AnnotationTable(image_frame, frame, geometry, list(classes), ids, list(map(dict, class_attributes)))
    pixels = table.images["width"].to_numpy(dtype=np.int64) * table.images["height"].to_numpy(dtype=np.int64)
    values, offsets = table.coordinates()
    kinds = table.annotations["kind"].to_numpy()
    for problem in shapes.problems(kinds, values, np.diff(offsets), pixels[table.annotations["image"].to_numpy()]):
        raise _invalid(problem)
    return table


def no_geometry(count: int) -> Any:
    """A geometry column of `count` empty entries, for annotations that are classes or boxes."""
    return pa.LargeListArray.from_arrays(pa.array(np.zeros(count + 1, dtype=np.int64)), pa.array([], pa.float64()))


def concat(tables: Sequence[AnnotationTable]) -> AnnotationTable:
    """One table of several with the same classes; their image keys must differ."""
    first = tables[0]
    if any(_classes_of(t) != _classes_of(first) for t in tables):
        raise DataError(
            "The tables have different classes.", code="classes_differ", hint="Give all parts one list of classes."
        )
    starts = np.cumsum([0, *(len(t) for t in tables)])
    frames = [t.annotations.assign(image=t.annotations["image"] + s) for t, s in zip(tables, starts, strict=False)]
    return replace(
        first,
        images=pd.concat([t.images for t in tables], ignore_index=True),
        annotations=pd.concat(frames, ignore_index=True),
        geometry=pa.concat_arrays([t.geometry for t in tables]),
    )


def _classes_of(table: AnnotationTable) -> tuple[list[str], list[int], list[dict[str, Any]]]:
    return table.classes, table.class_ids, table.class_attributes


def _filled(
    columns: Mapping[str, Any] | pd.DataFrame, defaults: Mapping[str, Any], wanted: Mapping[str, str]
) -> pd.DataFrame:
    frame = pd.DataFrame(dict(columns))
    for name, value in defaults.items():
        if name not in frame:
            frame[name] = value
    for name in wanted:  # a frame without rows has no types to check
        if name not in frame and frame.empty:
            frame[name] = []
    return frame


def _typed(frame: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    missing = [name for name in columns if name not in frame]
    if missing:
        raise DataError(f"The table lacks the column {missing[0]!r}.", code="table_invalid")
    if list(frame) != list(columns):
        frame = frame[list(columns)]
    wrong = {name: wanted for (name, wanted), kind in zip(columns.items(), frame.dtypes, strict=True) if kind != wanted}
    try:
        frame = frame.astype(wrong) if wrong else frame
        return frame if frame.index.equals(pd.RangeIndex(len(frame))) else frame.reset_index(drop=True)
    except (ValueError, TypeError) as error:
        raise DataError(f"A column of the table has the wrong type: {error}", code="table_invalid") from error


def pieces(path: Path) -> Iterator[tuple[Floats, Ints]]:
    """The geometry in an annotations.parquet, a part at a time: coordinates, and where each annotation's begin and end."""
    # pyarrow takes four times its memory to read it at once, and memory takes time
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
        for batch in file.iter_batches(1 << 16, columns=["geometry"]):
            part = batch["geometry"].cast(pa.large_list(pa.float64()))
            offsets = part.offsets.to_numpy()
            yield part.flatten().to_numpy(zero_copy_only=False), offsets - offsets[0]


def _geometry(path: Path) -> Any:
    metadata = pq.read_metadata(path)
    leaf = [metadata.schema.column(n).path.partition(".")[0] for n in range(metadata.num_columns)].index("geometry")
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    values = np.empty(sum(group.column(leaf).num_values for group in groups))  # an empty list counts as one here
    ends, end = [np.zeros(1, dtype=np.int64)], 0
    for part, offsets in pieces(path):
        values[end : end + len(part)] = part
        ends.append(offsets[1:] + end)
        end += len(part)
    return pa.LargeListArray.from_arrays(pa.array(np.concatenate(ends)), pa.array(values[:end]))


def _check(table: AnnotationTable) -> None:
    """Refuse a table that a reader of it could trip over."""
    keys = table.images["key"]
    rows = table.annotations
    owners = rows["image"].to_numpy()
    labels = rows["class_id"].to_numpy()
    problems = {
        "two images have the same key": keys.duplicated().any(),
        "an image key is not a relative path": not all(map(_is_relative, keys.tolist())),
        "a split cannot be the name of a folder": not all(map(is_plain, table.images["split"].unique())),
        "annotations are not ordered by image": bool((np.diff(owners) < 0).any()),
        "an annotation names an image that is not there": bool(((owners < 0) | (owners >= len(keys))).any()),
        "an annotation names a class that is not there": bool(((labels < -1) | (labels >= len(table.classes))).any()),
        "an annotation is of an unknown kind": not set(rows["kind"].unique()) <= set(KINDS),
        "the geometry column does not fit the annotations": len(table.geometry) != len(rows),
        "the geometry column has missing entries": table.geometry.null_count > 0,
        "the geometry column is not a list of float64": table.geometry.type != pa.large_list(pa.float64()),
        "two classes have the same name": len(set(table.classes)) != len(table.classes),
        "classes and class ids do not match": len(set(table.class_ids)) != len(table.class_ids)
        or len(table.class_ids) != len(table.classes),
        "classes and class attributes do not match": len(table.class_attributes) != len(table.classes),
    }
    for problem, found in problems.items():
        if found:
            raise _invalid(problem)


def _invalid(problem: str) -> DataError:
    return DataError(f"The annotation table is wrong: {problem}.", code="table_invalid")


def _is_relative(key: str) -> bool:
    return bool(key) and key[0] != "/" and ".." not in key.split("/")
