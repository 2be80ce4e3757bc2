"""What a framework does in its view cannot reach the store: a training that tries everything with every file it is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import pytest

from retinue_sdk.schema import Task
from retinue_sdk.trainer import readonly
from tests.sdk.drawn import class_folders
from tests.trainers.drawn import draw_shapes
from tests.trainers.harness import ROOT
from tests.trainers.stores import publish, state

NOBODY = 65534
ATTACK = """
import os
def attack(files):
    "What worked on each file, by name: all that the operating system has to change a file that one can name."
    tries = {
        "write": lambda f: open(f, "r+b").write(b"x"),
        "append": lambda f: open(f, "ab").write(b"x"),
        "truncate": lambda f: os.truncate(f, 0),
        "empty": lambda f: open(f, "wb").close(),
        "chmod": lambda f: os.chmod(f, 0o666),
        "touch": lambda f: os.utime(f, (0, 0)),
        "label": lambda f: os.setxattr(f, "user.x", b"x"),
        "own": lambda f: os.chown(f, os.getuid(), os.getgid()),
        "remove": lambda f: os.unlink(os.path.realpath(f)),
        "rename": lambda f: os.rename(os.path.realpath(f), os.path.realpath(f) + "x"),
        "replace": lambda f: (open(f + ".new", "wb").close(), os.replace(f + ".new", os.path.realpath(f))),
        "beside": lambda f: open(os.path.realpath(f) + ".npy", "wb").close(),
        "hard link": lambda f: (os.link(os.path.realpath(f), f + ".hard"), os.chmod(f + ".hard", 0o666)),
    }
    worked = set()
    for name, attempt in tries.items():
        for file in files:
            try:
                attempt(str(file))
                worked.add(name)
            except OSError:
                pass
    return sorted(worked)
"""
TRAINING = """
import json, sys
from pathlib import Path
from retinue_sdk import run
from retinue_sdk.dataset import load
def train(run_dir):
    with run.Run(run_dir) as reporter:
        if reporter.spec.task == "detect":
            from retinue_ultralytics.data import export
            export(load(reporter.spec.dataset), reporter.spec.task, run_dir / "dataset")
        else:
            from retinue_sdk.folders import class_folders
            class_folders(load(reporter.spec.dataset), run_dir / "dataset")
        links = [f for f in (run_dir / "dataset").rglob("*") if f.is_symlink()]
        blob = links[0].resolve()
        others = [f for f in blob.parents[2].rglob("*") if f.is_file()]
        answer = {"links": len(links), "worked": attack(links + others)}
        for link in links:  # in the view itself all of it works: repairs, caches, a clean-up
            link.with_suffix(".npy").write_bytes(b"cache")
            link.with_suffix(".tmp").write_bytes(b"repaired")
            link.with_suffix(".tmp").replace(link)
        (run_dir / "answer.json").write_text(json.dumps(answer))
run.main(train)
"""
ALONE = """
import ctypes, json, os, sys
from pathlib import Path
from retinue_sdk.trainer import readonly
user, folder = int(sys.argv[1]), Path(sys.argv[2])
if user != os.geteuid():
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: after an exec as that user it would be
held = readonly.enter([folder])
files = [f for f in folder.rglob("*") if f.is_file()]
(folder.parent / "own").write_text("writable")
print(json.dumps([held, os.getuid(), attack(files)]))
"""


def may_mount(user: int) -> bool:
    """Whether this machine lets a user have mounts of his own, asked of another program than ours."""
    command = ["unshare", "-m" if user == 0 else "-Um", "true"]
    return subprocess.run(command, user=user, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("task", [Task.CLASSIFY, Task.DETECT])
def test_a_training_that_attacks_its_view_does_not_reach_the_store(task, tmp_path):
    if task is Task.DETECT:
        version = publish(draw_shapes(tmp_path / "source", count=4, side=64), tmp_path, "kitti")
    else:
        version = publish(class_folders(tmp_path / "source", {"a": 5, "b": 5}), tmp_path, "csv")
    run_dir = tmp_path / "run" / str(uuid.uuid4()) / "1"
    run_dir.mkdir(parents=True)
    spec = {"job_id": str(uuid.uuid4()), "attempt": 1, "task": task, "model": "x", "parameters": {}}
    (run_dir / "spec.json").write_text(json.dumps(spec | {"dataset": version.model_dump()}))
    before = state(tmp_path / "store")
    command = [sys.executable, "-c", ATTACK + TRAINING, str(run_dir)]
    subprocess.run(
        [sys.executable, "-m", "retinue_sdk.trainer.supervise", str(run_dir), "--", *command], check=True, cwd=ROOT
    )
    assert json.loads((run_dir / "done.json").read_text())["reason"] == "succeeded", (run_dir / "log.txt").read_text()
    answer = json.loads((run_dir / "answer.json").read_text())
    assert answer["links"] == (8 if task is Task.DETECT else 10)
    if may_mount(os.geteuid()):
        assert answer["worked"] == []
        assert state(tmp_path / "store") == before


@pytest.mark.parametrize("user", sorted({os.geteuid(), NOBODY} if os.geteuid() == 0 else {os.geteuid()}))
def test_the_owner_of_the_store_and_root_are_kept_out(user):
    """The same owner as the store's, as on a laptop: its modes would not stop it."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        store = place / "store"
        (store / "ab").mkdir(parents=True)
        (store / "ab" / "blob").write_bytes(b"an image")
        (store / "ab" / "blob").chmod(0o444)
        for path in (place, store, store / "ab", store / "ab" / "blob"):
            os.chown(path, user, user)
        before = state(store)
        done = subprocess.run(
            [sys.executable, "-c", ATTACK + ALONE, str(user), str(store)],
            capture_output=True, text=True, check=False, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        protected, seen_as, worked = json.loads(done.stdout)
        assert (protected, seen_as) == (may_mount(user), user)
        if protected:
            assert worked == []
            assert state(store) == before
        else:
            assert "chmod" in worked  # what docs/trainer.md says of a machine without mounts


def test_only_a_store_that_the_run_is_not_in_is_closed(tmp_path):
    version = {"kind": "manifest", "url": f"file://{tmp_path}/my%20store/versions/ab", "blobs": f"file://{tmp_path}/my%20store/blobs/{{sha256}}"}  # fmt: skip
    for name in ("versions/ab", "blobs"):
        (tmp_path / "my store" / name).mkdir(parents=True)
    spec = {"dataset": version}
    assert readonly.folders(spec, tmp_path / "run") == [tmp_path / "my store/versions", tmp_path / "my store/blobs"]
    assert readonly.folders(spec, tmp_path / "my store/versions/run") == [tmp_path / "my store/blobs"]
    assert readonly.folders({"dataset": {"kind": "folder", "path": str(tmp_path)}}, tmp_path / "run") == []
    assert readonly.folders({}, tmp_path / "run") == []
