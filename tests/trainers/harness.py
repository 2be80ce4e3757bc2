"""A real points trainer service for tests: started, stopped and killed like any other process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from retinue_sdk.client import AsyncTrainer, Client
from retinue_sdk.schema import TrainRequest

ROOT = Path(__file__).parents[2]
TOKEN = "test-token-" + "0" * 40


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def plain_client(**options: Any) -> httpx.Client:
    """For http on this machine alone: to read the certificates takes 50 ms each time."""
    return httpx.Client(trust_env=False, verify=False, **options)


def wait_for(probe: Callable[[], Any], seconds: float = 10.0, every: float = 0.02) -> Any:
    """The first true answer of `probe`."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(every)
    return answer


class PointsService:
    """The points trainer on a free port, with its own runs, token, datasets folder and cache."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.runs = folder / "runs"
        self.data = folder / "data"
        self.data.mkdir(exist_ok=True)
        self.token_file = folder / "token"
        self.token_file.write_text(TOKEN)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "service.log"
        self.environment = {
            **os.environ,
            "RETINUE_CACHE": str(folder / "cache"),
            "RETINUE_TRAINER_PORT": str(self.port),
            "RETINUE_TRAINER_ROOTS": str(self.data),
            "RETINUE_TRAINER_RUNS": str(self.runs),
            "RETINUE_TRAINER_TOKEN_FILE": str(self.token_file),
            **environment,
        }

    def start(self) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.trainers.points.service"],
                cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            wait_for(self.answers, 60)
        except BaseException:
            self.kill()
            raise
        return self

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            with plain_client() as client:
                return client.get(f"{self.url}/health").is_success
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """Kill -9 of its whole group, like a fault does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20)

    def client(self) -> Client:
        return Client(self.url, TOKEN)

    def trainer(self) -> AsyncTrainer:
        return AsyncTrainer(self.url, TOKEN)

    def request(self, attempt: int = 1, job_id: uuid.UUID | None = None, **parameters: Any) -> TrainRequest:
        body = {
            "job_id": job_id or uuid.uuid4(),
            "attempt": attempt,
            "task": "classify",
            "model": "counter",
            "parameters": parameters,
            "dataset": {"kind": "folder", "path": str(self.data)},
            "resources": {"grace_seconds": 1},
        }
        return TrainRequest.model_validate(body)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the service, then whatever attempt it left running."""
        from retinue_sdk.trainer.attempts import unfinished
        from retinue_sdk.trainer.processes import kill_attempt

        if self.process.poll() is None:
            self.stop()
        for attempt in unfinished(self.runs):
            kill_attempt(attempt.path.resolve(), attempt.process)
