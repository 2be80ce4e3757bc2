"""A small real platform for the extension's tests: says what it was asked, streams, refuses, echoes frames.

`python -m tests.extension.upstream PORT`
"""

import asyncio
import hashlib
import json
import sys

from tornado import web, websocket
from tornado.httpserver import HTTPServer

PREFIX = "/services/retinue/api/v1"
GOOD_TOKENS = {"token alice-token", "token guest-token"}
PROBLEM = {
    "type": "about:blank", "status": 403, "code": "hub_scope_missing", "message": "The token lacks a scope.",
    "hint": "Log out and in again.", "where": None, "request_id": "r1",
}  # fmt: skip


class Echo(web.RequestHandler):
    """Answers with the request."""

    def _echo(self, path):
        self.set_header("X-Next-Offset", "42")
        self.set_header("X-Secret", "not for browsers")
        self.set_header("Set-Cookie", "upstream=1")
        self.write(
            {
                "method": self.request.method,
                "uri": self.request.uri,
                "headers": dict(self.request.headers.get_all()),
                "size": len(self.request.body),
                "sha256": hashlib.sha256(self.request.body).hexdigest(),
            }
        )

    get = post = put = patch = delete = _echo


class Big(web.RequestHandler):
    """Streams `size` bytes; breaks off after `stop` of them."""

    async def get(self):
        size, stop = int(self.get_argument("size")), int(self.get_argument("stop", "-1"))
        self.set_header("Content-Length", size)
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("Content-Disposition", 'attachment; filename="best.pt"')
        sent, piece = 0, b"x" * 2**18
        while sent < size:
            if 0 <= stop <= sent:
                self.request.connection.stream.close()
                return
            self.write(piece[: size - sent])
            await self.flush()
            sent += min(len(piece), size - sent)


class Slow(web.RequestHandler):
    """Answers nothing for as long as the caller is there; `left` says how many have gone."""

    left = 0

    async def get(self):
        if self.get_argument("left", ""):
            self.write(str(Slow.left))
            return
        self.gone = asyncio.Event()
        await self.gone.wait()

    def on_connection_close(self):
        Slow.left += 1
        self.gone.set()


class Refuse(web.RequestHandler):
    def get(self):
        self.set_status(403)
        self.set_header("Content-Type", "application/problem+json")
        self.write(json.dumps(PROBLEM))


class Socket(websocket.WebSocketHandler):
    """Says who came, then echoes; `close` closes with a code of its own; `closed` files how the last one ended."""

    closed = 0

    async def get(self, *args, **kwargs):
        if self.request.headers.get("Authorization") not in GOOD_TOKENS:
            self.set_status(403)
            self.set_header("Content-Type", "application/problem+json")
            await self.finish(json.dumps(PROBLEM))
            return
        await super().get(*args, **kwargs)

    def open(self):
        self.write_message(json.dumps({"hello": self.request.headers["Authorization"]}))

    def on_message(self, message):
        if message == "close":
            self.close(4000, "enough")
        elif message == "closed":
            self.write_message(str(Socket.closed))
        elif message == "flood":
            for number in range(20_000):
                self.write_message(f"{number}:{'x' * 200}")
        else:
            self.write_message(message)

    def on_close(self):
        Socket.closed += 1


async def main(port):
    app = web.Application(
        [
            (f"{PREFIX}/big", Big),
            (f"{PREFIX}/slow", Slow),
            (f"{PREFIX}/refuse", Refuse),
            (f"{PREFIX}/ws", Socket),
            (f"{PREFIX}/(.*)", Echo),
        ]
    )
    HTTPServer(app, max_body_size=20 * 2**20).listen(port, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
