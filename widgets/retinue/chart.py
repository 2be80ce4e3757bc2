"""LiveChart: a job's curves in a notebook cell, live, found again by the job's id alone, with a picture for the saved file.

JupyterLab with our extension draws the `application/vnd.retinue.job+json` part by itself, live and without a kernel; any
other front end shows the widget; a file without either shows the SVG.
"""

from __future__ import annotations

import pathlib
import threading
import time
from typing import Any
from uuid import uuid4

import anywidget
import traitlets
from IPython.display import display, update_display

from retinue.follow import Follower
from retinue.history import History
from retinue.picture import svg, thin
from retinue.session import Session

MIME = "application/vnd.retinue.job+json"
CHUNK = 2000  # points a message
SEND_EVERY = 0.5  # seconds between messages to the page, so that a fast training cannot flood the comm
CATCH_UP = 2.0  # seconds that the first picture waits for the points there are
PICTURE_EVERY = 10.0  # seconds between renewals of the static picture
WIDGET_PICTURE_EVERY = 60.0  # the same where the widget is what is seen: each renewal draws it anew


class LiveChart(anywidget.AnyWidget):
    """The chart of one job. `LiveChart(job_id)` in any notebook, at any time, shows all of it.

    The page asks for what it lacks (`{"type": "hello", "after": seq}`) and is sent `{"type": "points", "after": seq, ...}`,
    from which it sees a gap. Until a page asks nothing is sent, and nothing is kept in traits.
    """

    _esm = pathlib.Path(__file__).parent / "static" / "chart.js"
    job_id = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    status = traitlets.Unicode("").tag(sync=True)
    error = traitlets.Unicode("").tag(sync=True)

    def __init__(self, job_id: str, session: Session | None = None, title: str | None = None) -> None:
        super().__init__(job_id=str(job_id), title=title or f"Job {job_id}")
        self.session = session or Session.current()
        self.history = History()
        self._displays: list[str] = []
        self._sent = 0
        self._seen = False  # a page draws the widget itself
        self._last_send = self._last_picture = 0.0
        self._lock = threading.RLock()
        self.on_msg(self._on_message)
        self._follower = Follower(self.session.url, self.session.token, self.job_id, self.history, self._on_event)
        self._follower.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the job is over and the chart complete; False when `timeout` seconds passed before."""
        return self._follower.wait(timeout)

    def close(self) -> None:
        """Stop following; what is drawn stays."""
        self._follower.stop()
        super().close()

    def bundle(self) -> dict[str, Any]:
        """All representations of this moment, richest first for the front end to choose from."""
        widget = self._repr_mimebundle_()
        data: dict[str, Any] = dict(widget[0] if isinstance(widget, tuple) else widget or {})
        data[MIME] = {
            "job_id": self.job_id,
            "name": self.title,
            "status": self.status,
            "attempt": self.history.attempt,
            "snapshot": {key: _columns(thin(series)) for key, series in self.history.series.items()},
        }
        data["image/svg+xml"] = svg(f"{self.title} {self.status}".strip(), self.history.series)
        data["text/plain"] = f"LiveChart({self.job_id!r}): {self.title}, {self.status or 'connecting'}"
        return data

    def _ipython_display_(self) -> None:
        display_id = uuid4().hex
        self._follower.caught_up.wait(CATCH_UP)  # what renews a picture after its cell has ended, some front ends drop
        with self._lock:  # a renewal must not come before what it renews
            self._displays.append(display_id)
            display(self.bundle(), raw=True, display_id=display_id)  # type: ignore[no-untyped-call]  # IPython's

    def _on_event(self, what: str, value: Any) -> None:
        with self._lock:
            match what:
                case "job":
                    self.title, self.status, self.error = value["name"], value["status"], ""
                case "offline":
                    self.error = self.error or f"Connection lost; trying again since {time.strftime('%H:%M:%S')}."
                case "error":
                    self.error = str(value)
                case "attempt":
                    self._sent = 0
                    self.send({"type": "attempt", "attempt": value})
            over = what == "over"
            if self._seen and (over or time.monotonic() - self._last_send >= SEND_EVERY):
                self._send_points()
            pause = WIDGET_PICTURE_EVERY if self._seen else PICTURE_EVERY
            if over or time.monotonic() - self._last_picture >= pause:
                self._renew_picture()

    def _send_points(self) -> None:
        points = self.history.after(self._sent)
        for start in range(0, len(points), CHUNK):
            chunk = points[start : start + CHUNK]
            self.send({"type": "points", "attempt": self.history.attempt, "after": self._sent, "points": chunk})
            self._sent = chunk[-1]["seq"]
        self._last_send = time.monotonic()

    def _renew_picture(self) -> None:
        for display_id in self._displays:
            update_display(self.bundle(), raw=True, display_id=display_id)  # type: ignore[no-untyped-call]  # IPython's
        self._last_picture = time.monotonic()

    def _on_message(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        if content.get("type") == "hello":
            with self._lock:
                self._seen = True
                self._sent = int(content.get("after", 0))
                self._send_points()


def _columns(points: list[tuple[int, float]]) -> dict[str, list[float]]:
    return {"step": [s for s, _ in points], "value": [v for _, v in points]}
