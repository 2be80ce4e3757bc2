"""YOLO pose: as YOLO detection, and after each box its keypoints, `x y` or `x y visibility`, as the data.yaml's `kpt_shape` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from retinue_sdk import geometry
from retinue_sdk.api import Finding
from retinue_sdk.errors import DataError
from retinue_sdk.formats import files, yolo_dataset
from retinue_sdk.formats.fit import Holds, fit
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.yolo_config import Config, whole
from retinue_sdk.formats.yolo_dataset import Shapes, pixels
from retinue_sdk.formats.yolo_labels import Bools, Labels, check_coordinates, negative
from retinue_sdk.formats.yolo_writer import BORDER, DECIMALS, centred, cut, sizes_of, write_dataset
from retinue_sdk.geometry import Floats
from retinue_sdk.table import AnnotationTable

NAME = "yolo_pose"
TITLE = "YOLO pose"
KEYS = ("kpt_shape", "flip_idx", "kpt_names")
HOLDS = Holds(
    ("keypoints",),
    class_attributes=("keypoints", "flip", "dims"),
    class_ids=True,
    unsplit=False,
    unclassed=False,
    unplaced=False,
)
MAX_POINTS = 1000
VISIBLE = 2.0
FARTHEST = 1e6  # parts of an image: no place that anything means


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read a YOLO pose dataset. With two numbers a point, one that is negative or at 0 0 is not labelled."""
    return yolo_dataset.read(path, _keypoints, KEYS)


def sniff(path: Path) -> float:
    """As YOLO detection, and the data.yaml has a `kpt_shape`."""
    return yolo_dataset.sniff(path, "keypoints")


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    """Write images/<split>, labels/<split> and a data.yaml with `kpt_shape`."""
    table, report = fit(table, HOLDS, NAME)
    points = _points(table, report)
    dims = 2 if _fits_two(table, points) else 3
    numbers = points[:, :, :dims].reshape(len(points), points.shape[1] * dims)
    rows = np.hstack([centred(table, report, NAME), numbers]).round(DECIMALS)
    write_dataset(table, path, place, rows, "pose", _config(table, points.shape[1], dims, report))
    return report.findings()


@dataclass(frozen=True)
class _Skeleton:
    """What a data.yaml says of keypoints."""

    points: int
    dims: int  # 2 without visibility
    attributes: Mapping[int, Mapping[str, Any]]  # of each class


def _skeleton(config: Config) -> _Skeleton:
    shape = _numbers(config, "kpt_shape")
    if len(shape) != 2 or not 0 < shape[0] <= MAX_POINTS or shape[1] not in (2, 3):
        raise _wrong(config, "`kpt_shape` does not say how many keypoints there are, and whether with visibility.")
    points, dims = shape
    flip = _numbers(config, "flip_idx")
    if flip and sorted(flip) != list(range(points)):
        raise _wrong(config, "`flip_idx` does not name every keypoint once.")
    common: dict[str, Any] = ({"flip": flip} if flip else {}) | ({"dims": 2} if dims == 2 else {})
    names = _names(config, points)
    return _Skeleton(points, dims, {i: {**names.get(i, {}), **common} for i in config.names})


def _numbers(config: Config, key: str) -> list[int]:
    value = config.extra.get(key) or []
    if not isinstance(value, list):
        raise _wrong(config, f"`{key}` is not a list of whole numbers.")
    return [whole(item, key, config.where) for item in value]


def _names(config: Config, points: int) -> dict[int, dict[str, list[str]]]:
    """The names of the keypoints of each class: one list for all, or a list by class id."""
    value = config.extra.get("kpt_names") or {}
    if isinstance(value, list):
        value = {str(i): value for i in config.names}
    lists = value.values() if isinstance(value, dict) else [None]
    for names in lists:
        if not isinstance(names, list) or len(names) > points or not all(isinstance(name, str) for name in names):
            raise _wrong(config, "`kpt_names` is not a list of names for each class, at most one for each keypoint.")
    return {whole(i, "kpt_names", config.where): {"keypoints": list(map(str, names))} for i, names in value.items()}


def _wrong(config: Config, message: str) -> DataError:
    hint = "Write `kpt_shape: [17, 3]` for 17 keypoints of x, y and visibility."
    return DataError(message, code="keypoints_undefined", hint=hint, where=config.where or "data.yaml")


