"""Who is calling, as the hub says, and whether their token may use this service at all.

`Gate` stands before every route, known or not: only the addresses it is given as public pass without a token. What a
caller may do in which project is decided in `access`.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import httpx
from fastapi import Depends
from fastapi.requests import HTTPConnection
from starlette.datastructures import Headers

from retinue_sdk.errors import ForbiddenError, NotFoundError, RetinueError, UnauthenticatedError, UnavailableError
from retinue_sdk.http import problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

CACHE_SECONDS = 30.0
RETRY_SECONDS = 5
READ, WRITE, ADMIN = "custom:retinue:read", "custom:retinue:write", "custom:retinue:admin"
_HEADER = re.compile(r"(?:bearer|token)\s+([!-~]{1,1024})\s*", re.IGNORECASE)
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Identity:
    """The caller. `admin` comes from our own scope alone, never from the hub's `admin` flag."""

    name: str
    scopes: frozenset[str]
    token_id: str | None

    @property
    def admin(self) -> bool:
        """An administrator of the platform: sees every project as its owner."""
        return ADMIN in self.scopes


class Hub:
    """Asks the hub whose token it is; remembers the answer for 30 s, and asks once for callers that come together."""

    def __init__(self, api_url: str, service: str, *, cache_size: int = 10_000) -> None:
        self._cache_size = cache_size
        self._client = httpx.AsyncClient(base_url=api_url, timeout=5.0, trust_env=False)
        self._access = ("access:services", f"access:services!service={service}")
        self._known: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Identity]] = {}

    async def identify(self, authorization: str | None, *, fresh: bool = False) -> Identity:
        """The identity behind an Authorization header; `fresh` asks the hub whatever is remembered."""
        match = _HEADER.fullmatch(authorization or "")
        if not match:
            raise UnauthenticatedError("There is no token in the Authorization header.")
        token = match[1]
        key = hashlib.sha256(token.encode()).digest()  # a dump of this process's memory shows no token of the cache
        if fresh:
            return await self._ask(token, key)
        expires, identity = self._known.get(key, (0.0, None))
        if identity is not None and time.monotonic() < expires:
            return identity
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(token, key))
            task.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(task)  # a caller that hangs up takes the answer from nobody else

    def require_scope(self, identity: Identity, scope: str) -> None:
        """Raise `hub_scope_missing` unless the token may use this service, and in this way."""
        if not identity.scopes.intersection(self._access):
            missing = self._access[1]
        elif scope not in identity.scopes:
            missing = scope
        else:
            return
        raise ForbiddenError(
            f"The token lacks the JupyterHub scope {missing}.",
            code="hub_scope_missing",
            hint="Log out of the hub and in again and restart your server; if it stays, ask your administrator "
            "whether your role has this scope.",
            where=missing,
        )

    async def close(self) -> None:
        """Close the connections to the hub."""
        await self._client.aclose()

    def _answered(self, key: bytes, task: asyncio.Task[Identity]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # taken here too, in case every caller has hung up

    async def _ask(self, token: str, key: bytes) -> Identity:
        asked = time.monotonic()
        self._known.pop(key, None)
        identity = await self._answer(token)
        self._known[key] = (asked + CACHE_SECONDS, identity)
        while len(self._known) > self._cache_size:
            self._known.popitem(last=False)
        return identity

    async def _answer(self, token: str) -> Identity:
        try:
            response = await self._client.get("/user", headers={"Authorization": f"token {token}"})
            if response.status_code in (401, 403):
                raise UnauthenticatedError("The hub does not know this token.")
            response.raise_for_status()
            user: Any = response.json()
            name, kind, scopes = user["name"], user["kind"], frozenset(user["scopes"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise UnavailableError(
                "JupyterHub does not answer, so nobody can be recognised now.",
                code="hub_unreachable",
                hint="Running trainings go on. Wait a little and try again.",
            ) from error
        if kind != "user":  # a service named like a person must not be taken for them
            raise ForbiddenError(
                "This token belongs to a service, not to a person.",
                code="user_required",
                hint="Use a token of a user.",
            )
        return Identity(str(name), scopes, user.get("token_id"))


class Gate:
    """Lets nothing in without a token that may use the service, before its body is read or its address looked up."""

    def __init__(self, app: ASGIApp, *, hub: Hub, public: frozenset[str]) -> None:
        self.app = app
        self.hub = hub
        self.public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit, or answer with the refusal."""
        if scope["type"] in ("http", "websocket") and scope["path"] not in self.public:
            try:
                scope["state"]["caller"] = await self._admit(scope)
            except RetinueError as error:
                headers = {"Retry-After": str(RETRY_SECONDS)} if error.problem.status == 503 else None
                await problem_response(error, scope["state"].get("request_id"), headers)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _admit(self, scope: Scope) -> Identity:
        method, path = scope.get("method", "GET"), scope["path"]
        destructive = method == "DELETE" or (method not in _READING and "/members/" in path)
        caller = await self.hub.identify(Headers(scope=scope).get("authorization"), fresh=destructive)
        scope["state"]["caller"] = caller  # a refusal for want of scope is still somebody's
        self.hub.require_scope(caller, READ if method in _READING else WRITE)
        if not path.isprintable():
            raise NotFoundError("There is nothing at this address.")
        return caller


def _caller(connection: HTTPConnection) -> Identity:
    identity: Identity = connection.state.caller
    return identity


Caller = Annotated[Identity, Depends(_caller)]


def require_admin(caller: Identity) -> None:
    """Raise `hub_scope_missing` unless the caller is an administrator of the platform."""
    if not caller.admin:
        raise ForbiddenError(
            f"This needs the JupyterHub scope {ADMIN}.",
            code="hub_scope_missing",
            hint="Only administrators have it, and only in a token asked for at the hub's token page.",
            where=ADMIN,
        )
