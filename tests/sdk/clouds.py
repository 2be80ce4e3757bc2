"""Google Cloud Storage and Azure Blob Storage, as far as reading needs them: small honest servers of objects in memory.

They answer what their real drivers ask over HTTP: lists below a prefix in pages, properties, ranges, and refusals.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE = 3  # objects listed at once, so that every list has several pages


class _Objects(BaseHTTPRequestHandler):
    """Objects of one bucket, `sets`, by name. What begins with `closed` is for others."""

    protocol_version = "HTTP/1.1"
    objects: Mapping[str, bytes]

    def log_message(self, *_: object) -> None:
        """Nothing is written about a request."""

    def do_GET(self) -> None:
        """Answer by the path and the query."""
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.answer(parts.path, asked)

    do_HEAD = do_GET  # noqa: N815

    def answer(self, path: str, asked: dict[str, str]) -> None:
        """One request."""
        raise NotImplementedError

    def page(self, prefix: str, marker: str) -> tuple[list[str], str]:
        """The names of a page, and where the next one begins; empty at the end."""
        names = [name for name in sorted(self.objects) if name.startswith(prefix) and name >= marker]
        return names[:PAGE], names[PAGE] if len(names) > PAGE else ""

    def send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """The whole answer, but for its body when only the head was asked for."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def send_range(self, content: bytes, asked: str | None, headers: Mapping[str, str]) -> None:
        """The bytes asked for, or 416 where there are none."""
        if asked is None:
            return self.send(200, content, headers)
        first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", asked).groups()  # type: ignore[union-attr]
        part = content[int(first) : int(last) + 1 if last else None]
        if not part:
            return self.send(416, b"", {"x-ms-error-code": "InvalidRange"})
        place = f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}"
        return self.send(206, part, {**headers, "Content-Range": place})


class Google(_Objects):
    """The JSON API: https://cloud.google.com/storage/docs/json_api/v1."""

    def answer(self, path: str, asked: dict[str, str]) -> None:
        """Lists, properties and contents of objects."""
        found = re.fullmatch(r"(/download)?/storage/v1/b/sets/o(?:/(.+))?", path)
        if found is None:
            return self.refuse(404)
        name = unquote(found[2] or "")
        if (name or asked.get("prefix", "")).startswith("closed"):
            return self.refuse(401)
        if not name:
            names, following = self.page(asked.get("prefix", ""), asked.get("pageToken", ""))
            return self.json(
                {
                    "kind": "storage#objects",
                    "items": list(map(self.described, names)),
                    "nextPageToken": following or None,
                }
            )
        if name not in self.objects:
            return self.refuse(404)
        if asked.get("alt") == "media":
            return self.send_range(self.objects[name], self.headers["Range"], {})
        return self.json(self.described(name))

    def described(self, name: str) -> dict[str, str]:
        """An object's properties."""
        return {
            "kind": "storage#object", "bucket": "sets", "name": name, "size": str(len(self.objects[name])),
            "generation": "1", "updated": "2026-01-01T00:00:00.000Z", "timeCreated": "2026-01-01T00:00:00.000Z",
        }  # fmt: skip

    def json(self, body: object, status: int = 200) -> None:
        """An answer."""
        self.send(status, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def refuse(self, status: int) -> None:
        """An error as Google sends it."""
        self.json({"error": {"code": status, "message": "refused", "errors": [{"message": "refused"}]}}, status)


class Azure(_Objects):
    """The blob service: https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api."""

    def answer(self, path: str, asked: dict[str, str]) -> None:
        """Lists, properties and contents of blobs."""
        found = re.fullmatch(r"/lab/sets(?:/(.+))?", path)
        name = unquote(found[1] or "") if found else ""
        headers = {"Last-Modified": formatdate(0, usegmt=True), "ETag": '"1"', "x-ms-blob-type": "BlockBlob"}
        if not self.headers.get("Authorization", "").startswith("SharedKey lab:"):
            self.refuse(403, "AuthenticationFailed")
        elif (name or asked.get("prefix", "")).startswith("closed"):
            self.refuse(403, "AuthorizationPermissionMismatch")
        elif name in self.objects:
            self.send_range(self.objects[name], self.headers["x-ms-range"] or self.headers["Range"], headers)
        elif name or not found:
            self.refuse(404, "BlobNotFound" if found else "ContainerNotFound")
        elif asked.get("comp") == "list":
            self.listed(asked)
        else:
            self.send(200, b"", headers)

    def listed(self, asked: dict[str, str]) -> None:
        """A page, with what is below a delimiter as prefixes."""
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
        names, following = self.page(prefix, asked.get("marker", ""))
        entries, folders = [], []
        for name in names:
            folder, cut, _ = name[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            if cut:
                folders.append(f"{prefix}{folder}{cut}")
                continue
            entries.append(
                f"<Blob><Name>{escape(name)}</Name><Properties><Last-Modified>{formatdate(0, usegmt=True)}</Last-Modified>"
                f"<Etag>1</Etag><Content-Length>{len(self.objects[name])}</Content-Length>"
                "<Content-Type>application/octet-stream</Content-Type><BlobType>BlockBlob</BlobType></Properties></Blob>"
            )
        entries += [f"<BlobPrefix><Name>{escape(f)}</Name></BlobPrefix>" for f in dict.fromkeys(folders)]
        body = (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="http://127.0.0.1/lab" '
            f'ContainerName="sets"><Prefix>{escape(prefix)}</Prefix><Blobs>{"".join(entries)}</Blobs>'
            f"<NextMarker>{escape(following)}</NextMarker></EnumerationResults>"
        )
        self.send(200, body.encode(), {"Content-Type": "application/xml"})

    def refuse(self, status: int, code: str) -> None:
        """An error as Azure sends it."""
        body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>refused</Message></Error>'
        self.send(status, body.encode(), {"Content-Type": "application/xml", "x-ms-error-code": code})


@contextlib.contextmanager
def serving(kind: type[_Objects], objects: Mapping[str, bytes]) -> Iterator[str]:
    """The URL of a server of these objects."""
    handler = type(kind.__name__, (kind,), {"objects": objects})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def google(url: str) -> dict[str, str]:
    """The driver's options."""
    return {"endpoint_url": url}


def azure(url: str) -> dict[str, str]:
    """The driver's options."""
    key = base64.b64encode(b"of the operator").decode()
    return {"connection_string": f"AccountName=lab;AccountKey={key};BlobEndpoint={url}/lab;"}
