"""Follows one job over the platform's WebSocket in a thread, from a cursor, through every break of the connection."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from retinue.history import History
from retinue_sdk.errors import RetinueError, from_problem

Listener = Callable[[str, Any], None]
TERMINAL = {"succeeded", "failed", "cancelled", "lost"}
LONGEST_PAUSE = 10.0


class Follower:
    """Feeds a `History` and tells `listener(what, value)` what came.

    `what` is "job" (the Job as a dict), "points", "attempt", "offline", "error", and at last "over". Ends by itself once the job is over and its history complete; `stop()` ends it before.
    """

    def __init__(self, url: str, token: str, job_id: str, history: History, listener: Listener) -> None:
        self._url = url.replace("http", "ws", 1) + "/api/v1/ws"
        self._token = token
        self._topic = f"job:{job_id}"
        self._history = history
        self._listener = listener
        self._socket: ClientConnection | None = None
        self.caught_up = threading.Event()  # all that was there at the start is here
        self._stopped = threading.Event()
        self._over = False
        self._complete = False
        self._job: dict[str, Any] | None = None
        self._thread = threading.Thread(target=self._run, name=f"retinue-{self._topic}", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the connection and the thread."""
        self._stopped.set()
        if self._socket is not None:
            self._socket.close()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=5)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the job is over and complete here; False on timeout."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause = 0.5
        while not self._stopped.is_set():
            begun = time.monotonic()
            try:
                self._follow()
            except InvalidStatus as error:
                if error.response.status_code not in (502, 503, 504):
                    self._listener("error", _refusal(error))
                    return
                self._listener("offline", None)
            except (OSError, ConnectionClosed, InvalidHandshake, TimeoutError):
                self._listener("offline", None)
            except RetinueError as error:
                self._listener("error", error)
                return
            if self._over:
                self._listener("over", None)
                return
            pause = 0.5 if time.monotonic() - begun > LONGEST_PAUSE else min(pause * 2, LONGEST_PAUSE)
            self._stopped.wait(pause)

    def _follow(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        with connect(self._url, additional_headers=headers, max_size=None, proxy=None) as socket:
            self._socket = socket
            self._subscribe(socket)
            for frame in socket:
                self._take(socket, json.loads(frame))
                if self._over or self._stopped.is_set():
                    return
        if not self._stopped.is_set():
            raise ConnectionResetError(self._url)

    def _subscribe(self, socket: ClientConnection) -> None:
        after = {"attempt": self._history.attempt, "seq": self._history.seq}
        socket.send(json.dumps({"op": "subscribe", "topic": self._topic, "after": after}))

    def _take(self, socket: ClientConnection, message: dict[str, Any]) -> None:
        match message["type"]:
            case "points":
                if message["attempt"] != self._history.attempt:
                    self._restart(message["attempt"])
                self._listener("points", self._history.add(message["points"], message["seq"]))
            case "attempt":
                self._restart(message["attempt"])
            case "job":
                self._job = message["job"]
                self._listener("job", self._job)
            case "live":
                self._complete = True
                self.caught_up.set()
            case "resync":
                self._subscribe(socket)
            case "error":
                raise from_problem(message["problem"])
        over = self._job is not None and self._job["status"] in TERMINAL
        self._over = self._complete and over and message["type"] in ("job", "live")

    def _restart(self, attempt: int) -> None:
        self._history.restart(attempt)
        self._listener("attempt", attempt)


def _refusal(error: InvalidStatus) -> RetinueError:
    try:
        return from_problem(json.loads(error.response.body or b""))
    except ValueError:
        return RetinueError(
            f"The platform refused the connection with status {error.response.status_code}.",
            code="unavailable",
            hint="Check RETINUE_URL and that your server has been restarted since the platform was set up.",
        )
