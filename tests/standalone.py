"""Each trainer alone, as the README says: a fresh environment with only its extra, one command, and curl.

`make standalone`, or `python -m tests.standalone timm`. Prints what it saw; exit status 1 when something is not so.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from hub_config.digits import write_digits
from hub_config.session import free_ports

ROOT = Path(__file__).resolve().parents[1]
FRAMEWORKS = {"ultralytics": "ultralytics", "timm": "timm", "huggingface": "transformers"}
FOREIGN = ("jupyterhub", "sqlalchemy", "mlflow", "alembic", "jupyterlab")
HEALTH_GOAL, LIST_GOAL, DELETE_GOAL = 1.0, 2.0, 5.0  # seconds
LOAD = {
    "ultralytics": "from ultralytics import YOLO; print(len(YOLO(FILE).names))",
    "timm": "import timm; print(timm.create_model(MODEL, num_classes=10, checkpoint_path=FILE).num_classes)",
    "huggingface": "from transformers import AutoModelForImageClassification as A; print(A.from_pretrained(FILE).num_labels)",
}


class Service:
    """A trainer service of the fresh environment, and curl."""

    def __init__(self, framework: str, venv: Path, folder: Path) -> None:
        self.framework, self.venv, self.folder = framework, venv, folder
        self.port = free_ports(22_000)
        self.token = folder / "token"
        self.token.write_text(secrets.token_urlsafe(32))

    def start(self) -> tuple[subprocess.Popen[bytes], float]:
        """The one command; the seconds until `/health` answers."""
        command = [
            str(self.venv / "bin" / f"retinue-{self.framework}"), "--port", str(self.port),
            "--runs", str(self.folder / "runs"), "--token-file", str(self.token), "--roots", str(self.folder),
        ]  # fmt: skip
        environment = {**os.environ, "RETINUE_CACHE": str(self.folder / "cache")}
        log = (self.folder / "service.log").open("ab")
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=self.folder)
        while subprocess.run(self._curl("/health"), capture_output=True, check=False).returncode:
            assert process.poll() is None, (self.folder / "service.log").read_text()
            time.sleep(0.01)
        return process, time.monotonic() - started

    @contextmanager
    def running(self) -> Any:
        """The service for as long as the block lasts."""
        process, _ = self.start()
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)

    def _curl(self, path: str, *options: str) -> list[str]:
        authorization = f"Authorization: Bearer {self.token.read_text()}"
        return ["curl", "-sS", "--fail-with-body", "-H", authorization, *options, f"http://127.0.0.1:{self.port}{path}"]

    def curl(self, path: str, *options: str) -> bytes:
        """The body of the answer."""
        return subprocess.run(self._curl(path, *options), capture_output=True, check=True).stdout

    def json(self, path: str, *options: str) -> Any:
        """The answer as JSON."""
        return json.loads(self.curl(path, *options))

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and answer of a POST."""
        head = ["-X", "POST", "-H", "Content-Type: application/json", "-d", json.dumps(body), "-w", "\n%{http_code}"]
        done = subprocess.run(self._curl(path, *head), capture_output=True, check=False).stdout.decode()
        answer, _, status = done.rpartition("\n")
        return int(status), json.loads(answer)


def say(what: str, value: object, *, holds: bool = True) -> bool:
    """Print a figure; whether it holds."""
    print(f"  {what:58} {value}{'' if holds else '   BROKEN'}", flush=True)
    return holds


def main() -> None:
    wanted = sys.argv[1:] or list(FRAMEWORKS)
    with tempfile.TemporaryDirectory() as temporary:
        wheel = Path(temporary) / "wheel"
        build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(wheel), str(ROOT)]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        held = [check(name, next(wheel.glob("*.whl")), Path(temporary) / name) for name in wanted]
    sys.exit(not all(held))


