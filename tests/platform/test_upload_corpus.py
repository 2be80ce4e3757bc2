"""Row 19 of the bad inputs: broken chunks are refused by their code, and the upload goes on where it was."""

import pytest
from tests.corpus.archives import CHUNKS
from tests.platform.running import announce, problem, put


@pytest.mark.parametrize("chunk", CHUNKS, ids=lambda chunk: chunk.title)
def test_broken_chunk(shared, alice, project, chunk):
    upload = announce(alice, project, 10)
    put(alice, upload, 0, b"12345")
    problem(put(alice, upload, chunk.offset, chunk.content, chunk.sha256), chunk.status, chunk.code)
    assert (shared.data / "platform" / "uploads" / upload["id"]).read_bytes() == b"12345"
    assert put(alice, upload, 5, b"67890").json()["offset"] == 10
