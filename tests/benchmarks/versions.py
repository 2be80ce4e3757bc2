"""What versions of 100,000 images and 860,000 annotations cost: the difference of two, and an old one restored.

Asked of a real platform over HTTP. The first question also pays for importing pandas.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pyarrow as pa

from retinue_platform.db import Database
from retinue_platform.tables import DatasetRow, VersionRow
from retinue_sdk.store import content_digest
from retinue_sdk.table import AnnotationTable, make_table
from tests.benchmarks import Figure
from tests.platform.hub import StandInHub
from tests.platform.jobs_db import NOW, dataset_row
from tests.platform.running import Running

IMAGES, ANNOTATIONS, CORNERS = 100_000, 860_000, 12
TIMES = 5


def run(_arguments: list[str]) -> list[Figure]:
    """Measure boxes and polygons."""
    hub = StandInHub()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        running = Running(hub, Path(folder) / "data")
        try:
            for kind in ("box", "polygon"):
                figures += measure(running, kind)
            memory = psutil.Process(running.process.pid).memory_info().rss / 2**20
            figures.append(Figure("versions: memory of the platform afterwards", memory, "MiB"))
        finally:
            running.close()
            hub.close()
    return figures


def measure(running: Running, kind: str) -> list[Figure]:
    """The figures of one kind of annotation."""
    user = running.user()
    project = uuid.UUID(user.post("/projects", json={"name": uuid.uuid4().hex}).json()["id"])
    rng = np.random.default_rng(0)
    before = table(rng, kind)
    tables = [before, changed(before, rng), *(changed(before, rng) for _ in range(TIMES))]
    ident = written_down(running, project, tables)
    path = f"/datasets/{ident}/versions"
    first, answer = timed(lambda: user.get(f"{path}/1/diff/2", timeout=120))
    assert answer.json()["images"]["moved"] > 0
    diffs = [timed(lambda n=n: user.get(f"{path}/1/diff/{n + 3}"))[0] for n in range(TIMES)]
    page, _ = timed(lambda: user.get(f"{path}/1/diff/{TIMES + 2}", params={"offset": 100}))
    restored = [timed(lambda n=n: user.post(f"{path}/{n + 1}/restore"))[0] for n in range(TIMES)]
    name = f"versions, {kind}:"
    return [
        Figure(f"{name} the first difference", first, "s"),
        Figure(f"{name} the difference of two", statistics.median(diffs), "s", 2.0, spread=f"{min(diffs):.2f} to {max(diffs):.2f}, n={TIMES}"),
        Figure(f"{name} its next page", page, "s"),
        Figure(f"{name} an old one restored", statistics.median(restored), "s", 2.0, spread=f"{min(restored):.3f} to {max(restored):.3f}, n={TIMES}"),
    ]  # fmt: skip


def timed(ask: Callable[[], httpx.Response]) -> tuple[float, httpx.Response]:
    begun = time.monotonic()
    answer = ask()
    seconds = time.monotonic() - begun
    answer.raise_for_status()
    return seconds, answer


def table(rng: np.random.Generator, kind: str) -> AnnotationTable:
    """Images that are names only: nothing here reads a blob."""
    blobs = [f"{n:064x}" for n in range(IMAGES)]
    corner = rng.random((ANNOTATIONS, 2)) * 400
    rows: dict[str, Any] = {
        "image": np.sort(rng.integers(0, IMAGES, ANNOTATIONS)), "class_id": rng.integers(0, 80, ANNOTATIONS),
        "kind": kind, "x1": corner[:, 0], "y1": corner[:, 1], "x2": corner[:, 0] + 90, "y2": corner[:, 1] + 90,
        "source": [f"labels/{n // 8:012}.txt" for n in range(ANNOTATIONS)], "line": rng.integers(1, 9, ANNOTATIONS),
    }  # fmt: skip
    geometry = None
    if kind == "polygon":
        values = (corner[:, None, :] + rng.random((ANNOTATIONS, CORNERS, 2)) * 90).ravel()
        offsets = np.arange(ANNOTATIONS + 1) * 2 * CORNERS
        geometry = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))
    columns = {"key": [f"images/{n:012}.jpg" for n in range(IMAGES)], "blob": blobs, "width": 640, "height": 480}
    split = np.where(rng.random(IMAGES) < 0.8, "train", "val")
    return make_table({**columns, "split": split}, rows, [f"class {n}" for n in range(80)], geometry=geometry)


def changed(before: AnnotationTable, rng: np.random.Generator) -> AnnotationTable:
    """One in a hundred images is gone, moved or has another split; one in twenty has other annotations."""
    chance = rng.random(IMAGES)
    keys, splits = (before.images[name].to_numpy(dtype=object).copy() for name in ("key", "split"))
    keys[chance < 0.01] = "moved/" + keys[chance < 0.01]
    splits[(chance > 0.01) & (chance < 0.02)] = "test"
    edited = ((chance > 0.02) & (chance < 0.07))[before.annotations["image"].to_numpy()]
    x1 = before.annotations["x1"].where(~edited, before.annotations["x1"] + 1)
    after = make_table(
        before.images.assign(key=keys, split=splits),
        before.annotations.assign(x1=x1),
        before.classes,
        geometry=before.geometry,
    )
    return after.select(np.flatnonzero(chance < 0.99))


def written_down(running: Running, project: uuid.UUID, tables: list[AnnotationTable]) -> uuid.UUID:
    """The tables as versions of a dataset, in the store and in the database."""
    row: DatasetRow = dataset_row(project)
    versions = [version(running.data / "store", row.id, n, t) for n, t in enumerate(tables, 1)]
    database = Database(f"sqlite:///{running.data / 'platform' / 'retinue.sqlite'}")
    with database.write() as session:
        session.add(row)
        session.flush()
        session.add_all(versions)
    database.close()
    return row.id


def version(store: Path, dataset: uuid.UUID, number: int, content: AnnotationTable) -> VersionRow:
    digest = content_digest(content)
    folder = store / "versions" / digest
    folder.mkdir(parents=True, exist_ok=True)
    content.to_parquet(folder)
    facts: dict[str, Any] = {
        "tasks": [str(task) for task in content.tasks], "splits": content.splits, "images": len(content),
        "annotations": len(content.annotations), "size_bytes": 1,
    }  # fmt: skip
    classes = [{"id": n, "name": name} for n, name in enumerate(content.classes)]
    (folder / "classes.json").write_text(json.dumps(facts | {"digest": digest, "classes": classes}))
    summary = facts | {"format": "drawn", "classes": content.classes, "findings": [], "split_rule": None}
    return VersionRow(
        dataset_id=dataset, number=number, digest=digest, summary=summary, created_at=NOW, created_by="bench", note=""
    )
