"""An identity provider that, like the hub's, knows each request's own token: the server's owner and a guest."""

from types import SimpleNamespace

from jupyter_server.auth import IdentityProvider, User

PEOPLE = {"token alice-token": "alice", "token guest-token": "guest", "token nobody-token": "nobody"}


class HubLikeIdentityProvider(IdentityProvider):
    hub_auth = SimpleNamespace(
        get_token=lambda handler: handler.request.headers.get("Authorization", "").removeprefix("token ")
    )

    def get_user(self, handler):
        name = PEOPLE.get(handler.request.headers.get("Authorization", ""))
        handler._token_authenticated = name is not None
        return User(name) if name else None

    def is_token_authenticated(self, handler):
        return bool(getattr(handler, "_token_authenticated", False))
