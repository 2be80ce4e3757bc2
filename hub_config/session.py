"""A hub started through `start.py` for as long as a `with` block lasts, and nothing left of it after: demo and tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import IO

import psutil
from hub_config.keys import key
from hub_config.person import Person
from hub_config.processes import Marks, become_subreaper, end_all
from hub_config.settings import HERE, HubSettings

from retinue_sdk.errors import UnavailableError

PORTS = 12  # the hub's eight and those of extra trainers
EPHEMERAL = 32_768
START_TIMEOUT = 400.0
STOP_TIMEOUT = 90.0


def free_ports(first: int = 8000) -> int:
    """The first of enough ports in a row that nobody listens on, below those that outgoing connections are given."""
    for base in range(first, EPHEMERAL - PORTS, PORTS):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(base, base + PORTS):
                    taken = stack.enter_context(socket.socket())
                    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    taken.bind(("127.0.0.1", port))
            except OSError:
                continue
            return base
    raise UnavailableError("There are not enough free ports in a row.", hint="Set RETINUE_PORT.")


class RunningHub:
    """`start.py` as a process, with the settings it was given."""

    def __init__(self, settings: HubSettings, output: IO[str] | None = None) -> None:
        self.settings, self.output = settings, output
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until all of it is up; again, after it has ended."""
        environment = os.environ | {
            f"RETINUE_{name.upper()}": value if isinstance(value, str) else json.dumps(value, default=str).strip('"')
            for name, value in self.settings.model_dump(exclude_unset=True).items()
        }
        process = self.process = subprocess.Popen(
            [sys.executable, str(HERE / "start.py"), "--with-parent"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.output,
            start_new_session=True,  # Ctrl-C reaches it through us, once
        )
        deadline = time.monotonic() + START_TIMEOUT
        while not self.settings.ready_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                message = "The hub did not start."
                raise UnavailableError(message, hint=f"Its log {self.settings.log_file} says why.")
            time.sleep(0.1)

    @property
    def url(self) -> str:
        """Where the hub is."""
        return self.settings.url

    @property
    def hub_pid(self) -> int:
        """The process of JupyterHub itself."""
        assert self.process is not None  # noqa: S101 - for the type checker
        config = str(HERE / "jupyterhub_config.py")  # beside it may be orphans that start.py has adopted
        return next(child.pid for child in psutil.Process(self.process.pid).children() if config in child.cmdline())

    def person(self, name: str, password: str) -> Person:
        """Someone at this hub."""
        return Person(self.url, name, password)

    def admin(self) -> Person:
        """The administrator, logged in."""
        admin = self.person("admin", self.settings.admin_password_file.read_text().strip())
        admin.log_in()
        return admin

    def newcomer(self, admin: Person, name: str, password: str) -> Person:
        """Someone who has signed up, was let in by `admin`, and has logged in."""
        person = self.person(name, password)
        person.sign_up()
        admin.authorize(name)
        person.log_in()
        return person

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End `start.py` in order; its exit status."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(STOP_TIMEOUT)


@contextlib.contextmanager
def running_hub(
    settings: HubSettings, output: IO[str] | None = None, *, exclusive: bool = False
) -> Iterator[RunningHub]:
    """The hub, up; whatever happens inside, nothing of it is left after. `exclusive`: this process starts nothing else."""
    if exclusive:
        become_subreaper()
    hub = RunningHub(settings, output)
    try:
        hub.start()
        yield hub
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            hub.stop()
        secret = settings.data / "secrets" / "instance"
        if secret.exists():
            end_all(Marks(key(secret), settings.data), descendants=exclusive)
