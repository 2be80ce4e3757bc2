"""A web server that says what a test tells it to, byte by byte, and remembers what it was asked."""

import contextlib
import socketserver
import threading


class Web:
    """Listens on a free port of 127.0.0.1. `answers` are by path: the bytes, or a function that sends them."""

    def __init__(self, answers, tls=None):
        self.answers, self.asked = answers, []
        web = self

        class Handler(socketserver.StreamRequestHandler):
            def setup(self):
                if tls:
                    self.request = tls.wrap_socket(self.request, server_side=True)
                super().setup()

            def finish(self):
                super().finish()
                self.request.close()

            def handle(self):
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    line = self.rfile.readline()
                    if not line:
                        return
                    head += line
                web.asked.append(head.decode())
                answer = web.answers[head.split(b" ")[1].decode().partition("?")[0]]
                with contextlib.suppress(ConnectionError):
                    answer(self.wfile.write) if callable(answer) else self.wfile.write(answer)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                """A handshake that a client breaks off is what some tests want."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def answer(content=b"", status="200 OK", **headers):
    """An HTTP answer; the length is right unless a header says otherwise."""
    headers = {"Content-Length": len(content), "Connection": "close"} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items() if value is not None)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def moved(to):
    """A redirect."""
    return answer(b"", "302 Found", Location=to)
