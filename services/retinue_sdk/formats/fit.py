"""What a format can hold, and what of a table it cannot: every writer begins with `fit`, so that no loss goes unsaid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from retinue_sdk import geometry, raster
from retinue_sdk.formats.report import Report
from retinue_sdk.geometry import Floats, Ints
from retinue_sdk.table import AnnotationTable

Shape = Callable[[AnnotationTable, Ints], list[Floats]]


@dataclass(frozen=True)
class Holds:
    """What a format has a place for."""

    kinds: tuple[str, ...]  # in the order in which other kinds are written as them
    attributes: bool = False
    image_attributes: bool = False
    class_attributes: bool | tuple[str, ...] = False  # all, or those of these names
    class_ids: bool = False  # ids with gaps
    class_order: bool = True  # classes in an order of their own, not by name
    class_unused: bool = True  # classes without annotations
    groups: bool = False
    splits: bool = True
    unsplit: bool = True  # images without a split, beside others that have one or not
    blank: str = " "  # what is written for a blank in the name of a class
    rings: bool = True  # polygons of several rings; where masks are held, they are written as such
    unclassed: bool = True  # annotations without a class
    unplaced: bool = True  # annotations of these kinds without a box: keypoints of which none is labelled


def fit(table: AnnotationTable, holds: Holds, name: str) -> tuple[AnnotationTable, Report]:
    """The table as the format called `name` can hold it, and a report of all that it cannot."""
    report = Report()
    table = _without_bare(table, holds, name, report)
    table = _fit_kinds(table, holds.kinds, name, report)
    table = table if holds.rings else _fit_rings(table, name, report)
    rows, images = table.annotations, table.images

    def lose(code: str, lost: npt.NDArray[np.bool_], held: bool) -> None:
        if not held and (count := int(lost.sum())):
            report.add(code, name, count=count)

    lose("loss_attributes", (rows["attributes"] != "").to_numpy(), holds.attributes)
    lose("loss_image_attributes", (images["attributes"] != "").to_numpy(), holds.image_attributes)
    known = set() if isinstance(holds.class_attributes, bool) else set(holds.class_attributes)
    unknown = np.array([bool(attributes.keys() - known) for attributes in table.class_attributes], dtype=bool)
    lose("loss_class_attributes", unknown, holds.class_attributes is True)
    lose("loss_group", (images["group"] != "").to_numpy(), holds.groups)
    lose("loss_splits", (images["split"] != "").to_numpy(), holds.splits)
    lose("loss_split", (images["split"] == "").to_numpy(), holds.unsplit)
    unused = sorted(set(range(len(table.classes))) - set(rows["class_id"]))
    if unused and not holds.class_unused:
        report.add("loss_class_unused", name, ", ".join(table.classes[i] for i in unused), count=len(unused))
    lose("loss_class_order", _apart(table.classes, sorted(table.classes)), holds.class_order)
    lose("loss_class_ids", _apart(table.class_ids, range(len(table.classes))), holds.class_ids)
    return (table if holds.blank == " " else _without_blanks(table, holds.blank, name, report)), report


def _apart(one: Sequence[object], other: Sequence[object]) -> npt.NDArray[np.bool_]:
    """Where two lists of one length differ."""
    return np.array([a != b for a, b in zip(one, other, strict=True)], dtype=bool)


def _without_bare(table: AnnotationTable, holds: Holds, name: str, report: Report) -> AnnotationTable:
    """Leave out what has no class where one must be named, and what lies nowhere where a place must be named."""
    kinds = table.annotations["kind"].to_numpy(dtype=object)
    boxless = ~np.isfinite(table.boxes).all(axis=1) & ~np.isin(kinds, ("class", "value"))
    lost = {
        "loss_unclassed": (table.annotations["class_id"] < 0).to_numpy() & (not holds.unclassed),
        "loss_unplaced": boxless & ~(np.isin(kinds, holds.kinds) & holds.unplaced),
    }
    for code, rows in lost.items():
        if count := int(rows.sum()):
            report.add(code, name, count=count)
    bare = np.logical_or.reduce(list(lost.values()))
    return table.keep(~bare) if bare.any() else table


def _without_blanks(table: AnnotationTable, blank: str, name: str, report: Report) -> AnnotationTable:
    """Class names of one word each, for formats whose columns are divided by blanks."""
    words = [blank.join(label.split()) or blank for label in table.classes]
    taken = {word for word, label in zip(words, table.classes, strict=True) if word == label}
    for index, label in enumerate(table.classes):
        if words[index] == label:
            continue
        report.add("loss_class_names", name, label)
        while words[index] in taken:
            words[index] += f"{blank}{index}"
        taken.add(words[index])
    return replace(table, classes=words)


def _fit_kinds(table: AnnotationTable, held: tuple[str, ...], name: str, report: Report) -> AnnotationTable:
    """Write annotations of other kinds as one that is held, where one can stand for it; leave the rest out."""
    kinds = table.annotations["kind"].to_numpy(dtype=object)
    empty = np.zeros(len(kinds), dtype=bool)
    for kind in sorted(set(kinds) - set(held)):
        rows = np.flatnonzero(kinds == kind).astype(np.int64)
        target = next((t for t in held if (kind, t) in WAYS), None)
        if target is None:
            report.add("loss_kind", name, kind, count=len(rows))
            continue
        code, make = WAYS[kind, target]
        report.add(code, name, f"{kind} as {target}", count=len(rows))
        shapes = make(table, rows)
        table = _reshape(table, rows, target, shapes)
        empty[rows] = _covers_nothing(target, shapes)
    left = np.isin(table.annotations["kind"].to_numpy(dtype=object), held) & ~empty
    return table if left.all() else table.keep(left)


def _fit_rings(table: AnnotationTable, name: str, report: Report) -> AnnotationTable:
    """Write polygons of several rings as masks, which cover the same pixels."""
    rows = np.flatnonzero(table.annotations["kind"].to_numpy(dtype=object) == "polygon").astype(np.int64)
    rows = rows[[bool(np.isnan(shape).any()) for shape in _same(table, rows)]]
    if not len(rows):
        return table
    report.add("loss_form", name, "polygon of several rings as mask", count=len(rows))
    shapes = _filled(table, rows)
    empty = np.zeros(len(table.annotations), dtype=bool)
    empty[rows] = _covers_nothing("mask", shapes)
    return _reshape(table, rows, "mask", shapes).keep(~empty)


def _covers_nothing(kind: str, shapes: list[Floats]) -> list[bool]:
    """Which shapes are left out: those without any point, and masks of one run, which is all background."""
    return [kind != "box" and len(shape) < 2 for shape in shapes]


def _reshape(table: AnnotationTable, rows: Ints, kind: str, shapes: list[Floats]) -> AnnotationTable:
    """These annotations with another kind, geometry and box."""
    order = np.arange(len(table.annotations))
    order[rows] = len(order) + np.arange(len(rows))
    column = pa.concat_arrays([table.geometry, geometry.column(shapes)]).take(pa.array(order))
    kinds = table.annotations["kind"].to_numpy(dtype=object).copy()
    kinds[rows] = kind
    boxes = table.boxes.copy()
    boxes[rows] = _boxes_around(table, rows, kind, shapes)
    columns = dict(zip(("x1", "y1", "x2", "y2"), boxes.T, strict=True))
    return replace(table, annotations=table.annotations.assign(kind=kinds, **columns), geometry=column)


def _boxes_around(table: AnnotationTable, rows: Ints, kind: str, shapes: list[Floats]) -> Floats:
    """The boxes of new shapes; keypoints keep the object's."""
    if kind == "mask":
        sizes = _sizes(table, rows)
        boxes = [raster.box_of_runs(runs, height) for runs, (_, height) in zip(shapes, sizes, strict=True)]
        return np.array(boxes, dtype=np.float64).reshape(-1, 4)
    if kind in ("polygon", "obb"):
        return geometry.hulls(np.concatenate([np.empty(0), *shapes]), np.array([len(shape) for shape in shapes]))
    return table.boxes[rows]


