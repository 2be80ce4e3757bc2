"""What may be fetched: hosts by name, and which addresses a name may have."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import cached_property

import httpx

from retinue_sdk.errors import DataError, ForbiddenError

# Taken for public by some version of `ipaddress`; each leads to an address inside of it, or to nowhere.
CLOSED = [
    ipaddress.ip_network(n)
    for n in (
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "192.0.0.0/24",
        "192.88.99.0/24",
    )
]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Policy:
    """What may be fetched. Wrong entries are a ValueError at once."""

    hosts: tuple[str, ...] = ()  # HOST, *.DOMAIN, HOST:PORT or http://HOST:PORT; https where nothing is said
    networks: tuple[str, ...] = ()  # not public and may be reached all the same, as 10.1.0.0/16
    max_bytes: int = 50 << 30
    seconds: float = 3600  # for all of it
    idle_seconds: float = 30  # without a byte
    redirects: int = 5

    def __post_init__(self) -> None:
        if not all(url.host and url.scheme in {"http", "https"} for url in self._hosts):
            raise ValueError("a host is empty, or its scheme is not http or https")
        _ = self._networks

    @cached_property
    def _hosts(self) -> list[httpx.URL]:
        try:
            return [httpx.URL(host if "://" in host else f"https://{host}") for host in self.hosts]
        except httpx.InvalidURL as error:
            raise ValueError(f"a host cannot be read: {error}") from error

    @cached_property
    def _networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        return [ipaddress.ip_network(network) for network in self.networks]

    def admit(self, text: str) -> httpx.URL:
        """The URL, if it may be fetched. Nothing is asked of anybody.

        Raises
        ------
        ForbiddenError
            `fetch_off` where no host is listed, `fetch_host_refused` where this one is not.
        DataError
            `fetch_url_invalid` when it is none, or holds a name or password.
        """
        if not self.hosts:
            raise ForbiddenError(
                "Imports from a URL are off.",
                code="fetch_off",
                hint="Upload the file, or ask your administrator to list the host it comes from.",
            )
        try:
            url = httpx.URL(text)
        except httpx.InvalidURL as error:
            hint = "Write it as https://host/path."
            raise DataError("This is not a URL.", code="fetch_url_invalid", hint=hint, where="source") from error
        self.check(url)
        return url

    def check(self, url: httpx.URL) -> None:
        """Refuse a URL that may not be fetched."""
        if url.userinfo:
            raise DataError(
                "The URL holds a name or password.",
                code="fetch_url_invalid",
                hint="Only files that need no login can be fetched; upload this one.",
                where=shown(url),
            )
        if not self.lists(url):
            raise ForbiddenError(
                "Files are not fetched from there.",
                code="fetch_host_refused",
                hint=f"These are open: {', '.join(self.hosts)}. Upload the file, or ask your administrator for more.",
                where=shown(url),
            )

    def lists(self, url: httpx.URL) -> bool:
        """Whether the operator has listed this URL's scheme, host and port."""
        return any(
            (url.scheme, url.port) == (listed.scheme, listed.port)
            and (url.host == listed.host or (listed.host.startswith("*.") and url.host.endswith(listed.host[1:])))
            for listed in self._hosts
        )

    def opens(self, address: str) -> bool:
        """Whether this address may be connected to."""
        number: Address = ipaddress.ip_address(address)
        number = getattr(number, "ipv4_mapped", None) or number
        if any(number in network for network in self._networks):
            return True
        odd = number.is_multicast or number.is_reserved or getattr(number, "is_site_local", False)
        return number.is_global and not odd and not any(number in network for network in CLOSED)


def without_secrets(url: httpx.URL) -> str:
    """A URL without what may be secret in it: a password, a signature."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))


def shown(url: httpx.URL) -> str:
    """The same as it is told in a problem."""
    return without_secrets(url)[:200]
