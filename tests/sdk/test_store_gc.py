"""Collecting: what is needed stays, whatever publishes, collects, is killed or stopped at whatever file operation.

STORE_GC_STEPS sets how many steps the state machine takes: 20,000 in a long run.
"""

from __future__ import annotations

import hashlib
import os
import signal
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from retinue_sdk import dataset, store, store_gc
from retinue_sdk.errors import DataError
from tests.sdk.drawn import box_table
from tests.sdk.killed import Server, table_of

STEPS = int(os.environ.get("STORE_GC_STEPS", "100"))
CONTENT = st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True).map(sorted)
OPERATION = st.integers(1, 45)  # a publication has forty


def versions(root):
    return {path.name for path in (root / "versions").glob("*")}


def blobs(root):
    return {path.name for path in (root / "blobs").glob("??/*")}


def check_whole(root):
    """Each version that can be seen is complete, and each blob is what its name says."""
    for digest in versions(root):
        store.load_version(dataset.manifest(root, digest))
    for path in (root / "blobs").glob("??/*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name


def blobs_of(root, digests):
    return {
        blob for d in digests for blob in store.load_version(dataset.manifest(root, d)).images["blob"].tolist()
    }  # fmt: skip


class StoreMachine(RuleBasedStateMachine):
    """`needed` is what the platform's rows refer to; a version gets into it only behind the fence."""

    published = Bundle("published")
    stopped = Bundle("stopped")

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name) / "store"
        self.server = Server(Path(self.folder.name))
        self.needed = set()
        self.waiting = set()
        with store_gc.hold(self.root):  # makes the folders
            pass

    @rule(target=published, content=CONTENT)
    def publish(self, content):
        return self.server.ask("publish", shades=content)["answer"]

    @rule(content=CONTENT, at=OPERATION)
    def publish_and_be_killed(self, content, at):
        self.server.ask("publish", shades=content, at=at)

    @rule(target=stopped, content=CONTENT, at=OPERATION)
    def publish_and_be_stopped(self, content, at):
        found = self.server.ask("publish", shades=content, at=at, signal=signal.SIGSTOP)
        if found["how"] != "stopped":
            return multiple()
        self.waiting.add(found["pid"])
        return found["pid"]

    @rule(target=published, pid=consumes(stopped))
    def resume(self, pid):
        self.waiting.discard(pid)
        return self.server.ask("resume", pid=pid)["answer"]

    @rule(pid=consumes(stopped))
    def kill(self, pid):
        self.waiting.discard(pid)
        self.server.ask("kill", pid=pid)

    @rule(digest=consumes(published))
    def write_down(self, digest):
        with store_gc.hold(self.root):
            if (self.root / "versions" / digest).is_dir():
                self.needed.add(digest)

    @rule(data=st.data())
    def forget(self, data):
        if self.needed:
            self.needed.discard(data.draw(st.sampled_from(sorted(self.needed))))

    @rule()
    def collect(self):
        found = self.server.ask("collect", keep=sorted(self.needed))
        if found["answer"] is None:
            assert self.waiting  # a stopped publisher has the fence
        else:
            assert versions(self.root) == self.needed
            assert blobs(self.root) == blobs_of(self.root, self.needed)

    @rule(at=OPERATION)
    def collect_and_be_killed(self, at):
        self.server.ask("collect", keep=sorted(self.needed), at=at)

    @invariant()
    def nothing_needed_is_lost(self):
        assert self.needed <= versions(self.root)
        check_whole(self.root)

    def teardown(self):
        for pid in self.waiting:
            self.server.ask("kill", pid=pid)
        self.server.close()
        self.folder.cleanup()


