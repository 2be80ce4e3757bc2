"""The main job on real images, as a person does it: `python hub_config/demo.py [--data ZIP] [--keep]`, or `make demo`.

Starts the hub with everything embedded, signs someone up, uploads a dataset through hub proxy, Jupyter server and
platform, trains, and shows what came of it. Leaves no process behind.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import secrets
import shutil
import signal
import sys
import time
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hub_config.digits import write_digits
from hub_config.follow import follow
from hub_config.person import Person
from hub_config.session import RunningHub, free_ports, running_hub
from hub_config.settings import HERE, HubSettings

from retinue_sdk.errors import RetinueError

CHUNK = 8 * 1024 * 1024
GOOD_ENOUGH = 0.90
USER = "ada"
COLUMNS = "{:<12} {:<30} {:>7} {:>8} {:>8}  {:<32}  {}"


def main() -> int:
    """0 when every model is good enough; otherwise 1, after saying why."""
    parser = argparse.ArgumentParser(description="Retinue's main job, end to end, on real images.")
    parser.add_argument("--data", type=Path, help="zip of a detection dataset instead of the digits")
    parser.add_argument("--keep", action="store_true", help="keep serving until Ctrl-C, without a terminal too")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with running_hub(_settings(), exclusive=True) as hub:
            done = run(hub, options.data)
            if options.keep or sys.stdin.isatty():
                print("\nServing until Ctrl-C.", flush=True)
                with contextlib.suppress(KeyboardInterrupt):
                    signal.pause()
            return 0 if done else 1
    except KeyboardInterrupt:
        return 130
    except (RetinueError, httpx.HTTPError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a signal handler
    raise KeyboardInterrupt


def _settings() -> HubSettings:
    """The operator's; by default a fresh data directory and free ports."""
    data = os.environ.get("RETINUE_DATA")
    if not data:
        data = ".retinue/demo"
        shutil.rmtree(data, ignore_errors=True)
    port = int(os.environ.get("RETINUE_PORT") or free_ports())
    return HubSettings(data=Path(data), port=port)


def run(hub: RunningHub, data: Path | None) -> bool:
    """The main job; whether its result is good enough."""
    began = time.monotonic()
    person = enter(hub)
    project = person.api("POST", "projects", json={"name": "Demo"})
    zipped = data or hub.settings.data / "digits.zip"
    if data is None:
        count = write_digits(zipped)
        print(f"Wrote {count} scanned digits as {zipped.name}, {zipped.stat().st_size:,} bytes.")
    dataset = upload(person, project["id"], zipped)
    show_dataset(dataset)
    pattern = "digits-*.json" if data is None else "detect-ultralytics.json"
    jobs = [launch(person, project["id"], dataset["id"], path) for path in sorted((HERE / "recipes").glob(pattern))]
    finished = follow(person, jobs)
    good = show_results(person, finished) if data is None else show_detection(person, finished)
    print(f"\nDone in {time.monotonic() - began:.0f} s. Open {hub.url} and log in as {person.name},", end=" ")
    print(f"password {person.password} , or as admin (password in {hub.settings.admin_password_file}).", flush=True)
    return good


def enter(hub: RunningHub) -> Person:
    """Sign up, be let in, log in, start the server."""
    name = f"{USER}-{secrets.token_hex(2)}" if _known(hub, USER) else USER
    with hub.admin() as admin:
        person = hub.newcomer(admin, name, secrets.token_urlsafe(12))
    print(f"\n{person.name} signed up, was authorised by admin, and is logged in.")
    began = time.monotonic()
    person.start_server()
    print(f"Jupyter server and Lab are up after {time.monotonic() - began:.1f} s.", flush=True)
    return person


def _known(hub: RunningHub, name: str) -> bool:
    with hub.admin() as admin:
        return admin.client.get("/hub/authorize").text.find(f'id="{name}"') >= 0


def upload(person: Person, project: str, path: Path) -> dict[str, Any]:
    """Send a file in chunks, as the browser does, and wait until it is a dataset."""
    began, size = time.monotonic(), path.stat().st_size
    upload = person.api("POST", f"projects/{project}/uploads", json={"filename": path.name, "size": size})
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            headers = {
                "Content-Type": "application/octet-stream",
                "X-Content-SHA256": hashlib.sha256(chunk).hexdigest(),
            }
            where = {"offset": upload["offset"]}
            upload = person.api("PUT", f"uploads/{upload['id']}", params=where, content=chunk, headers=headers)
    body = {"name": path.stem, "upload_id": upload["id"], "seed": 0}
    dataset: dict[str, Any] = person.api("POST", f"projects/{project}/datasets", json=body)
    while dataset["status"] == "importing":
        time.sleep(0.5)
        dataset = person.api("GET", f"datasets/{dataset['id']}")
    if dataset["status"] != "ready":
        problem = dataset["problem"] or {}
        raise RetinueError(
            problem.get("message", "The import failed."), hint=problem.get("hint"), code=problem.get("code")
        )
    print(f"Uploaded {size:,} bytes and imported them in {time.monotonic() - began:.1f} s.")
    return dataset


