"""The training side of a run directory."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from retinue_sdk.errors import DataError, RetinueError
from retinue_sdk.failure import explain
from retinue_sdk.follow import Tail, last_seq
from retinue_sdk.run import NullRun, Run, follow
from retinue_sdk.schema import ArtifactEvent, ImageEvent, MetricEvent, ProgressEvent, WarningEvent


def events(path: Path) -> list[dict]:
    return [json.loads(line) for line in (path / "events.jsonl").read_bytes().splitlines()]


def test_events_are_those_of_the_schema(tmp_path):
    (tmp_path / "plot.png").write_bytes(b"x" * 10)
    with Run(tmp_path) as run:
        run.metric(3, {"train/loss": 0.5, "n": 2}, epoch=1)
        run.progress(1, 10, 3, 30, 4.5)
        run.warning("slow", "It is slow.")
        run.image("a.jpg", 3, "plot.png", [{"class": 1}])
        run.artifact("plot.png", "plot", step=3)
    kinds = [MetricEvent, ProgressEvent, WarningEvent, ImageEvent, ArtifactEvent]
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines()
    read = [kind.model_validate_json(line) for kind, line in zip(kinds, lines, strict=True)]
    assert [event.seq for event in read] == [1, 2, 3, 4, 5]
    assert read[0].time.utcoffset().total_seconds() == 0
    assert read[4].size == 10
    manifest = json.loads((tmp_path / "plot.png.manifest.json").read_text())
    assert manifest["sha256"] == read[4].sha256


def test_what_json_cannot_say_travels_as_text(tmp_path):
    Run(tmp_path).metric(1, {"a": float("nan"), "b": float("inf"), "c": -float("inf")})
    line = (tmp_path / "events.jsonl").read_text()
    assert '"a":"NaN","b":"Infinity","c":"-Infinity"' in line
    MetricEvent.model_validate_json(line)


def test_seq_goes_on_after_the_last_whole_line(tmp_path):
    Run(tmp_path).metric(1, {"a": 1})
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(b'{"seq":2,"time":"2026-')  # killed while writing
    Run(tmp_path).metric(2, {"a": 2})
    assert [(e["seq"], e["step"]) for e in events(tmp_path)] == [(1, 1), (2, 2)]


@pytest.mark.parametrize("torn", [b"", b'{"seq":1', b"x" * 200_000])
def test_a_file_without_a_whole_line_starts_at_one(tmp_path, torn):
    (tmp_path / "events.jsonl").write_bytes(torn)
    Run(tmp_path).metric(1, {"a": 1})
    assert [e["seq"] for e in events(tmp_path)] == [1]


def test_threads_share_one_sequence(tmp_path):
    run = Run(tmp_path)
    threads = [threading.Thread(target=lambda: [run.metric(i, {"a": i}) for i in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [e["seq"] for e in events(tmp_path)] == list(range(1, 801))


def test_no_reporting_error_reaches_the_training(tmp_path, capsys):
    run = Run(tmp_path / "absent")
    run.metric(1, {"a": 1})
    run.checkpoint("best.pt", tmp_path / "nowhere", 1)
    run.artifact("../outside", "plot")
    healthy = Run(tmp_path)
    healthy.metric(1, {"a": object()})
    healthy.metric("x", {"a": 1})
    healthy.image("k", 1, "p", [{"not": object()}])
    healthy.close()
    healthy.metric(2, {"a": 1})
    assert "retinue: events cannot be written" in capsys.readouterr().err
    assert events(tmp_path) == []


def test_what_is_no_text_is_left_out_and_takes_no_number(tmp_path, capsys):
    with Run(tmp_path) as run:
        run.metric(1, {"loss \udc80": 1})
        run.metric(2, {"größe": 1})
    assert [(event["seq"], event["step"]) for event in events(tmp_path)] == [(1, 2)]
    assert "an event was left out" in capsys.readouterr().err


def test_a_path_that_is_too_long_to_be_kept_is_told(tmp_path):
    path = Path("a" * 200, "b" * 200, "c" * 100)
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_bytes(b"x")
    with Run(tmp_path) as run:
        run.artifact(path, "plot")
    (event,) = events(tmp_path)
    assert (event["type"], event["code"]) == ("warning", "artifact_failed")
    assert "more than 500 characters" in event["message"]


def test_a_full_disk_costs_points_and_nothing_else(tmp_path):
    """The kernel refuses bytes beyond a limit just as a full disk does: first a short write, then an error."""
    script = """
