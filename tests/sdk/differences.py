"""Where two tables differ, and which loss has to have told it: no difference without a loss, no loss without a difference."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from retinue_sdk.table import AnnotationTable

TOLERANCE = 1e-6  # of the image's size
MADE = ("coco_id", "area", "id")  # what COCO adds to an annotation is no difference

# the losses that tell each difference; and those that bring it along, as an annotation that is left out has attributes
TELLS: dict[str, tuple[set[str], set[str]]] = {
    "images": ({"loss_image"}, set()),
    "splits": ({"loss_split", "loss_splits", "loss_split_name"}, {"loss_image"}),
    "groups": ({"loss_group"}, {"loss_image"}),
    "attributes of images": ({"loss_image_attributes"}, {"loss_image"}),
    "names of classes": ({"loss_class_names", "loss_class_unused"}, {"loss_image"}),
    "order of classes": ({"loss_class_order"}, {"loss_class_names", "loss_class_unused", "loss_image"}),
    "ids of classes": ({"loss_class_ids"}, {"loss_class_order", "loss_class_names", "loss_class_unused", "loss_image"}),
    "attributes of classes": ({"loss_class_attributes"}, {"loss_class_names", "loss_class_unused", "loss_image"}),
    "attributes": ({"loss_attributes", "loss_attribute_types"}, {"loss_kind", "loss_overlap", "loss_objects", "loss_image"}),
    "annotations": (
        {
            "loss_kind", "loss_shape", "loss_form", "loss_outside", "loss_rings", "loss_skeleton", "loss_unclassed",
            "loss_unplaced", "loss_points", "loss_box", "loss_overlap", "loss_objects", "loss_several_classes",
            "loss_repeated",
        },
        {"loss_image", "loss_class_names"},
    ),
}  # fmt: skip
FORM = {"loss_background"}  # pixels of no class, as other pixels of no class
# losses whose count is the number of differences
COUNTED = {
    "loss_group": "groups", "loss_image_attributes": "attributes of images", "loss_class_ids": "ids of classes",
    "loss_class_attributes": "attributes of classes", "loss_splits": "splits", "loss_split": "splits",
    "loss_image": "images", "loss_class_order": "order of classes",
}  # fmt: skip


def unexplained(table: AnnotationTable, again: AnnotationTable, losses: Mapping[str, int]) -> list[str]:
    """Differences that no loss told, losses that changed nothing, and counts that are not those of what changed."""
    found = {name: differ(table, again) for name, differ in DIFFERENCES.items()}
    told = [f"{n}: {d[:2]}" for n, d in found.items() if d and not set().union(*TELLS[n]) & losses.keys()]
    changed = {code for name, different in found.items() if different for code in TELLS[name][0]}
    idle = [f"{code} told, nothing changed" for code in losses.keys() - changed - FORM]
    wrong = [
        f"{code} {losses[code]} times, {len(found[name])} {name} changed: {found[name][:2]}"
        for code, name in COUNTED.items()
        if code in losses and len(TELLS[name][1] & losses.keys()) == 0 and losses[code] != len(found[name])
    ]
    return [*told, *sorted(idle), *wrong]


def _by_bytes(table: AnnotationTable, column: str) -> dict[bytes, str]:
    files = [Path(path).read_bytes() for path in table.images["path"]]
    return dict(zip(files, table.images[column].tolist(), strict=True))


def _images(table: AnnotationTable, again: AnnotationTable) -> list[Any]:
    left, right = _by_bytes(table, "key"), _by_bytes(again, "key")
    return [left.get(data, right.get(data)) for data in left.keys() ^ right.keys()]


def _column(name: str) -> Callable[[AnnotationTable, AnnotationTable], list[Any]]:
    def differ(table: AnnotationTable, again: AnnotationTable) -> list[Any]:
        left, right = _by_bytes(table, name), _by_bytes(again, name)
        return [(value, right.get(key, "")) for key, value in left.items() if value != right.get(key, "")]

    return differ


def _of_images(table: AnnotationTable, again: AnnotationTable) -> list[Any]:
    left, right = _by_bytes(table, "attributes"), _by_bytes(again, "attributes")
    made = _made(left.values())
    pairs = [(_said(value), _said(right.get(key, ""), made)) for key, value in left.items()]
    return [pair for pair in pairs if pair[0] != pair[1]]


def _made(texts: Iterable[str]) -> list[str]:
    """What COCO makes and none of these says: it is no difference."""
    said = set().union(*map(_said, texts))
    return [key for key in MADE if key not in said]


def _said(text: str, made: Iterable[str] = ()) -> dict[str, Any]:
    said = json.loads(text) if text else {}
    return {key: value for key, value in said.items() if key not in made}


def _names(table: AnnotationTable, again: AnnotationTable) -> list[Any]:
    return sorted(set(table.classes) ^ set(again.classes))


def _order(table: AnnotationTable, again: AnnotationTable) -> list[Any]:
    place = {name: number for number, name in enumerate(again.classes)}
    return [(name, place.get(name)) for number, name in enumerate(table.classes) if place.get(name) != number]


def _ids(table: AnnotationTable, again: AnnotationTable) -> list[Any]:
    left, right = (dict(zip(t.classes, t.class_ids, strict=True)) for t in (table, again))
    return [(name, number, right.get(name)) for name, number in left.items() if right.get(name) != number]


def _of_classes(table: AnnotationTable, again: AnnotationTable) -> list[Any]:
    left, right = (dict(zip(t.classes, t.class_attributes, strict=True)) for t in (table, again))
    return [(name, said, right.get(name)) for name, said in left.items() if said != right.get(name, {})]


def _attributes(table: AnnotationTable, again: AnnotationTable) -> list[Any]:
    """Of annotations, in an order of their own; those that say nothing are not counted."""
    made = _made(table.annotations["attributes"])
    left, right = (
        sorted(json.dumps(said, sort_keys=True) for text in t.annotations["attributes"] if (said := _said(text, made)))
        for t in (table, again)
    )
    return [] if left == right else [(left, right)]


def _annotations(table: AnnotationTable, again: AnnotationTable) -> list[Any]:
    """Images whose annotations are not the same: class, kind, box and shape."""
    left, right = content(table), content(again)
    pairs = [(rows, right.get(key, [])) for key, rows in left.items()]
    return [pair for pair in pairs if not _close(*pair)]


def _close(left: list[Any], right: list[Any]) -> bool:
    return len(left) == len(right) and all(
        a[:2] == b[:2]
        and len(a[3]) == len(b[3])
        and np.allclose(a[3], b[3], rtol=0, atol=TOLERANCE * a[2], equal_nan=True)
        for a, b in zip(left, right, strict=True)
    )


def content(table: AnnotationTable) -> dict[bytes, list[tuple[str, str, int, Any]]]:
    """Class, kind, size of the image, and the numbers of each annotation, by the image's bytes and in an order of their own."""
    values, offsets = table.coordinates()
    said: dict[bytes, list[tuple[str, str, int, Any]]] = {}
    for row, path in enumerate(table.images["path"]):
        scale = int(max(table.images["width"][row], table.images["height"][row]))
        rows = []
        for i in range(table.offsets[row], table.offsets[row + 1]):
            item = table.annotations.iloc[i]
            numbers = np.concatenate([table.boxes[i], values[offsets[i] : offsets[i + 1]]])
            rows.append((table.classes[item["class_id"]], item["kind"], scale, numbers))
        rows.sort(key=lambda r: (r[0], r[1], *np.nan_to_num(r[3], nan=-1.0).round(3)))
        said[Path(path).read_bytes()] = rows
    return said


DIFFERENCES = {
    "images": _images,
    "splits": _column("split"),
    "groups": _column("group"),
    "attributes of images": _of_images,
    "names of classes": _names,
    "order of classes": _order,
    "ids of classes": _ids,
    "attributes of classes": _of_classes,
    "attributes": _attributes,
    "annotations": _annotations,
}
