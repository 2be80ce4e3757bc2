"""The ways in: the import's own code in this process, and over a real platform raw HTTP, the SDK's objects and the magic."""

import hashlib
import io
import json
import os
import tempfile
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell
from IPython.testing.globalipapp import start_ipython
from IPython.utils.capture import capture_output

import retinue
from retinue.session import Session
from retinue_platform.importer import told
from retinue_platform.reading import read
from retinue_platform.reporter import Reporter
from retinue_sdk import split
from retinue_sdk.errors import RetinueError
from retinue_sdk.formats.report import refuse_blocking
from tests.platform.hub import StandInHub
from tests.platform.running import Running, announce, put, send, wait_for

CALLED = "data.zip"


@dataclass
class Answer:
    """What came of it: a problem or a version, as the API shows them, or only what a person is shown."""

    problem: dict | None = None
    version: dict | None = None
    shown: str = ""
    seconds: float = 0.0


def direct(case):
    """What the worker reads, in this process; nothing is stored."""
    with tempfile.TemporaryDirectory() as temporary:
        order = order_of(case, Path(temporary))
        try:
            found = read(order, Reporter(io.StringIO()))
            refuse_blocking(found.findings)
        except RetinueError as error:
            if error.problem.code.startswith("archive_"):
                assert not [p for p in Path(order["folder"]).rglob("*") if p.is_file()], "half of it was unpacked"
            return Answer(problem=told(error, order).problem.model_dump(mode="json"))
        table, rule = split.ensure(found.table, 0)
    findings = [finding.model_dump() for finding in found.findings]
    counts = {"images": len(table), "annotations": len(table.annotations)}
    said = {"findings": findings, **counts, "splits": table.splits, "classes": table.classes, "split_rule": rule}
    return Answer(version=said)


def order_of(case, folder):
    """A worker's order for a case, all of whose files are below a folder."""
    (folder / "store").mkdir()
    (folder / "upload").write_bytes(case.content())
    return {
        "source": None,
        "upload": str(folder / "upload"),
        "filename": CALLED,
        "folder": str(folder / "work"),
        "store": str(folder / "store"),
        "parent": None,
        "request": {"format": case.says.get("format"), "seed": 0},
        "unpacked_bytes": 50 << 30,
        "memory_bytes": 2 << 30,
        "cpu_seconds": 60,
    }


