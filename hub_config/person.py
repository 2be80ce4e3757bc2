"""A person at the hub, as their browser acts: forms, cookies and XSRF tokens. Used by the demo and the hub tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import httpx
from websockets import Origin
from websockets.sync.client import ClientConnection, connect

from retinue_sdk.errors import UnavailableError, from_problem

PROBLEM_JSON = "application/problem+json"


class Person:
    """Someone with a login name and a password, at the hub under `url`."""

    def __init__(self, url: str, name: str, password: str) -> None:
        self.url, self.name, self.password = url.rstrip("/"), name, password
        self.client = httpx.Client(base_url=self.url, follow_redirects=True, trust_env=False, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.client.close()

    # --- the hub's pages ------------------------------------------------------------------------------------------------

    def sign_up(self) -> None:
        """Fill in the sign-up form."""
        self.client.get("/hub/signup").raise_for_status()
        form = {
            "username": self.name,
            "signup_password": self.password,
            "signup_password_confirmation": self.password,
        }
        self._post("/hub/signup", form)

    def log_in(self) -> None:
        """Fill in the login form; raises when the hub shows it again."""
        self.client.get("/hub/login").raise_for_status()
        answer = self._post("/hub/login?next=/hub/home", {"username": self.name, "password": self.password})
        if not answer.url.path.startswith("/hub/home"):
            message = f"The hub did not let {self.name} in."
            raise UnavailableError(message, code="login_failed", hint="An administrator lets people in.")

    def authorize(self, name: str) -> None:
        """Press the button beside a name on the administrator's page."""
        self.client.get("/hub/authorize").raise_for_status()
        self._post(f"/hub/authorize/{name}", {})

    def _post(self, path: str, form: dict[str, str]) -> httpx.Response:
        answer = self.client.post(path, data={**form, "_xsrf": self.xsrf("/hub/")})
        return answer if answer.status_code == httpx.codes.FORBIDDEN else answer.raise_for_status()

    def xsrf(self, path: str) -> str:
        """The XSRF token that the pages below `path` have set as a cookie."""
        values = [cookie.value for cookie in self.client.cookies.jar if cookie.name == "_xsrf" and cookie.path == path]
        return values[-1] or "" if values else ""

    # --- the hub's API --------------------------------------------------------------------------------------------------

    def hub(self, method: str, path: str, **body: Any) -> httpx.Response:
        """Call the hub's API as its own pages do."""
        headers = {"X-XSRFToken": self.xsrf("/hub/"), "Referer": f"{self.url}/hub/home", "Sec-Fetch-Mode": "cors"}
        return self.client.request(method, f"/hub/api/{path}", headers=headers, json=body or None)

    def token(self, *scopes: str) -> str:
        """A token of one's own, with all of one's scopes when none is named."""
        body = {"note": "made by Person", "expires_in": 86400} | ({"scopes": list(scopes)} if scopes else {})
        return str(self.hub("POST", f"users/{self.name}/tokens", **body).raise_for_status().json()["token"])

    def start_server(self, timeout: float = 120) -> None:
        """Start the Jupyter server and open Lab, which logs the browser in there."""
        self.hub("POST", f"users/{self.name}/server").raise_for_status()
        deadline = time.monotonic() + timeout
        while not self.hub("GET", f"users/{self.name}").json()["servers"].get("", {}).get("ready"):
            if time.monotonic() > deadline:
                message = f"The Jupyter server of {self.name} was not up after {timeout:.0f} s."
                raise UnavailableError(message, hint="The hub's log says why.")
            time.sleep(0.25)
        self.open_server(self.name)

    def open_server(self, owner: str) -> httpx.Response:
        """Open a server's page; the hub's OAuth pages are passed on the way, with a click where they ask for one."""
        answer = self.client.get(f"/user/{owner}/lab")
        if answer.url.path == "/hub/api/oauth2/authorize" and answer.is_success:
            form = {"_xsrf": self.xsrf("/hub/"), "scopes": self._asked(answer.text)}
            answer = self.client.post(answer.url, data=form, headers={"Referer": str(answer.url)})
        return answer

    @staticmethod
    def _asked(page: str) -> list[str]:
        """The scopes that the OAuth page asks consent for."""
        return [
            part.partition('"')[0] for part in page.split('name="scopes"')[1:] for part in part.split('value="')[1:2]
        ]

    def stop_server(self) -> None:
        """Stop the Jupyter server."""
        self.hub("DELETE", f"users/{self.name}/server").raise_for_status()

    # --- the platform, through hub proxy and Jupyter server ---------------------------------------------------------------

    def call(
        self, method: str, path: str, *, owner: str | None = None, headers: dict[str, str] | None = None, **kwargs: Any
    ) -> httpx.Response:
        """Call the platform the way the browser does: by the extension of one's own (or `owner`'s) server."""
        base = f"/user/{owner or self.name}/"
        sent = {"X-XSRFToken": self.xsrf(base), **(headers or {})}
        return self.client.request(method, f"{base}retinue/api/{path}", headers=sent, **kwargs)

    def api(self, method: str, path: str, **kwargs: Any) -> Any:
        """The same, with the answer's JSON; a refusal is raised as the error it stands for."""
        answer = self.call(method, path, **kwargs)
        if answer.headers.get("Content-Type", "").startswith(PROBLEM_JSON):
            raise from_problem(answer.json())
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def socket(self, owner: str | None = None) -> ClientConnection:
        """The live bridge of the Jupyter server."""
        path = f"/user/{owner or self.name}/retinue/ws"
        request = self.client.build_request("GET", path)
        headers = {"Cookie": request.headers.get("Cookie", "")}
        url = f"{self.url}{path}".replace("http", "ws", 1)
        return connect(url, origin=Origin(self.url), additional_headers=headers, proxy=None, max_size=None)


def wait_until(seconds: float, interval: float = 0.25) -> Iterator[None]:
    """Yields until the time is over: for waiting on what only asking can tell."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(interval)
