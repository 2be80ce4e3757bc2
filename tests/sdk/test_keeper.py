"""The keeper: one child, always; never two, and none without a parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retinue_sdk.trainer.processes import start_time
from tests.trainers.harness import ROOT, wait_for

CHILD = """
import os, pathlib, signal, subprocess, sys, time
folder = pathlib.Path(sys.argv[1])
worker = subprocess.Popen([sys.executable, "-c", "import signal,time; signal.signal(15, signal.SIG_IGN); time.sleep(99)"])
with (folder / "starts").open("a") as file: file.write(f"{os.getpid()} {worker.pid} {time.time()}\\n")
if "die" in sys.argv: sys.exit(3)
time.sleep(99)
"""


class Kept:
    def __init__(self, folder: Path, *words: str, wrapper: bool = False) -> None:
        self.folder = folder
        keeper = [sys.executable, "-m", "retinue_sdk.keeper", "--lock", str(folder / "data"), "--"]
        command = [*keeper, sys.executable, "-c", CHILD, str(folder), *words]
        if wrapper:  # a parent that can be killed; it tells the keeper's pid
            script = "import subprocess,sys; p=subprocess.Popen(sys.argv[1:]); print(p.pid, flush=True); p.wait()"
            command = [sys.executable, "-c", script, *command]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def starts(self, count: int = 1) -> list[list[float]]:
        file = self.folder / "starts"
        wait_for(lambda: file.exists() and file.read_text().count("\n") >= count, 30)
        return [[float(word) for word in line.split()] for line in file.read_text().splitlines()]


@pytest.fixture
def keep(tmp_path):
    kept = []

    def make(*words, **options):
        kept.append(Kept(tmp_path, *words, **options))
        return kept[-1]

    yield make
    for one in kept:
        one.process.terminate()
        one.process.communicate(timeout=30)


def gone(*pids: float) -> bool:
    return all(start_time(int(pid)) is None for pid in pids)


def test_a_killed_child_is_back_at_once_and_its_workers_are_gone(keep):
    kept = keep()
    child, worker, _ = kept.starts()[0]
    killed = time.time()
    os.kill(int(child), signal.SIGKILL)
    second = kept.starts(2)[1]
    assert second[2] - killed < 5  # 0.1 s and the start of Python, on a machine that may be busy
    assert gone(child, worker)
    kept.process.terminate()
    assert kept.process.wait(20) == 0
    assert gone(*second[:2])


def test_a_child_that_fails_at_once_is_tried_ever_more_rarely(keep):
    kept = keep("die")
    times = [start[2] for start in kept.starts(4)]
    kept.process.terminate()
    said = kept.process.communicate(timeout=20)[1]
    assert times[3] - times[2] > 0.4
    assert "ended with 3; it starts again in 0.1 s" in said
    assert "in 0.4 s" in said


def test_a_second_keeper_names_the_first(keep):
    first = keep()
    first.starts()
    second = keep()
    assert second.process.wait(20) == 1
    said = second.process.stderr.read()
    assert f"in use by process {first.process.pid}" in said
    assert len(said.splitlines()) == 1
    assert len(first.starts()) == 1


def test_it_goes_when_its_parent_is_killed(keep):
    kept = keep(wrapper=True)
    keeper = int(kept.process.stdout.readline())
    child, worker, _ = kept.starts()[0]
    kept.process.kill()
    wait_for(lambda: gone(keeper, child, worker), 5)


def test_what_a_killed_keeper_left_is_ended_by_the_next(keep):
    first = keep()
    child, worker, _ = first.starts()[0]
    first.process.kill()
    first.process.wait()
    wait_for(lambda: gone(child), 5)
    assert not gone(worker)
    keep().starts(2)
    assert gone(worker)


@pytest.mark.parametrize("arguments", [[], ["--"], ["--lock", "--", "x"], ["x", "--", "y"]])
def test_usage(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "retinue_sdk.keeper", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "usage:" in done.stderr


def test_a_command_that_does_not_exist():
    done = subprocess.run(
        [sys.executable, "-m", "retinue_sdk.keeper", "--", "/no/such"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "cannot be started" in done.stderr


def test_it_is_light():
    script = "import sys; before = set(sys.modules); import retinue_sdk.keeper; print(len(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 60