class World:
    """A platform whose imports may take 2 GiB and 60 s, with someone who has a project there, in three ways."""

    def __init__(self, folder):
        self.folder = folder
        self.hub = StandInHub()
        self.platform = Running(
            self.hub,
            folder / "data",
            RETINUE_IMPORT_MEMORY_GB="2",
            RETINUE_IMPORT_SECONDS="60",
            RETINUE_IMPORT_WORKERS="2",
        )
        token = self.hub.token("ann")
        self.client = self.platform.client(token)
        self.project = retinue.connect(uuid.uuid4().hex, url=self.platform.base, token=token, create=True)
        start_ipython()
        self.shell = InteractiveShell.instance()
        self.shell.run_line_magic("load_ext", "retinue")
        self.digests = set()

    def close(self):
        Session._current = None
        self.project.session.client.close()
        self.platform.close()
        self.hub.close()

    def left_behind(self):
        """What the platform has of imports that are over besides what they brought: there should be nothing."""
        store = self.platform.data / "store"
        wait_for(lambda: list((self.platform.data / "platform" / "work").iterdir()), lambda left: not left)
        versions = {path.name for path in (store / "versions").iterdir()} if (store / "versions").exists() else set()
        return [*(versions - self.digests), *(str(path) for path in store.glob("staging/*"))]

    def http(self, case):
        """Chunks, an import, and questions until it is over."""
        content = case.content()
        began = time.monotonic()
        if "chunk" in case.says:
            return _problem_of(self._chunk(case.says["chunk"]), began)
        if not content:
            return _problem_of(self._announce(0), began)
        upload = send(self.client, {"id": self.project.id}, content)
        body = {"name": uuid.uuid4().hex, "upload_id": upload["id"], "format": case.says.get("format")}
        made = self.client.post(f"/projects/{self.project.id}/datasets", json=body)
        if made.status_code != 202:
            return _problem_of(made, began)
        path = f"/datasets/{made.json()['id']}"
        dataset = made.json()
        while dataset["status"] == "importing":
            time.sleep(0.03)
            dataset = self.client.get(path).json()
        return self._outcome(dataset, json.dumps(dataset), time.monotonic() - began)

    def sdk(self, case):
        """`connect()` and `Project.upload`."""
        with self._file(case) as path:
            began = time.monotonic()
            try:
                if "chunk" in case.says:
                    self._chunk_by_client(case.says["chunk"])
                change = partial(_changed, path, case)
                dataset = self.project.upload(path, uuid.uuid4().hex, change, case.says.get("format"))
            except RetinueError as error:
                return Answer(error.problem.model_dump(mode="json"), None, str(error), time.monotonic() - began)
            shown = repr(dataset) + dataset._repr_html_()
            return self._outcome(dataset.data.model_dump(mode="json"), shown, time.monotonic() - began)

    def magic(self, case):
        """A cell with `%retinue upload` in a real shell: what it shows."""
        name = uuid.uuid4().hex
        form = f" --format {case.says['format']}" if "format" in case.says else ""
        with self._file(case) as path, capture_output() as captured, self._drawing(partial(_changed, path, case)):
            began = time.monotonic()
            result = self.shell.run_cell(f"%retinue upload {path} --name {name}{form}")
            seconds = time.monotonic() - began
        assert result.success, captured.stdout
        if case.says["outcome"] == "imported":
            self._outcome(self.project.dataset(name).data.model_dump(mode="json"), "", 0)
        return Answer(shown=captured.stdout + captured.stderr, seconds=seconds)

    def _outcome(self, dataset, shown, seconds):
        version = dataset["versions"][0] if dataset["versions"] else None
        assert (dataset["status"] == "ready") == (version is not None)
        if version:
            self.digests.add(version["digest"])
        return Answer(dataset["problem"], version, shown, seconds)

    def _announce(self, size):
        return self.client.post(f"/projects/{self.project.id}/uploads", json={"filename": CALLED, "size": size})

    def _chunk(self, chunk):
        upload = announce(self.client, {"id": self.project.id}, 10)
        assert put(self.client, upload, 0, b"12345").status_code == 200
        answer = put(self.client, upload, chunk["offset"], chunk["content"].encode(), chunk.get("sha256"))
        kept = (self.platform.data / "platform" / "uploads" / upload["id"]).read_bytes()
        assert kept == b"12345", "the chunk left something"
        assert put(self.client, upload, 5, b"67890").json()["offset"] == 10
        return answer

    def _chunk_by_client(self, chunk):
        client, content = self.project.session.client, chunk["content"].encode()
        upload = announce(self.client, {"id": self.project.id}, 10)
        assert put(self.client, upload, 0, b"12345").status_code == 200
        headers = {"X-Content-SHA256": chunk.get("sha256") or hashlib.sha256(content).hexdigest()}
        client.json(
            "PUT", f"/uploads/{upload['id']}", params={"offset": chunk["offset"]}, content=content, headers=headers
        )
        raise AssertionError("the chunk was taken")

    @contextmanager
    def _drawing(self, change):
        """Do this when the shell draws something: the progress bar, after the first chunk."""
        publisher = self.shell.display_pub
        publish = publisher.publish

        def drawn(*arguments, **options):
            change()
            return publish(*arguments, **options)

        publisher.publish = drawn
        try:
            yield
        finally:
            publisher.publish = publish

    @contextmanager
    def _file(self, case):
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            path = Path(folder) / CALLED
            path.write_bytes(case.content())
            yield path


def _changed(path, case, *_progress):
    """What becomes of a file while it is sent, where the case says so."""
    if "becomes" in case.says:
        os.truncate(path, case.says["becomes"])


def _problem_of(answer, began):
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return Answer(answer.json(), None, answer.text, time.monotonic() - began)


def misses(case, answer):
    """What is not as `expected.json` has it, in words."""
    says, found = case.says, []
    if "Traceback" in answer.shown or 'File "/' in answer.shown:
        found.append("a traceback is shown")
    if answer.problem is None and answer.version is None:
        return found + _unsaid(says, answer.shown)
    if says["outcome"] == "refused":
        if answer.problem is None:
            return [*found, "it was imported"]
        problem = answer.problem
        got = {key: problem[key] for key in ("status", "code", "where")}
        wanted = {"status": says.get("status", 422), "code": says["code"], "where": says["where"]}
        found += [f"{key}: {got[key]!r}, not {wanted[key]!r}" for key in wanted if got[key] != wanted[key]]
        if says.get("says", "") not in f"{problem['message']} {problem['hint']}":
            found.append(f"it does not say {says['says']!r}")
        texts = [problem[key] for key in ("message", "hint", "where")]
        if not all(texts) or not "".join(texts).isprintable() or len(problem["message"]) > 2000:
            found.append(f"no message, advice and place to read: {texts}")
        return found
    if answer.version is None:
        return [*found, f"it was refused: {answer.problem}"]
    got = facts(answer.version)
    return found + [f"{key}: {got[key]!r}, not {says[key]!r}" for key in got if key in says and got[key] != says[key]]


def facts(version):
    """What `expected.json` says of a version."""
    findings = [[f["severity"], f["code"], f["count"], f["examples"][0]] for f in version["findings"]]
    return {
        "findings": findings,
        **{key: version[key] for key in ("images", "annotations", "splits", "classes", "split_rule")},
    }


def _unsaid(says, shown):
    """What a person who only reads is not told."""
    if says["outcome"] == "refused":
        wanted = [f"[{says['code']}]", says["where"] or "", says.get("says", "")]
    else:
        wanted = [part for severity, _code, _count, where in says["findings"] for part in (severity, where)]
        wanted += ["ready", says.get("split_rule", "")]
    return [f"{part!r} is not shown" for part in wanted if part not in shown]
