"""Downloads the file that a person names by URL, without becoming their way into the operator's network.

Off until the operator lists hosts. Every request, a redirect's too, is checked anew: scheme, host and port are on the
list; the name is resolved once; all its addresses are public, or the operator's exceptions; and the connection goes to
the address that was checked. No proxy, no credentials and no kept connection take part.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import httpx

from retinue_sdk.disk import check_room, full_disk
from retinue_sdk.errors import DataError, ForbiddenError
from retinue_sdk.fetch_policy import Policy, shown

CHUNK = 1 << 20
ADDRESSES = 4  # of one name that are tried
__all__ = ["Fetched", "Policy", "fetch", "resolve"]

Progress = Callable[[float], None]
Resolve = Callable[[str, int], list[str]]


@dataclass(frozen=True)
class Fetched:
    """A file that was downloaded."""

    name: str  # the last part of the URL
    size: int


class FetchError(DataError):
    """A file that cannot be had from where it is."""

    code, hint = "fetch_failed", "Check the URL in a browser without a login, or upload the file."


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, each once, in the system's order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def fetch(
    url: str, target: Path, policy: Policy, progress: Progress | None = None, resolver: Resolve = resolve
) -> Fetched:
    """Download `url` into `target`, which appears when it is whole. Not to be called where an event loop runs."""
    admitted = policy.admit(url)
    return asyncio.run(_fetch(admitted, target, policy, progress or (lambda _: None), resolver))


async def _fetch(url: httpx.URL, target: Path, policy: Policy, progress: Progress, resolver: Resolve) -> Fetched:
    try:
        async with asyncio.timeout(policy.seconds), _client(policy, resolver) as client:
            size = await _download(client, url, target, policy, progress)
    except (TimeoutError, httpx.TimeoutException) as error:
        limit = f"{policy.idle_seconds:g} seconds without a byte, {policy.seconds:g} in all"
        raise FetchError(
            f"The server is too slow (the limits are {limit}).", where=shown(url), code="fetch_timeout"
        ) from error
    except httpx.RemoteProtocolError as error:
        raise FetchError(
            "The server ended before the file did, or speaks no HTTP.", where=shown(url), code="fetch_incomplete"
        ) from error
    except (httpx.HTTPError, ssl.SSLError) as error:
        raise FetchError("The server cannot be reached, or has no valid certificate.", where=shown(url)) from error
    return Fetched(PurePosixPath(url.path).name or "download", size)


def _client(policy: Policy, resolver: Resolve) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=_Guarded(policy, resolver),
        trust_env=False,  # neither its proxies nor its .netrc
        timeout=httpx.Timeout(policy.idle_seconds),
        headers={"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "retinue"},
    )


class _Guarded(httpx.AsyncBaseTransport):
    """Lets a request through to the address that was checked, or not at all."""

    def __init__(self, policy: Policy, resolver: Resolve) -> None:
        self._policy, self._resolver = policy, resolver
        # a connection that was kept would be used for another name on the same address, unchecked
        limits = httpx.Limits(max_keepalive_connections=0)
        self._inner = httpx.AsyncHTTPTransport(ssl.create_default_context(), trust_env=False, limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._policy.check(request.url)
        addresses = await self._addresses(request.url)
        for address in addresses[:ADDRESSES]:
            try:
                return await self._inner.handle_async_request(_pinned(request, address))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                last = error
        raise last

    async def _addresses(self, url: httpx.URL) -> list[str]:
        host = url.raw_host.decode("ascii")
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            found = await asyncio.to_thread(self._resolver, host, port)
        except (OSError, UnicodeError) as error:
            raise FetchError("The server's name is not known.", where=shown(url)) from error
        if not found or not all(map(self._policy.opens, found)):
            raise ForbiddenError(
                "The server's address is not a public one.",
                code="fetch_address_refused",
                hint="Upload the file, or ask your administrator to open that network.",
                where=shown(url),
            )
        return found

    async def aclose(self) -> None:
        await self._inner.aclose()


def _pinned(request: httpx.Request, address: str) -> httpx.Request:
    """The same request to an address; TLS and the Host header still go by the name."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.raw_host.decode("ascii")},
    )


async def _download(client: httpx.AsyncClient, url: httpx.URL, target: Path, policy: Policy, progress: Progress) -> int:
    request = client.build_request("GET", url)
    for _ in range(policy.redirects + 1):
        response = await client.send(request, stream=True)
        try:
            if response.next_request is None:
                return await _save(response, target, policy, progress)
        finally:
            await response.aclose()
        client.cookies.clear()
        request = client.build_request("GET", response.next_request.url)  # nothing of the last one goes along
    raise FetchError(
        f"The server sends us on more than {policy.redirects} times.", where=shown(url), code="fetch_redirects"
    )


async def _save(response: httpx.Response, target: Path, policy: Policy, progress: Progress) -> int:
    if response.status_code != 200:
        raise FetchError(f"The server answers {response.status_code}.", where=shown(response.request.url))
    declared = int(response.headers.get("Content-Length", "0"))
    _check_size(declared, policy, response.request.url)
    check_room(target.parent, declared)
    part = target.with_name(f".{target.name}.part")
    done = 0
    try:
        with full_disk(target.parent), part.open("wb") as file:
            async for chunk in response.aiter_raw(CHUNK):  # as sent: what a header says of its packing is not followed
                done += len(chunk)
                _check_size(done, policy, response.request.url)
                file.write(chunk)
                if declared:
                    progress(done / declared)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return done


def _check_size(size: int, policy: Policy, url: httpx.URL) -> None:
    if size > policy.max_bytes:
        raise FetchError(
            f"The file has more than {policy.max_bytes} bytes, which is the limit.",
            where=shown(url),
            code="fetch_too_large",
        )
