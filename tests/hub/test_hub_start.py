"""The embedded hub as `start.py` starts it: who gets in, with which rights, and that nothing is left of it."""

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest
from hub_config.keys import key
from hub_config.person import Person, wait_until
from hub_config.processes import belonging
from hub_config.session import free_ports
from hub_config.settings import HERE

from retinue_sdk.errors import RetinueError
from tests.conftest import PASSWORD, marks_of, started

pytestmark = pytest.mark.hub

PLATFORM = "services/retinue/api/v1"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def scopes_of(url, token):
    answer = httpx.get(f"{url}hub/api/user", headers=bearer(token), trust_env=False)
    return set(answer.raise_for_status().json()["scopes"])


def server_process(hub, name):
    """The single-user server's process, by its environment."""
    wanted = f"JUPYTERHUB_USER={name}".encode()
    for process in belonging(marks_of(hub.settings), descendants=False):
        variables = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        if wanted in variables:
            return process, dict(variable.decode().split("=", 1) for variable in variables if b"=" in variable)
    raise AssertionError(name)


def listening_on(marks):
    """The addresses that this hub's processes listen on."""
    found = set()
    for process in belonging(marks, descendants=False):
        with contextlib.suppress(psutil.Error):
            connections = process.net_connections("tcp")
            found |= {connection.laddr for connection in connections if connection.status == psutil.CONN_LISTEN}
    return found


# --- what is there, and how to get in ---------------------------------------------------------------------------------------


def test_banner_says_where_and_how_and_warns(hub):
    text = hub.output.read_text()
    assert f"ready at {hub.url}" in text
    assert str(hub.settings.admin_password_file) in text
    assert "one trust domain" in text
    assert hub.settings.admin_password_file.read_text() not in text


