"""A job's `dataset/` at COCO's size: 118,287 images and 860,001 polygons, out of a store, as each trainer wants them.

From the version in the store to the last link, each in a process of its own whose imports are not counted. Images are holes
of 160 kB, 19 GB in all: whoever read them would be seen.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from retinue_sdk import dataset
from retinue_sdk.memory import KEEP_MEMORY
from retinue_sdk.schema import DatasetManifest, Task
from retinue_sdk.store import content_digest
from retinue_sdk.table import AnnotationTable, make_table
from tests.benchmarks import Figure

IMAGES, ANNOTATIONS, CORNERS, CLASSES = 118_287, 860_001, 25, 80
SIZE = 160_000
VIEWS = {
    "ultralytics-detect": "polygon",
    "ultralytics-classify": "class",
    "timm-classify": "class",
    "huggingface-classify": "class",
}


def run(arguments: list[str]) -> list[Figure]:
    """Measure; `--on FOLDER` says on which disk, `--times N` how often, `--share X` shrinks the version."""
    parser = argparse.ArgumentParser(prog="views")
    parser.add_argument("--on", type=Path)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--share", type=float, default=1.0)
    args = parser.parse_args(arguments)
    figures = []
    with tempfile.TemporaryDirectory(prefix="retinue-views-", dir=args.on) as temporary:
        store = Path(temporary) / "store"
        blobs = fill(store, round(IMAGES * args.share))
        tables = {"polygon": polygons(blobs, round(ANNOTATIONS * args.share)), "class": labels(blobs)}
        manifests = {kind: version(store, table) for kind, table in tables.items()}
        for name, kind in VIEWS.items():
            done = [child(name, manifests[kind], Path(temporary) / f"{name}-{n}") for n in range(args.times)]
            assert {d["images"] for d in done} == {len(blobs)}
            seconds = [d["seconds"] for d in done]
            loaded = statistics.median(d["loaded"] for d in done)
            spread = (
                f"{min(seconds):.1f} to {max(seconds):.1f}, n={args.times}; {loaded:.1f} s of it to read the version"
            )
            figures.append(Figure(f"views: {name}", statistics.median(seconds), "s", 10.0, "less", spread))
            figures.append(Figure("views: the same, peak memory", max(d["peak"] for d in done), "GB"))
    return figures


def child(name: str, manifest: DatasetManifest, dest: Path) -> dict[str, Any]:
    """Build one view in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.views", name, manifest.model_dump_json(), str(dest)]
    environment = {**os.environ, **KEEP_MEMORY}  # as trainings have it
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout.rpartition("DONE ")[2])
    print(f"{name}: {result}", file=sys.stderr, flush=True)
    return result


def fill(store: Path, count: int) -> list[str]:
    """So many images in a store; their names."""
    names = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(count)]
    for prefix in {name[:2] for name in names}:
        (store / "blobs" / prefix).mkdir(parents=True)
    for name in names:
        with (store / "blobs" / name[:2] / name).open("wb") as file:
            file.truncate(SIZE)
    return names


def polygons(blobs: list[str], count: int) -> AnnotationTable:
    """What instances_train2017.json holds, in numbers."""
    rng = np.random.default_rng(2017)
    corner = rng.random((count, 2)) * 400
    values = (corner[:, None, :] + rng.random((count, CORNERS, 2)) * 80).ravel()
    geometry = pa.LargeListArray.from_arrays(pa.array(np.arange(count + 1) * 2 * CORNERS), pa.array(values))
    rows = {
        "image": np.sort(rng.integers(0, len(blobs), count)), "class_id": rng.integers(0, CLASSES, count), "kind": "polygon",
        "x1": corner[:, 0], "y1": corner[:, 1], "x2": corner[:, 0] + 80, "y2": corner[:, 1] + 80,
    }  # fmt: skip
    return make_table(images(blobs), rows, classes(), geometry=geometry)


def labels(blobs: list[str]) -> AnnotationTable:
    """One class for each image."""
    label = np.random.default_rng(2017).integers(0, CLASSES, len(blobs))
    return make_table(images(blobs), {"image": np.arange(len(blobs)), "class_id": label, "kind": "class"}, classes())


def images(blobs: list[str]) -> dict[str, Any]:
    split = np.where(np.random.default_rng(5).random(len(blobs)) < 0.96, "train", "val")
    keys = [f"train2017/{n:012}.jpg" for n in range(len(blobs))]
    return {"key": keys, "blob": blobs, "width": 640, "height": 480, "split": split}


def classes() -> list[str]:
    return [f"class {n}" for n in range(CLASSES)]


def version(store: Path, table: AnnotationTable) -> DatasetManifest:
    """The table as a version, without reading 19 GB."""
    digest = content_digest(table)
    folder = store / "versions" / digest
    folder.mkdir(parents=True)
    table.to_parquet(folder)
    facts = {"tasks": table.tasks, "splits": table.splits, "images": len(table), "annotations": len(table.annotations)}
    names = [{"id": n, "name": name} for n, name in enumerate(table.classes)]
    (folder / "classes.json").write_text(json.dumps(facts | {"digest": digest, "size_bytes": 1, "classes": names}))
    return dataset.manifest(store, digest)


def main() -> None:
    """One view: `python -m tests.benchmarks.views NAME MANIFEST FOLDER`."""
    name, manifest, dest = sys.argv[1], DatasetManifest.model_validate_json(sys.argv[2]), Path(sys.argv[3])
    from retinue_sdk import folders, formats, split, store  # noqa: F401 - their imports are not counted
    from retinue_ultralytics import data

    framework, task = name.split("-")
    begun, used = time.perf_counter(), time.process_time()
    table = dataset.load(manifest)
    loaded = time.perf_counter() - begun
    view = data.export(table, Task(task), dest) if framework == "ultralytics" else folders.class_folders(table, dest)
    seconds = time.perf_counter() - begun
    # not ru_maxrss, which begins with what the parent had
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024 / 1e9
    figures = {"seconds": seconds, "loaded": loaded, "processor": time.process_time() - used, "peak": peak}
    print("DONE", json.dumps(figures | {"images": sum(view.images.values())}))


if __name__ == "__main__":
    main()
