"""`{base_url}retinue/api/...`: the platform's API for the browser, with the requesting user's token."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado import web
from tornado.iostream import StreamClosedError

from retinue_lab.platform import BodyTooLargeError, Platform, PlatformUnreachableError
from retinue_sdk.client import PATIENT, is_made
from retinue_sdk.errors import RetinueError
from retinue_sdk.schema import Problem

MAX_BODY = 9 * 2**20  # a chunk of 8 MiB and room to spare
REQUEST_HEADERS = (
    "Accept", "Content-Type", "Idempotency-Key", "If-None-Match", "If-Range", "Range", "X-Content-SHA256", "X-Request-ID",
)  # fmt: skip
RESPONSE_HEADERS = (
    "Accept-Ranges", "Cache-Control", "Content-Disposition", "Content-Length", "Content-Range", "Content-Type", "ETag",
    "Last-Modified", "Retry-After", "X-Next-Offset", "X-Request-ID",
)  # fmt: skip
CREDENTIALS = ("token", "_xsrf")  # what a browser may put into a query for Jupyter, and the platform must not see


class ProblemHandler(ExtensionHandlerMixin, APIHandler):
    """A handler whose errors all have the one shape."""

    def problem(self, problem: Problem) -> None:
        """Answer with the one shape of an error."""
        self.set_status(problem.status)
        self.finish(problem.model_dump_json(), set_content_type="application/problem+json")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Give errors of Jupyter Server itself (login, XSRF, authorisation) the same shape."""
        cause = kwargs.get("exc_info", (None, None, None))[1]
        message = (
            cause.log_message if isinstance(cause, web.HTTPError) else None
        ) or "The Jupyter server refused this."
        problem = {
            "type": "about:blank", "status": status_code, "code": f"jupyter_{status_code}", "message": message,
            "hint": "Reload the page and log in again; if it stays, restart your server.", "where": None, "request_id": None,
        }  # fmt: skip
        self.finish(json.dumps(problem), set_content_type="application/problem+json")


@web.stream_request_body
class PlatformHandler(ProblemHandler):
    """Forwards one request. Bodies up are limited before they are read; answers down are streamed, whatever their size."""

    auth_resource = "retinue"
    _passing: asyncio.Future[None] | None = None

    async def prepare(self) -> None:  # type: ignore[override]  # as APIHandler itself does
        """Check the caller, and keep a refusal until the body is read."""
        # closing before that resets the connection, and a browser shows a network error instead of the reason
        self._body = bytearray()
        self._refusal: Exception | None = None
        try:
            await super().prepare()
        except web.HTTPError as error:
            self._refusal = error
        if not self.current_user:
            self._refusal = self._refusal or web.HTTPError(403)

    def data_received(self, chunk: bytes) -> None:
        """Collect the body of a caller we know, up to the limit."""
        if self._refusal is None:
            self._body += chunk
            if len(self._body) > MAX_BODY:
                self._refusal = BodyTooLargeError(f"The request is larger than {MAX_BODY // 2**20} MiB.")
                self._body.clear()

    @web.authenticated
    @authorized
    async def get(self, _path: str) -> None:
        """Pass a GET, for as long as the browser is there: what is made for it ends with it."""
        self._passing = asyncio.ensure_future(self._forward())
        await asyncio.wait({self._passing})
        if not self._passing.cancelled():
            self._passing.result()

    def on_connection_close(self) -> None:
        """The browser went away."""
        super().on_connection_close()  # or who waits for the rest of a body waits for ever
        if self._passing is not None:
            self._passing.cancel()

    @web.authenticated
    @authorized
    async def post(self, _path: str) -> None:
        """Pass a POST."""
        await self._forward()

    @web.authenticated
    @authorized
    async def put(self, _path: str) -> None:
        """Pass a PUT."""
        await self._forward()

    @web.authenticated
    @authorized
    async def patch(self, _path: str) -> None:
        """Pass a PATCH."""
        await self._forward()

    @web.authenticated
    @authorized
    async def delete(self, _path: str) -> None:
        """Pass a DELETE."""
        await self._forward()

    async def _forward(self) -> None:
        try:
            if self._refusal is not None:
                raise self._refusal
            await self._exchange()
        except RetinueError as error:
            self.problem(error.problem)
        except httpx.HTTPError as error:
            if self._headers_written:  # half an answer is out: a short body is the only honest sign left
                self.log.warning("the platform broke off an answer: %s", type(error).__name__)
                self.detach().close()
                return
            self.problem(PlatformUnreachableError(f"The platform does not answer ({type(error).__name__}).").problem)
        except StreamClosedError:
            self.log.debug("the browser went away")

    async def _exchange(self) -> None:
        platform: Platform = self.settings["retinue_platform"]
        raw = self.request.path.split("/retinue/api/", 1)[1]  # as the browser wrote it: tornado decodes its own copy
        query = urlencode([p for p in parse_qsl(self.request.query, keep_blank_values=True) if p[0] not in CREDENTIALS])
        url = platform.address(raw, query)
        headers = {name: self.request.headers[name] for name in REQUEST_HEADERS if name in self.request.headers}
        headers |= {"Authorization": f"token {platform.token_of(self)}", "Accept-Encoding": "identity"}
        method = self.request.method or "GET"
        content = None if method == "GET" else bytes(self._body)
        timeout = PATIENT if is_made(raw) else platform.client.timeout
        async with platform.client.stream(method, url, headers=headers, content=content, timeout=timeout) as answer:
            await self._relay(answer)

    async def _relay(self, answer: httpx.Response) -> None:
        self.set_status(answer.status_code)
        for name in RESPONSE_HEADERS:
            if name in answer.headers:
                self.set_header(name, answer.headers[name])
        self.set_header("X-Content-Type-Options", "nosniff")  # artifacts are a user's files on Jupyter's own origin
        kind = answer.headers.get("Content-Type", "application/octet-stream")
        async for chunk in answer.aiter_raw():
            self.write(chunk)
            await self.flush()
        if answer.status_code in (204, 304):
            self.clear_header("Content-Length")
        await self.finish(set_content_type=kind)
