"""Starts the embedded hub and leaves no process behind: `python hub_config/start.py`, or `make run`.

`RETINUE_DATA` is where everything is kept (default ./.retinue), `RETINUE_PORT` the first of eight ports (default 8000).
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import IO, Any

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hub_config.keys import key, private_folder
from hub_config.processes import MARK, Marks, become_subreaper, belonging, die_with_parent, end_all, wait_reaping
from hub_config.settings import FRAMEWORKS, HERE, HubSettings

READY_TIMEOUT = 180.0  # seconds; a first start on two busy cores imports a lot
STOP_TIMEOUT = 45.0
KEEPER = "retinue_sdk.keeper"
LOG_LIMIT = 20_000_000


class Stopped(Exception):  # noqa: N818 - not an error: SIGINT or SIGTERM arrived
    """Someone asked us to end."""


def main() -> int:
    """Start, wait, stop. 0 after a signal, 1 when the hub could not start or ended by itself."""
    parser = argparse.ArgumentParser(description="The embedded hub, with everything in it, until Ctrl-C.")
    parser.add_argument(
        "--with-parent", action="store_true", help="end when the process that started this one has ended"
    )
    if parser.parse_args().with_parent:
        die_with_parent()
    settings = HubSettings()
    private_folder(settings.data)
    private_folder(settings.data / "hub")
    with (settings.data / "hub" / "lock").open("w") as lock:
        if not _lock(lock):
            print(f"A hub is already running on {settings.data} .", file=sys.stderr)
            return 1
        return run(settings)


def run(settings: HubSettings) -> int:
    """The hub's life, from start to the last process."""
    marks = Marks(key(settings.data / "secrets" / "instance", length=16), settings.data)
    become_subreaper()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    hub, killed = None, False
    settings.ready_file.unlink(missing_ok=True)  # of a start that was killed
    try:
        end_stale_proxy(settings, marks)
        if taken := taken_ports(settings):
            print(f"Taken by other programs: port {', '.join(map(str, taken))}. Set RETINUE_PORT.", file=sys.stderr)
            return 1
        hub = start_hub(settings, marks.instance)
        missing = wait_ready(settings, hub.poll, READY_TIMEOUT)
        print(banner(settings, missing) if hub.poll() is None else log_tail(settings), flush=True)
        if missing and hub.poll() is None and not wait_ready(settings, hub.poll):
            print(f"Everything is ready now, at {settings.url}", flush=True)
        if hub.poll() is None:
            settings.ready_file.write_text(f"{os.getpid()}\n")
        killed = wait_reaping(hub) == -signal.SIGKILL
        print(f"The hub ended by itself; its log is {settings.log_file}", file=sys.stderr)
    except Stopped:
        print("Stopping ...", flush=True)
        if hub is not None:
            stop_hub(hub)
        return 0
    finally:
        ignore_signals()
        settings.ready_file.unlink(missing_ok=True)
        if hub is not None and not killed:
            end_all(marks)
    # a kill is no wish to stop anybody's work: servers and trainings go on, and the next start finds them
    left = len(belonging(marks)) if killed else 0
    print(f"{left} of its processes go on." + (" Start it again to find them." if left else ""), file=sys.stderr)
    return 1


def _lock(file: IO[str]) -> bool:
    """Not inherited by the hub, so that it is free as soon as we are gone."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a signal handler
    ignore_signals()  # a second Ctrl-C must not interrupt the clean-up
    raise Stopped


def ignore_signals() -> None:
    """From here on, we end in order."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def end_stale_proxy(settings: HubSettings, marks: Marks) -> None:
    """A killed hub leaves the proxy with our ports, and a pid file that may by now name a stranger: end ours by its mark."""
    for process in belonging(marks):
        command = process.cmdline()
        if any("configurable-http-proxy" in part for part in command[:2]):
            process.kill()  # its ports are free at once, whoever its parent is by now; `taken_ports` makes sure
    settings.pid_file.unlink(missing_ok=True)


