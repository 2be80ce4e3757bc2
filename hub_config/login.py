"""Sign-up and login: jupyterhub-nativeauthenticator, with what hub 6 and a public sign-up page need of it."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import bcrypt
from nativeauthenticator import NativeAuthenticator
from nativeauthenticator.handlers import DiscardHandler, LocalBase, ToggleAuthorizationHandler
from nativeauthenticator.orm import UserInfo
from tornado import web
from traitlets import Unicode

BCRYPT_LIMIT = 72  # bytes; bcrypt 5 raises beyond, which would be a 500


class PostOnly(LocalBase):  # type: ignore[misc] # the library has no types
    """A page that changes something answers POST with the XSRF token only: a link or an image must not do it."""

    action: ClassVar[Any]

    async def get(self, name: str) -> None:  # noqa: ARG002 - tornado passes it
        """Refuse what upstream accepts."""
        raise web.HTTPError(405)

    async def post(self, name: str) -> None:
        """Do what upstream does on GET, which checks the scope `admin:users`; an unknown name is 404, not 500."""
        if self.authenticator.get_user(name) is None:
            raise web.HTTPError(404)
        await type(self).action(self, name)


class Toggle(PostOnly):
    """Authorise a person, or take it back."""

    action = ToggleAuthorizationHandler.get


class Discard(PostOnly):
    """Throw away a sign-up that was not authorised."""

    action = DiscardHandler.get


class RetinueAuthenticator(NativeAuthenticator):  # type: ignore[misc] # the library has no types
    """Closed sign-up by default, an administrator made at the first start, the hub's own login page."""

    initial_admin = Unicode("admin", config=True, help="Login name of the administrator made at the first start.")
    initial_password = Unicode("", config=True, help="Its password, random, from a file under the data directory.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._create_admin()

    def _create_admin(self) -> None:
        """Before the first request: the name counts as authorised, so nobody else may sign up with it."""
        if not self.initial_password or self.user_exists(self.initial_admin):
            return
        encoded = bcrypt.hashpw(self.initial_password.encode(), bcrypt.gensalt())
        self.db.add(UserInfo(username=self.initial_admin, password=encoded, is_authorized=True))
        self.db.commit()

    def is_password_strong(self, password: str) -> bool:
        """Long enough, not common, and short enough for bcrypt."""
        return len(password.encode()) <= BCRYPT_LIMIT and bool(super().is_password_strong(password))

    async def authenticate(self, handler: Any, data: dict[str, str]) -> Any:
        """A password that nobody can have is wrong, not an error of ours."""
        if len(data.get("password", "").encode()) > BCRYPT_LIMIT:
            return None
        return await super().authenticate(handler, data)

    async def refresh_user(self, user: Any, handler: Any = None) -> bool:  # noqa: ARG002 - the hub's signature
        """Whoever is no longer authorised is logged out and their tokens stop working, not only at the next login."""
        info = self.get_user(user.name)
        return info is None or bool(info.is_authorized)

    def validate_username(self, username: str) -> bool:
        """The whole name must match: it becomes a folder and a part of URLs."""
        return bool(re.fullmatch(self.username_pattern, username)) and bool(super().validate_username(username))

    def get_handlers(self, app: Any) -> list[tuple[str, Any]]:
        """Without `/login` (upstream's needs what hub 6 no longer has), and nothing changed by a GET."""
        own = {r"/authorize/([^/]*)": Toggle, r"/discard/([^/]*)": Discard}
        return [(path, own.get(path, handler)) for path, handler in super().get_handlers(app) if path != "/login"]
