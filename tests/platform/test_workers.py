"""Workers and the process that forks them: what they know, what is left when one or the other is killed."""

import asyncio
import os
import signal
from uuid import uuid4

import psutil
import pytest
from tests.platform.jobs_db import dataset_row, project_row
from tests.platform.test_datasets import folders

from retinue_platform import import_rows
from retinue_platform.context import Context
from retinue_platform.settings import Settings
from retinue_platform.workers import Workers, how_it_ended, next_answer
from retinue_sdk.memory import KEEP_MEMORY

LIMITS = {"memory_bytes": 8 * 1024**3, "cpu_seconds": 60}
FORMATS = {"formats": True, **LIMITS}


@pytest.fixture(scope="module")
def workers():
    workers = Workers()
    yield workers
    workers.close()


def server():
    """The process that forks."""
    (child,) = (c for c in psutil.Process().children() if "retinue_platform.forkserver" in c.cmdline())
    return child


def kill_server():
    child = server()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # all its threads have ended


async def none_left():
    while server().children():
        await asyncio.sleep(0.02)


async def formats(workers):
    async with workers.working("exporter", FORMATS) as worker:
        answer = await next_answer(worker)
        assert await next_answer(worker) is None
        assert await how_it_ended(worker) == "ended with code 0"
    return {form["name"] for form in answer["formats"]}


async def test_a_worker_answers_and_none_of_it_is_left(workers):
    assert "coco" in await formats(workers)
    await none_left()


async def test_the_process_that_forks_is_given_no_secret(workers, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    kill_server()  # the next one is started from this environment
    async with workers.working("exporter", FORMATS, ("AWS_",)):
        assert not {"JUPYTERHUB_API_TOKEN", "AWS_SECRET_ACCESS_KEY"} & server().environ().keys()


async def test_the_process_that_forks_keeps_its_memory_unless_the_operator_says_otherwise(workers, monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    kill_server()
    async with workers.working("exporter", FORMATS):
        environment = server().environ()
    assert {name: environment[name] for name in KEEP_MEMORY} == KEEP_MEMORY | {"MALLOC_TRIM_THRESHOLD_": "65536"}


async def test_a_killed_worker_is_told_and_one_whose_caller_left_ends(workers):
    async with workers.working("importer", LIMITS) as worker:
        os.kill(worker.pid, signal.SIGKILL)
        assert await next_answer(worker) is None
        assert await how_it_ended(worker) == "was killed (signal 9)"
    server().suspend()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1), workers.working("exporter", FORMATS):
            pass
    server().resume()
    assert "coco" in await formats(workers)
    await none_left()  # not even the one nobody waited for


async def test_a_killed_server_is_started_again_and_its_workers_go_on(workers):
    async with workers.working("exporter", FORMATS) as worker:
        kill_server()
        assert (await next_answer(worker))["formats"]
        assert await worker.wait() == 0
    assert "coco" in await formats(workers)


@pytest.mark.parametrize(("gigabytes", "most"), [(0.01, 50 << 30), (50, 50 << 30), (200, 200 * 10**9)])
def test_an_archive_may_hold_what_may_be_uploaded(db, tmp_path, gigabytes, most):
    settings = {"data": tmp_path, "hub_api_url": "http://127.0.0.1:9/hub/api", "upload_limit_gb": gigabytes}
    context = Context(Settings(**settings, database_url=db.url.render_as_string(hide_password=False)))
    project = project_row()
    dataset = dataset_row(project.id, request={"upload_id": str(uuid4())})
    with context.db.write() as session:
        for row in (project, dataset):
            session.add(row)
            session.flush()
        ident = dataset.id
    assert import_rows.order_of(context, ident)["unpacked_bytes"] == most
    context.db.close()


async def test_an_archive_that_holds_more_is_refused(workers, tmp_path):
    (tmp_path / "upload").write_bytes(folders(images=3))
    (tmp_path / "store").mkdir()
    order = {
        "source": None,
        "origin": "pets.zip",
        "upload": str(tmp_path / "upload"),
        "filename": "pets.zip",
        "folder": str(tmp_path / "work"),
        "store": str(tmp_path / "store"),
        "parent": None,
        "request": {"format": None, "seed": 0},
        "unpacked_bytes": 300,
        **LIMITS,
    }
    async with workers.working("importer", order) as worker:
        while "problem" not in (answer := await next_answer(worker)):
            pass
    assert (answer["problem"]["code"], answer["problem"]["where"]) == ("archive_too_large", "pets.zip")
    assert "the limit is 300" in answer["problem"]["message"]
