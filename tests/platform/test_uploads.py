"""Chunked, resumable uploads: offsets, checksums, crashes, full disks, expiry."""

import concurrent.futures
import os
import signal
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from tests.platform.running import announce, problem, put, send

from retinue_platform.context import Context
from retinue_platform.settings import Settings
from retinue_platform.tables import ProjectRow, UploadRow
from retinue_platform.uploads import remove_expired


def test_chunks_arrive_in_order_and_whole(shared, alice, project):
    data = os.urandom(3_000_000)
    upload = announce(alice, project, len(data))
    assert upload["offset"] == 0
    assert put(alice, upload, 0, data[:1_000_000]).json()["offset"] == 1_000_000
    assert put(alice, upload, 1_000_000, data[1_000_000:]).json()["offset"] == len(data)
    assert alice.get(f"/uploads/{upload['id']}").json()["offset"] == len(data)
    assert (shared.data / "platform" / "uploads" / upload["id"]).read_bytes() == data


def test_a_wrong_offset_is_told_the_true_one(alice, project):
    upload = announce(alice, project, 10)
    put(alice, upload, 0, b"12345")
    for offset in (0, 4, 6):
        body = problem(put(alice, upload, offset, b"x"), 409, "upload_offset")
        assert body["where"] == "5"


def test_a_chunk_above_8_mib_is_refused(alice, project):
    upload = announce(alice, project, 20_000_000)
    problem(put(alice, upload, 0, bytes(8 * 1024 * 1024 + 1)), 413, "body_too_large")
    assert put(alice, upload, 0, bytes(8 * 1024 * 1024)).status_code == 200


@pytest.mark.parametrize("sha256", [None, "", "zz", "a" * 63])
def test_a_chunk_needs_a_sha256(alice, project, sha256):
    upload = announce(alice, project, 3)
    headers = {} if sha256 is None else {"X-Content-SHA256": sha256}
    answer = alice.put(f"/uploads/{upload['id']}", params={"offset": 0}, content=b"123", headers=headers)
    problem(answer, 422, "invalid_request")


def test_two_writers_of_one_upload_never_mix_their_bytes(shared, alice, project):
    size = 4_000_000
    upload = announce(alice, project, size)
    contents = [bytes([i]) * size for i in range(4)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda content: put(alice, upload, 0, content), contents))
    winners = [content for content, answer in zip(contents, answers, strict=True) if answer.status_code == 200]
    assert len(winners) == 1
    assert {a.json().get("code") for a in answers if a.status_code == 409} <= {"upload_busy", "upload_offset"}
    assert (shared.data / "platform" / "uploads" / upload["id"]).read_bytes() == winners[0]


def test_viewers_and_strangers_cannot_write(alice, bob, project):
    upload = announce(alice, project, 3)
    problem(put(bob, upload, 0, b"123"), 404, "not_found")
    alice.put(f"/projects/{project['id']}/members/{bob.name}", json={"role": "viewer"})
    problem(put(bob, upload, 0, b"123"), 403, "role_required")
    problem(bob.delete(f"/uploads/{upload['id']}"), 403, "role_required")
    answer = bob.post(f"/projects/{project['id']}/uploads", json={"filename": "x", "size": 1})
    problem(answer, 403, "role_required")


def test_a_deleted_upload_leaves_no_file(shared, alice, project):
    upload = announce(alice, project, 3)
    put(alice, upload, 0, b"123")
    assert alice.delete(f"/uploads/{upload['id']}").status_code == 204
    assert not (shared.data / "platform" / "uploads" / upload["id"]).exists()
    problem(put(alice, upload, 3, b""), 404, "not_found")


@pytest.mark.parametrize(
    ("size", "status", "code"),
    [(-1, 422, "invalid_request"), (10**15, 422, "upload_too_large"), (45 * 10**9, None, None)],
)
def test_announced_sizes(alice, project, size, status, code):
    answer = alice.post(f"/projects/{project['id']}/uploads", json={"filename": "a.zip", "size": size})
    if status:
        problem(answer, status, code)
    else:  # whether it fits is this machine's matter; it is never anything else than one of these
        assert answer.status_code in (201, 507)
        if answer.status_code == 201:
            alice.delete(f"/uploads/{answer.json()['id']}")


def test_a_file_that_cannot_fit_is_refused_before_a_byte_is_sent(start_platform):
    running = start_platform(RETINUE_UPLOAD_LIMIT_GB="1000000")
    user = running.user()
    project = user.post("/projects", json={"name": "big"}).json()
    answer = user.post(f"/projects/{project['id']}/uploads", json={"filename": "a.zip", "size": 900 * 10**12})
    body = problem(answer, 507, "storage_full")
    assert "bytes" in body["message"]


def test_a_killed_platform_goes_on_where_it_was(start_platform):
    running = start_platform()
    user = running.user()
    project = user.post("/projects", json={"name": "resume"}).json()
    data = os.urandom(2_000_000)
    upload = announce(user, project, len(data))
    put(user, upload, 0, data[:1_000_000])
    with (running.data / "platform" / "uploads" / upload["id"]).open("ab") as file:
        file.write(b"bytes of a chunk that was never acknowledged")
    running.stop(signal.SIGKILL)
    running.start()
    offset = user.get(f"/uploads/{upload['id']}").json()["offset"]
    assert offset == 1_000_000
    assert put(user, upload, offset, data[offset:]).json()["offset"] == len(data)
    assert (running.data / "platform" / "uploads" / upload["id"]).read_bytes() == data


def test_a_full_disk_is_told_and_the_chunk_can_be_sent_again(start_platform):
    """A limit on file size stands for a full volume: the write fails in the same place."""
    running = start_platform()
    user = running.user()
    project = user.post("/projects", json={"name": "full"}).json()
    data = os.urandom(6_000_000)
    upload = announce(user, project, len(data))
    put(user, upload, 0, data[:1_000_000])
    running.limit_file_size(4_000_000)
    problem(put(user, upload, 1_000_000, data[1_000_000:]), 507, "storage_full")
    path = running.data / "platform" / "uploads" / upload["id"]
    assert path.read_bytes() == data[:1_000_000]
    running.limit_file_size(None)
    assert put(user, upload, 1_000_000, data[1_000_000:]).json()["offset"] == len(data)


async def test_expired_uploads_and_stray_files_go(tmp_path):
    context = Context(Settings(data=tmp_path, hub_api_url="http://127.0.0.1:9/hub/api"))
    context.open()
    with context.db.write() as session:
        now = datetime.now(UTC)
        project = ProjectRow(id=uuid.uuid4(), name="p", name_key="p", description="", created_at=now, created_by="a")
        session.add(project)
        session.flush()
        rows = [
            UploadRow(
                id=uuid.uuid4(), project_id=project.id, filename="f", size=1, offset=0, created_by="a", expires_at=at
            )
            for at in (now - timedelta(seconds=1), now + timedelta(hours=1))
        ]
        session.add_all(rows)
    for name in (str(rows[0].id), str(rows[1].id), str(uuid.uuid4())):
        (context.uploads / name).write_bytes(b"x")
    assert remove_expired(context, now) == 1
    assert [path.name for path in context.uploads.iterdir()] == [str(rows[1].id)]
    await context.close()


def test_a_whole_file(alice, project):
    assert send(alice, project, b"abc")["offset"] == 3
