"""Reading and recognising YOLO datasets: what the four tasks share. They differ in what follows the class on a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from retinue_sdk.api import Finding
from retinue_sdk.errors import DataError
from retinue_sdk.formats import files
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.yolo_config import TASK, Config, find_config, load_yaml, read_config
from retinue_sdk.formats.yolo_labels import LabelFiles, Labels, check_classes, read_labels, repeated
from retinue_sdk.formats.yolo_layout import (
    columns_of,
    label_files,
    label_of,
    name_lists,
    report_pairs,
    splits_of,
    without_config,
)
from retinue_sdk.formats.yolo_quads import CORNERS, are_rectangles
from retinue_sdk.geometry import Floats
from retinue_sdk.table import AnnotationTable, make_table


@dataclass(frozen=True)
class Shapes:
    """The rows of label files that can be used, and what they are in pixels."""

    labels: Labels
    kind: Any  # one for all rows, or one for each
    boxes: Floats  # (n, 4)
    geometry: Any = None
    class_attributes: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)  # by class id


FOUR_CORNERS = "obb or polygon"
Interpret = Callable[[Labels, Config], Shapes]


def read(path: Path, interpret: Interpret, keys: Sequence[str] = ()) -> tuple[AnnotationTable, list[Finding]]:
    """Read a dataset whose rows mean what `interpret` says; `keys` of the data.yaml are known besides the usual."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    config_path = find_config(root)
    config = read_config(config_path, root, report, keys) if config_path else without_config(root, listing, report)
    splits = splits_of(root, config, listing, report)
    measured = files.measure(root, sorted(splits), report)
    present = set(listing)
    sources = [label_of(key) for key in measured.key]
    report_pairs(measured.key, sources, present, report)
    sizes = np.array([measured.width, measured.height], dtype=np.float64).T
    labels = read_labels(LabelFiles(root, sources, sizes, report), present)
    ids = _class_ids(config, labels)
    shapes = interpret(check_classes(labels, ids), config)
    table = make_table(
        {**measured.columns(), "split": [splits[key] for key in measured.key]},
        _columns(shapes, ids),
        [config.names.get(i, f"class_{i}") for i in ids],
        config.ids or ids,
        shapes.geometry,
        [shapes.class_attributes.get(i, {}) for i in ids],
    )
    return table, report.findings()


def _class_ids(config: Config, labels: Labels) -> list[int]:
    if config.names:
        return list(config.names)
    used = labels.number
    whole = used[np.isfinite(used) & (used == np.floor(used)) & (used >= 0) & (used < 100_000)]
    return list(range(int(whole.max()) + 1)) if len(whole) else []


def _columns(shapes: Shapes, ids: Sequence[int]) -> dict[str, object]:
    """Columns of annotations; what is flat or there twice is reported. `ids` are in order."""
    labels = shapes.labels
    x1, y1, x2, y2 = shapes.boxes.T
    labels.warn("box_zero_area", (x2 <= x1) | (y2 <= y1))
    labels.warn("label_duplicate", repeated(labels))
    return {
        "image": labels.image, "class_id": np.searchsorted(ids, labels.number), "kind": shapes.kind,
        "x1": x1, "y1": y1, "x2": x2, "y2": y2,
        "source": np.array(labels.files.sources, dtype=object)[labels.image], "line": labels.line,
    }  # fmt: skip


def pixels(centred: Floats, sizes: Floats) -> Floats:
    """(n, 4): x1, y1, x2, y2 in pixels of boxes given by centre and size as parts of their image."""
    centre, side = centred[:, :2], centred[:, 2:]
    return np.hstack([(centre - side / 2) * sizes, (centre + side / 2) * sizes])


def sniff(path: Path, kind: str) -> float:
    """A data.yaml with names, labels, or both; little when the rows are of another kind."""
    root = files.dataset_root(path)
    listing = files.list_files(root)
    texts = label_files(listing)
    content = _content(find_config(root))
    named = bool(content.keys() & {"names", "nc"})
    if not texts:
        confidence = 0.3 if named and any(map(files.is_image, listing)) else 0.0
    else:
        confidence = 0.95 if named or name_lists(listing) else 0.7
    found = _kind(content, columns_of(root, texts))
    if found == FOUR_CORNERS and kind in ("obb", "polygon"):
        return confidence if kind == _kind_of_corners(content, root, listing, texts) else min(confidence, 0.5)
    return confidence if kind == found else min(confidence, 0.2)


def _content(config: Path | None) -> dict[str, Any]:
    try:
        return load_yaml(config) if config else {}
    except DataError:
        return {"names": ""}  # it is a YOLO dataset with a broken data.yaml: reading says what is wrong


def _kind(content: dict[str, Any], columns: Sequence[int]) -> str:
    """What most rows are, by their columns; beside a data.yaml, rows that are nothing are boxes: reading says what is wrong."""
    if "kpt_shape" in content:
        return "keypoints"
    boxes = sum(count == 5 for count in columns)
    outlines = sum(count >= 7 and count % 2 == 1 for count in columns)
    if not columns or boxes * 2 > len(columns):
        return "box"
    if outlines * 2 < len(columns):
        return "box" if content.keys() & {"names", "nc"} else ""
    return FOUR_CORNERS if set(columns) == {CORNERS} else "polygon"


def _kind_of_corners(content: dict[str, Any], root: Path, listing: Sequence[str], texts: Sequence[str]) -> str:
    """What rows of four corners are: what the data.yaml says, else by their form."""
    said = {"obb": "obb", "segment": "polygon"}.get(str(content.get(TASK)))
    return said or ("obb" if are_rectangles(root, listing, texts) else "polygon")
