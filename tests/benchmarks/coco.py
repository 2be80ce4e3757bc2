"""COCO at its size: a file shaped like instances_train2017.json, read and written by Retinue and by those who do it too.

Each arm is a process of its own (`python -m tests.benchmarks.coco ARM ...`); its imports are not counted. Peers that are no
dependency of Retinue are installed into environments made for the run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import Figure, median_interval

IMAGES, ANNOTATIONS, NUMBERS = 118_287, 860_001, 50
# what part of the file each peer reads: supervision makes a mask as large as the image of each polygon, 26 GB for a tenth
PEERS = {"supervision": "hundredth", "datumaro": "tenth"}
PARTS = {"tenth": 0.1, "hundredth": 0.01}
MEMORY = Path("/dev/shm")


def run(arguments: list[str]) -> list[Figure]:
    """Measure; `--pairs N` repeats the comparison with ultralytics, `--share X` shrinks the file."""
    parser = argparse.ArgumentParser(prog="coco")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--share", type=float, default=1.0)
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="retinue-coco-") as temporary:
        folder = Path(temporary)
        whole = make(folder / "whole/instances_train.json", args.share)
        for part, share in PARTS.items():
            make(folder / part / "annotations/instances_train.json", args.share * share)
            (folder / part / "images/train").mkdir(parents=True)  # datumaro will not read without
        os.sync()  # or the disk is busy with it while the first is measured
        return [*beside_ultralytics(whole, args.pairs), into_a_version(folder, whole), *others(folder)]


def beside_ultralytics(source: Path, pairs: int) -> list[Figure]:
    """Reading and writing label files, ours and theirs in turn.

    They are written to memory: ext4 takes ten times as long for new files where many have just been removed.
    """
    done: dict[str, list[dict[str, Any]]] = {"yolo": [], "ultralytics": []}
    for pair in range(pairs):
        for arm in ("yolo", "ultralytics") if pair % 2 == 0 else ("ultralytics", "yolo"):
            with tempfile.TemporaryDirectory(
                prefix="retinue-coco-", dir=MEMORY if MEMORY.is_dir() else None
            ) as temporary:
                done[arm].append(child(arm, source, Path(temporary) / "out"))
                done[arm][-1]["lines"] = lines(Path(temporary))
    assert {d["lines"] for d in done["yolo"]} == {d["lines"] for d in done["ultralytics"]}
    ratios = [a["seconds"] / b["seconds"] for a, b in zip(done["yolo"], done["ultralytics"], strict=True)]
    ratio, low, high = median_interval(ratios)
    ours, theirs = (statistics.median(d["seconds"] for d in done[arm]) for arm in ("yolo", "ultralytics"))
    peaks = [max(d["peak"] for d in done[arm]) for arm in ("yolo", "ultralytics")]
    size = f"{source.stat().st_size / 1e6:.0f} MB"
    spread = f"[{low:.3f}, {high:.3f}], n={pairs}; stretch 0.2; ours {ours:.1f} s"
    return [
        Figure(
            "coco: read and written as YOLO, ratio of seconds",
            ratio,
            "",
            0.35,
            "less",
            spread,
            f"ultralytics {theirs:.1f} s",
        ),
        Figure("coco: the same, peak memory", peaks[0], "GB", 3.0, "less", size, f"ultralytics {peaks[1]:.2f} GB"),
    ]


def into_a_version(folder: Path, source: Path) -> Figure:
    """The file into a published version; its images stand as one blob that is there."""
    done = child("publish", source, folder / "store")
    return Figure("coco: into a published version", done["seconds"], "s", 20.0, "less", f"peak {done['peak']:.2f} GB")


def others(folder: Path) -> list[Figure]:
    """Parts of the file, read by others too; only recorded."""
    figures = []
    for peer, part in PEERS.items():
        venv.create(folder / peer, with_pip=True)
        python = str(folder / peer / "bin/python")
        subprocess.run([python, "-m", "pip", "install", "-qq", peer], check=True)
        version = f"import importlib.metadata as m; print(m.version({peer!r}))"
        name = f"{peer} {subprocess.check_output([python, '-c', version], text=True).strip()}"
        source = folder / part / "annotations/instances_train.json"
        ours, theirs = child("read", source, folder), child(peer, source, folder, python)
        figures.append(
            Figure(f"coco: a {part}, read", ours["seconds"], "s", None, "less", f"peak {ours['peak']:.2f} GB", name)
        )
        spread = f"peak {theirs['peak']:.2f} GB"
        figures.append(Figure(f"coco: a {part}, read by {peer}", theirs["seconds"], "s", None, "less", spread, name))
    return figures


def child(arm: str, source: Path, out: Path, python: str = sys.executable) -> dict[str, Any]:
    """Run an arm in a process of its own: its seconds and its peak memory."""
    from retinue_sdk.memory import KEEP_MEMORY  # peers run this file where it is not installed

    # as the processes of imports and exports have it; peers get it too
    environment = {**os.environ, **KEEP_MEMORY, "YOLO_CONFIG_DIR": str(out.parent), "YOLO_OFFLINE": "true"}
    command = [python, "-m", "tests.benchmarks.coco", arm, str(source), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout.rpartition("DONE ")[2])
    print(f"{arm}: {result['seconds']:.2f} s, {result['peak']:.2f} GB", file=sys.stderr, flush=True)
    return result


def lines(folder: Path) -> tuple[int, int]:
    """How many label files have a line, and how many lines there are."""
    counts = [path.read_bytes().count(b"\n") for path in folder.rglob("*.txt")]
    return sum(count > 0 for count in counts), sum(counts)


# --- the arms -------------------------------------------------------------------------------------------------------------


def yolo(source: Path, out: Path) -> Callable[[], Any]:
    """Ours: the file into label files."""
    from retinue_sdk.formats import coco, yolo_segment

    return lambda: yolo_segment.write(coco.read_annotations(source)[0], out, lambda *_: None)


def ultralytics(source: Path, out: Path) -> Callable[[], Any]:
    """Theirs: the same."""
    from ultralytics.data.converter import convert_coco

    return lambda: convert_coco(str(source.parent), str(out), use_segments=True, cls91to80=False)


def publish(source: Path, out: Path) -> Callable[[], Any]:
    """Ours: the file into the store, looked at as an import does."""
    import hashlib

    from retinue_sdk import crossings, store
    from retinue_sdk.formats import coco

    blob = hashlib.sha256(b"").hexdigest()
    (out / "blobs" / blob[:2]).mkdir(parents=True)
    (out / "blobs" / blob[:2] / blob).touch()

    def work() -> Any:
        table = coco.read_annotations(source)[0]
        crossings.findings(table)
        return store.publish(table.with_images(blob=blob), out)

    return work


def read(source: Path, _out: Path) -> Callable[[], Any]:
    """Ours: the file into a table."""
    from retinue_sdk.formats import coco

    return lambda: coco.read_annotations(source)


def supervision(source: Path, _out: Path) -> Callable[[], Any]:
    """Theirs: the file into a dataset."""
    import supervision as sv

    return lambda: sv.DetectionDataset.from_coco(str(source.parent), str(source))


def datumaro(source: Path, _out: Path) -> Callable[[], Any]:
    """Theirs: the file into a dataset, with every item touched."""
    import datumaro as dm

    return lambda: sum(
        len(item.annotations) for item in dm.Dataset.import_from(str(source.parents[1]), "coco_instances")
    )


# --- the file -------------------------------------------------------------------------------------------------------------


def make(path: Path, share: float) -> Path:
    """A file with as many images and polygons as COCO's instances_train2017, or a share of them; always the same."""
    import msgspec
    import numpy as np

    rng = np.random.default_rng(2017)
    images, annotations = round(IMAGES * share), round(ANNOTATIONS * share)
    ids = rng.choice(581_930, images, replace=False)
    sizes = rng.choice([(640, 480), (640, 427), (480, 640), (500, 375)], images, p=[0.4, 0.3, 0.2, 0.1])
    owners = rng.choice(images - images // 100, annotations, p=_shares(rng, images - images // 100))
    path.parent.mkdir(parents=True)
    with path.open("wb") as stream:
        stream.write(b'{"info":{"year":2017},"licenses":[{"id":1,"name":"x"}],"images":')
        stream.write(msgspec.json.encode([_image(*row) for row in zip(ids.tolist(), sizes.tolist(), strict=True)]))
        categories = [{"supercategory": "thing", "id": n, "name": f"class {n}"} for n in range(1, 81)]
        stream.write(b',"categories":%b,"annotations":[' % msgspec.json.encode(categories))
        for start in range(0, annotations, 10_000):
            its = owners[start : start + 10_000]
            made = _annotations(rng, start, ids[its].tolist(), sizes[its])
            stream.write((b"," if start else b"") + b",".join(map(msgspec.json.encode, made)))
        stream.write(b"]}")
    return path


def _shares(rng: Any, count: int) -> Any:
    weights = rng.lognormal(0, 0.8, count)
    return weights / weights.sum()


def _image(number: int, size: list[int]) -> dict[str, Any]:
    name = f"{number:012}.jpg"
    return {
        "license": 1, "file_name": name, "coco_url": f"http://images.cocodataset.org/train2017/{name}", "height": size[1],
        "width": size[0], "date_captured": "2013-11-14 11:18:45", "flickr_url": f"http://farm1.staticflickr.com/{name}",
        "id": number,
    }  # fmt: skip


def _annotations(rng: Any, start: int, images: list[int], sizes: Any) -> list[dict[str, Any]]:
    """Rings of points around a middle, one object in ten of two or more rings."""
    import numpy as np

    count = len(images)
    rings = 1 + (rng.random(count) < 0.1) * rng.integers(1, 4, count)
    owner = np.repeat(np.arange(count), rings)
    corners = np.maximum(3, rng.gamma(2, NUMBERS / 4 / rings[owner]).astype(int) + 1)
    ring = np.repeat(np.arange(len(owner)), corners)
    middles = rng.random((len(owner), 2)) * sizes[owner]
    angles = (np.arange(len(ring)) - np.repeat(np.cumsum(corners) - corners, corners)) / corners[ring] * 2 * np.pi
    radii = (rng.lognormal(3.5, 0.7, len(owner))[ring] * rng.uniform(0.7, 1, len(ring)))[:, None]
    points = middles[ring] + radii * np.column_stack([np.cos(angles), np.sin(angles)])
    points = np.clip(points, 0, sizes[owner[ring]]).round(2)
    flat, ends = points.reshape(-1).tolist(), (2 * np.cumsum(corners)).tolist()
    firsts = np.cumsum(rings) - rings
    starts = np.concatenate([[0], np.cumsum(corners)])[firsts]
    low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
    boxes = np.column_stack([low, np.maximum(high - low, 0.01)]).round(2)
    areas = (boxes[:, 2] * boxes[:, 3] * 0.7).round(4).tolist()
    classes = rng.integers(1, 81, count).tolist()
    begins = [0, *ends]
    return [
        {
            "segmentation": [flat[begins[r] : ends[r]] for r in range(first, first + number)], "area": area, "iscrowd": 0,
            "image_id": image, "bbox": box, "category_id": label, "id": start + place + 1,
        }
        for place, (first, number, area, image, box, label) in enumerate(
            zip(firsts.tolist(), rings.tolist(), areas, images, boxes.tolist(), classes, strict=True)
        )
    ]  # fmt: skip


def main() -> None:
    """One arm: its work is timed, its imports are not."""
    arms = {f.__name__: f for f in (yolo, ultralytics, publish, read, supervision, datumaro)}
    work = arms[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
    begun = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - begun
    del result
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print("DONE", json.dumps({"seconds": seconds, "peak": peak}))


if __name__ == "__main__":
    main()
