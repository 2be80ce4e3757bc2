"""Workers and the process that forks them: what they know, what is left when one or the other is killed."""

import asyncio
import os
import signal

import psutil
import pytest

from retinue_platform.workers import Workers, how_it_ended, next_answer

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
