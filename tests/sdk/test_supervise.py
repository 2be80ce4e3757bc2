"""Standing over a process: how it ends, what it leaves, and why."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from retinue_sdk.schema import Done, SystemEvent
from retinue_sdk.trainer.processes import marked
from retinue_sdk.trainer.supervise import take_lock
from retinue_sdk.trainer.verdict import Ending, judge
from tests.trainers.harness import ROOT, wait_for

PYTHON = [sys.executable, "-c"]


@pytest.fixture
def run_dir(tmp_path):
    path = tmp_path / str(uuid.uuid4()) / "1"
    path.mkdir(parents=True)
    specify(path)
    return path


def specify(path: Path, **resources) -> None:
    (path / "spec.json").write_text(json.dumps({"resources": {"grace_seconds": 1, **resources}}))


def supervise(path: Path, *command: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "retinue_sdk.trainer.supervise", str(path), "--", *command], cwd=ROOT
    )


def process_of(path: Path) -> dict:
    return wait_for(lambda: "group" in (facts := read(path / "process.json")) and facts)


def read(path: Path) -> dict:
    return json.loads(path.read_text()) if path.exists() else {}


def done_of(path: Path) -> Done:
    wait_for((path / "done.json").exists)
    return Done.model_validate_json((path / "done.json").read_text())


def end(path: Path, *command: str) -> Done:
    assert supervise(path, *command).wait(20) == 0
    return done_of(path)


def test_a_good_end(run_dir):
    done = end(run_dir, "sh", "-c", "echo out; echo err >&2")
    assert (done.exit_code, done.reason) == (0, "succeeded")
    assert (run_dir / "log.txt").read_text() == "out\nerr\n"
    SystemEvent.model_validate_json((run_dir / "system.jsonl").read_text().splitlines()[0])
    assert take_lock(run_dir) is not None


def test_memory_that_is_freed_is_kept_for_the_next_step(run_dir):
    """40 steps that need 64 MB take the pages of one or two, not of 40."""
    faults = "resource.getrusage(resource.RUSAGE_SELF).ru_minflt"
    script = f"import resource\nbefore = {faults}\nfor _ in range(40): bytearray(64 << 20)\nprint({faults} - before)"
    assert end(run_dir, *PYTHON, script).reason == "succeeded"
    assert int((run_dir / "log.txt").read_text()) * resource.getpagesize() < 3 * (64 << 20)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("import nothing_like_it", "import_error"),
        ("raise SystemExit('torch.OutOfMemoryError: CUDA out of memory.')", "cuda_oom"),
        ("raise MemoryError", "oom"),
        ("raise OSError(28, 'No space left on device')", "disk_full"),
        ("raise SystemExit('loss is nan')", "nan_loss"),
        ("raise SystemExit(7)", "failed"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "failed"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed"),
    ],
)
def test_a_bad_end_is_classified(run_dir, script, reason):
    done = end(run_dir, *PYTHON, script)
    assert done.reason == reason
    assert done.message


def test_a_command_that_cannot_start(run_dir):
    assert end(run_dir, "/no/such/command").reason == "failed"


def test_a_failure_that_names_a_file_whose_name_is_no_text(run_dir):
    (run_dir / "failure.json").write_text(json.dumps({"reason": "data_error", "message": "\udcff.png is broken."}))
    assert end(run_dir, "false").message == "?.png is broken."


def ending(**fields) -> Ending:
    plain = {"exit_code": 1, "signal": None, "stopped": None, "failure": None, "log_tail": "", "oom_killed": False}
    return Ending(**{**plain, **fields})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"exit_code": None, "signal": 9, "oom_killed": True}, "oom"),
        ({"exit_code": None, "signal": 15}, "killed"),
        ({"exit_code": None, "signal": 6, "log_tail": "terminate: std::bad_alloc"}, "oom"),
        ({"exit_code": 0, "stopped": "cancelled"}, "cancelled"),
        ({"exit_code": None, "signal": 9, "stopped": "timeout", "time_limit": 5}, "timeout"),
        ({"exit_code": None, "signal": 15, "stopped": "terminated"}, "killed"),
        ({"failure": {"reason": "data_error", "message": "bad label"}}, "data_error"),
        ({"exit_code": None, "signal": 9, "failure": {"reason": "data_error", "message": "x"}}, "killed"),
        ({"log_tail": "ImportError: handled\n" + "fine\n" * 40}, "failed"),
    ],
)
def test_the_verdict(fields, reason):
    assert judge(ending(**fields))[0] == reason


def test_the_time_limit(run_dir):
    specify(run_dir, time_limit_seconds=1)
    start = time.monotonic()
    done = end(run_dir, *PYTHON, "import time; time.sleep(60)")
    assert done.reason == "timeout"
    assert "1 s" in done.message
    assert time.monotonic() - start < 3


def test_sigterm_without_cancel_is_a_kill(run_dir):
    supervisor = supervise(run_dir, "sleep", "60")
    process_of(run_dir)
    supervisor.terminate()
    assert supervisor.wait(10) == 0
    assert done_of(run_dir).reason == "killed"


def test_a_cancel_ends_every_process(run_dir):
    """Deaf children, forked twice, in other sessions and without their environment: none is left."""
    script = """
