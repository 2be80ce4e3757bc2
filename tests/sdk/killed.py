"""Does things to a store in processes that are killed, or stopped, at a file operation of their own.

`python -m tests.sdk.killed STORE` is a server of the tests: it has imported everything, and forks a child for each line
of JSON it reads. Real processes, real signals; a child costs a few milliseconds.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from retinue_sdk import store, store_gc
from retinue_sdk.table import AnnotationTable, make_table
from tests.sdk.drawn import draw

OPERATIONS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.chmod", "fcntl.flock"}


def table_of(folder: Path, shades: list[int]) -> AnnotationTable:
    """Images that are drawn once, each with its class."""
    paths = [folder / f"{shade}.png" for shade in shades]
    for path, shade in zip(paths, shades, strict=True):
        if not path.exists():
            draw(path, size=(12, 10), shade=shade)
    columns = {"key": [path.name for path in paths], "path": list(map(str, paths)), "width": 12, "height": 10}
    rows = {"image": range(len(shades)), "class_id": [shade % 2 for shade in shades], "kind": "class"}
    return make_table(columns, rows, ["even", "odd"])


class Server:
    """The test's end of it."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "tests.sdk.killed", str(folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, do: str, **order: object) -> dict[str, object]:
        """What became of the child: `how` it is (done, killed, stopped), its `pid`, and its `answer` when it is done."""
        self.process.stdin.write(json.dumps({"do": do, **order}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)


def serve(folder: Path) -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] in ("resume", "kill"):
            pid = order["pid"]
            os.kill(pid, signal.SIGCONT if order["do"] == "resume" else signal.SIGKILL)
        else:
            pid = os.fork()
            if not pid:
                child(folder, order)
        print(json.dumps(outcome(folder, pid)), flush=True)


def outcome(folder: Path, pid: int) -> dict[str, object]:
    status = os.waitpid(pid, os.WUNTRACED)[1]
    if os.WIFSTOPPED(status):
        return {"how": "stopped", "pid": pid}
    if os.WIFSIGNALED(status):
        return {"how": "killed", "pid": pid}
    assert status == 0, "see what the child has printed"
    return {"how": "done", "pid": pid, "answer": json.loads((folder / f"{pid}.json").read_text())}


def child(folder: Path, order: dict[str, object]) -> None:
    code = 1
    try:
        table = table_of(folder / "images", order["shades"]) if order["do"] == "publish" else None
        strike(order.get("at", 0), order.get("signal", signal.SIGKILL))
        if table is not None:
            answer = store.publish(table, folder / "store").digest
        else:
            found = store_gc.collect(folder / "store", lambda: order["keep"])
            answer = found and [found.versions, found.blobs]
        strike(0, 0)
        (folder / f"{os.getpid()}.json").write_text(json.dumps(answer))
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


_left: dict[str, int] = {"operations": 0, "signal": 0}


def strike(operations: int, number: int) -> None:
    """Send this process a signal at the file operation of that number from now; never when it is 0."""
    _left.update(operations=operations, signal=number)


def watch(event: str, _arguments: tuple[object, ...]) -> None:
    if event in OPERATIONS and _left["operations"]:
        _left["operations"] -= 1
        if not _left["operations"]:
            os.kill(os.getpid(), _left["signal"])


if __name__ == "__main__":
    sys.addaudithook(watch)
    serve(Path(sys.argv[1]))