def taken_ports(settings: HubSettings, patience: float = 10.0) -> list[int]:
    """Our ports that somebody listens on; the services of a killed hub get `patience` seconds to end."""
    ports = range(settings.port, settings.port + 8 + len(settings.extra_trainers))
    deadline = time.monotonic() + patience
    while taken := [port for port in ports if not _is_free(settings.host if port == settings.port else "", port)]:
        if time.monotonic() > deadline:
            return taken
        time.sleep(0.2)
    return []


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that are just ending do not count
        try:
            probe.bind((host or "127.0.0.1", port))
        except OSError:
            return False
    return True


def start_hub(settings: HubSettings, instance: str) -> subprocess.Popen[bytes]:
    """The hub in a session of its own, so that Ctrl-C reaches only us; its log and its services' go to a file."""
    if settings.log_file.exists() and settings.log_file.stat().st_size > LOG_LIMIT:
        settings.log_file.replace(settings.log_file.with_suffix(".log.1"))
    environment = os.environ | {MARK: instance, "RETINUE_DATA": str(settings.data), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "jupyterhub", "-f", str(HERE / "jupyterhub_config.py")]
    with settings.log_file.open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=settings.data / "hub",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - we have no threads
        )


def probes(settings: HubSettings) -> dict[str, str]:
    """What must answer before we say that everything is up; the hub is last, as it waits for its services too."""
    return {
        **{f"trainer {name}": f"{url}/health/ready" for name, url in settings.trainers.items()},
        "mlflow": f"{settings.mlflow_url}/health",
        "platform": f"{settings.platform_url}/health/ready",
        "hub": f"{settings.url}hub/api/",
    }


def wait_ready(settings: HubSettings, ended: Callable[[], Any], timeout: float = float("inf")) -> list[str]:
    """Wait until everything answers, the hub has `ended`, or it takes too long. What does not answer."""
    waiting = probes(settings)
    token = {"Authorization": f"Bearer {key(settings.trainer_token_file)}"}
    deadline = time.monotonic() + timeout
    with httpx.Client(trust_env=False, timeout=5) as client:
        while waiting and ended() is None and time.monotonic() < deadline:
            name, url = next(iter(waiting.items()))
            if _answers(client, url, token if name.startswith("trainer ") else {}):
                waiting.pop(name)
            else:
                time.sleep(0.25)
    return list(waiting)


def _answers(client: httpx.Client, url: str, headers: dict[str, str]) -> bool:
    try:
        return client.get(url, headers=headers).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def banner(settings: HubSettings, missing: list[str]) -> str:
    """What a person must know now."""
    signup = (
        "Anyone may sign up." if settings.open_signup else f"New people wait for you at {settings.url}hub/authorize"
    )
    lines = [
        "",
        f"Retinue is ready at {settings.url}"
        if not missing
        else f"Not ready yet: {', '.join(missing)}. The log says why.",
        f"  log in as     admin   (password: {settings.admin_password_file})",
        f"  sign up at    {settings.url}hub/signup   {signup}",
        f"  data          {settings.data}",
        f"  log           {settings.log_file}",
        *(
            f"  left out      trainer {name}: not installed. Cure: pip install 'retinue[{name}]'"
            for name in FRAMEWORKS
            if name not in settings.trainers
        ),
        "",
        "  WARNING: this machine is one trust domain. Everyone's code runs as the same system user as the hub, and can",
        "  read its files and everybody's data. Let in only people you trust; use Kubernetes to separate them.",
        "",
        "  Ctrl-C stops everything.",
    ]
    return "\n".join(lines)


def log_tail(settings: HubSettings) -> str:
    """Why it did not start, as far as the log knows."""
    lines = settings.log_file.read_text(errors="replace").splitlines()[-25:]
    return "\n".join(["The hub did not start. The end of its log:", *lines])


def stop_hub(hub: subprocess.Popen[bytes]) -> None:
    """SIGTERM: the hub ends services, servers and proxy; what it does not end in time is ended by whoever called us.

    It ends its services one after another, with pauses, so their keepers are told at the same time.
    """
    for child in psutil.Process(hub.pid).children():
        with contextlib.suppress(psutil.Error):
            if KEEPER in child.cmdline():
                child.terminate()
    hub.terminate()
    try:
        hub.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        hub.kill()
        hub.wait()


if __name__ == "__main__":
    sys.exit(main())
