"""The WebSocket: topics with history first, then live, without gap or duplicate.

The bus only wakes; what is sent is always read from the database after the subscription's cursor. So a slow reader
costs no memory: its subscription stands still, and after `PATIENCE` is ended with `resync`.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from uuid import UUID

import anyio.to_thread
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from retinue_platform import access, datasets, jobs, metrics
from retinue_platform.auth import READ, Identity
from retinue_platform.context import Context
from retinue_platform.tables import JobRow, ProjectRow
from retinue_sdk.api import Job
from retinue_sdk.errors import BadRequestError, NotFoundError, RetinueError, UnavailableError
from retinue_sdk.schema import LARGEST_ATTEMPT, Problem, Seq, Wire

log = logging.getLogger(__name__)

MEMBERSHIP = 30.0  # seconds between two checks that the caller may still see a topic
PATIENCE = 10.0  # seconds a full queue may stay full before its subscription is ended
JOB_PAUSE = 0.5  # seconds between two job messages of a topic
QUEUE = 32  # messages waiting for the socket
TOPICS = 100  # subscriptions of one socket
LOG_PIECE = 65536
AGAIN = 1.0  # seconds between two looks at a log that has ended too early, or cannot be read

router = APIRouter()


class After(Wire):
    """Where a client's copy of a job's points ends."""

    attempt: int = Field(ge=0, le=LARGEST_ATTEMPT)
    seq: Seq


Topic = Annotated[str, StringConstraints(pattern=r"^(job|jobs|datasets|log):[0-9a-fA-F-]{32,36}$", max_length=60)]


class Subscribe(Wire):
    """`after`: a job's cursor, a log's byte offset, nothing for lists."""

    op: Literal["subscribe"]
    topic: Topic
    after: After | Seq | None = None


class Unsubscribe(Wire):
    """Ends a subscription; unknown topics are ignored."""

    op: Literal["unsubscribe"]
    topic: Topic


_requests: TypeAdapter[Subscribe | Unsubscribe] = TypeAdapter(
    Annotated[Subscribe | Unsubscribe, Field(discriminator="op")]
)


class SlowError(Exception):
    """The client does not read."""


class Connection:
    """One socket: a reader, a writer, and a task per subscription."""

    def __init__(self, socket: WebSocket, platform: Context, caller: Identity) -> None:
        self.socket, self.platform, self.caller = socket, platform, caller
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(QUEUE)
        self._urgent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()  # last words of subscriptions: at most TOPICS
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Serve until the client goes."""
        helpers = [asyncio.create_task(self._write()), asyncio.create_task(self._check())]
        try:
            while (message := await self.socket.receive())["type"] == "websocket.receive":
                await self._serve(message.get("text") or message.get("bytes") or b"")
        except (WebSocketDisconnect, RuntimeError):
            pass  # RuntimeError: starlette's word for receiving after a close of ours
        finally:
            tasks = [*helpers, *self._tasks.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, text: str | bytes) -> None:
        try:
            request = _requests.validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            await self._refuse(None, BadRequestError(f"This message is not understood: {first['msg']}.", where=where))
            return
        await self._end(request.topic)
        if isinstance(request, Unsubscribe):
            return
        if len(self._tasks) >= TOPICS:
            await self._refuse(
                request.topic, BadRequestError(f"At most {TOPICS} subscriptions.", code="too_many_topics")
            )
            return
        task = asyncio.create_task(self._subscription(request), name=request.topic)
        self._tasks[request.topic] = task

    async def _end(self, topic: str) -> None:
        task = self._tasks.pop(topic, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _subscription(self, request: Subscribe) -> None:
        name, _, ident = request.topic.partition(":")
        try:
            subscription = _SUBSCRIPTIONS[name]
            target = UUID(ident)
            await self.allowed(request.topic)
            await subscription(self, request, target)
        except SlowError:
            self._urgent.put_nowait({"topic": request.topic, "type": "resync"})
        except RetinueError as error:
            await self._refuse(request.topic, error)
        except ValueError:
            await self._refuse(request.topic, NotFoundError("There is no such topic.", where=request.topic))
        except Exception:
            log.exception("subscription %s", request.topic)
            await self._refuse(request.topic, RetinueError("Something went wrong inside the service."))
        finally:
            if self._tasks.get(request.topic) is asyncio.current_task():
                del self._tasks[request.topic]

    async def _refuse(self, topic: str | None, error: RetinueError) -> None:
        problem: Problem = error.problem
        with contextlib.suppress(SlowError):
            await self.send({"topic": topic, "type": "error", "problem": problem.model_dump(mode="json")})

    async def send(self, message: dict[str, Any]) -> None:
        """Queue a message. Raises `SlowError` when the client has not made room for it within `PATIENCE`."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._queue.put(message)
        except TimeoutError:
            raise SlowError from None

    async def _write(self) -> None:
        while True:
            message = await self._queue.get()
            await self.socket.send_json(message)
            while not self._urgent.empty():
                await self.socket.send_json(self._urgent.get_nowait())

    async def _check(self) -> None:
        """Ask again, every 30 s, whether the caller is still who they were and still may see each topic."""
        while True:
            await asyncio.sleep(MEMBERSHIP)
            try:
                header = self.socket.headers.get("authorization")
                self.caller = await self.platform.hub.identify(header)
                self.platform.hub.require_scope(self.caller, READ)
            except UnavailableError:
                continue  # the hub restarts; what was allowed half a minute ago still is
            except RetinueError as error:
                await self._refuse(None, error)
                await self.socket.close(4401, error.problem.code)
                return
            for topic in tuple(self._tasks):
                try:
                    await self.allowed(topic)
                except UnavailableError:
                    continue
                except RetinueError as error:
                    await self._end(topic)
                    await self._refuse(topic, error)

    async def allowed(self, topic: str) -> None:
        """Raise unless the caller may see the topic."""
        name, _, ident = topic.partition(":")

        def check() -> None:
            with self.platform.db.read() as session:
                if name in ("job", "log"):
                    access.find(session, self.caller, JobRow, UUID(ident))
                else:
                    access.find(session, self.caller, ProjectRow, UUID(ident))

        await anyio.to_thread.run_sync(check)


@dataclass
class _JobFeed:
    """The state of one `job:` subscription."""

    connection: Connection
    topic: str
    job_id: UUID
    attempt: int
    seq: int
    shown: dict[str, Any] | None = None
    due: float = 0.0

    async def catch_up(self) -> float | None:
        """Send everything that is new. Returns the seconds until the job's next message may go out, None if none waits."""
        while True:
            job, cursor, chunk = await anyio.to_thread.run_sync(self._read)
            if self.shown is None:
                await self._send_job(job)
            if job.attempt != self.attempt:
                self.attempt, self.seq = job.attempt, 0
                await self.connection.send({"topic": self.topic, "type": "attempt", "attempt": job.attempt})
                continue
            if chunk.points:
                await self.connection.send({
                    "topic": self.topic, "type": "points", "attempt": self.attempt, "after": self.seq,
                    "seq": chunk.seq, "points": chunk.points,
                })  # fmt: skip
            self.seq = max(self.seq, chunk.seq) if cursor >= self.seq else cursor
            if not chunk.more:  # the job's end is told after its last point
                return await self._send_job(job)

    async def _send_job(self, job: Job) -> float | None:
        body = job.model_dump(mode="json")
        clock = asyncio.get_running_loop().time()
        if body == self.shown:
            return None
        if clock < self.due:
            return self.due - clock
        self.shown, self.due = body, clock + JOB_PAUSE
        await self.connection.send({"topic": self.topic, "type": "job", "job": body})
        return None

    def _read(self) -> tuple[Job, int, metrics.Chunk]:
        with self.connection.platform.db.read() as session:
            row = session.get(JobRow, self.job_id)
            if row is None:
                raise NotFoundError("This job has been deleted.", where=str(self.job_id))
            chunk = metrics.chunk(session, self.job_id, row.attempt, after=self.seq, cursor=row.cursor)
            return jobs.to_job(session, row), row.cursor, chunk


async def _job(connection: Connection, request: Subscribe, job_id: UUID) -> None:
    after = request.after if isinstance(request.after, After) else After(attempt=0, seq=0)
    feed = _JobFeed(connection, request.topic, job_id, after.attempt, after.seq)
    with connection.platform.bus.subscribe(f"job:{job_id}") as changes:
        wait = await feed.catch_up()
        await connection.send({"topic": request.topic, "type": "live"})
        while True:
            await changes.changed(wait)
            wait = await feed.catch_up()


async def _list(
    connection: Connection,
    topic: str,
    kind: str,
    read: Callable[[], list[dict[str, Any]]],
    *,
    whole: bool,
) -> None:
    """Everything first, then what changed, at most twice a second. `whole`: what `read` no longer gives is deleted."""
    shown: dict[str, dict[str, Any]] = {}
    live = False
    with connection.platform.bus.subscribe(topic) as changes:
        while True:
            items = await anyio.to_thread.run_sync(read)
            for item in items:
                if shown.get(item["id"]) != item:
                    shown[item["id"]] = item
                    await connection.send({"topic": topic, "type": kind, kind: item})
            for gone in shown.keys() - {item["id"] for item in items} if whole else ():
                del shown[gone]
                await connection.send({"topic": topic, "type": "deleted", "id": gone})
            if not live:
                await connection.send({"topic": topic, "type": "live"})
                live = True
            await asyncio.sleep(JOB_PAUSE)
            await changes.changed()


async def _jobs(connection: Connection, request: Subscribe, project_id: UUID) -> None:
    def read() -> list[dict[str, Any]]:
        with connection.platform.db.read() as session:
            return [job.model_dump(mode="json") for job in jobs.newest(session, project_id, 200)]

    await _list(connection, request.topic, "job", read, whole=False)  # only the newest


async def _datasets(connection: Connection, request: Subscribe, project_id: UUID) -> None:
    def read() -> list[dict[str, Any]]:
        with connection.platform.db.read() as session:
            return [dataset.model_dump(mode="json") for dataset in datasets.list_rows(session, project_id)]

    await _list(connection, request.topic, "dataset", read, whole=True)


async def _log(connection: Connection, request: Subscribe, job_id: UUID) -> None:
    """The trainer's log, from a byte offset: followed through restarts of the trainer, until the attempt is over."""
    feed = _LogFeed(connection, request.topic, job_id, request.after if isinstance(request.after, int) else 0)
    with connection.platform.bus.subscribe(f"job:{job_id}") as changes:
        while True:
            await changes.changed(await feed.pass_on())


@dataclass
class _LogFeed:
    """The state of one `log:` subscription: `at` is the byte offset that the client has."""

    connection: Connection
    topic: str
    job_id: UUID
    at: int
    attempt: int = 0
    live: bool = False
    told: bool = False  # that the log cannot be read: once, until it can be
    decoder: codecs.IncrementalDecoder = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"))

    async def pass_on(self) -> float | None:
        """Send what there is; once live, follow. Returns the seconds until the next look, None to wait for a change."""
        framework, newest, over, ran = await anyio.to_thread.run_sync(self._read)
        if newest != self.attempt and self.attempt:
            self.at, self.live = 0, False
            await self.connection.send({"topic": self.topic, "type": "attempt", "attempt": newest})
        self.attempt = newest
        follow = self.live and not over
        try:
            await self._copy(framework, follow=follow)
        except NotFoundError as error:  # it has not started yet, or its directory is gone
            if over and ran:
                await self._tell(error)
                return None
        except UnavailableError as error:
            self.live = False
            if not follow:  # a quiet log ends like a broken one: that the trainer is away is seen at the next look
                self.connection.platform.trainers.silent(framework, error)
                await self._tell(self.connection.platform.trainers.offer(framework).missing())
            return AGAIN
        if not self.live:
            self.live, self.told = True, False
            await self.connection.send({"topic": self.topic, "type": "live"})
            return 0.0  # history is through: follow now
        return None if over or not newest else AGAIN

    async def _copy(self, framework: str, *, follow: bool) -> None:
        if self.attempt:
            client = self.connection.platform.trainers.client(framework)
            async for piece in client.logs(self.job_id, attempt=self.attempt, after=self.at, follow=follow):
                await self._send(piece)

    async def _tell(self, error: RetinueError) -> None:
        """Say once, until the log can be read again, why it cannot."""
        if not self.told:
            self.told = True
            problem = error.problem.model_dump(mode="json")
            await self.connection.send({"topic": self.topic, "type": "error", "problem": problem})

    async def _send(self, piece: bytes) -> None:
        for start in range(0, len(piece), LOG_PIECE):
            part = piece[start : start + LOG_PIECE]
            # a piece may end in the middle of a character: the decoder keeps its first bytes for the next one
            text = self.decoder.decode(part)
            after, self.at = self.at, self.at + len(part)
            message = {"topic": self.topic, "type": "log", "after": after, "next": self.at, "text": text}
            await self.connection.send(message)

    def _read(self) -> tuple[str, int, bool, bool]:
        """Framework and newest attempt of the job, whether it is over, and whether it ever ran."""
        with self.connection.platform.db.read() as session:
            row = session.get(JobRow, self.job_id)
            if row is None:
                raise NotFoundError("This job has been deleted.", where=str(self.job_id))
            return row.framework, row.attempt, row.ended_at is not None, row.started_at is not None


_SUBSCRIPTIONS: dict[str, Callable[[Connection, Subscribe, UUID], Awaitable[None]]] = {
    "job": _job,
    "jobs": _jobs,
    "datasets": _datasets,
    "log": _log,
}


@router.websocket("/ws")
async def live(socket: WebSocket) -> None:
    """Serve the live updates of one client."""
    await socket.accept()
    await Connection(socket, socket.app.state.context, socket.state.caller).run()
