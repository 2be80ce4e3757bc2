"""How a worker says how far it is."""

from __future__ import annotations

import json
import os
import time
from typing import IO, Any

_REPORT_SECONDS = 0.5


class Reporter:
    """Progress over all stages, as lines, at most two a second within a stage."""

    def __init__(self, out: IO[str]) -> None:
        self.out = out
        self.stage = ""
        self._from, self._end, self._last = 0.0, 0.0, 0.0

    def begin(self, stage: str, end: float) -> None:
        """A stage takes the progress from where the last one ended to `end`."""
        self.stage, self._from, self._end = stage, self._end, end
        self._last = 0.0
        self.progress(0.0)

    def progress(self, part: float) -> None:
        """How much of the stage is done, 0 to 1."""
        now = time.monotonic()
        if now - self._last >= _REPORT_SECONDS:
            self._last = now
            done = self._from + (self._end - self._from) * min(part, 1.0)
            self.send({"stage": self.stage, "progress": round(done, 3)})

    def send(self, message: dict[str, Any]) -> None:
        """One line."""
        try:
            self.out.write(json.dumps(message) + "\n")
            self.out.flush()
        except BrokenPipeError:  # the platform is gone, and has nothing of what would still be done
            os._exit(1)