def show_dataset(dataset: dict[str, Any]) -> None:
    """What was recognised, and what is wrong with it."""
    version = dataset["versions"][0]
    splits = ", ".join(f"{count} {split}" for split, count in version["splits"].items())
    print(f"  format    {version['format']}   digest {version['digest'][:16]}")
    print(f"  images    {version['images']:,} ({splits})")
    what = "boxes " if "detect" in version["tasks"] else "labels"
    names = ", ".join(version["classes"][:12]) + (" ..." if len(version["classes"]) > 12 else "")
    print(f"  {what}    {version['annotations']:,} of {len(version['classes'])} classes: {names}")
    if version["split_rule"]:
        print(f"  split     {version['split_rule']}")
    for finding in version["findings"]:
        print(f"  {finding['severity']:<9} {finding['message']} ({finding['count']}) {finding['hint']}")
        for example in finding["examples"][:3]:
            print(f"            {example}")
    sys.stdout.flush()


def launch(person: Person, project: str, dataset: str, recipe: Path) -> dict[str, Any]:
    """Start the training that a recipe describes; sent twice it would still be one job."""
    body = {"name": recipe.stem, **json.loads(recipe.read_text()), "dataset_id": dataset}
    headers = {"Idempotency-Key": secrets.token_hex(16)}
    job: dict[str, Any] = person.api("POST", f"projects/{project}/jobs", json=body, headers=headers)
    return job


def show_results(person: Person, jobs: list[dict[str, Any]]) -> bool:
    """The table of classifiers; whether each is good enough."""
    print("\n" + COLUMNS.format("framework", "model", "epochs", "top-1", "seconds", "MLflow run", "best checkpoint"))
    wrong = []
    for job in jobs:
        epoch, top1 = best(person, job, "val/top1")
        print(_result(person, job, f"{top1:.4f}"), flush=True)
        if job["status"] != "succeeded":
            wrong.append(f"{job['framework']}: {job['status']}, {job['reason']}: {job['message']}")
        elif top1 < GOOD_ENOUGH:
            wrong.append(f"{job['framework']}: top-1 {top1:.4f} (epoch {epoch}) is below {GOOD_ENOUGH:.2f}")
    for line in wrong:
        print(f"NOT GOOD ENOUGH  {line}", file=sys.stderr)
    return bool(jobs) and not wrong


def show_detection(person: Person, jobs: list[dict[str, Any]]) -> bool:
    """The detector's figures; whether it trained at all."""
    for job in jobs:
        latest = job["latest"]
        figures = ", ".join(
            f"{name} {float(latest.get(f'final/{key}', latest.get(f'val/{key}', 'nan'))):.4f}"
            for name, key in (("mAP50", "map50"), ("mAP50-95", "map50_95"))
        )
        print("\n" + COLUMNS.format("framework", "model", "epochs", "", "seconds", "MLflow run", "best checkpoint"))
        print(_result(person, job, ""))
        print(f"{figures}")
        if job["status"] != "succeeded":
            print(f"FAILED  {job['status']}, {job['reason']}: {job['message']}", file=sys.stderr)
    return all(job["status"] == "succeeded" for job in jobs)


def best(person: Person, job: dict[str, Any], key: str) -> tuple[int | None, float]:
    """Epoch and value of the best point of a metric, from the points themselves; NaN when there is none."""
    answer = person.api("GET", f"jobs/{job['id']}/metrics", params={"keys": key, "max_points": 0})
    points = [
        (float(value), epoch)
        for series in answer["series"]
        for value, epoch in zip(series["value"], series["epoch"], strict=True)
    ]
    value, epoch = max(points, default=(float("nan"), None), key=lambda point: point[0])
    return epoch, value


def _result(person: Person, job: dict[str, Any], figure: str) -> str:
    job = _tracked(person, job)
    artifacts = person.api("GET", f"jobs/{job['id']}/artifacts")
    kept = [artifact for artifact in artifacts if artifact["kind"] == "checkpoint"]
    kept.sort(key=lambda artifact: (artifact["name"].startswith("best"), artifact["time"]))
    checkpoint = "{name}, {size:,} bytes, sha256 {sha256}".format(**kept[-1]) if kept else "none"
    epochs = str((job["progress"] or {}).get("epochs", ""))
    return COLUMNS.format(
        job["framework"], job["model"], epochs, figure, _seconds(job), job["mlflow_run_id"] or "none", checkpoint
    )


def _tracked(person: Person, job: dict[str, Any], patience: float = 30) -> dict[str, Any]:
    """The job with its MLflow run, which comes a little behind."""
    deadline = time.monotonic() + patience
    while not job["mlflow_run_id"] and time.monotonic() < deadline:
        time.sleep(0.5)
        job = person.api("GET", f"jobs/{job['id']}")
    return job


def _seconds(job: dict[str, Any]) -> str:
    if not (job["started_at"] and job["ended_at"]):
        return ""
    ended, started = (datetime.fromisoformat(job[key]) for key in ("ended_at", "started_at"))
    return f"{(ended - started).total_seconds():.0f}"


if __name__ == "__main__":
    sys.exit(main())
