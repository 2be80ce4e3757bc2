"""A dataset version out again: which formats there are, what one would lose, and the zip itself."""

import asyncio
import contextlib
import io
import json
import os
import signal
import socket
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from tests.platform.running import gone, problem, wait_for, workers_of
from tests.platform.test_datasets import archive, folders, imported, picture

from retinue_platform import exports, imports, versions
from retinue_platform.callers import turn
from retinue_platform.context import Context
from retinue_platform.settings import Settings
from retinue_sdk.errors import UnavailableError


def boxes(images=3):
    files = {f"images/train/{i}.png": picture(i) for i in range(images)}
    labels = {f"labels/train/{i}.txt": f"{i % 2} 0.5 0.5 0.25 0.5\n".encode() for i in range(images)}
    return archive(files | labels | {"data.yaml": b"names: [cat, dog]\ntrain: images/train\n"})


def exported(client, dataset, form):
    answer = client.get(f"/datasets/{dataset['id']}/versions/1/archive", params={"format": form})
    assert answer.status_code == 200, answer.text
    return answer, zipfile.ZipFile(io.BytesIO(answer.content))


def test_installed_formats_are_listed(alice):
    listed = {f["name"]: f for f in alice.get("/formats").json()}
    assert listed["yolo_detect"] == {"name": "yolo_detect", "title": "YOLO detection", "writes": True}


def test_a_version_comes_out_in_another_format_and_goes_in_again(shared, alice, project):
    dataset = imported(alice, project, boxes(), name="Cats & dogs")
    assert dataset["status"] == "ready", dataset
    answer, packed = exported(alice, dataset, "pascal_voc")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="Cats---dogs-v1-pascal_voc.zip"'
    assert packed.testzip() is None
    assert {"JPEGImages/0.png", "Annotations/0.xml", "ImageSets/Main/train.txt"} <= set(packed.namelist())
    assert packed.read("JPEGImages/1.png") == picture(1)
    again = imported(alice, project, answer.content)
    assert again["versions"][0]["format"] == "pascal_voc"
    assert again["versions"][0]["annotations"] == 3
    assert wait_for(lambda: list((shared.data / "platform" / "work").iterdir()), lambda left: not left) == []


def test_class_ids_from_one_with_gaps_stay_through_version_and_export(alice, project):
    """Frameworks read labels from 0 without gaps only: an export has those, and the ids beside them."""
    config = b"format: yolo\nskip_if_label_file_missing: true\ntrain: images/train\nval: images/val\n"
    files = {f"images/{split}/{i}.png": picture(i) for i, split in enumerate(["train", "train", "val"])}
    texts = [b"13 0.125 0.25 0.5 0.25 0.5 0.75\n1 0.5 0.5 0.75 0.5 0.75 0.75 0.5 0.7\n", b"", b"90 0 0 1 0 0.5 1\n"]
    labels = {
        name.replace("images", "labels").replace("png", "txt"): text for name, text in zip(files, texts, strict=True)
    }
    names = b"names:\n  1: person\n  13: stop sign\n  90: toothbrush\n"
    dataset = imported(alice, project, archive(files | labels | {"config.yaml": config + names}))
    (version,) = dataset["versions"]
    assert (version["format"], version["classes"]) == ("yolo_segment", ["person", "stop sign", "toothbrush"])
    (finding,) = version["findings"]
    assert (finding["code"], finding["count"]) == ("yaml_unknown_key", 2)
    assert finding["examples"] == ["config.yaml: format", "config.yaml: skip_if_label_file_missing"]
    answer, packed = exported(alice, dataset, "yolo_segment")
    written = yaml.safe_load(packed.read("data.yaml"))
    assert written["names"] == {0: "person", 1: "stop sign", 2: "toothbrush"}
    assert written["class_ids"] == [1, 13, 90]
    lines = b"".join(packed.read(n) for n in sorted(packed.namelist()) if n.endswith(".txt")).splitlines()
    assert [(line[:1], len(line.split())) for line in lines] == [(b"1", 7), (b"0", 9), (b"2", 7)]
    assert lines[0] == b"1 0.12500000 0.25000000 0.50000000 0.25000000 0.50000000 0.75000000"
    again = imported(alice, project, answer.content)
    assert again["versions"][0]["findings"] == []
    for each in (dataset, again):
        header = json.loads(exported(alice, each, "ndjson")[1].read("dataset.ndjson").splitlines()[0])
        assert [(c["id"], c["name"]) for c in header["classes"]] == [
            (1, "person"),
            (13, "stop sign"),
            (90, "toothbrush"),
        ]


def test_losses_are_told_before(alice, project):
    dataset = imported(alice, project, boxes())
    where = f"/datasets/{dataset['id']}/versions/1/losses"
    losses = alice.get(where, params={"format": "image_folder"}).json()
    assert ("loss_kind", 3) in [(loss["code"], loss["count"]) for loss in losses]
    assert alice.get(where, params={"format": "yolo_detect"}).json() == []


def test_the_same_version_gives_the_same_images(alice, project):
    dataset = imported(alice, project, folders(images=3))
    _, packed = exported(alice, dataset, "image_folder")
    names = packed.namelist()
    assert len(names) == 6
    assert {name.split("/")[1] for name in names} == {"cat", "dog"}


