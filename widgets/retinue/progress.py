"""How far an upload and its import are: a bar in a notebook's cell, a line in a terminal."""

from __future__ import annotations

import html
import sys
from collections.abc import Callable
from typing import Any

Progress = Callable[[str, float], None]  # the step in words, and how much of it is done, from 0 to 1


def shown() -> Progress:
    """Where whoever runs this looks: at the cell, at the terminal, or nowhere."""
    ipython = sys.modules.get("IPython")  # a script needs none
    if ipython is not None and ipython.get_ipython() is not None:
        return Cell()
    return Line() if sys.stderr.isatty() else silent


def silent(_step: str, _part: float) -> None:
    """Show no progress."""


class Line:
    """A line of stderr for each step."""

    def __init__(self) -> None:
        self._last = ("", 1.0)

    def __call__(self, step: str, part: float) -> None:
        """Write what has changed."""
        if (step, part) == self._last:
            return
        if step != self._last[0]:
            self.end()
        self._last = (step, part)
        print(f"\r{step} {part:4.0%}", end="\n" if part >= 1 else "", flush=True, file=sys.stderr)  # noqa: T201

    def end(self) -> None:
        """Leave the line, if it is not over."""
        if self._last[1] < 1:
            print(file=sys.stderr)  # noqa: T201
        self._last = ("", 1.0)


class Cell:
    """A bar below the cell, from the first step on. Where nothing drawn can be renewed, a line a step."""

    def __init__(self) -> None:
        from IPython.core.getipython import get_ipython  # noqa: PLC0415 - a script needs none

        self._renews = hasattr(get_ipython(), "kernel")
        self._handle: Any = None
        self._step = ""

    def __call__(self, step: str, part: float) -> None:
        """Draw it, the first time, or anew."""
        if not self._renews and step == self._step:
            return
        self._step = step
        words = f"{step} {part:.0%}"
        bar = f'<progress max="1" value="{part:.3f}"></progress> {html.escape(words)}'
        bundle = {"text/plain": words, "text/html": bar}
        if self._handle is None or not self._renews:
            from IPython.display import display  # noqa: PLC0415

            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)
