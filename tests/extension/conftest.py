"""Real Jupyter servers with the extension, before a small real upstream."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.trainers.harness import plain_client

TOKEN = "jupyter-login-token"
OTHERS = ("jupyterlab", "jupyter_lsp", "jupyter_server_terminals", "notebook_shim")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, process, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert process.poll() is None, "the process ended"
        time.sleep(0.05)
    raise AssertionError("nothing listens")


@contextlib.contextmanager
def ended(process):
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


class JupyterServer:
    """A `jupyter server` process with the extension. `base` is below a prefix, as on a hub."""

    def __init__(self, folder, url, config=None, **environment):
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.base = f"http://{self.host}/user/alice"
        self.root = folder
        folder.mkdir()
        settings = {
            "ServerApp": {
                "jpserver_extensions": {"retinue_lab": True, **dict.fromkeys(OTHERS, False)},
                "base_url": "/user/alice/",
                "port": self.port,
                "port_retries": 0,
                "open_browser": False,
                "allow_root": True,
                "allow_unauthenticated_access": False,
                "root_dir": str(folder),
                **(config or {}),
            },
            "IdentityProvider": {"token": TOKEN},
        }
        (folder / "jupyter_server_config.json").write_text(json.dumps(settings))
        own = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "RETINUE"))}
        environment = {name: value for name, value in environment.items() if value is not None}
        self.log = (folder / "log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server"],
            cwd=folder,
            stdout=self.log,
            stderr=self.log,
            env={
                **own,
                "JUPYTER_CONFIG_DIR": str(folder),
                "JUPYTER_NO_CONFIG": "",
                "JUPYTER_PREFER_ENV_PATH": "0",
                "JUPYTER_DATA_DIR": str(folder / "data"),
                "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
                "PYTHONPATH": str(Path.cwd()),
                **({"RETINUE_URL": url} if url else {}),
                **environment,
            },
        )
        wait_for_port(self.port, self.process)

    def client(self, token=TOKEN):
        headers = {"Authorization": f"token {token}"} if token else {}
        return plain_client(base_url=f"{self.base}/retinue/api", headers=headers, timeout=20)

    @property
    def socket(self):
        return f"ws://{self.host}/user/alice/retinue/ws"

    def close(self):
        self.process.terminate()
        self.process.wait(15)
        self.log.seek(0)
        text = self.log.read()
        self.log.close()
        return text


@pytest.fixture(scope="session")
def upstream():
    """Address of a real small platform."""
    port = free_port()
    with ended(subprocess.Popen([sys.executable, "-m", "tests.extension.upstream", str(port)])) as process:
        wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}/services/retinue"


@pytest.fixture(scope="session")
def start(tmp_path_factory):
    """Starts Jupyter servers of a test's own."""
    servers = []

    def start_server(url, **kwargs):
        server = JupyterServer(tmp_path_factory.mktemp("jupyter") / "home", url, **kwargs)
        servers.append(server)
        return server

    yield start_server
    logs = [server.close() for server in servers]
    for log in logs:
        assert "Traceback" not in log, log
        assert "JupyterServerAuthWarning" not in log, log


@pytest.fixture(scope="session")
def server(start, upstream):
    """A server outside a hub: its environment's token is the user's."""
    return start(upstream, JUPYTERHUB_API_TOKEN="alice-token")


@pytest.fixture(scope="session")
def shared_server(start, upstream):
    """Alice's server as on a hub, which a guest may use too."""
    config = {"identity_provider_class": "tests.extension.hublike.HubLikeIdentityProvider"}
    return start(upstream, config=config, JUPYTERHUB_API_TOKEN="owner-token", JUPYTERHUB_SERVICE_PREFIX="/user/alice/")


@pytest.fixture(scope="session")
def lonely_server(start):
    """A server whose platform is not there."""
    return start("http://127.0.0.1:9/services/retinue", JUPYTERHUB_API_TOKEN="alice-token")
