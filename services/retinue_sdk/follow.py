"""Reading a stream of a run directory while it grows: complete lines only, from any cursor.

`seq` counts from 1 without gaps, so the line number is the cursor.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

CHUNK = 256 * 1024
POLL_SECONDS = 0.05


class Tail:
    """An incremental reader of a file of lines. It never keeps part of a line, so a torn end may still be rewritten."""

    def __init__(self, path: Path, after: int = 0) -> None:
        self.path = path
        self.offset = 0
        self._skip = after

    def read(self) -> bytes:
        """Complete lines that are new since the last call, at most about 256 KiB; empty when there are none now."""
        while True:
            block = self._block()
            if not block or not self._skip:
                return block
            lines = block.count(b"\n")
            if lines > self._skip:
                rest = block.split(b"\n", self._skip)[-1]
                self._skip = 0
                return rest
            self._skip -= lines

    def _block(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                block = file.read(CHUNK)
                while block and b"\n" not in block and (more := file.read(CHUNK)):
                    block += more
        except FileNotFoundError:
            return b""
        whole = block[: block.rfind(b"\n") + 1]
        self.offset += len(whole)
        return whole

    def has_more(self) -> bool:
        """Whether the file is longer than what was read; cheap enough to ask often."""
        try:
            return self.path.stat().st_size > self.offset
        except FileNotFoundError:
            return False


def follow(path: Path, after: int = 0) -> Iterator[bytes]:
    """Lines of `path` with seq > `after`, then those still to come, until the attempt is over and all was given."""
    tail = Tail(path, after)
    done = path.parent / "done.json"
    while True:
        over = done.exists()
        if block := tail.read():
            yield from block.splitlines()
        elif over:
            return
        else:
            time.sleep(POLL_SECONDS)


def last_seq(path: Path) -> int:
    """The seq of the last complete line, read from the end of the file; 0 when there is none."""
    line = _last_line(path)
    if not line:
        return 0
    start = line.find(b'"seq":') + len(b'"seq":')
    digits = line[start:].split(b",", 1)[0].strip(b" }\n")
    return int(digits) if digits.isdigit() else 0


def _last_line(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            reach = 4096
            while True:
                file.seek(max(0, size - reach))
                text = file.read(min(size, reach))
                whole = text[: text.rfind(b"\n") + 1]
                if reach >= size or whole.count(b"\n") > 1:
                    return whole[:-1].rsplit(b"\n", 1)[-1]
                reach *= 8
    except FileNotFoundError:
        return b""
