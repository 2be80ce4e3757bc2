"""Our own figures for a model's predictions: mAP of detections and top-k of classifications, in numpy alone.

Pure functions, the same for every framework, so that figures of different trainers can be compared. Boxes are `xyxy`
in any one unit; classes are indices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]

IOU_THRESHOLDS: NDArray[np.float64] = np.linspace(0.5, 0.95, 10)
_RECALLS: NDArray[np.float64] = np.linspace(0.0, 1.0, 101)


class Detections(NamedTuple):
    """What a model found on one image, in any order."""

    boxes: Floats  # (n, 4) xyxy
    scores: Floats  # (n,)
    classes: Ints  # (n,)


class Truth(NamedTuple):
    """What is on one image."""

    boxes: Floats  # (m, 4) xyxy, with an area above zero: a box without one can never be found
    classes: Ints  # (m,)


class DetectionScore(NamedTuple):
    """The figures of a set of images; a class without a true box takes no part."""

    map50: float
    map50_95: float
    classes: Ints  # (c,) the classes that have true boxes, ascending
    average_precision: Floats  # (c, 10) one column per threshold of IOU_THRESHOLDS


def box_iou(a: Floats, b: Floats) -> NDArray[np.float64]:
    """Intersection over union of every pair: a (m, 4) and b (n, 4), both xyxy, give (m, n). Empty boxes give 0."""
    a, b = np.asarray(a, dtype=np.float64).reshape(-1, 4), np.asarray(b, dtype=np.float64).reshape(-1, 4)
    corner = np.maximum(a[:, None, :2], b[None, :, :2])
    sides = np.clip(np.minimum(a[:, None, 2:], b[None, :, 2:]) - corner, 0.0, None)
    inter = sides.prod(2)
    union = _areas(a)[:, None] + _areas(b)[None, :] - inter
    iou: NDArray[np.float64] = np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)
    return iou


def match(found: Detections, truth: Truth) -> Bools:
    """Which detections are right at each threshold: (n, 10), for `found` sorted by falling score.

    COCO's greedy rule: in order of score, each detection takes the best true box of its class that is still free at
    that threshold, if their IoU reaches it.
    """
    overlaps = box_iou(truth.boxes, found.boxes) * (np.asarray(truth.classes)[:, None] == np.asarray(found.classes))
    right = np.zeros((len(found.scores), len(IOU_THRESHOLDS)), dtype=bool)
    taken = np.zeros((len(truth.classes), len(IOU_THRESHOLDS)), dtype=bool)
    columns = np.arange(len(IOU_THRESHOLDS))
    for j in np.flatnonzero((overlaps >= IOU_THRESHOLDS[0]).any(0)):
        free = np.where(taken, 0.0, overlaps[:, j, None])
        best = free.argmax(0)
        right[j] = free[best, columns] >= IOU_THRESHOLDS
        taken[best, columns] |= right[j]
    return right


def average_precision(right: Bools, total: int) -> float:
    """Area under the precision-recall curve of one class at one threshold.

    `right` (n,) says of each detection, sorted by falling score, whether it is right; `total` true boxes exist. The
    envelope of precision is sampled at COCO's 101 recalls with the linear interpolation and the trapezoid of
    ultralytics' `compute_ap`. One end differs: a curve that reaches recall 1 keeps its precision there, so that a
    perfect detector scores 1.0 instead of 0.995. The two are therefore never more than 0.005 apart.
    """
    if total == 0 or not len(right):
        return 0.0
    hits = np.cumsum(right)
    recall = hits / total
    precision = hits / np.arange(1, len(right) + 1)
    x = np.concatenate(([0.0], recall, [recall[-1], 1.0]))
    y = np.concatenate(([1.0], precision, [0.0, 0.0]))
    envelope = np.maximum.accumulate(y[::-1])[::-1]
    sampled = np.interp(_RECALLS, x, envelope)
    if recall[-1] >= 1.0:  # interp takes the last of equal recalls, which is the closing zero
        sampled[-1] = envelope[np.searchsorted(x, 1.0)]
    return float(np.trapezoid(sampled, _RECALLS))


def detection_score(found: Sequence[Detections], truth: Sequence[Truth]) -> DetectionScore:
    """MAP50 and mAP50-95 of a set of images: one `Detections` and one `Truth` per image, in the same order.

    As `ap_per_class` of ultralytics 8.4: match on each image, sort the detections of all images by score, then the
    average precision of each class that has true boxes, averaged over classes (and thresholds).
    """
    ordered = [_by_score(d) for d in found]
    right = _joined([match(d, t) for d, t in zip(ordered, truth, strict=True)], (0, len(IOU_THRESHOLDS)), bool)
    scores = _joined([d.scores for d in ordered], (0,), np.float64)
    predicted = _joined([d.classes for d in ordered], (0,), np.int64)
    order = np.argsort(-scores, kind="stable")
    right, predicted = right[order], predicted[order]
    classes, totals = np.unique(_joined([t.classes for t in truth], (0,), np.int64), return_counts=True)
    table = np.zeros((len(classes), len(IOU_THRESHOLDS)))
    for row, (index, total) in enumerate(zip(classes, totals, strict=True)):
        mine = right[predicted == index]
        table[row] = [average_precision(mine[:, i], int(total)) for i in range(len(IOU_THRESHOLDS))]
    if not len(classes):
        return DetectionScore(0.0, 0.0, classes, table)
    return DetectionScore(float(table[:, 0].mean()), float(table.mean()), classes, table)


def top_k(scores: Floats, labels: Ints, k: int) -> float:
    """Part of the rows of `scores` (n, classes) whose label (n,) is among the k highest. Ties go to the lower index."""
    if not len(labels):
        return 0.0
    highest = np.argsort(-np.asarray(scores), axis=1, kind="stable")[:, :k]
    return float((highest == np.asarray(labels)[:, None]).any(1).mean())


def _areas(boxes: Floats) -> NDArray[np.float64]:
    return np.asarray(np.clip(boxes[:, 2:] - boxes[:, :2], 0.0, None).prod(1), dtype=np.float64)


def _by_score(found: Detections) -> Detections:
    order = np.argsort(-np.asarray(found.scores), kind="stable")
    return Detections(found.boxes[order], found.scores[order], found.classes[order])


def _joined(parts: Sequence[NDArray[Any]], empty: tuple[int, ...], kind: Any) -> NDArray[Any]:
    return np.concatenate([np.zeros(empty, dtype=kind), *parts]).astype(kind)