def test_what_cannot_be_exported(alice, bob, project):
    dataset = imported(alice, project, folders(images=2))
    version = f"/datasets/{dataset['id']}/versions"
    problem(alice.get(f"{version}/1/archive", params={"format": "none"}), 422, "format_unknown")
    problem(alice.get(f"{version}/1/losses", params={"format": "none"}), 422, "format_unknown")
    problem(alice.get(f"{version}/7/archive", params={"format": "image_folder"}), 404, "not_found")
    problem(alice.get(f"{version}/1/archive"), 422, "invalid_request")
    problem(bob.get(f"{version}/1/archive", params={"format": "image_folder"}), 404, "not_found")


def asked(running, client, dataset, what):
    """A caller who has asked for something of a version: a socket that may leave."""
    caller = socket.create_connection(("127.0.0.1", running.port))
    path = f"{client.base_url.path}datasets/{dataset['id']}/versions/1/{what}?format=image_folder"
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {client.headers['authorization']}\r\n\r\n"
    caller.sendall(head.encode())
    return caller


def exporters(running):
    return {*workers_of(running, "exporter")}


def stopped(running, before=()):
    """The worker of a new export, stopped where `blocked` holds it: it writes until it is let go on, or killed."""
    (worker,) = wait_for(lambda: exporters(running) - {*before}, bool)
    os.kill(worker, signal.SIGSTOP)
    return worker


@contextlib.contextmanager
def blocked(running, dataset):
    """Whoever reads the version waits until the block is left; what is yielded lets those go on who are not stopped."""
    path = running.data / "store" / "versions" / dataset["versions"][0]["digest"] / "classes.json"
    aside = path.with_name("aside")
    path.rename(aside)
    os.mkfifo(path)

    def let_go():
        with path.open("wb") as pipe:
            aside.rename(path)
            pipe.write(path.read_bytes())

    yield let_go
    if aside.exists():
        aside.rename(path)


def scratch(running):
    return list((running.data / "platform" / "work").iterdir())


def ready(running):
    """A user of a platform, and a dataset of theirs."""
    user = running.user()
    project = user.post("/projects", json={"name": "p"}).json()
    dataset = imported(user, project, folders(images=2))
    return user, dataset


@pytest.mark.parametrize("what", ["archive", "losses"])
def test_an_export_ends_with_its_caller(start_platform, what):
    running = start_platform()
    user, dataset = ready(running)
    with blocked(running, dataset):
        with asked(running, user, dataset, what):
            worker = stopped(running)
            assert not gone(worker)
        assert wait_for(lambda: gone(worker), bool, seconds=10)
    assert wait_for(lambda: scratch(running), lambda left: not left) == []
    exported(user, dataset, "image_folder")
    assert "Traceback" not in running.read_log()


def test_four_exports_at_once_and_the_next_waits_for_its_turn(start_platform):
    running = start_platform()
    user, dataset = ready(running)
    with blocked(running, dataset) as let_go, contextlib.ExitStack() as callers, ThreadPoolExecutor(1) as pool:
        workers = []
        for _ in range(4):
            callers.enter_context(asked(running, user, dataset, "archive"))
            workers.append(stopped(running, workers))
        impatient = asked(running, user, dataset, "archive")  # leaves while it waits, and takes nobody's turn
        fifth = pool.submit(exported, user, dataset, "image_folder")
        with pytest.raises(TimeoutError):
            fifth.result(timeout=0.5)
        assert exporters(running) == {*workers}
        impatient.close()
        os.kill(workers[2], signal.SIGCONT)
        let_go()  # its answer fits into the buffers of its socket
        assert len(fifth.result(timeout=20)[1].namelist()) == 4
    assert wait_for(lambda: all(map(gone, workers)), bool, seconds=10)
    assert wait_for(lambda: scratch(running), lambda left: not left) == []


@pytest.mark.parametrize(
    ("busy", "said"),
    [
        (exports._busy(), r"as many exports as it may.*45 seconds.*\[exports_busy\]"),
        (versions._busy(), r"one pair of versions at a time.*45 seconds.*\[comparisons_busy\]"),
    ],
)
async def test_who_gets_no_turn_is_told(busy, said):
    turns = asyncio.Semaphore(1)
    async with turn(turns, busy, 1):
        with pytest.raises(UnavailableError, match=said):
            async with turn(turns, busy, 0.01):
                pass
    async with turn(turns, busy, 1):
        pass


def test_an_export_has_a_time_limit(start_platform):
    running = start_platform()
    user, dataset = ready(running)
    running.stop()
    running.environment["RETINUE_IMPORT_SECONDS"] = "1"
    running.start()
    user.get("/formats").raise_for_status()  # by a worker: the next one begins at once
    path = f"/datasets/{dataset['id']}/versions/1/archive"
    with blocked(running, dataset), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(user.get, path, params={"format": "image_folder"})
        worker = stopped(running)
        problem(answer.result(timeout=20), 422, "export_timeout")
    assert gone(worker)
    assert scratch(running) == []


async def test_only_a_start_clears_what_others_left_in_the_scratch_space(tmp_path):
    """The imports task is started again when it fails: what is being exported then must not lose its folder."""
    work = tmp_path / "platform" / "work"
    (work / "export-killed" / "images").mkdir(parents=True)
    context = Context(Settings(data=tmp_path, hub_api_url="http://127.0.0.1:9/hub/api"))
    context.open()
    assert not (work / "export-killed").exists()
    (work / "export-running").mkdir()
    for _ in range(2):
        task = asyncio.create_task(imports.run(context))
        while len(list(work.iterdir())) > 1:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [folder.name for folder in work.iterdir()] == ["export-running"]
    await context.close()
