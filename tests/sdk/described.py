"""A table as a person would write it down: what the expected content of the samples in tests/samples is written in."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from retinue_sdk import geometry, raster
from retinue_sdk.api import Finding
from retinue_sdk.table import AnnotationTable

TOLERANCE = 1e-6  # of the image's size
PER_POINT = {"polygon": 2, "obb": 2, "keypoints": 3}


def described(form: str, table: AnnotationTable, findings: list[Finding]) -> dict[str, Any]:
    """The format, classes by id, findings by code, and each image with its annotations."""
    images = {}
    for row, image in enumerate(table.images.itertuples(index=False)):
        places = range(table.offsets[row], table.offsets[row + 1])
        images[image.key] = {
            "size": [image.width, image.height],
            **{name: getattr(image, name) for name in ("split", "group") if getattr(image, name)},
            **_attributes(image.attributes),
            "annotations": [_annotation(table, i, (image.width, image.height)) for i in places],
        }
    classes = zip(table.class_ids, table.classes, table.class_attributes, strict=True)
    return {
        "format": form,
        "classes": {str(number): [name, said] if said else name for number, name, said in classes},
        "findings": {finding.code: finding.count for finding in findings},
        "images": images,
    }


def _attributes(text: str) -> dict[str, Any]:
    return {"attributes": json.loads(text)} if text else {}


def _annotation(table: AnnotationTable, i: int, size: tuple[int, int]) -> dict[str, Any]:
    item = table.annotations.iloc[i]
    values, offsets = table.coordinates()
    box = {"box": table.boxes[i].tolist()} if np.isfinite(table.boxes[i]).all() else {}
    found = {"class": table.classes[item["class_id"]], "kind": item["kind"], **box}
    found |= _shape(item["kind"], values[offsets[i] : offsets[i + 1]], size)
    return found | _attributes(item["attributes"])


def _shape(kind: str, shape: Any, size: tuple[int, int]) -> dict[str, Any]:
    if kind == "mask":
        part, _, _ = raster.decode_part(shape.astype(np.int64), *size)
        return {"pixels": ["".join(" #"[int(pixel)] for pixel in line) for line in part]}
    if kind == "value":
        return {"value": float(shape[0])}
    if kind == "polygon" and np.isnan(shape).any():
        return {"rings": [ring.tolist() for ring in geometry.rings(shape)]}
    return {"points": shape.reshape(-1, PER_POINT[kind]).tolist()} if kind in PER_POINT else {}


def unlike(found: Any, expected: Any, size: float = 0.0, where: str = "") -> list[str]:
    """Where two descriptions differ: coordinates by more than rounding, everything else at all."""
    if isinstance(found, dict) and isinstance(expected, dict):
        size = max(expected.get("size", [size]))
        both = [unlike(found[k], expected[k], size, f"{where}/{k}") for k in expected if k in found]
        keys = [f"{where}: {found.keys() ^ expected.keys()}"] if found.keys() != expected.keys() else []
        return [*keys, *(d for part in both for d in part)]
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        parts = enumerate(zip(found, expected, strict=True))
        return [d for i, (a, b) in parts for d in unlike(a, b, size, f"{where}[{i}]")]
    if isinstance(found, float) and isinstance(expected, int | float) and abs(found - expected) <= TOLERANCE * size:
        return []
    return [] if found == expected else [f"{where}: {found}, expected {expected}"]
