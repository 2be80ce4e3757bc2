"""COCO's annotations as a table: the columns of all parts of all files, put together in the order of the images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from retinue_sdk import geometry
from retinue_sdk.formats.coco_json import Document, Json, without_gc
from retinue_sdk.formats.coco_part import KINDS, TEXT, Index, Part
from retinue_sdk.formats.coco_records import NO_ID, annotations_of, categories_of
from retinue_sdk.formats.coco_rings import Rings, overlapping
from retinue_sdk.formats.files import check_class_names
from retinue_sdk.formats.report import Report
from retinue_sdk.geometry import Ints
from retinue_sdk.table import AnnotationTable, make_table


class Columns:
    """Images, classes and annotations of one file or several, as they grow."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.images: dict[str, list[Any]] = {n: [] for n in ("key", "path", "width", "height", "split", "attributes")}
        self.classes: dict[int, tuple[int, str, Json]] = {}  # row, name and attributes by the category's id
        self._parts: list[dict[str, Any]] = []

    def add_images(self, **columns: Sequence[Any]) -> None:
        """Images by their columns."""
        for name, values in columns.items():
            self.images[name] += values

    @property
    def class_names(self) -> list[str]:
        """The names of the classes, in the order of their rows."""
        return [name for _, name, _ in self.classes.values()]

    @property
    def class_attributes(self) -> list[Json]:
        """What else is said of the classes."""
        return [attributes for _, _, attributes in self.classes.values()]

    def add_file(self, document: Document, images: Index) -> None:
        """The categories and annotations of a file whose images are there already."""
        categories = self.add_categories(document)
        # with one more of each at the end, for annotations without any
        sizes = np.array([[*self.images["width"], 0], [*self.images["height"], 0]], dtype=np.int64).T
        points = np.array([*map(_points, self.class_attributes), 0], dtype=np.int64)
        seen: list[Ints] = []
        rings: list[Rings] = []
        with without_gc():
            for decoded in annotations_of(document, self.report):
                part = Part(document.name, decoded, self.report)
                self._parts.append(part.columns(images, categories, sizes, points))
                seen.append(part.ids)
                rings += [part.rings] if part.rings else []
        for place in overlapping(rings):
            self.report.add("coco_rings_overlap", f"{document.name}:annotations[{place}].segmentation")
        ids = np.concatenate([np.empty(0, dtype=np.int64), *seen])
        numbers, counts = np.unique(ids[ids != NO_ID], return_counts=True)
        for number in numbers[counts > 1]:
            self.report.add("coco_id_duplicate", f"{document.name}:annotations", number)

    def add_categories(self, document: Document) -> Index:
        """Add the categories of a file; the answer has their rows by the file's ids."""
        rows = {}
        for where, category, attributes in categories_of(document, self.report):
            row, name, _ = self.classes.setdefault(category.id, (len(self.classes), category.name, attributes))
            if name != category.name:
                self.report.add("coco_category_conflict", where, f"{name}, {category.name}")
            rows[category.id] = row
        return Index(rows)

    def table(self, where: str) -> AnnotationTable:
        """The table of all that was added, its images ordered by key, as a version has them."""
        keys = self.images["key"]
        by_key = sorted(range(len(keys)), key=keys.__getitem__)
        rows = np.empty(len(keys), dtype=np.int64)
        rows[by_key] = np.arange(len(keys))
        image = rows[self._joined("image")]
        order = np.argsort(image, kind="stable")
        sources = np.repeat(np.arange(len(self._parts)), [len(part["image"]) for part in self._parts])
        texts = pa.concat_arrays([pa.array([], TEXT), *(part["attributes"] for part in self._parts)])
        return make_table(
            {name: [column[row] for row in by_key] for name, column in self.images.items()},
            {
                "image": image[order],
                **{name: self._joined(name)[order] for name in ("class_id", "x1", "y1", "x2", "y2")},
                "kind": _texts(pa.array(KINDS, TEXT), self._joined("kind")[order]),
                "source": _texts(pa.array([part["source"] for part in self._parts], TEXT), sources[order]),
                "attributes": _texts(texts, order),
            },
            check_class_names(self.class_names, where, self.report),
            list(self.classes),
            self._geometry(order),
            self.class_attributes,
        )

    def _joined(self, name: str) -> npt.NDArray[Any]:
        none = np.empty(0, dtype=np.int64)
        return np.concatenate([none, *(part[name] for part in self._parts)])

    def _geometry(self, order: Ints) -> Any:
        """The geometry column in this order. Each part is let go once its values are in their place: there are millions."""
        lengths = self._joined("lengths")
        starts = np.empty_like(lengths)
        starts[order] = np.cumsum(lengths[order]) - lengths[order]
        values = np.empty(int(lengths.sum()))
        first = 0
        for part in self._parts:
            its, flat = part["lengths"], part.pop("values")
            shifts = starts[first : first + len(its)] - (np.cumsum(its) - its)
            values[np.repeat(shifts, its) + np.arange(len(flat))] = flat
            first += len(its)
        return geometry.from_flat(values, lengths[order])


def _texts(texts: Any, rows: Ints) -> Any:
    """A column of these of some texts, with none of them made into an object of Python."""
    return pd.array(texts.take(pa.array(rows)), dtype="str")


def _points(attributes: Json) -> int:
    """How many keypoints a category has; 0 when it does not say."""
    names = attributes.get("keypoints")
    return len(names) if isinstance(names, list) else 0
