"""`{base_url}retinue/ws`: one socket of the platform per page, with the requesting user's token. Holds no state."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any
from urllib.parse import urlsplit

from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from jupyter_server.extension.handler import ExtensionHandlerMixin
from jupyter_server.utils import origin_matches_pat
from tornado.websocket import WebSocketClosedError, WebSocketHandler
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from retinue_lab.platform import Platform, PlatformUnreachableError
from retinue_sdk.errors import RetinueError, from_problem

MAX_FRAME = 16 * 2**20
POLICY, TRY_LATER = 1008, 1013  # WebSocket close codes: not allowed; not now


class StreamHandler(ExtensionHandlerMixin, WebSocketMixin, WebSocketHandler, JupyterHandler):
    """Joins a browser's socket and the platform's; when either side closes, the other does."""

    auth_resource = "retinue"
    _upstream: ClientConnection | None = None
    _pump: asyncio.Task[None] | None = None

    @ws_authenticated
    @authorized
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Upgrade, for users who may read."""
        await super().get(*args, **kwargs)

    def check_origin(self, origin: str | None = None) -> bool:
        """Allow this server's own pages. Cookies come with any page's socket, so a `*` in the configuration is not enough."""
        origin = origin or self.get_origin()
        if not origin:  # no browser: then it must have come with a token of its own
            return bool(self.identity_provider.is_token_authenticated(self))
        origin = origin.lower()
        if urlsplit(origin).netloc == self.request.headers.get("Host", "").lower():
            return True
        if self.allow_origin and self.allow_origin != "*":
            return bool(self.allow_origin.lower() == origin)
        return bool(self.allow_origin_pat and origin_matches_pat(self.allow_origin_pat, origin))

    async def open(self, *args: Any, **kwargs: Any) -> None:
        """Connect to the platform as the requesting user."""
        super().open(*args, **kwargs)
        platform: Platform = self.settings["retinue_platform"]
        try:
            url = platform.address("ws").replace("http", "ws", 1)
            headers = {"Authorization": f"token {platform.token_of(self)}"}
            self._upstream = await connect(
                url, additional_headers=headers, max_size=MAX_FRAME, open_timeout=10, close_timeout=2, proxy=None
            )
        except InvalidStatus as error:
            self._refuse(_refusal(error), POLICY if error.response.status_code in (401, 403) else TRY_LATER)
        except (OSError, TimeoutError, InvalidHandshake) as error:
            self._refuse(PlatformUnreachableError(f"The platform does not answer ({type(error).__name__})."), TRY_LATER)
        except RetinueError as error:
            self._refuse(error, TRY_LATER)
        else:
            self._pump = asyncio.create_task(self._down(self._upstream))

    async def on_message(self, message: str | bytes) -> None:
        """Pass a frame up; the next one is read when this one is sent."""
        if self._upstream is not None:
            with contextlib.suppress(ConnectionClosed):  # the pump down closes the browser's side
                await self._upstream.send(message)

    def on_close(self) -> None:
        """Close the platform's side when the browser has gone."""
        super().on_close()
        if self._pump is not None:
            self._pump.cancel()

    async def _down(self, upstream: ClientConnection) -> None:
        code, reason = TRY_LATER, "the platform closed the connection"
        try:
            async for frame in upstream:
                await self.write_message(frame, binary=isinstance(frame, bytes))
        except ConnectionClosed as error:
            if error.rcvd is not None and error.rcvd.code != 1006:
                code, reason = error.rcvd.code, error.rcvd.reason
        except WebSocketClosedError:
            pass
        finally:
            self.close(code, reason)
            await upstream.close()

    def _refuse(self, error: RetinueError, code: int) -> None:
        frame = {"topic": None, "type": "error", "problem": error.problem.model_dump(mode="json")}
        with contextlib.suppress(WebSocketClosedError):
            self.write_message(json.dumps(frame))
        self.close(code, error.problem.code)


def _refusal(error: InvalidStatus) -> RetinueError:
    """What the platform said when it refused the upgrade."""
    try:
        return from_problem(json.loads(error.response.body or b""))
    except ValueError:
        return PlatformUnreachableError(f"The platform refused the live connection ({error.response.status_code}).")
