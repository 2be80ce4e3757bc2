"""A small table of each kind of annotation, with everything a format may or may not have a place for; drawn with a seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from retinue_sdk import geometry, raster
from retinue_sdk.formats.rows import to_json
from retinue_sdk.table import KINDS, AnnotationTable, make_table
from tests.sdk.drawn import draw

CLASSES = ["cat", "hot dog", "bird"]
IDS = [1, 2, 9]
SIZES = [(64, 48), (50, 70), (40, 40), (64, 48), (33, 57)]
SPLITS = ["train", "train", "val", "test", "val"]


def sample(kind: str, folder: Path, *, plain: bool = False) -> AnnotationTable:
    """Five images with annotations of one kind. `plain`: ids without gaps, no attributes, no groups."""
    number = np.random.default_rng(KINDS.index(kind))
    keys = [f"{split}/image {i}.png" for i, split in enumerate(SPLITS)]
    paths = [str(draw(folder / key, size, shade=i)) for i, (key, size) in enumerate(zip(keys, SIZES, strict=True))]
    owners = [0, 0, 1, 2, 3, 4] if kind not in ("class", "value") else [0, 1, 2, 3, 4]
    shapes = [_shape(kind, SIZES[i], number) for i in owners]
    boxes = np.array([_box(kind, shape, SIZES[i][1]) for shape, i in zip(shapes, owners, strict=True)])
    images: dict[str, Any] = {
        "key": keys, "path": paths, "split": SPLITS,
        "width": [w for w, _ in SIZES], "height": [h for _, h in SIZES],
    }  # fmt: skip
    attributes = [""] * len(owners)
    if not plain:
        images |= {"group": ["a", "a", "b", "c", "c"], "attributes": [to_json({"camera": f"c{i}"}) for i in range(5)]}
        attributes[0] = to_json({"occluded": 1})
    return make_table(
        images,
        {
            "image": owners, "class_id": [i % 3 for i in range(len(owners))] if kind != "value" else 0, "kind": kind,
            "x1": boxes[:, 0], "y1": boxes[:, 1], "x2": boxes[:, 2], "y2": boxes[:, 3], "attributes": attributes,
        },
        CLASSES,
        None if plain else IDS,
        geometry.column(shape if kind != "box" else () for shape in shapes),
        [_skeleton(kind, plain=plain)] * 3,
    )  # fmt: skip


def _skeleton(kind: str, *, plain: bool) -> dict[str, Any]:
    points = {"keypoints": ["nose", "left eye", "right eye"]} if kind == "keypoints" else {}
    return points if plain else {**points, "supercategory": "animal"}


def _shape(kind: str, size: tuple[int, int], number: np.random.Generator) -> Any:  # noqa: PLR0911 - one for each kind
    width, height = size
    if kind == "class":
        return ()
    if kind == "value":
        return (float(number.normal()),)
    x, y = number.uniform(2, width / 3), number.uniform(2, height / 3)
    w, h = number.uniform(5, width / 2), number.uniform(5, height / 2)
    box = np.array([x, y, x + w, y + h])
    if kind == "box":
        return box
    if kind == "obb":
        angle = number.uniform(-0.4, 0.4)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        middle = np.array([width, height]) / 2
        sides = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 6, height / 8]
        return sides @ turn + middle
    if kind == "keypoints":
        return [x + 1, y + 1, 2, x + w / 2, y + h / 2, 1, x + w - 1, y + h - 1, 2]
    if kind == "polygon":
        return [x, y, x + w, y + 1, x + w / 2, y + h, x + 1, y + h / 2]
    mask = np.zeros((height, width), dtype=bool)
    mask[int(y) : int(y + h), int(x) : int(x + w)] = True
    mask[int(y) + 1, int(x) + 1] = False
    return raster.encode(mask)


def _box(kind: str, shape: Any, height: int) -> Any:
    if kind in ("class", "value"):
        return [np.nan] * 4
    if kind == "box":
        return shape
    if kind == "mask":
        return raster.box_of_runs(shape, height)
    points = np.asarray(shape, dtype=np.float64).reshape(-1, 3 if kind == "keypoints" else 2)[:, :2]
    return [*points.min(axis=0), *points.max(axis=0)]
