"""The platform as a real process, with clients for it, and what an error looks like."""

import contextlib
import hashlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import uuid

import httpx
import psutil
from tests.platform.hub import ACCESS, ADMIN, READ, WRITE
from tests.trainers.harness import plain_client


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Running:
    """One platform process and clients for it."""

    python = sys.executable
    zygote = None  # where platforms are forked, for those who start many

    def __init__(self, hub, data, **environment):
        self.hub, self.data, self.port = hub, data, free_port()
        self.base = f"http://127.0.0.1:{self.port}/services/retinue"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("RETINUE_", "JUPYTERHUB_"))},
            "RETINUE_DATA": str(data),
            "RETINUE_PLATFORM_PORT": str(self.port),
            "JUPYTERHUB_API_URL": hub.url,
            **environment,
        }
        self.clients = []
        self.start()

    def start(self):
        self.log = (self.data.parent / f"{self.data.name}.log").open("ab")
        if self.zygote:
            self.process = self.zygote.platform(self.environment, self.log.fileno())
        else:
            self.process = subprocess.Popen(
                [self.python, "-m", "retinue_platform"],
                env=self.environment,
                stdout=self.log,
                stderr=self.log,
                start_new_session=True,
            )
        self.ready_seconds = self.wait_until_ready()

    def wait_until_ready(self, every=0.05):
        began = time.monotonic()
        with plain_client() as client:
            while time.monotonic() - began < 60:
                with contextlib.suppress(httpx.HTTPError):
                    if client.get(f"{self.base}/health/ready").status_code == 200:
                        return time.monotonic() - began
                assert self.process.poll() is None, self.read_log()
                time.sleep(every)
        raise AssertionError(self.read_log())

    def read_log(self):
        return (self.data.parent / f"{self.data.name}.log").read_text()

    def client(self, token=None):
        headers = {"Authorization": f"token {token}"} if token else {}
        client = plain_client(base_url=f"{self.base}/api/v1", headers=headers, timeout=20)
        self.clients.append(client)
        return client

    def user(self, name=None, *scopes):
        """A client of a user, by default a new one."""
        name = name or f"u{uuid.uuid4().hex[:8]}"
        client = self.client(self.hub.token(name, *scopes))
        client.name = name
        return client

    def admin(self):
        return self.user(None, ACCESS, READ, WRITE, ADMIN)

    def limit_file_size(self, limit):
        """What a full volume does to the process: writes beyond it fail."""
        limit = resource.RLIM_INFINITY if limit is None else limit
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(30)
        self.log.close()

    def kill(self):
        """SIGKILL to the whole process group, as a power cut would end it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
        self.log.close()

    def close(self):
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            self.stop()


def problem(answer, status, code):
    """Assert the one shape of an error and give it back."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["code"] == code, body
    assert body["status"] == status
    assert body["message"]
    assert body["hint"]
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


def announce(client, project, size, filename="data.zip"):
    answer = client.post(f"/projects/{project['id']}/uploads", json={"filename": filename, "size": size})
    assert answer.status_code == 201, answer.text
    return answer.json()


def put(client, upload, offset, data, sha256=None):
    headers = {"X-Content-SHA256": sha256 or hashlib.sha256(data).hexdigest()}
    return client.put(f"/uploads/{upload['id']}", params={"offset": offset}, content=data, headers=headers)


def send(client, project, data, chunk=8 * 1024 * 1024):
    """A whole file; the complete upload."""
    upload = announce(client, project, len(data))
    while upload["offset"] < len(data):
        answer = put(client, upload, upload["offset"], data[upload["offset"] : upload["offset"] + chunk])
        assert answer.status_code == 200, answer.text
        upload = answer.json()
    return upload


def workers_of(running, module):
    """The pids of a platform's workers of a kind: children of children of its fork server."""
    found = []
    for child in psutil.Process(running.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if child.name() == module and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child.pid)
    return found


def gone(pid):
    """Whether a process has ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for(get, accept, seconds=60):
    """What `get` gives once it is acceptable; asks twenty times a second."""
    deadline = time.monotonic() + seconds
    while not accept(value := get()):
        assert time.monotonic() < deadline, value
        time.sleep(0.05)
    return value