def check(framework: str, wheel: Path, folder: Path) -> bool:
    """Everything about one trainer."""
    print(framework, flush=True)
    venv = folder / "venv"
    folder.mkdir()
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    requirement = f"retinue[{framework}] @ {wheel.as_uri()}"
    constraints = str(ROOT / "constraints.txt")
    subprocess.run(
        [venv / "bin/pip", "install", "-q", "-c", constraints, requirement], check=True, stderr=subprocess.DEVNULL
    )
    say("installed in", f"{time.monotonic() - started:.0f} s")
    installed = subprocess.run(
        [venv / "bin/pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    ).stdout
    foreign = [name for name in FOREIGN if f"\n{name}==" in f"\n{installed.lower()}"]
    service = Service(framework, venv, folder)
    held = [
        say("no hub, platform, database", foreign or "none", holds=not foreign),
        health(service),
        light(service),
        *drive(service, folder),
    ]
    return all(held)


def health(service: Service) -> bool:
    """`/health` answers within a second of the start: the median of five."""
    seconds = []
    for _ in range(5):
        process, took = service.start()
        seconds.append(took)
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    median = statistics.median(seconds)
    return say("/health after the start, median of 5", f"{median:.2f} s", holds=median <= HEALTH_GOAL)


def light(service: Service) -> bool:
    """Neither the framework nor pandas is imported to answer: the interpreter lists what it imported."""
    name = FRAMEWORKS[service.framework]
    script = f"import sys; sys.argv=['x','--help']\nfrom retinue_{service.framework} import service\ntry: service.main()\nexcept SystemExit: pass\nfrom retinue_sdk.trainer import app\nprint([m for m in ({name!r}, 'torch', 'pandas') if m in sys.modules], file=sys.stderr)"
    done = subprocess.run([service.venv / "bin/python", "-c", script], capture_output=True, text=True, check=True)
    return say(f"of {name}, torch, pandas imported to serve", done.stderr.strip(), holds=done.stderr.strip() == "[]")


def drive(service: Service, folder: Path) -> list[bool]:
    """Catalogue, schema, training, events, log, checkpoint, cancel: with curl."""
    recipe = json.loads((ROOT / "hub_config" / "recipes" / f"digits-{service.framework}.json").read_text())
    write_digits(folder / "digits.zip")
    zipfile.ZipFile(folder / "digits.zip").extractall(folder / "data")
    held = []
    with service.running():
        while not service.json("/models/list")["complete"]:
            time.sleep(1)
    with service.running():
        started = time.monotonic()
        models = service.json(f"/models/list?task={recipe['task']}")["models"]
        took = time.monotonic() - started
        held.append(
            say(f"/models/list, {len(models)} models, from the cache", f"{took:.2f} s", holds=took <= LIST_GOAL)
        )
        schema = service.json(f"/models/{recipe['model']}/schema?task={recipe['task']}")
        held.append(say("parameters in the schema", len(schema["properties"]), holds=len(schema["properties"]) > 5))
        held += train(service, recipe, folder)
        held.append(cancel(service, recipe, folder))
    return held


def request(recipe: dict[str, Any], folder: Path, **parameters: Any) -> dict[str, Any]:
    """A `POST /train` on the folder of digits."""
    return {
        "job_id": str(uuid4()), "attempt": 1, "task": recipe["task"], "model": recipe["model"],
        "parameters": {**recipe["parameters"], **parameters}, "dataset": {"kind": "folder", "path": str(folder / "data")},
    }  # fmt: skip


def train(service: Service, recipe: dict[str, Any], folder: Path) -> list[bool]:
    """One epoch; its events followed live, its log, its checkpoint in the plain framework; the same request twice."""
    body = request(recipe, folder, epochs=1)
    where = f"/jobs/{body['job_id']}"
    first, again = service.post("/train", body), service.post("/train", body)
    other, problem = service.post("/train", {**body, "seed": 1})
    processes = [p for p in psutil.process_iter(["cmdline"]) if body["job_id"] in " ".join(p.info["cmdline"] or [])]
    supervisors = [p for p in processes if "retinue_sdk.trainer.supervise" in p.info["cmdline"]]
    events = [json.loads(line) for line in service.curl(f"{where}/events?follow=true").splitlines() if line]
    state = service.json(where)
    log = service.curl(f"{where}/logs")
    held = [
        say("POST /train, again, with another body", f"{first[0]}, {again[0]}, {other} {problem['code']}", holds=(first[0], again[0], other) == (202, 202, 409)),
        say("processes for two equal requests", len(supervisors), holds=len(supervisors) == 1),
        say("followed events, seq without a gap", len(events), holds=[e["seq"] for e in events] == list(range(1, len(events) + 1))),
        say("ended", f"{state['status']} {state['message'] or ''}", holds=state["status"] == "succeeded"),
        say("bytes of log", len(log), holds=bool(log)),
    ]  # fmt: skip
    kept = next(
        e for e in reversed(events) if e["type"] == "artifact" and e["kind"] == "checkpoint" and "best" in e["name"]
    )
    return [*held, load(service, where, recipe, kept, folder)]


def load(service: Service, where: str, recipe: dict[str, Any], kept: dict[str, Any], folder: Path) -> bool:
    """Download the checkpoint and load it with the framework alone."""
    target = folder / Path(kept["path"]).name
    service.curl(f"{where}/artifacts/{kept['path']}", "-o", str(target))
    if service.framework == "huggingface":  # a folder comes as a tar
        packed = target.rename(folder / "checkpoint.tar")
        subprocess.run(["tar", "-xf", packed, "-C", folder], check=True)
    else:
        assert hashlib.sha256(target.read_bytes()).hexdigest() == kept["sha256"], "other bytes than announced"
    script = LOAD[service.framework].replace("FILE", repr(str(target))).replace("MODEL", repr(recipe["model"]))
    done = subprocess.run(
        [service.venv / "bin/python", "-c", script], capture_output=True, text=True, check=False, cwd=folder
    )
    classes = done.stdout.strip().splitlines()[-1:] or [done.stderr[-300:]]
    return say(
        f"classes of {kept['name']} in plain {FRAMEWORKS[service.framework]}", classes[0], holds=classes == ["10"]
    )


def cancel(service: Service, recipe: dict[str, Any], folder: Path) -> bool:
    """DELETE in the middle: no process of the job is left after five seconds."""
    body = request(recipe, folder, epochs=200)
    service.post("/train", body)
    where = f"/jobs/{body['job_id']}"
    while b'"metric"' not in service.curl(f"{where}/events"):
        time.sleep(0.2)
    started = time.monotonic()
    service.curl(where, "-X", "DELETE")

    def left() -> bool:
        return any(body["job_id"] in " ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"]))

    while left() and time.monotonic() - started < 20:
        time.sleep(0.05)
    took = time.monotonic() - started
    return say("no process of the job left after DELETE", f"{took:.1f} s", holds=took <= DELETE_GOAL and not left())


if __name__ == "__main__":
    main()
