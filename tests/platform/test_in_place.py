"""Datasets whose images stay at an object store or in a folder of the operator's until a job or an export needs them."""

import asyncio
import io
import json
import zipfile

import pytest
from tests.platform.jobs_db import add_job, away
from tests.platform.running import problem, send
from tests.platform.stack import Stack
from tests.platform.test_datasets import archive, folders, over, picture

from retinue_platform.attempt import Attempt, Tools
from retinue_platform.bus import Bus
from retinue_platform.tables import JobRow
from retinue_sdk.errors import UnavailableError


@pytest.fixture(scope="module")
def world(hub, tmp_path_factory):
    """A platform with a trainer, and a folder that is open to it."""
    folder = tmp_path_factory.mktemp("in-place")
    (folder / "place").mkdir()
    stack = Stack(hub, folder, RETINUE_SOURCES=json.dumps([{"url": f"file://{folder / 'place'}"}]))
    stack.place = folder / "place"
    yield stack
    stack.close()
    assert "Traceback" not in stack.platform.read_log()


def placed(world, name, first=0):
    """A folder of two classes at the place; a dataset of it whose images stay there."""
    for number in range(8):
        path = world.place / name / ("cat" if number % 2 else "dog") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(first + number))
    wanted = {"name": name, "source": f"file://{world.place / name}", "in_place": True}
    made = world.alice.post(f"/projects/{world.project}/datasets", json=wanted)
    assert made.status_code == 202, made.text
    dataset = over(world.alice, made.json()["id"])
    assert dataset["status"] == "ready", dataset
    return dataset


def blobs(world):
    return len(list((world.store / "blobs").glob("??/*")))


def test_a_job_gets_the_images_it_is_trained_on(world):
    dataset = placed(world, "pets")
    assert (dataset["versions"][0]["images"], dataset["versions"][0]["elsewhere"], blobs(world)) == (8, 8, 0)
    job = world.wait(world.start_job(dataset_id=dataset["id"]))
    assert (job["status"], job["dataset_digest"], blobs(world)) == ("succeeded", dataset["versions"][0]["digest"], 8)


def test_a_job_whose_images_changed_fails_and_says_so(world):
    dataset, before = placed(world, "changed", first=100), blobs(world)
    (world.place / "changed/cat/1.png").write_bytes(picture(999))
    job = world.wait(world.start_job(dataset_id=dataset["id"]))
    assert job["status"] == "failed"
    assert "source_changed" in job["message"]
    assert "changed/cat/1.png" in job["message"]
    assert blobs(world) == before


def test_what_is_added_is_kept_and_an_export_gets_the_rest(world):
    dataset, before = placed(world, "animals", first=200), blobs(world)
    upload = send(world.alice, {"id": world.project}, archive({"cat/new.png": picture(300)}))
    world.alice.post(f"/datasets/{dataset['id']}/versions", json={"upload_id": upload["id"]})
    dataset = over(world.alice, dataset["id"])
    assert (dataset["problem"], dataset["versions"][0]["images"], blobs(world)) == (None, 9, before + 1)
    assert dataset["versions"][0]["elsewhere"] == 8
    version = f"/datasets/{dataset['id']}/versions/2"
    assert world.alice.get(f"{version}/losses", params={"format": "image_folder"}).json() == []
    assert blobs(world) == before + 1
    answer = world.alice.get(f"{version}/archive", params={"format": "image_folder"})
    assert answer.status_code == 200, answer.text
    assert len(zipfile.ZipFile(io.BytesIO(answer.content)).namelist()) == 9
    assert blobs(world) == before + 9
    other = placed(world, "more", first=400)
    losses = world.alice.get(f"/datasets/{other['id']}/versions/1/losses", params={"format": "huggingface"})
    assert losses.status_code == 200, losses.text  # a format with the images inside


def test_only_the_images_of_a_folder_can_stay(world):
    (world.place / "pets.zip").write_bytes(folders())
    wanted = {"name": "zip", "source": f"file://{world.place}/pets.zip", "in_place": True}
    made = world.alice.post(f"/projects/{world.project}/datasets", json=wanted).json()
    assert over(world.alice, made["id"])["problem"]["code"] == "in_place_unsupported"
    wanted = {"name": "url", "source": "https://example.org/a.zip", "in_place": True}
    problem(world.alice.post(f"/projects/{world.project}/datasets", json=wanted), 422, "in_place_unsupported")


async def test_getting_the_images_stops_when_the_job_is_cancelled(sqlite, tmp_path):
    sqlite.upgrade()
    ident, began, stopped = add_job(sqlite, status="starting"), asyncio.Event(), []

    async def slowly(digest, tell):
        await tell(0.4)
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(digest)

    tools = Tools(sqlite, Bus(), tmp_path, asyncio.to_thread, print, slowly)
    attempt = Attempt(tools, None, "points", ident, None)
    bringing = asyncio.create_task(attempt._bring_images("d"))
    await began.wait()
    with sqlite.write() as session:
        job = session.get(JobRow, ident)
        assert job.message == "Getting the images from their place: 40%."
        job.target = "cancelled"
    attempt.wake()
    await asyncio.wait_for(bringing, 20)
    assert stopped == ["d"]


async def test_a_database_that_is_away_neither_stops_nor_fails_the_getting(sqlite, tmp_path):
    sqlite.upgrade()
    ident, go_on = add_job(sqlite, status="starting"), asyncio.Event()

    async def in_vain(_digest, tell):
        await go_on.wait()
        await tell(0.4)
        raise UnavailableError("The bucket does not answer.")

    attempt = Attempt(Tools(sqlite, Bus(), tmp_path, asyncio.to_thread, print, in_vain), None, "points", ident, None)
    with away(sqlite.file, "jobs"):
        bringing = asyncio.create_task(attempt._bring_images("d"))
        await asyncio.sleep(0)
        attempt.wake()
        await asyncio.sleep(0.1)
        assert not bringing.done()
        go_on.set()
        problem = await asyncio.wait_for(bringing, 20)
    assert problem.problem.message == "The bucket does not answer."


async def test_a_cancellation_is_seen_after_the_database_was_away(sqlite, tmp_path, caplog):
    sqlite.upgrade()
    ident = add_job(sqlite, status="starting")

    async def for_ever(_digest, _tell):
        await asyncio.Event().wait()

    attempt = Attempt(Tools(sqlite, Bus(), tmp_path, asyncio.to_thread, print, for_ever), None, "points", ident, None)
    bringing = asyncio.create_task(attempt._bring_images("d"))
    await asyncio.sleep(0)
    with sqlite.write() as session:
        session.get(JobRow, ident).target = "cancelled"
    with away(sqlite.file, "jobs"):
        attempt.wake()
        while "does not answer" not in caplog.text:
            await asyncio.sleep(0.02)
    assert await asyncio.wait_for(bringing, 20) is None
