"""Writing COCO: images/<split>/ and annotations/instances_<split>.json. Ids come back where the data has them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np

from retinue_sdk import geometry, raster
from retinue_sdk.api import Finding
from retinue_sdk.formats import files
from retinue_sdk.formats.fit import Holds, fit
from retinue_sdk.formats.report import Report
from retinue_sdk.geometry import Floats
from retinue_sdk.table import AnnotationTable

NAME = "coco"
HOLDS = Holds(
    ("polygon", "box", "mask", "keypoints"),
    attributes=True,
    image_attributes=True,
    class_attributes=True,
    class_ids=True,
    unclassed=False,
    unplaced=False,
)
OWN = ("id", "file_name", "width", "height")  # what we write of an image, whatever its attributes say
PART = 10_000  # annotations encoded at a time
CHECKED = 200  # rings whose boxes are compared with one another; of more, all are filled
DECIMALS = 9  # of a box's width, so that the difference of two corners is the number it was
CATEGORY = ("id", "name")  # of a category, which no attribute of a class may be called
Json = dict[str, Any]


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    """Write images/<split> and a JSON per split; images without a split are called `default`."""
    table, report = fit(table, HOLDS, NAME)
    names = table.file_names
    if lost := sum(bool(attributes.keys() & set(CATEGORY)) for attributes in table.class_attributes):
        report.add("loss_class_attributes", NAME, count=lost)
    (path / "annotations").mkdir(parents=True, exist_ok=True)
    for split in table.splits or {"": 0}:
        folder = split or "default"
        rows = table.rows(split)
        (path / "images" / folder).mkdir(parents=True, exist_ok=True)
        for row in rows:
            place(Path(table.images["path"].iloc[row]), path / "images" / folder / names[row])
        with (path / "annotations" / f"instances_{folder}.json").open("wb") as stream:
            _write_file(stream, table.select(rows), [names[row] for row in rows], report)
    return report.findings()


def _write_file(stream: IO[bytes], table: AnnotationTable, names: Sequence[str], report: Report) -> None:
    extras = list(map(_loads, table.images["attributes"]))
    numbers = _ids(extras)
    images = [
        {**_others(extra, report), "id": number, "file_name": name, "width": int(width), "height": int(height)}
        for extra, number, name, width, height in zip(
            extras, numbers, names, table.images["width"], table.images["height"], strict=True
        )
    ]
    categories = [
        {**attributes, "id": number, "name": name}
        for attributes, number, name in zip(table.class_attributes, table.class_ids, table.classes, strict=True)
    ]
    stream.write(
        b'{"images":%b,\n"categories":%b,\n"annotations":['
        % (msgspec.json.encode(images), msgspec.json.encode(categories))
    )
    separator = b"\n"
    for part in _parts(table, numbers, report):
        stream.write(separator + b",\n".join(map(msgspec.json.encode, part)))
        separator = b",\n"
    stream.write(b"\n]}\n")


def _parts(table: AnnotationTable, images: Sequence[int], report: Report) -> Iterator[list[Json]]:
    """The annotations some thousands at a time."""
    rows = table.annotations
    extras = list(map(_loads, rows["attributes"]))
    numbers = _ids(extras)
    values, offsets = table.coordinates()
    sizes = table.images[["height", "width"]].to_numpy()[rows["image"].to_numpy()].tolist()
    for start in range(0, len(rows), PART):
        part: list[Json] = []
        row: Any  # the rows of a frame have no types
        for place, row in enumerate(rows.iloc[start : start + PART].itertuples(index=False), start):
            shape = values[offsets[place] : offsets[place + 1]]
            described = _shape(row, shape, sizes[place], report)
            owner = {"image_id": images[row.image], "category_id": table.class_ids[row.class_id]}
            part.append({"id": numbers[place], **owner, **described, **_said(extras[place], described)})
        yield part


def _shape(row: Any, shape: Floats, size: Sequence[int], report: Report) -> Json:
    """What COCO says of a shape."""
    box = (row.x1, row.y1, row.x2 - row.x1, row.y2 - row.y1)
    bbox = [_shortest(round(value, DECIMALS)) for value in box]
    if row.kind == "keypoints":
        seen = int((shape[2::3] > 0).sum())
        return {"bbox": bbox, "keypoints": list(map(_shortest, shape.tolist())), "num_keypoints": seen}
    if row.kind == "box":
        return {"bbox": bbox, "segmentation": []}
    rings = geometry.rings(shape) if row.kind == "polygon" else []
    if row.kind == "polygon" and not _has_holes(rings, shape, size):
        return {"bbox": bbox, "segmentation": [_numbers(ring.reshape(-1)) for ring in rings]}
    if row.kind == "polygon":
        report.add("loss_form", NAME, "polygon with holes as mask")
        shape = raster.encode(raster.fill(shape, size[1], size[0])).astype(np.float64)
    return {"bbox": bbox, "segmentation": {"size": size, "counts": _numbers(shape)}}


def _has_holes(rings: Sequence[Floats], shape: Floats, size: Sequence[int]) -> bool:
    """Whether the rings, taken together as COCO does, cover more than by even-odd. Only where their boxes meet can they."""
    if len(rings) == 1:
        return False
    low = np.array([ring.min(axis=0) for ring in rings[:CHECKED]])
    high = np.array([ring.max(axis=0) for ring in rings[:CHECKED]])
    meet = (low[:, None] < high).all(axis=2) & (low < high[:, None]).all(axis=2)
    if meet.sum() == len(rings):  # each only itself
        return False
    together = np.logical_or.reduce([raster.fill(ring.reshape(-1), size[1], size[0]) for ring in rings])
    return bool((together != raster.fill(shape, size[1], size[0])).any())


def _area(described: Json) -> float:
    """The area of a shape as it is described."""
    segmentation = described.get("segmentation")
    if isinstance(segmentation, dict):
        return int(sum(segmentation["counts"][1::2]))
    if not segmentation:
        return float(described["bbox"][2] * described["bbox"][3])
    area = 0.0
    for ring in segmentation:
        x, y = np.array(ring, dtype=np.float64).reshape(-1, 2).T
        area += float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
    return area


def _said(extra: Json, described: Json) -> Json:
    """What the data says of an annotation; what COCO has no name for goes to `attributes`, as CVAT and Datumaro do it."""
    said: Json = {"iscrowd": int(extra.pop("iscrowd", 0) == 1)}
    said["area"] = extra.pop("area") if type(extra.get("area")) in (int, float) else _area(described)
    return {**said, "attributes": extra} if extra else said


def _others(extra: Json, report: Report) -> Json:
    """What the data says of an image besides what we write ourselves."""
    if lost := extra.keys() & set(OWN):
        report.add("loss_image_attributes", NAME, ", ".join(sorted(lost)))
    return {name: value for name, value in extra.items() if name not in OWN}


def _ids(extras: Sequence[Json]) -> list[int]:
    """The ids the data came with, taken out of what it says; new ones where there is none, or it is taken."""
    taken: set[int] = set()
    numbers: list[int | None] = []
    for extra in extras:
        number = extra.pop("coco_id", None)
        good = type(number) is int and abs(number) < 2**53 and number not in taken
        taken.update([number] if good else [])
        numbers.append(number if good else None)
    free = count(max(taken, default=0) + 1)
    return [next(free) if number is None else number for number in numbers]


def _loads(attributes: str) -> Json:
    return json.loads(attributes) if attributes else {}


def _numbers(values: Floats) -> list[int] | list[float]:
    """Whole numbers without a decimal point, as COCO writes them."""
    numbers: list[int] | list[float] = (
        values.astype(np.int64) if (values == np.rint(values)).all() else values
    ).tolist()
    return numbers


def _shortest(value: float) -> int | float:
    return int(value) if value.is_integer() else value
