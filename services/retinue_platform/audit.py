"""Every write leaves a line: who, with which token, did what to which object, and how it ended.

One mechanism for all routes: `AuditTrail` knows the request, `record` adds the line to the request's own transaction,
so that a change and its line are committed together. A write that was refused, or changed nothing, gets its line when
its answer goes out.
"""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from sqlalchemy import event

from retinue_platform.db import Database, created
from retinue_platform.tables import AuditRow, DatasetRow, JobRow, ProjectRow, UploadRow

if TYPE_CHECKING:
    from sqlalchemy.orm import Session
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("retinue.audit")

_NAMED = (ProjectRow, UploadRow, DatasetRow, JobRow)
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_BODY_LIMIT = 64 * 1024  # of an answer whose code is looked for


@dataclass
class Request:
    """The write under way in this context."""

    scope: Any
    prefix: str
    recorded: bool = False

    def line(self, outcome: str, made: list[Any]) -> AuditRow:
        """The audit line of this request."""
        caller = self.scope["state"]["caller"]
        path = "/".join([self.scope["path"].removeprefix(self.prefix).strip("/"), *(str(row.id) for row in made[:1])])
        return AuditRow(
            time=datetime.now(UTC),
            user=caller.name,
            token_id=caller.token_id,
            action=getattr(self.scope.get("route"), "name", None) or self.scope["method"],
            object="".join(c if c.isprintable() else "?" for c in path[:500]),
            outcome=outcome,
        )


_request: ContextVar[Request | None] = ContextVar("audited_request", default=None)


def record(session: Session) -> None:
    """`Database.on_write`: add the line of the request under way to its transaction; background work has none."""
    request = _request.get()
    if request is None or request.recorded:
        return
    session.add(request.line("ok", [row for row in created(session) if isinstance(row, _NAMED)]))

    def committed(_session: Session) -> None:
        request.recorded = True

    event.listen(session, "after_commit", committed, once=True)


class AuditTrail:
    """Stands around the gate, so that refusals are seen too. A caller that nobody knows leaves no line, only a log."""

    def __init__(self, app: ASGIApp, *, db: Database, prefix: str) -> None:
        self.app = app
        self.db = db
        self.prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and write its line before its answer."""
        if scope["type"] != "http" or scope["method"] in _READING:
            await self.app(scope, receive, send)
            return
        request = Request(scope, self.prefix)
        token = _request.set(request)
        held: list[Message] = []

        async def watched_send(message: Message) -> None:
            """Hold the answer until it is whole: its line is written first."""
            held.append(message)
            if message["type"] != "http.response.start" and not message.get("more_body", False):
                await self._conclude(request, held)
                for each in held:
                    await send(each)

        try:
            await self.app(scope, receive, watched_send)
        except BaseException:
            if "caller" in scope["state"] and not held:
                await self._write(request, "500 internal_error")
            raise
        finally:
            _request.reset(token)

    async def _conclude(self, request: Request, answer: list[Message]) -> None:
        status = answer[0]["status"]
        if "caller" not in request.scope["state"] or (status < 400 and request.recorded):
            return
        await self._write(request, "ok" if status < 400 else f"{status} {_code(answer)}".strip())

    async def _write(self, request: Request, outcome: str) -> None:
        line = request.line(outcome, [])
        _request.set(None)
        try:
            await anyio.to_thread.run_sync(self._add, line)
        except Exception:
            log.exception("audit line not written: %s %s %s %s", line.user, line.action, line.object, line.outcome)

    def _add(self, line: AuditRow) -> None:
        with self.db.write() as session:
            session.add(line)


def _code(answer: list[Message]) -> str:
    body = b"".join(message.get("body", b"") for message in answer[1:])[:_BODY_LIMIT]
    try:
        code = json.loads(body)["code"]
    except (ValueError, KeyError, TypeError):
        return ""
    return str(code)[:60]