def _keypoints(labels: Labels, config: Config) -> Shapes:
    skeleton = _skeleton(config)
    width = 4 + skeleton.points * skeleton.dims
    labels = labels.without("keypoint_columns", labels.lengths != width)
    labels = labels.without("box_negative_size", negative(labels.table(width)[:, :4]))
    if skeleton.dims == 3:
        strange = ~np.isin(labels.table(width)[:, 6::3], (0, 1, 2))
        labels = labels.without("keypoint_visibility", np.logical_or.reduce(strange, axis=1))
    points = _with_visibility(labels, skeleton)
    counted = np.ones((len(labels), width), dtype=bool)
    counted[:, 4:] = np.repeat(points[:, :, 2] > 0, skeleton.dims, axis=1)
    if skeleton.dims == 3:
        counted[:, 6::3] = False
    labels = check_coordinates(labels, counted.reshape(-1))
    points = _with_visibility(labels, skeleton)
    points[(np.abs(points) > FARTHEST).any(axis=2)] = 0  # where a point lies that is not labelled means nothing
    points[:, :, :2] *= labels.sizes[:, None, :]
    shapes = geometry.from_flat(points.reshape(-1), np.full(len(labels), skeleton.points * 3))
    boxes = pixels(labels.table(width)[:, :4], labels.sizes)
    return Shapes(labels, "keypoints", boxes, shapes, skeleton.attributes)


def _with_visibility(labels: Labels, skeleton: _Skeleton) -> Floats:
    """(n, points, 3): x and y as parts of the image, and visibility."""
    numbers = labels.table(4 + skeleton.points * skeleton.dims)[:, 4:].reshape(-1, skeleton.points, skeleton.dims)
    if skeleton.dims == 3:
        return numbers.copy()
    return np.concatenate([numbers, np.where(_labelled(numbers), VISIBLE, 0)[:, :, None]], axis=2)


def _labelled(points: Floats) -> Bools:
    """Whether a point without visibility is labelled: those that are not are written below zero, or as 0 0."""
    x, y = points[:, :, 0], points[:, :, 1]
    labelled: Bools = (x >= 0) & (y >= 0) & (x + y > 0)
    return labelled


def _points(table: AnnotationTable, report: Report) -> Floats:
    """(n, points, 3): x and y as parts of the image, and visibility; as many for each as the longest has."""
    values, offsets = table.coordinates()
    counts = np.diff(offsets) // 3
    said = [len(attributes.get(key, ())) for attributes in table.class_attributes for key in ("keypoints", "flip")]
    points = np.zeros((len(counts), max(1, *said, int(counts.max(initial=0))), 3))
    points[np.arange(points.shape[1]) < counts[:, None]] = values.reshape(-1, 3)
    seen = points[:, :, 2] > 0
    if filled := int(((counts < points.shape[1]) & seen.any(axis=1)).sum()):
        report.add("loss_skeleton", NAME, count=filled)
    places = points[:, :, :2] / sizes_of(table)[:, None, :]
    far = ((places < -BORDER) | (places > 1 + BORDER)).any(axis=2)
    places[far & ~seen] = 0  # where a point lies that is not labelled means nothing
    lengths = np.full(len(counts), 2 * points.shape[1])
    points[:, :, :2] = cut(places.reshape(-1), lengths, report, NAME).reshape(places.shape)
    return points


def _fits_two(table: AnnotationTable, points: Floats) -> bool:
    """Whether the data came without visibility and can be written so: it says the same."""
    came = any(attributes.get("dims") == 2 for attributes in table.class_attributes)
    return came and bool((points[:, :, 2] == np.where(_labelled(points[:, :, :2]), VISIBLE, 0)).all())


def _config(table: AnnotationTable, points: int, dims: int, report: Report) -> dict[str, Any]:
    """The keys of a data.yaml about keypoints. There is one `flip_idx` for all classes: a wrong one is worse than none."""
    flips = {tuple(attributes["flip"]) for attributes in table.class_attributes if "flip" in attributes}
    config: dict[str, Any] = {"kpt_shape": [points, dims]}
    if len(flips) == 1:
        (flip,) = flips
        config["flip_idx"] = [*flip, *range(len(flip), points)]
    elif flips:
        report.add("loss_class_attributes", NAME, "flip", count=len(flips))
    attributes = enumerate(table.class_attributes)
    names = {
        i: list(its["keypoints"]) for i, its in attributes if "keypoints" in its
    }  # a copy each: YAML has no aliases
    return {**config, "kpt_names": names} if names else config
