"""Real archives through a real platform: `python -m tests.archives FOLDER` imports each that it knows and compares every number.

The archives are no part of the project; the folder is wherever they lie. Each is counted here a second time, by the standard
library, NumPy and Pillow alone. Prints what it saw; exit status 1 when something is not so.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tempfile
import xml.etree.ElementTree as ET
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import yaml
from PIL import Image

from retinue_sdk.formats.report import EXAMPLES
from tests.platform.hub import StandInHub
from tests.platform.running import Running, announce, put, wait_for

TOLERANCE = 1e-6  # of the image's size
CHUNK = 8 << 20


@dataclass
class Content:
    """What a dataset says: splits and sizes by the digest of an image, classes by id, and annotations."""

    splits: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    classes: dict[int, str] = field(default_factory=dict)
    # image, class and numbers in pixels: a polygon's corners, a box, or where a mask is
    annotations: list[tuple[str, str, list[float]]] = field(default_factory=list)

    def add_image(self, data: bytes, split: str) -> tuple[str, tuple[int, int]]:
        """Add an image; its digest and size."""
        digest = hashlib.sha256(data).hexdigest()
        self.splits[digest] = split
        self.sizes[digest] = Image.open(io.BytesIO(data)).size
        return digest, self.sizes[digest]


@dataclass(frozen=True)
class Known:
    """An archive, how it is counted here, and what it has to give."""

    count: Callable[[zipfile.ZipFile], Content]
    form: str
    splits: dict[str, int]
    annotations: int
    findings: dict[str, int]


def yolo(archive: zipfile.ZipFile) -> Content:
    """Boxes of five columns, polygons of more."""
    found = Content()
    (config,) = (name for name in archive.namelist() if name.endswith(".yaml"))
    found.classes = yaml.safe_load(archive.read(config))["names"]
    for name in archive.namelist():
        if not name.endswith(".jpg"):
            continue
        digest, (width, height) = found.add_image(archive.read(name), name.split("/")[-2])
        text = archive.read(name.replace("/images/", "/labels/").replace(".jpg", ".txt")).decode()
        for label, *numbers in filter(None, map(str.split, text.splitlines())):
            values = np.array(numbers, dtype=np.float64)
            if len(values) == 4:
                values = np.concatenate([values[:2] - values[2:] / 2, values[:2] + values[2:] / 2])
            values *= np.tile([width, height], len(values) // 2)
            found.annotations.append((digest, found.classes[int(label)], values.tolist()))
    return found


def masks(archive: zipfile.ZipFile) -> Content:
    """One mask for each number in an image, as the places of its pixels by column."""
    found = Content()
    (config,) = (name for name in archive.namelist() if name.endswith(".yaml"))
    found.classes = yaml.safe_load(archive.read(config))["classes"]
    for name in archive.namelist():
        if name.endswith(".jpg"):
            digest, _ = found.add_image(archive.read(name), name.split("/")[-2])
            mask = archive.read(name.replace("/images/", "/masks/").replace(".jpg", ".png"))
            pixels = np.asarray(Image.open(io.BytesIO(mask))).T.reshape(-1)
            for number in np.unique(pixels):
                found.annotations.append(
                    (digest, found.classes[int(number)], np.flatnonzero(pixels == number).tolist())
                )
    return found


def voc(archive: zipfile.ZipFile) -> Content:
    """Boxes, and the splits of ImageSets/Main."""
    found = Content()
    names = archive.namelist()
    lists = {s: next(n for n in names if n.endswith(f"ImageSets/Main/{s}.txt")) for s in ("train", "val", "test")}
    splits = {stem: split for split, name in lists.items() for stem in archive.read(name).decode().split()}
    for name in names:
        if not name.endswith(".xml"):
            continue
        image = name.replace("/Annotations/", "/JPEGImages/").replace(".xml", ".jpg")
        digest, _ = found.add_image(archive.read(image), splits[Path(name).stem])
        for thing in ET.fromstring(archive.read(name)).iter("object"):
            box = [float(thing.findtext(f"bndbox/{side}") or "nan") for side in ("xmin", "ymin", "xmax", "ymax")]
            found.annotations.append((digest, thing.findtext("name") or "", box))
    found.classes = dict(enumerate(sorted({label for _, label, _ in found.annotations})))
    return found


KNOWN = {
    "bccd_voc.zip": Known(
        voc, "pascal_voc", {"train": 205, "val": 87, "test": 72}, 4888, {"box_zero_area": 2}
    ),
    "coco128_yolo_detect.zip": Known(yolo, "yolo_detect", {"train": 96, "val": 32}, 898, {}),
    "coco128_yolo_segment.zip": Known(
        yolo, "yolo_segment", {"train": 75, "val": 25}, 712, {"yaml_unknown_key": 2, "polygon_crosses_itself": 33}
    ),
    "coco128_semantic_masks.zip": Known(masks, "index_masks", {"train": 75, "val": 25}, 754, {}),
}  # fmt: skip


def imported(user: httpx.Client, file: Path) -> dict[str, Any]:
    """Upload an archive; the dataset once its import is over."""
    project = user.post("/projects", json={"name": file.name}).json()
    data = file.read_bytes()
    upload = announce(user, project, len(data), file.name)
    for start in range(0, len(data), CHUNK):
        upload = put(user, upload, start, data[start : start + CHUNK]).json()
    wanted = {"name": file.stem, "upload_id": upload["id"]}
    ident = user.post(f"/projects/{project['id']}/datasets", json=wanted).json()["id"]
    made: dict[str, Any] = wait_for(
        lambda: user.get(f"/datasets/{ident}").json(), lambda d: d["status"] != "importing", 300
    )
    return made


def exported(user: httpx.Client, dataset: dict[str, Any]) -> Content:
    """What the version holds, by its export as NDJSON."""
    where = f"/datasets/{dataset['id']}/versions/1/archive"
    answer = user.get(where, params={"format": "ndjson"}, timeout=300)
    answer.raise_for_status()
    found = Content()
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("dataset.ndjson"))
        header, *lines = map(json.loads, archive.read(name).splitlines())
        found.classes = {item["id"]: item["name"] for item in header["classes"]}
        for line in lines:
            digest, _ = found.add_image(archive.read(f"images/{line['key']}"), line.get("split", ""))
            for item in line["annotations"]:
                label = header["classes"][item["class"]]["name"]
                found.annotations.append((digest, label, _numbers(item)))
    return found


def _numbers(item: dict[str, Any]) -> list[float]:
    if item["kind"] == "mask":
        lengths = np.array(item["geometry"], dtype=np.int64)
        return np.flatnonzero(np.repeat(np.arange(len(lengths)) % 2, lengths)).tolist()
    return item.get("geometry") or item["box"]


def differences(one: Content, other: Content) -> Iterator[str]:
    """Where two datasets differ: images, splits and classes exactly, coordinates by more than rounding."""
    for what in ("splits", "sizes", "classes"):
        if getattr(one, what) != getattr(other, what):
            yield f"{what} differ"
    pairs = zip(sorted(one.annotations), sorted(other.annotations), strict=False)
    for (image, label, numbers), (image_too, label_too, numbers_too) in pairs:
        far = TOLERANCE * max(one.sizes[image])
        close = len(numbers) == len(numbers_too) and np.allclose(numbers, numbers_too, rtol=0, atol=far)
        if (image, label) != (image_too, label_too) or not close:
            yield f"{label} {numbers[:6]} became {label_too} {numbers_too[:6]}"
            return


def check(user: httpx.Client, file: Path, known: Known) -> Iterator[tuple[str, object, bool]]:
    """What is looked at in one archive: its name, what was seen, and whether it holds."""
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    with zipfile.ZipFile(file) as archive:
        counted = known.count(archive)
    dataset = imported(user, file)
    if dataset["status"] != "ready":
        yield "imported", dataset["problem"], False
        return
    (version,) = dataset["versions"]
    yield "format", version["format"], version["format"] == known.form
    splits = dict(Counter(counted.splits.values()))
    yield "images by split", version["splits"], version["splits"] == splits == known.splits
    annotations = version["annotations"]
    yield "annotations", annotations, annotations == len(counted.annotations) == known.annotations
    ids = list(counted.classes)
    span = f"{len(ids)}, ids {ids[0]} to {ids[-1]}"
    yield "classes", span, version["classes"] == list(counted.classes.values())
    findings = {f["code"]: f for f in version["findings"]}
    said = {code: finding["count"] for code, finding in findings.items()}
    yield "findings", said, said == known.findings
    for code, finding in findings.items():
        yield f"  {code}", "; ".join(finding["examples"]), len(finding["examples"]) == min(finding["count"], EXAMPLES)
    wrong = list(differences(counted, exported(user, dataset)))
    yield "every image, id and coordinate", wrong or "as counted", not wrong
    yield "its file untouched", "yes", hashlib.sha256(file.read_bytes()).hexdigest() == before


def main(folder: Path) -> bool:
    """Check the archives of a folder; whether all that are known are there and right."""
    hub = StandInHub()
    held = []
    with tempfile.TemporaryDirectory() as temporary:
        running = Running(hub, Path(temporary) / "data")
        try:
            user = running.user()
            for name, known in KNOWN.items():
                print(name, flush=True)
                for what, seen, holds in check(user, folder / name, known):
                    print(f"  {what:32} {seen}{'' if holds else '   BROKEN'}", flush=True)
                    held.append(holds)
        finally:
            running.close()
            hub.close()
    return all(held)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(f"python -m tests.archives FOLDER, a folder that holds {', '.join(KNOWN)}")
    sys.exit(not main(Path(sys.argv[1])))