import os, subprocess, sys, time
deaf = [sys.executable, "-c", "import signal,time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(99)"]
subprocess.Popen(deaf)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: os.execve(sys.executable, [*deaf, "orphan"], {})
    os._exit(0)
os.wait()
import signal; signal.signal(15, signal.SIG_IGN)
print(1, flush=True)
time.sleep(99)
"""
    supervisor = supervise(run_dir, *PYTHON, script)
    wait_for(lambda: (run_dir / "log.txt").exists() and (run_dir / "log.txt").read_text().count("1") == 3)
    family = descendants_by_group(process_of(run_dir)["supervise"]["pid"])
    assert len(family) == 3
    (run_dir / "cancel").write_text("{}")
    start = time.monotonic()
    supervisor.terminate()
    assert supervisor.wait(10) == 0
    assert 0.9 < time.monotonic() - start < 4
    assert done_of(run_dir).reason == "cancelled"
    assert not [pid for pid in family if Path(f"/proc/{pid}").exists()]
    assert marked(run_dir) == []


def descendants_by_group(pid: int) -> list[int]:
    from retinue_sdk.trainer.processes import descendants

    return descendants(pid)


def test_children_left_by_a_good_end_are_ended(run_dir):
    done = end(run_dir, "sh", "-c", "(setsid sleep 98 & echo $! > child); exit 0")
    assert done.reason == "succeeded"
    pid = int((run_dir / "child").read_text())
    assert not Path(f"/proc/{pid}").exists()


def test_the_training_dies_with_its_supervise(run_dir):
    supervisor = supervise(run_dir, "sleep", "60")
    group = process_of(run_dir)["group"]["pid"]
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    wait_for(lambda: not Path(f"/proc/{group}").exists() or "State:\tZ" in Path(f"/proc/{group}/status").read_text())
    assert not (run_dir / "done.json").exists()
    assert take_lock(run_dir) is not None


def test_a_run_directory_that_was_removed_ends_it(run_dir):
    supervisor = supervise(run_dir, "sleep", "0.5")
    process_of(run_dir)
    shutil.rmtree(run_dir)
    assert supervisor.wait(10) == 0


def test_a_second_supervise_does_nothing(run_dir):
    first = supervise(run_dir, "sleep", "2.5")
    process_of(run_dir)
    second = supervise(run_dir, "sh", "-c", "touch second")
    assert second.wait(10) != 0
    assert first.wait(10) == 0
    assert supervise(run_dir, "sh", "-c", "touch second").wait(10) != 0
    assert not (run_dir / "second").exists()


def test_a_cancel_before_the_start(run_dir):
    (run_dir / "cancel").write_text("{}")
    assert end(run_dir, "touch", "started").reason == "cancelled"
    assert not (run_dir / "started").exists()


def test_the_run_directory_is_no_place_to_import_from(run_dir):
    (run_dir / "json.py").write_text("raise SystemExit('shadowed')")
    assert end(run_dir, sys.executable, "-m", "json.tool", "--help").reason == "succeeded"


def test_it_imports_nothing_heavy():
    script = (
        "import sys, retinue_sdk.trainer.supervise as s; print([m for m in sys.modules if m.split('.')[0] in heavy])"
    )
    heavy = "heavy = {'pydantic', 'pandas', 'fastapi', 'httpx', 'numpy', 'psutil', 'asyncio'}; "
    done = subprocess.run([*PYTHON, heavy + script], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "[]"
