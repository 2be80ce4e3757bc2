"""The real process that writes an export: what it needs stays until it is sent, and what goes wrong is told."""

import io
import os
import resource
import zipfile
from pathlib import Path

import pytest
from tests.platform.test_datasets import picture
from tests.platform.test_workers import server

from retinue_platform import bringer, exporter, importer
from retinue_platform.workers import Workers, next_answer, problem_of
from retinue_sdk import store, store_gc
from retinue_sdk.dataset import manifest
from retinue_sdk.errors import DataError, StorageFullError
from retinue_sdk.table import make_table

LARGE = 4 << 20  # more than is under way between two processes
LIMITS = {"memory_bytes": 8 << 30, "cpu_seconds": 60}


@pytest.fixture
def workers():
    workers = Workers()
    yield workers
    workers.close()


@pytest.fixture
def order(tmp_path):
    """An export of three large images."""
    keys = ["cat/0.png", "cat/1.png", "dog/2.png"]
    for number, key in enumerate(keys):
        path = tmp_path / "data" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number) + os.urandom(LARGE))
    images = {"key": keys, "path": [str(tmp_path / "data" / key) for key in keys]}
    table = make_table(images | {"width": [16] * 3, "height": [16] * 3}, {}, [])
    made = store.publish(table, tmp_path / "store")
    return {
        "manifest": manifest(tmp_path / "store", made.digest).model_dump(mode="json"),
        "store": str(tmp_path / "store"),
        "sources": [],
        "format": "ndjson",
        "folder": str(tmp_path / "work" / "export"),
        "archive": True,
        **LIMITS,
    }


def written(order):
    return sorted(Path(order["folder"]).rglob("*"))


async def test_the_images_of_an_export_stay_until_they_are_sent(workers, order):
    async with workers.working("exporter", order) as worker:
        assert (await next_answer(worker))["losses"] == []
        assert store_gc.collect(Path(order["store"]), list) is None  # nobody needs the version any more
        packed = zipfile.ZipFile(io.BytesIO(await worker.answers.read()))
        assert await worker.wait() == 0
    assert packed.testzip() is None
    assert sum(info.file_size > LARGE for info in packed.infolist()) == 3
    assert store_gc.collect(Path(order["store"]), list).blobs == 3


async def test_an_image_that_is_lost_meanwhile_breaks_the_zip_off(workers, order):
    async with workers.working("exporter", order) as worker:
        assert (await next_answer(worker))["losses"] == []
        links = {path.resolve(): path.name for path in written(order) if path.is_symlink()}
        max(links, key=links.__getitem__).unlink()  # the last that is packed
        await worker.answers.read()
        assert await worker.wait() == 1


async def test_a_full_disk_is_told_as_such(workers, order):
    async with workers.working("exporter", {"formats": True, **LIMITS}) as worker:
        await next_answer(worker)
    resource.prlimit(server().pid, resource.RLIMIT_FSIZE, (20, 20))
    async with workers.working("exporter", order) as worker:
        problem = (await next_answer(worker))["problem"]
    assert (problem["code"], problem["status"], problem["where"]) == ("storage_full", 507, order["folder"])
    assert written(order) == []


@pytest.mark.parametrize(("worker", "kind"), [(importer, "import"), (exporter, "export"), (bringer, "bringing")])
def test_problems_are_told_by_what_was_done(worker, kind, tmp_path, capsys):
    order = {"memory_bytes": 3 << 29, "folder": str(tmp_path / "some"), "format": "coco", "digest": "a" * 64}
    expected = worker._out_of_memory(order), worker._unforeseen(order)
    memory, other, full = (
        problem_of(error, tmp_path, *expected) for error in (MemoryError(), KeyError("a"), OSError(28, "No space"))
    )
    assert memory.problem.code == f"{kind}_out_of_memory"
    assert "more than the 1.5 GiB of memory" in memory.problem.message
    assert other.problem.code == f"{kind}_failed"
    assert "KeyError" in capsys.readouterr().err
    assert isinstance(full, StorageFullError)
    assert problem_of(known := DataError("Known."), tmp_path, *expected) is known