def _nothing(_: AnnotationTable, rows: Ints) -> list[Floats]:
    return [np.empty(0)] * len(rows)


def _corners(table: AnnotationTable, rows: Ints) -> list[Floats]:
    return list(geometry.corners(table.boxes[rows]))


def _same(table: AnnotationTable, rows: Ints) -> list[Floats]:
    values, offsets = table.coordinates()
    return [values[offsets[row] : offsets[row + 1]] for row in rows]


def _least_rectangles(table: AnnotationTable, rows: Ints) -> list[Floats]:
    return [geometry.least_rectangle(shape.reshape(-1, 2)) for shape in _same(table, rows)]


def _no_points(_: AnnotationTable, rows: Ints) -> list[Floats]:
    return [np.zeros(3)] * len(rows)  # one point that is not labelled; a writer that needs more adds them


def _outlines(table: AnnotationTable, rows: Ints) -> list[Floats]:
    return [raster.outline(mask) for mask in _masks(table, rows)]


def _rectangles_of_masks(table: AnnotationTable, rows: Ints) -> list[Floats]:
    outlines = _outlines(table, rows)
    return [geometry.least_rectangle(shape.reshape(-1, 2)) if len(shape) else shape for shape in outlines]


def _masks(table: AnnotationTable, rows: Ints) -> list[raster.Mask]:
    sizes = _sizes(table, rows)
    return [raster.decode(runs, *size) for runs, size in zip(_same(table, rows), sizes, strict=True)]


