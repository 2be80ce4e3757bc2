"""Where the platform is and who asks: one session per kernel, made from the environment of a notebook server."""

from __future__ import annotations

import os
from typing import Any, ClassVar, Self

from retinue_sdk.client import Client
from retinue_sdk.errors import BadRequestError, NotFoundError


class Session:
    """A connection to the platform, and the project that short commands mean."""

    _current: ClassVar[Session | None] = None

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self.client = Client(self.url + "/api/v1", token)
        self._project: str | None = os.environ.get("RETINUE_PROJECT")

    @classmethod
    def open(cls, url: str | None = None, token: str | None = None) -> Self:
        """Connect with what is given, else with the notebook server's own settings; becomes the kernel's session.

        Raises
        ------
        BadRequestError
            When neither an address nor a token is known.
        """
        url = url or os.environ.get("RETINUE_URL")
        token = token or os.environ.get("JUPYTERHUB_API_TOKEN")
        if not url or not token:
            missing = "address" if not url else "token"
            raise BadRequestError(
                f"No {missing} of the platform is known.",
                code="platform_not_configured",
                hint="Open this notebook on a JupyterHub with Retinue, or pass connect(url=..., token=...); a token comes "
                "from the hub's page /hub/token.",
                where="RETINUE_URL" if not url else "JUPYTERHUB_API_TOKEN",
            )
        session = cls(url, token)
        Session._current = session
        return session

    @classmethod
    def current(cls) -> Session:
        """The kernel's session, opened from the environment when there is none yet."""
        return Session._current or cls.open()

    def get(self, path: str, **params: Any) -> Any:
        """The JSON answer of a GET."""
        return self.client.get(path, **params)

    def project(self, name: str | None = None) -> dict[str, Any]:
        """The project of this name or id, by default the one chosen before, or the only one there is."""
        projects: list[dict[str, Any]] = self.get("/projects")
        wanted = name or self._project
        if wanted is None and len(projects) == 1:
            return projects[0]
        for project in projects:
            if wanted is not None and wanted.casefold() in (project["id"], project["name"].casefold()):
                return project
        names = ", ".join(p["name"] for p in projects) or "none yet"
        raise NotFoundError(
            f"There is no project {wanted!r} that you can see." if wanted else "Which project?",
            code="project_unknown",
            hint=f"Choose one with `%retinue use NAME` or connect(project=NAME); yours: {names}. Make one with `%retinue create NAME`.",
        )

    def use(self, name: str) -> dict[str, Any]:
        """Make this project the one that short commands mean."""
        project = self.project(name)
        self._project = project["id"]
        return project
