"""The extension application: configuration, the three routes, and the HTTP client they share."""

from __future__ import annotations

import os
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx
from jupyter_server.extension.application import ExtensionApp
from traitlets import Unicode, default

from retinue_lab.files import FilesHandler
from retinue_lab.handlers import PlatformHandler
from retinue_lab.platform import Platform
from retinue_lab.stream import StreamHandler


class RetinueLab(ExtensionApp):
    """Passes the browser's requests to the Retinue platform with the requesting user's own token."""

    name = "retinue_lab"
    load_other_extensions = True
    url = Unicode(help="Base address of the platform with its prefix. Default: RETINUE_URL.", config=True)
    token = Unicode(help="Token used when this server runs outside a hub. Default: JUPYTERHUB_API_TOKEN.", config=True)

    @default("url")
    def _default_url(self) -> str:
        return os.environ.get("RETINUE_URL", "")

    @default("token")
    def _default_token(self) -> str:
        return os.environ.get("JUPYTERHUB_API_TOKEN", "")

    def initialize_settings(self) -> None:
        """Put what the handlers need into the settings of the server."""
        # The address is inside the deployment; a proxy from the user's environment must never see the token.
        client = httpx.AsyncClient(
            timeout=httpx.Timeout(60, connect=5),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=8),
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # none is kept: the client is everyone's
        )
        under_hub = "JUPYTERHUB_SERVICE_PREFIX" in os.environ
        self.settings["retinue_platform"] = Platform(self.url.rstrip("/"), "" if under_hub else self.token, client)

    def initialize_handlers(self) -> None:
        """Add the routes; `base_url` is put before them."""
        self.handlers.extend(
            [
                (r"/retinue/api/(.*)", PlatformHandler),
                (r"/retinue/files", FilesHandler),
                (r"/retinue/ws", StreamHandler),
            ]
        )

    async def stop_extension(self) -> None:
        """Close the connections to the platform."""
        platform: Platform | None = self.settings.get("retinue_platform")
        if platform is not None:
            await platform.client.aclose()
