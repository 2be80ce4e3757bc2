"""Calling a service of ours: a base URL, a token, and errors of our own kind.

The platform calls trainers with `AsyncTrainer`; the kernel calls the platform with `Client`.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote, urlsplit
from uuid import UUID

import httpx

from retinue_sdk.errors import BadRequestError, RetinueError, UnavailableError, from_problem
from retinue_sdk.schema import JobState, ModelInfo, Problem, Task, TrainRequest

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
STREAM_TIMEOUT = httpx.Timeout(20.0, connect=5.0)  # a followed stream says something every 5 s
PATIENT = httpx.Timeout(None, connect=5.0)  # for what is made when asked for: its first byte may take minutes
_MADE = re.compile(r"/versions/[^/]+/(archive|losses|diff/[^/]+)$")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _options(base_url: str, token: str, timeout: httpx.Timeout | float) -> dict[str, Any]:
    """What both clients hand to httpx. A proxy of the environment never gets in between us and this machine."""
    address = urlsplit(base_url)
    return {
        "base_url": base_url,
        "headers": {"Authorization": f"Bearer {token}", "Accept": "application/json"},
        "timeout": timeout,
        "trust_env": address.hostname not in _LOOPBACK,
        "verify": address.scheme != "http",  # reading all certificates takes longer than a request
    }


def is_made(path: str) -> bool:
    """Whether what the platform has at this path is made when it is asked for: to be waited for `PATIENT`ly."""
    return _MADE.search(path) is not None


def error_of(status: int, content: bytes, url: str) -> RetinueError:
    """The exception that an error answer stands for, also when something between us and the service wrote it."""
    try:
        return from_problem(json.loads(content))
    except ValueError:  # not JSON, or not a problem
        kind = UnavailableError if status in (502, 503, 504) else RetinueError
        code = UnavailableError.code if kind is UnavailableError else "unexpected_answer"
        return kind(f"The service answered with HTTP status {status}.", where=url, status=status, code=code)


def unreachable(url: str, error: Exception) -> UnavailableError:
    """The service did not answer, or stopped in the middle of an answer."""
    said = str(error) or type(error).__name__
    return UnavailableError(
        f"{url} does not answer: {said}.",
        hint="Check that the service runs and that its address is right; then repeat.",
        where=url,
        code="unreachable",
    )


class Client:
    """Synchronous; one per thread of work. Every failure is a `RetinueError`."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        timeout: httpx.Timeout | float = TIMEOUT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.http = httpx.Client(transport=transport, **_options(self.base_url, token, timeout))

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request; options are httpx's (json, params, content, headers). An error answer is raised."""
        if is_made(path):
            options.setdefault("timeout", PATIENT)
        try:
            response = self.http.request(method, path, **options)
        except httpx.TransportError as error:
            raise unreachable(self.base_url, error) from None
        if response.is_error:
            raise error_of(response.status_code, response.content, f"{method} {path}")
        return response

    def json(self, method: str, path: str, **options: Any) -> Any:
        """Send a request and read its answer as JSON; None when it has no body."""
        response = self.request(method, path, **options)
        return response.json() if response.content else None

    def get(self, path: str, **params: Any) -> Any:
        """GET, with query parameters; those that are None are left out."""
        return self.json("GET", path, params=_given(params))

    def post(self, path: str, body: Any = None, **params: Any) -> Any:
        """POST a JSON body."""
        return self.json("POST", path, json=body, params=_given(params))

    @contextlib.contextmanager
    def stream(self, method: str, path: str, **options: Any) -> Iterator[httpx.Response]:
        """The answer, to be read piece by piece: `iter_lines()`, `iter_bytes()`."""
        options.setdefault("timeout", STREAM_TIMEOUT)
        try:
            with self.http.stream(method, path, **options) as response:
                if response.is_error:
                    raise error_of(response.status_code, response.read(), f"{method} {path}")
                yield response
        except httpx.TransportError as error:
            raise unreachable(self.base_url, error) from None

    def save(self, path: str, target: Path, **params: Any) -> httpx.Headers:
        """GET into a file, however long it takes, and the answer's headers. A half-written file never has that name.

        Raises
        ------
        BadRequestError
            `file_not_written`, with what the disk says; before the request where the file cannot be made at all.
        """
        part = target.with_name(target.name + ".part")
        try:
            with (
                part.open("wb") as file,
                self.stream("GET", path, params=_given(params), timeout=PATIENT) as answer,
            ):
                for piece in answer.iter_bytes():
                    file.write(piece)
            part.replace(target)
        except OSError as error:
            raise BadRequestError(
                f"The file cannot be written: {error.strerror}.",
                code="file_not_written", where=str(target), hint="Choose another place for it.",
            ) from error  # fmt: skip
        finally:
            part.unlink(missing_ok=True)
        return answer.headers

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient:
    """The same for asyncio."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        timeout: httpx.Timeout | float = TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)  # followed streams stay open
        self.http = httpx.AsyncClient(transport=transport, limits=limits, **_options(self.base_url, token, timeout))

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request; options are httpx's. An error answer is raised."""
        try:
            response = await self.http.request(method, path, **options)
        except httpx.TransportError as error:
            raise unreachable(self.base_url, error) from None
        if response.is_error:
            raise error_of(response.status_code, response.content, f"{method} {path}")
        return response

    async def json(self, method: str, path: str, **options: Any) -> Any:
        """Send a request and read its answer as JSON; None when it has no body."""
        response = await self.request(method, path, **options)
        return response.json() if response.content else None

    async def get(self, path: str, **params: Any) -> Any:
        """GET, with query parameters; those that are None are left out."""
        return await self.json("GET", path, params=_given(params))

    async def post(self, path: str, body: Any = None, **params: Any) -> Any:
        """POST a JSON body."""
        return await self.json("POST", path, json=body, params=_given(params))

    @contextlib.asynccontextmanager
    async def stream(self, method: str, path: str, **options: Any) -> AsyncIterator[httpx.Response]:
        """The answer, to be read piece by piece: `aiter_lines()`, `aiter_bytes()`."""
        options.setdefault("timeout", STREAM_TIMEOUT)
        try:
            async with self.http.stream(method, path, **options) as response:
                if response.is_error:
                    raise error_of(response.status_code, await response.aread(), f"{method} {path}")
                yield response
        except httpx.TransportError as error:
            raise unreachable(self.base_url, error) from None

    async def close(self) -> None:
        """Close the connections."""
        await self.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class AsyncTrainer(AsyncClient):
    """A trainer service."""

    async def train(self, request: TrainRequest) -> JobState:
        """Start an attempt, or find it started."""
        return JobState.model_validate(await self.post("/train", request.model_dump(mode="json")))

    async def validate(self, request: TrainRequest) -> list[Problem]:
        """Every reason why the request could not start."""
        answer = await self.post("/validate", request.model_dump(mode="json"))
        return [Problem.model_validate(problem) for problem in answer["problems"]]

    async def job(self, job_id: UUID, attempt: int | None = None) -> JobState:
        """State of an attempt, the newest by default."""
        return JobState.model_validate(await self.get(f"/jobs/{job_id}", attempt=attempt))

    async def cancel(self, job_id: UUID, when: Literal["now", "epoch"] = "now") -> JobState:
        """Ask for the end; the state tells when it is there."""
        return JobState.model_validate(await self.json("DELETE", f"/jobs/{job_id}", params={"when": when}))

    async def events(
        self,
        job_id: UUID,
        *,
        attempt: int,
        after: int = 0,
        follow: bool = False,
        stream: Literal["events", "system"] = "events",
    ) -> AsyncIterator[bytes]:
        """Lines with seq > `after`, as they are in the file. Following ends when the attempt is over.

        A service that goes away in the middle is an `UnavailableError`: ask again from the last line's seq.
        """
        params = {"attempt": attempt, "after": after, "follow": follow, "stream": stream}
        rest = b""
        async with self.stream("GET", f"/jobs/{job_id}/events", params=params) as response:
            async for block in response.aiter_bytes():
                *lines, rest = (rest + block).split(b"\n")
                for line in lines:
                    if line:
                        yield line

    async def logs(
        self, job_id: UUID, *, attempt: int | None = None, after: int = 0, follow: bool = False
    ) -> AsyncIterator[bytes]:
        """The log from a byte offset, in pieces."""
        params = _given({"attempt": attempt, "after": after, "follow": follow})
        async with self.stream("GET", f"/jobs/{job_id}/logs", params=params) as response:
            async for block in response.aiter_bytes():
                yield block

    @contextlib.asynccontextmanager
    async def artifact(
        self, job_id: UUID, path: str, *, attempt: int | None = None, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[httpx.Response]:
        """A file of an attempt (a folder comes as tar); `headers` may hold Range."""
        address = f"/jobs/{job_id}/artifacts/{quote(path)}"
        sent = {"Accept-Encoding": "identity", **(headers or {})}
        async with self.stream("GET", address, params=_given({"attempt": attempt}), headers=sent) as response:
            yield response

    async def models(self, task: Task | None = None) -> tuple[bool, list[ModelInfo]]:
        """Whether the list is complete, and the models."""
        answer = await self.get("/models/list", task=task and task.value)
        return answer["complete"], [ModelInfo.model_validate(model) for model in answer["models"]]

    async def schema(self, model: str, task: Task | None = None) -> dict[str, Any]:
        """JSON Schema of a model's parameters."""
        schema: dict[str, Any] = await self.get(f"/models/{quote(model)}/schema", task=task and task.value)
        return schema

    async def ready(self) -> dict[str, Any]:
        """Framework, version, licence, capacity and how many attempts run."""
        answer: dict[str, Any] = await self.get("/health/ready")
        return answer


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in params.items() if value is not None}
