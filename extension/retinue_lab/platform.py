"""Where the platform is and as whom the browser's requests go there."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from jupyter_server.base.handlers import JupyterHandler

from retinue_sdk.errors import RetinueError, UnauthenticatedError


class PlatformNotConfiguredError(RetinueError):
    """Nobody told this Jupyter server where the platform is."""

    status, code = 503, "platform_not_configured"
    hint = (
        "Set RETINUE_URL for the Jupyter server, e.g. http://127.0.0.1:8003/services/retinue; on a hub the administrator "
        "sets it in c.Spawner.environment and you restart your server."
    )


class PlatformUnreachableError(RetinueError):
    """The platform does not answer."""

    status, code = 503, "platform_unreachable"
    hint = "Trainings go on without it. Wait a little and try again; if it stays, tell your administrator."


class BodyTooLargeError(RetinueError):
    """A request body over the limit."""

    status, code = 413, "body_too_large"
    hint = "Send files in chunks of at most 8 MiB."


class CrossOriginError(RetinueError):
    """A page of another site tried to open a socket."""

    status, code = 403, "cross_origin"
    hint = "Open this from the address the Jupyter server is reached at."


@dataclass(frozen=True)
class Platform:
    """The platform as seen from a Jupyter server. `token` is only set when the server runs outside a hub."""

    url: str
    token: str
    client: httpx.AsyncClient

    def address(self, path: str, query: str = "") -> str:
        """Absolute address of an API path (already percent-encoded)."""
        if not self.url:
            message = "This Jupyter server does not know where the Retinue platform is."
            raise PlatformNotConfiguredError(message)
        return f"{self.url}/api/v1/{path}" + (f"?{query}" if query else "")

    def token_of(self, handler: JupyterHandler) -> str:
        """Token of whoever made this request: never the server owner's for a guest on a shared server."""
        hub_auth = getattr(handler.identity_provider, "hub_auth", None)
        token = self.token if hub_auth is None else hub_auth.get_token(handler)
        if not token:
            raise UnauthenticatedError(
                "There is no token to speak to the platform with.",
                hint="Log out of the hub and in again; outside a hub, set JUPYTERHUB_API_TOKEN for the Jupyter server.",
            )
        return str(token)
