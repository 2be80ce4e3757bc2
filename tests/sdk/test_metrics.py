"""Our metrics against cases worked out by hand. Against ultralytics itself: tests/trainers/test_ultralytics.py."""

from __future__ import annotations

import numpy as np
import pytest

from retinue_sdk import metrics
from retinue_sdk.metrics import Detections, Truth


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, dtype=float).reshape(-1, 4)


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=int)


def floats(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


@pytest.mark.parametrize(
    ("a", "b", "iou"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 15, 10), 1 / 3),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),
        ((0, 0, 10, 10), (2, 2, 4, 4), 0.04),
        ((3, 3, 3, 9), (3, 3, 3, 9), 0.0),  # no area
        ((9, 9, 1, 1), (0, 0, 10, 10), 0.0),  # upside down
    ],
)
def test_iou(a, b, iou) -> None:
    assert metrics.box_iou(boxes(a), boxes(b))[0, 0] == pytest.approx(iou)


def test_true_boxes_as_predictions_score_one() -> None:
    rng = np.random.default_rng(3)
    truth = []
    for _ in range(20):
        count = int(rng.integers(0, 8))
        corner = rng.uniform(0, 200, (count, 2))
        truth.append(Truth(np.hstack([corner, corner + rng.uniform(2, 60, (count, 2))]), rng.integers(0, 4, count)))
    found = [Detections(t.boxes, np.full(len(t.classes), 0.9), t.classes) for t in truth]
    score = metrics.detection_score(found, truth)
    assert score.map50 == pytest.approx(1.0, abs=1e-12)
    assert score.map50_95 == pytest.approx(1.0, abs=1e-12)
    assert score.average_precision.shape == (4, 10)


def test_one_of_two_objects_found() -> None:
    truth = [Truth(boxes((0, 0, 10, 10), (50, 50, 60, 60)), ints(0, 0))]
    found = [Detections(boxes((0, 0, 10, 10)), floats(0.8), ints(0))]
    score = metrics.detection_score(found, truth)
    assert score.map50 == pytest.approx(0.5, abs=0.01)


def test_second_detection_of_the_same_object_is_wrong() -> None:
    truth = [Truth(boxes((0, 0, 10, 10)), ints(0))]
    found = Detections(boxes((0, 0, 10, 10), (0, 0, 10, 10)), floats(0.5, 0.9), ints(0, 0))
    assert metrics.match(metrics._by_score(found), truth[0]).any(1).tolist() == [True, False]
    assert metrics.detection_score([found], truth).map50 == pytest.approx(1.0)  # the wrong one comes after recall 1


def test_wrong_class_counts_for_nothing() -> None:
    truth = [Truth(boxes((0, 0, 10, 10)), ints(1))]
    found = [Detections(boxes((0, 0, 10, 10)), floats(0.9), ints(0))]
    score = metrics.detection_score(found, truth)
    assert (score.map50, score.map50_95, score.classes.tolist()) == (0.0, 0.0, [1])


def test_each_threshold_matches_on_its_own() -> None:
    truth = [Truth(boxes((0, 0, 100, 100)), ints(0))]
    found = [Detections(boxes((0, 0, 100, 72)), floats(0.9), ints(0))]  # IoU 0.72: right up to 0.70
    score = metrics.detection_score(found, truth)
    assert score.average_precision[0].round(6).tolist() == [1.0] * 5 + [0.0] * 5
    assert score.map50_95 == pytest.approx(0.5)


def test_false_alarm_before_the_object_halves_precision() -> None:
    assert metrics.average_precision(np.array([False, True]), 1) == pytest.approx(0.5)
    assert metrics.average_precision(np.array([True, False]), 1) == pytest.approx(1.0)
    assert metrics.average_precision(np.array([], dtype=bool), 3) == 0.0


def test_nothing_to_find_and_nothing_found() -> None:
    none = Truth(boxes(), ints())
    empty = Detections(boxes(), floats(), ints())
    assert metrics.detection_score([empty], [none])[:2] == (0.0, 0.0)
    assert metrics.detection_score([], [])[:2] == (0.0, 0.0)


def test_order_of_detections_does_not_matter() -> None:
    rng = np.random.default_rng(5)
    truth = [Truth(boxes((0, 0, 10, 10), (20, 20, 40, 40)), ints(0, 1))]
    found = Detections(
        rng.uniform(0, 1, (6, 4)) + boxes((0, 0, 20, 20)), np.linspace(0.1, 0.9, 6), ints(0, 1, 0, 1, 0, 1)
    )
    shuffled = rng.permutation(6)
    other = Detections(found.boxes[shuffled], found.scores[shuffled], found.classes[shuffled])
    assert metrics.detection_score([found], truth).map50 == metrics.detection_score([other], truth).map50


def test_top_k() -> None:
    scores = np.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3], [0.2, 0.3, 0.5]])
    labels = ints(1, 2, 0)
    assert metrics.top_k(scores, labels, 1) == pytest.approx(1 / 3)
    assert metrics.top_k(scores, labels, 2) == pytest.approx(2 / 3)
    assert metrics.top_k(scores, labels, 5) == 1.0
    assert metrics.top_k(scores[:0], labels[:0], 1) == 0.0