def _filled(table: AnnotationTable, rows: Ints) -> list[Floats]:
    return _runs(_same(table, rows), _sizes(table, rows))


def _filled_boxes(table: AnnotationTable, rows: Ints) -> list[Floats]:
    return _runs(_corners(table, rows), _sizes(table, rows))


def _runs(polygons: list[Floats], sizes: list[tuple[int, int]]) -> list[Floats]:
    return [raster.encode(raster.fill(p, *size)).astype(np.float64) for p, size in zip(polygons, sizes, strict=True)]


def _sizes(table: AnnotationTable, rows: Ints) -> list[tuple[int, int]]:
    owners = table.annotations["image"].to_numpy()[rows]
    sizes = table.images[["width", "height"]].to_numpy()[owners]
    return [(int(width), int(height)) for width, height in sizes]


# how one kind is written as another, and whether that loses something or only looks different
WAYS: dict[tuple[str, str], tuple[str, Shape]] = {
    ("polygon", "box"): ("loss_shape", _nothing),
    ("mask", "box"): ("loss_shape", _nothing),
    ("obb", "box"): ("loss_shape", _nothing),
    ("keypoints", "box"): ("loss_shape", _nothing),
    ("box", "polygon"): ("loss_form", _corners),
    ("obb", "polygon"): ("loss_form", _same),
    ("mask", "polygon"): ("loss_form", _outlines),
    ("keypoints", "polygon"): ("loss_shape", _corners),
    ("box", "obb"): ("loss_form", _corners),
    ("polygon", "obb"): ("loss_shape", _least_rectangles),
    ("mask", "obb"): ("loss_shape", _rectangles_of_masks),
    ("keypoints", "obb"): ("loss_shape", _corners),
    ("box", "mask"): ("loss_shape", _filled_boxes),
    ("obb", "mask"): ("loss_shape", _filled),
    ("polygon", "mask"): ("loss_shape", _filled),
    ("keypoints", "mask"): ("loss_shape", _filled_boxes),
    ("box", "keypoints"): ("loss_form", _no_points),
    ("obb", "keypoints"): ("loss_shape", _no_points),
    ("polygon", "keypoints"): ("loss_shape", _no_points),
    ("mask", "keypoints"): ("loss_shape", _no_points),
}
