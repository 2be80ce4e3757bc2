"""What every HTTP service of ours does alike: one shape of error, request ids, a limit on bodies, safe headers.

`install_errors(app)` is called once by the trainer kit and by the platform.
"""

from __future__ import annotations

import errno
import logging
import re
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from retinue_sdk.errors import BadRequestError, NotFoundError, RetinueError, StorageFullError
from retinue_sdk.names import printable

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("retinue.http")

BodyLimit = Callable[[str, str], int]  # (method, path) -> bytes
DEFAULT_BODY_LIMIT = 1024 * 1024

_WHERE_LENGTH = 200
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 416: "range_invalid"}


class StreamEndedError(Exception):
    """Raised inside a streamed answer that has to stop short: the connection is closed without its regular end."""


def install_errors(app: FastAPI, *, body_limit: int | BodyLimit = DEFAULT_BODY_LIMIT) -> None:
    """Map every error of `app` to `application/problem+json`, and guard it (ids, headers, body size)."""
    limit: BodyLimit = body_limit if callable(body_limit) else lambda _method, _path: body_limit
    app.add_middleware(Guard, limit=limit)
    app.add_exception_handler(RetinueError, _on_retinue_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


def request_id(request: Request) -> str:
    """The id of this request, as in the answer's `X-Request-Id`."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def problem_response(
    error: RetinueError, request_id: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """`error` as an HTTP answer."""
    body = error.problem.model_copy(update={"request_id": request_id or error.problem.request_id})
    sent = dict(headers or {})
    if body.status == 401:
        sent.setdefault("WWW-Authenticate", "Bearer")
    return JSONResponse(body.model_dump(mode="json"), body.status, headers=sent, media_type="application/problem+json")


class Guard:
    """The outermost layer: gives each request an id, limits its body, adds headers, and catches what nobody else did."""

    def __init__(self, app: ASGIApp, limit: BodyLimit) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        known = Headers(scope=scope).get("x-request-id", "")
        ident = known if _SAFE_ID.fullmatch(known) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = ident
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            return
        await self._http(scope, receive, send, ident)

    async def _http(self, scope: Scope, receive: Receive, send: Send, ident: str) -> None:
        started = False

        async def guarded_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = ident
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            limited = _limited(receive, Headers(scope=scope), self.limit(scope["method"], scope["path"]))
            await self.app(scope, limited, guarded_send)
        except (ClientDisconnect, StreamEndedError):
            return
        except Exception as error:
            if started:
                raise  # the server closes the connection: the caller sees an answer cut short, not a whole one
            await problem_response(_known(error, ident), ident)(scope, receive, guarded_send)


def _known(error: Exception, ident: str) -> RetinueError:
    """The error to tell the caller about; one we did not foresee is logged whole and told without details."""
    if isinstance(error, RetinueError):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        log.error("storage full while answering %s: %s", ident, error)
        return StorageFullError("There is no space left to do that.", where=error.filename and str(error.filename))
    log.error("unexpected error while answering %s", ident, exc_info=error)
    return RetinueError("Something went wrong inside the service.")


def _limited(receive: Receive, headers: Headers, limit: int) -> Receive:
    """`receive`, refusing a body longer than `limit`, whether announced or found while reading."""
    too_large = BadRequestError(
        f"The body is larger than the {limit} bytes allowed here.",
        hint="Send less, or in smaller pieces.",
        code="body_too_large",
        status=413,
    )
    announced = headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise too_large
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise too_large
        return message

    return limited


async def _on_retinue_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RetinueError)  # noqa: S101  # starlette types handlers by Exception
    return problem_response(error, request_id(request))


async def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # starlette types handlers by Exception
    return problem_response(validation_problem(error.errors()), request_id(request))


def validation_problem(errors: Any) -> BadRequestError:
    """Pydantic's list of errors as one of ours: the first with its field, and how many more there are."""
    first = errors[0]
    more = f" ({len(errors) - 1} more of this kind)" if len(errors) > 1 else ""
    inside = first.get("ctx", {}).get("place", ())  # of free JSON, see `schema.Parameters`
    where = printable(".".join(str(part) for part in (*first["loc"], *inside)), _WHERE_LENGTH)
    return BadRequestError(f"{where}: {first['msg']}{more}.", where=where)


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  # starlette types handlers by Exception
    ident = request_id(request)
    if isinstance(error.__cause__, RetinueError):  # FastAPI wraps what is raised while it reads a body
        return problem_response(error.__cause__, ident)
    place = f"{request.method} {request.url.path}"
    if error.status_code == 404:
        return problem_response(NotFoundError("There is nothing at this address.", where=place), ident)
    hint = "Use one of the methods in the Allow header." if error.status_code == 405 else None
    mapped = RetinueError(
        str(error.detail) or "The request was refused.",
        hint=hint or BadRequestError.hint,
        where=place,
        code=_CODES.get(error.status_code, f"http_{error.status_code}"),
        status=error.status_code,
    )
    return problem_response(mapped, ident, error.headers)
