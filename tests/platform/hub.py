"""A small, honest stand-in for the hub: a real HTTP server that answers `/hub/api/user` for the tokens it gave out."""

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ACCESS = "access:services!service=retinue"
READ, WRITE, ADMIN = "custom:retinue:read", "custom:retinue:write", "custom:retinue:admin"


class StandInHub:
    def __init__(self):
        self.users = {}
        self.asked = 0
        self.status = 200  # of every answer, when not 200
        self.delay = threading.Event()
        self.delay.set()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                hub.asked += 1
                hub.delay.wait(5)
                user = hub.users.get(self.headers.get("Authorization", "").removeprefix("token "))
                status = hub.status if hub.status != 200 else (200 if user and self.path == "/hub/api/user" else 403)
                body = json.dumps(user if status == 200 else {"status": status, "message": "Forbidden"}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hub/api"

    def token(self, name, *scopes, kind="user", admin=False):
        """A new token; without scopes it has those of a logged-in user."""
        token = uuid.uuid4().hex
        self.users[token] = {
            "name": name,
            "kind": kind,
            "admin": admin,
            "token_id": f"a{len(self.users)}",
            "scopes": list(scopes or (ACCESS, READ, WRITE)),
        }
        return token

    def revoke(self, token):
        del self.users[token]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
