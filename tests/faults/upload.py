"""F24: an upload of 2 GB whose client, platform, or both are killed at random bytes; resumed next day; from two tabs."""

from __future__ import annotations

import itertools
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import update

from retinue_platform import uploads
from retinue_platform.context import Context
from retinue_platform.settings import Settings
from retinue_platform.tables import UploadRow
from retinue_sdk.files import sha256
from tests.benchmarks import Figure
from tests.faults.kills import percentile
from tests.platform.hub import StandInHub
from tests.platform.running import Running, announce, put, wait_for

MIB = 1024 * 1024
VICTIMS = ("client", "platform", "both")


class Sending:
    """A platform, a file, and the processes that send it."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size, self.hub = folder, size, StandInHub()
        self.hub.server.handle_error = lambda *_: None  # its askers are killed
        self.platform = Running(self.hub, folder / "data")
        self.user = self.platform.user("ann")
        self.project = self.user.post("/projects", json={"name": "p"}).json()
        self.context = Context(Settings(data=folder / "data", hub_api_url="http://127.0.0.1:9/hub/api"))
        self.file = write(folder / "data.bin", size)
        self.environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}

    def client(self, ledger: str = "ledger", *, go: bool = True) -> subprocess.Popen[str]:
        """A process of a person's that sends the file, or goes on with it; with `go`, at once."""
        ends = [self.platform.base, self.project["id"], str(self.file), str(self.folder / ledger)]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.sender", *ends],
            env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        token = self.user.headers["Authorization"].removeprefix("token ")
        process.stdin.write(f"{token}\n" + "go\n" * go)
        process.stdin.flush()
        return process

    def ledger(self, name: str = "ledger") -> list[str]:
        """The lines so far."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def arrived(self) -> int:
        """Bytes of the newest upload that are on the disk, acknowledged or not."""
        return max((path.stat().st_size for path in self.context.uploads.iterdir()), default=0)

    def close(self) -> None:
        """Stop the platform."""
        self.platform.close()
        self.context.db.close()
        self.hub.close()


def write(path: Path, size: int) -> Path:
    """A file with holes: of each MiB the first 4 KiB are random, by a seed, so that no two parts are the same."""
    random_bytes = random.Random(size).randbytes
    with path.open("wb") as file:
        for offset in range(0, size, MIB):
            file.seek(offset)
            file.write(random_bytes(min(4096, size - offset)))
        file.truncate(size)
    return path


def end(client: subprocess.Popen[str]) -> None:
    """As a laptop that is closed ends it."""
    client.kill()
    client.communicate()


def run(size: int = 2_000_000_000, kills: int = 100, seed: int = 24) -> list[Figure]:
    """All figures of F24."""
    with tempfile.TemporaryDirectory() as folder:
        sending = Sending(Path(folder), size)
        try:
            parts = killed(sending, kills, seed), next_day_from_two_tabs(sending), silent(sending), abandoned(sending)
            return [figure for part in parts for figure in part]
        finally:
            sending.close()


def killed(sending: Sending, kills: int, seed: int) -> list[Figure]:
    """Kill at these bytes; the file must be whole at the end, and little of it sent twice."""
    chance, began, done = random.Random(seed), time.monotonic(), 0
    client = sending.client()
    for place in sorted(chance.randrange(sending.size) for _ in range(kills)):
        while sending.arrived() <= place:
            if client.poll():  # it was begun while the platform was away: the person does it again
                client = sending.client()
            if client.poll() == 0:
                break
            time.sleep(0.0005)
        victim = chance.choice(VICTIMS)
        if victim != "platform":
            end(client)
        if victim != "client":
            sending.platform.kill()
            sending.platform.start()
        if victim != "platform":
            client = sending.client()
        done += 1
    while client.wait(600):
        client = sending.client()
    ident = client.communicate(timeout=600)[0].strip()
    again = twice(sending.ledger())
    stored = sending.context.uploads / ident
    figures = [
        Figure(f"kills at random bytes of an upload of {sending.size / 1e9:g} GB", done, "kills", kills, "more"),
        Figure("... sha256 that is another one", int(sha256(stored) != sha256(sending.file)), "", 0),
        Figure("... bytes sent again after a kill, most", max(again) / MIB, "MiB", 8),
        Figure("... median", percentile(again, 0.5) / MIB, "MiB"),
        Figure("... uploads that were begun", len(list(sending.context.uploads.iterdir())), "", 1),
        Figure("... in", time.monotonic() - began, "s"),
    ]
    sending.user.delete(f"/uploads/{ident}").raise_for_status()
    return figures


def twice(ledger: list[str]) -> list[float]:
    """For each chunk that does not follow the one before: the bytes that both have, were the first one sent to its end."""
    puts = [tuple(map(int, line.split()[1:])) for line in ledger if line.startswith("put")]
    overlaps = [before + length - offset for (before, length), (offset, _) in itertools.pairwise(puts)]
    return [float(overlap) for overlap in overlaps if overlap] or [0.0]


def next_day_from_two_tabs(sending: Sending) -> list[Figure]:
    """Broken off in the middle, left for a day, then gone on with by two clients at once; and two raw writers."""
    client = sending.client("first")
    while sending.arrived() < sending.size / 2:
        time.sleep(0.001)
    end(client)
    age(sending.context, timedelta(hours=24))
    left = uploads.remove_expired(sending.context, datetime.now(UTC))
    tabs = ("tab 1", "tab 2")
    both = [sending.client(name, go=False) for name in tabs]
    for name in tabs:  # or one would be through before the other has begun
        wait_for(lambda name=name: "ready" in sending.ledger(name), bool)
    for tab in both:
        tab.stdin.write("go\n")
        tab.stdin.flush()
    idents = {tab.communicate(timeout=600)[0].strip() for tab in both}
    assert all(tab.returncode == 0 for tab in both)
    (ident,) = idents
    wrong = sha256(sending.context.uploads / ident) != sha256(sending.file)
    refused = sum(sending.ledger(name).count("409") for name in tabs)
    sending.user.delete(f"/uploads/{ident}").raise_for_status()
    return [
        Figure("a day later from two clients: parts gone, or sha256 that is another one", left + wrong, "", 0),
        Figure("... writes of the second one answered with 409", refused, "", 1, "more"),
    ]


def silent(sending: Sending) -> list[Figure]:
    """A sender that dies without a word, as when its network does, keeps the others away for a minute and not longer."""
    upload = announce(sending.user, sending.project, 100)
    path = f"/services/retinue/api/v1/uploads/{upload['id']}?offset=0"
    head = {**sending.user.headers, "Host": "x", "X-Content-SHA256": "0" * 64, "Content-Length": "100"}
    with socket.create_connection(("127.0.0.1", sending.platform.port)) as connection:
        lines = [f"PUT {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", "half"]
        connection.sendall("\r\n".join(lines).encode())
        wait_for((sending.context.uploads / upload["id"]).exists, bool, 10)
        assert put(sending.user, upload, 0, b"x").status_code == 409
        began = time.monotonic()
        wait_for(lambda: put(sending.user, upload, 0, b"x").status_code, lambda status: status == 200, 120)
    return [Figure("a sender that fell silent keeps others away for", time.monotonic() - began, "s", 65)]


def abandoned(sending: Sending) -> list[Figure]:
    """What nobody goes on with stays for 48 hours and not longer."""
    upload = announce(sending.user, sending.project, 100)
    put(sending.user, upload, 0, b"x" * 50).raise_for_status()
    now = datetime.now(UTC)
    early = uploads.remove_expired(sending.context, now + timedelta(hours=48, seconds=-60))
    age(sending.context, timedelta(hours=48, seconds=1))
    sending.platform.kill()
    sending.platform.start()  # it looks at its start, and every hour
    path = sending.context.uploads / upload["id"]
    wait_for(path.exists, lambda there: not there, 10)
    gone = sending.user.get(f"/uploads/{upload['id']}").status_code == 404
    return [Figure("abandoned parts: gone too early, or there after 48 h", early + (not gone), "", 0)]


def age(context: Context, by: timedelta) -> None:
    """Let that much time pass for all uploads."""
    with context.db.write() as session:
        for row in session.query(UploadRow):
            session.execute(update(UploadRow).where(UploadRow.id == row.id).values(expires_at=row.expires_at - by))
