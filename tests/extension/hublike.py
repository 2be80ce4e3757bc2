"""What a hub may configure: an identity provider that knows each request's own token, the owner's and a guest's; an authorizer."""

from types import SimpleNamespace

from jupyter_server.auth import Authorizer, IdentityProvider, User

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


class NoFilesForNobody(Authorizer):
    """Lets everyone do everything, but `nobody` read files."""

    def is_authorized(self, handler, user, action, resource):
        return (user.username, resource) != ("nobody", "contents")