LENGTH = min(STEPS, 50)
StoreMachine.TestCase.settings = settings(
    max_examples=max(1, STEPS // LENGTH),
    stateful_step_count=LENGTH,
    suppress_health_check=list(HealthCheck),
)
TestStore = pytest.mark.timeout(max(300, STEPS))(StoreMachine.TestCase)


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    yield server
    server.close()


def test_a_publication_killed_at_each_of_its_operations_leaves_a_whole_store(server, tmp_path):
    root, points = tmp_path / "store", 0
    while True:
        points += 1
        found = server.ask("publish", shades=[1, 2, points + 10], at=points)  # one image is new each time
        check_whole(root)
        if found["how"] == "done":
            break
    assert points > 30
    assert server.ask("collect", keep=[found["answer"]])["how"] == "done"
    assert versions(root) == {found["answer"]}
    assert list((root / "staging").iterdir()) == []


def test_a_collection_killed_at_each_of_its_operations_is_completed_by_the_next(server, tmp_path):
    root, points = tmp_path / "store", 0
    kept = server.ask("publish", shades=[1, 2])["answer"]
    while True:
        points += 1
        server.ask("publish", shades=[2, 3])
        found = server.ask("collect", keep=[kept], at=points)
        check_whole(root)
        assert kept in versions(root)
        if found["how"] == "done":
            break
    assert points > 10
    assert versions(root) == {kept}
    assert blobs(root) == blobs_of(root, [kept])


def test_a_publisher_waits_for_a_collector_and_then_stores_what_it_needs(tmp_path):
    """The blob is there when the publisher comes, and gone when it gets its turn."""
    root, table = tmp_path / "store", table_of(tmp_path, [1])
    first = store.publish(table, root)
    asked, go_on, made = threading.Event(), threading.Event(), []

    def nothing():
        asked.set()
        go_on.wait(20)
        return ()

    collector = threading.Thread(target=store_gc.collect, args=(root, nothing))
    publisher = threading.Thread(target=lambda: made.append(store.publish(table, root)))
    collector.start()
    asked.wait(20)
    publisher.start()
    publisher.join(0.2)
    assert publisher.is_alive()
    go_on.set()
    collector.join(20)
    publisher.join(20)
    assert (made[0].digest, made[0].created) == (first.digest, True)
    check_whole(root)


def test_a_collector_does_not_wait_for_a_publisher(tmp_path):
    root = tmp_path / "store"
    made = store.publish(table_of(tmp_path, [1]), root)
    with store_gc.hold(root):
        assert store_gc.collect(root, tuple) is None
    assert versions(root) == {made.digest}
    found = store_gc.collect(root, tuple)
    assert (found.versions, found.blobs) == (1, 1)
    assert found.size_bytes == made.size_bytes


def test_images_of_the_store_are_taken_by_their_place(tmp_path):
    root = tmp_path / "store"
    made = store.publish(box_table(tmp_path / "source"), root)
    table = store.load_version(dataset.manifest(root, made.digest))
    for path in (root / "blobs").glob("??/*"):
        os.utime(path, (0, 0))
    again = store.publish(table.with_images(split="test"), root)
    assert again.digest != made.digest
    assert all(path.stat().st_atime == 0 for path in (root / "blobs").glob("??/*"))
    assert store.load_version(dataset.manifest(root, again.digest)).splits == {"test": 3}


def test_nothing_is_removed_when_a_version_that_is_needed_cannot_be_read(tmp_path):
    root = tmp_path / "store"
    kept, other = (store.publish(table_of(tmp_path, shades), root) for shades in ([1], [2]))
    (kept.path / "images.parquet").chmod(0o644)
    (kept.path / "images.parquet").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        store_gc.collect(root, lambda: [kept.digest])
    assert caught.value.problem.code == "dataset_corrupt"
    assert versions(root) == {kept.digest, other.digest}
    assert len(blobs(root)) == 2


def test_what_is_not_of_the_store_is_left_alone(tmp_path):
    root = tmp_path / "store"
    store.publish(table_of(tmp_path, [1]), root)
    strangers = [root / "versions" / "notes", root / "blobs" / "00" / "readme.txt"]
    for path in strangers:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    store_gc.collect(root, tuple)
    assert all(path.read_text() == "mine" for path in strangers)
    assert blobs(root) == {"readme.txt"}