import resource, sys
from retinue_sdk.run import Run
run = Run(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
for step in range(20): run.metric(step, {"train/loss": step})
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
run.metric(99, {"train/loss": 1})
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    read = events(tmp_path)
    assert [e["seq"] for e in read] == list(range(1, len(read) + 1))
    assert 3 < len(read) < 20
    assert read[-1]["step"] == 99
    assert "disk is full" in done.stderr
    assert len(done.stderr.splitlines()) <= 2


def test_a_checkpoint_is_whole_or_absent(tmp_path):
    run = Run(tmp_path)
    (tmp_path / "weights").write_bytes(b"one")
    run.checkpoint("best.pt", tmp_path / "weights", 1)
    (tmp_path / "weights").write_bytes(b"twoo")
    run.checkpoint("best.pt", tmp_path / "weights", 2)
    assert (tmp_path / "checkpoints/best.pt").read_bytes() == b"twoo"
    assert [(e["path"], e["size"], e["step"]) for e in events(tmp_path)] == [
        ("checkpoints/best.pt", 3, 1),
        ("checkpoints/best.pt", 4, 2),
    ]
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["best.pt", "best.pt.manifest.json"]


def test_a_checkpoint_may_be_a_folder(tmp_path):
    run = Run(tmp_path)
    source = tmp_path / "model"
    (source / "sub").mkdir(parents=True)
    (source / "config.json").write_text("{}")
    (source / "sub/weights").write_bytes(b"12345")
    run.checkpoint("final", source, 1)
    run.checkpoint("final", source, 2)
    first, second = events(tmp_path)
    assert (first["size"], first["sha256"]) == (7, second["sha256"])
    assert (tmp_path / "checkpoints/final/sub/weights").read_bytes() == b"12345"
    manifest = json.loads((tmp_path / "checkpoints/final.manifest.json").read_text())
    assert set(manifest["files"]) == {"config.json", "sub/weights"}


def test_stop_after_epoch(tmp_path):
    run = Run(tmp_path)
    assert not run.should_stop()
    (tmp_path / "stop_after_epoch").touch()
    assert run.should_stop()


def test_null_run_does_nothing(tmp_path):
    with NullRun(tmp_path) as run:
        run.metric(1, {"a": object()})
        run.progress(1, 1, 1, 1)
        run.warning("a", "b")
        run.image("k", 1, "p", [])
        run.artifact("x", "plot")
        run.checkpoint("x", tmp_path / "nowhere", 1)
        assert not run.should_stop()
    assert list(tmp_path.iterdir()) == []


def test_follow_gives_history_then_live_until_done(tmp_path):
    run = Run(tmp_path)
    run.metric(1, {"a": 1})

    def later() -> None:
        time.sleep(0.1)
        for step in (2, 3):
            run.metric(step, {"a": 1})
        (tmp_path / "done.json").write_text("{}")

    thread = threading.Thread(target=later)
    thread.start()
    assert [json.loads(line)["seq"] for line in follow(tmp_path / "events.jsonl")] == [1, 2, 3]
    thread.join()
    assert [json.loads(line)["seq"] for line in follow(tmp_path / "events.jsonl", after=2)] == [3]


def test_tail_reads_any_cursor_of_a_long_file(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(b'{"seq":%d,"pad":"%s"}\n' % (n, b"x" * 80) for n in range(1, 20_001)))
    assert last_seq(path) == 20_000
    for after in (0, 1, 9_999, 19_999, 20_000, 30_000):
        tail, read = Tail(path, after), b""
        while block := tail.read():
            read += block
        lines = read.splitlines()
        assert len(lines) == max(0, 20_000 - after)
        assert not lines or json.loads(lines[0])["seq"] == after + 1


def test_a_line_longer_than_a_block_is_whole(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"seq":1,"x":"' + b"y" * 600_000 + b'"}\n{"seq":2}\n')
    assert [json.loads(line)["seq"] for line in Tail(path).read().splitlines()] == [1, 2]
    assert last_seq(path) == 2


class OutOfMemoryError(RuntimeError):
    """Named like torch's."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DataError("bad label", where="a.txt:3", code="label_unreadable"), "data_error"),
        (RetinueError("NaN", code="nan_loss", status=422), "nan_loss"),
        (ModuleNotFoundError("No module named 'x'"), "import_error"),
        (MemoryError(), "oom"),
        (OutOfMemoryError("CUDA out of memory"), "cuda_oom"),
        (OSError(28, "No space left on device"), "disk_full"),
        (RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed"), "disk_full"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "oom"),
        (ValueError("x"), "failed"),
    ],
)
def test_a_failure_is_explained(error, reason):
    told = explain(error)
    assert told["reason"] == reason
    assert told["message"]


def test_a_point_costs_at_most_twenty_microseconds(tmp_path):
    """Processor time of the calling thread: what the training loop pays, whatever else the machine does."""
    run = Run(tmp_path)
    best = min(cost(run) for _ in range(20))
    assert best <= 20e-6, f"{best * 1e6:.1f} us"


def cost(run: Run, points: int = 1000) -> float:
    start = time.thread_time()
    for step in range(points):
        run.metric(step, {"train/loss": 0.123456}, epoch=3)
    return (time.thread_time() - start) / points


def test_reporting_imports_nothing_heavy():
    script = "import sys, retinue_sdk.run; print([m for m in ('pydantic', 'httpx', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "[]"


def test_a_training_that_could_not_keep_its_newest_checkpoint_is_no_success(tmp_path):
    source = tmp_path / "model.pt"
    with pytest.raises(FileNotFoundError), Run(tmp_path) as run:
        run.checkpoint("last.pt", source, 1)
    source.write_bytes(b"weights")
    with Run(tmp_path) as run:
        run.checkpoint("last.pt", tmp_path / "nowhere", 2)
        run.checkpoint("last.pt", source, 3)