def test_secrets_are_made_and_private(hub):
    folder = hub.settings.data / "secrets"
    assert stat.S_IMODE(hub.settings.data.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = {file.name: file for file in folder.iterdir()}
    assert {"admin-password", "cookie-secret", "proxy-token", "trainer-token", "instance"} <= set(files)
    for file in files.values():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len({file.read_text() for file in files.values()}) == len(files)


def test_everything_listens_on_loopback_only(hub):
    ports = {hub.settings.port + offset for offset in range(8)}
    listening = {address for address in listening_on(marks_of(hub.settings)) if address.port in ports}
    assert {address.port for address in listening} == ports
    assert {address.ip for address in listening} == {"127.0.0.1"}


def test_only_the_platform_is_on_the_proxy(hub):
    routes = httpx.get(
        f"http://127.0.0.1:{hub.settings.port + 1}/api/routes",
        headers={"Authorization": "token " + key(hub.settings.data / "secrets" / "proxy-token")},
        trust_env=False,
    ).json()
    assert {path for path in routes if not path.startswith("/user/")} == {"/", "/services/retinue"}


def test_sign_up_is_closed_until_the_administrator_opens(hub):
    with Person(hub.url, "carol", PASSWORD) as carol:
        carol.sign_up()
        with pytest.raises(RetinueError, match="did not let carol in"):
            carol.log_in()
        hub.admin.authorize("carol")
        carol.log_in()
        token = carol.token()
        assert "custom:retinue:write" in scopes_of(hub.url, token)
        hub.admin.authorize("carol")  # pressed again: taken back
        for _ in wait_until(45, 1):
            if httpx.get(f"{hub.url}hub/api/user", headers=bearer(token), trust_env=False).status_code == 403:
                break
        else:
            raise AssertionError("the token still works")


def test_authorising_takes_more_than_a_link(hub):
    with Person(hub.url, "dave", PASSWORD) as dave:
        dave.sign_up()
        assert hub.admin.client.get("/hub/authorize/dave").status_code == 405
        assert hub.admin.client.post("/hub/authorize/dave").status_code == 403  # no XSRF token
        with pytest.raises(RetinueError):
            dave.log_in()
    assert hub.admin.client.post("/hub/authorize/nobody", data={"_xsrf": hub.admin.xsrf("/hub/")}).status_code == 404


def test_nobody_else_becomes_admin_by_signing_up(hub):
    with Person(hub.url, "admin", PASSWORD) as impostor:
        impostor.sign_up()
        with pytest.raises(RetinueError):
            impostor.log_in()


@pytest.mark.parametrize(
    ("name", "password"),
    [("..", PASSWORD), ("../x", PASSWORD), ("a b", PASSWORD), ("-x", PASSWORD), ("erin", "short"), ("erin", "x" * 73)],
)
def test_names_and_passwords_that_are_refused(hub, name, password):
    with Person(hub.url, name, password) as person:
        person.sign_up()
        with pytest.raises(RetinueError):
            person.log_in()
        assert f'id="{name}"' not in hub.admin.client.get("/hub/authorize").text


# --- scopes -----------------------------------------------------------------------------------------------------------------


def test_browser_and_kernel_reach_the_platform_as_the_user(hub, alice):
    me = alice.api("GET", "me")
    assert (me["name"], me["admin"]) == ("alice", False)
    process, environment = server_process(hub, "alice")
    assert process.cwd() == str(hub.settings.data / "home" / "alice")
    answer = httpx.get(
        f"{environment['RETINUE_URL']}/api/v1/me", headers=bearer(environment["JUPYTERHUB_API_TOKEN"]), trust_env=False
    )
    assert answer.json()["name"] == "alice"
    wanted = {"access:services!service=retinue", "custom:retinue:read", "custom:retinue:write"}
    assert wanted <= set(answer.json()["scopes"])
    assert environment["JUPYTER_SERVER_ALLOW_UNAUTHENTICATED_ACCESS"] == "false"


def test_server_environment_holds_no_secret(hub, alice):
    _, environment = server_process(hub, "alice")
    secrets = [
        file.read_text().strip() for file in (hub.settings.data / "secrets").iterdir() if file.name != "instance"
    ]
    assert not [name for name, value in environment.items() if any(secret in value for secret in secrets)]
    assert not [name for name in environment if "MLFLOW" in name or "DATABASE" in name or name == "RETINUE_DATA"]


def test_administration_needs_a_token_asked_for(hub, alice):
    platform = f"{hub.url}{PLATFORM}"
    for token, admin in ((hub.admin.token(), True), (alice.token(), False)):
        me = httpx.get(f"{platform}/me", headers=bearer(token), trust_env=False).json()
        assert me["admin"] is admin
    hub.admin.start_server()
    try:
        assert hub.admin.api("GET", "me")["admin"] is False
    finally:
        hub.admin.stop_server()


def test_token_without_access_scope_is_refused_with_the_cure(hub, alice):
    token = alice.token("custom:retinue:read", "read:users:name!user")
    answer = httpx.get(f"{hub.url}{PLATFORM}/me", headers=bearer(token), trust_env=False)
    assert answer.status_code == 403
    assert answer.json()["code"] == "hub_scope_missing"
    assert answer.json()["hint"]


# --- starting and stopping --------------------------------------------------------------------------------------------------


def start_and_wait(environment):
    command = [sys.executable, str(HERE / "start.py")]
    return subprocess.run(command, check=False, env=environment, capture_output=True, text=True)


def test_a_second_start_on_the_same_data_is_refused(hub):
    environment = os.environ | {"RETINUE_DATA": str(hub.settings.data), "RETINUE_PORT": "19000"}
    second = start_and_wait(environment)
    assert second.returncode == 1
    assert "already running" in second.stderr
    assert hub.running.process.poll() is None


def test_a_port_in_use_is_said(tmp_path):
    with socket.socket() as taken:
        port = free_ports(31_000)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        start = start_and_wait(os.environ | {"RETINUE_DATA": str(tmp_path / "data"), "RETINUE_PORT": str(port)})
    assert start.returncode == 1
    assert f"port {port}" in start.stderr
    assert "RETINUE_PORT" in start.stderr
    assert not (tmp_path / "data" / "hub" / "ready").exists()


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_kill_of_the_hub_and_a_new_start_find_everything_again(tmp_path):
    with started(tmp_path) as hub, hub.running.newcomer(hub.admin, "frank", PASSWORD) as frank:
        frank.start_server()
        project = frank.api("POST", "projects", json={"name": "Survivor"})
        server, _ = server_process(hub, "frank")
        marks = marks_of(hub.settings)

        os.kill(hub.running.hub_pid, signal.SIGKILL)
        assert hub.running.process.wait(30) == 1
        for _ in wait_until(10):  # the keepers notice, and end their services
            ports = {address.port for address in listening_on(marks)}
            if not ports & set(range(hub.settings.port + 3, hub.settings.port + 8)):
                break
        else:
            raise AssertionError(ports)
        assert server.is_running()

        hub.running.start()
        assert frank.api("GET", "projects") == [project]  # the same browser, the same server
        assert server_process(hub, "frank")[0] == server
        assert hub.running.stop() == 0
        assert belonging(marks, descendants=False) == []
        assert not server.is_running()


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_after_a_signal_during_the_start(tmp_path, number):
    data = tmp_path / "data"
    environment = os.environ | {"RETINUE_DATA": str(data), "RETINUE_PORT": str(free_ports(31_400))}
    start = subprocess.Popen([sys.executable, str(HERE / "start.py")], env=environment, stdout=subprocess.DEVNULL)
    for _ in wait_until(60):
        if (data / "hub" / "proxy.pid").exists():
            break
    start.send_signal(number)
    assert start.wait(60) == 0
    marks = marks_of(type("S", (), {"data": data}))
    assert belonging(marks, descendants=False) == []
