"""How far an upload and its import are, as a terminal and a cell show it; and no time-out for what is made when asked for."""

import httpx
import pytest
from IPython.testing.globalipapp import start_ipython
from IPython.utils.capture import capture_output

from retinue.exports import export, losses
from retinue.progress import Cell, Line, shown
from retinue.session import Session
from retinue_sdk.client import Client


def test_a_line_for_each_step(capsys):
    line = Line()
    for step, part in (("uploading", 0.5), ("uploading", 1.0), ("reading", 0.25), ("reading", 0.25), ("storing", 0.5)):
        line(step, part)
    line.end()
    line.end()
    said = "\ruploading  50%\ruploading 100%\n\rreading  25%\n\rstoring  50%\n"
    assert capsys.readouterr().err == said


def test_a_shell_that_renews_nothing_gets_a_line_a_step():
    start_ipython()
    assert isinstance(shown(), Cell)
    with capture_output() as captured:
        cell = Cell()
        for step, part in (("uploading <b>", 0.5), ("uploading <b>", 1.0), ("reading", 0.25)):
            cell(step, part)
    drawn = [output.data for output in captured.outputs]
    assert [data["text/plain"] for data in drawn] == ["uploading <b> 50%", "reading 25%"]
    assert drawn[0]["text/html"] == '<progress max="1" value="0.500"></progress> uploading &lt;b&gt; 50%'


@pytest.fixture
def patience():
    """The time-outs of the requests that a session made, and the session; the answer is an empty list."""
    seen = []

    def answer(request):
        seen.append(request.extensions["timeout"])
        return httpx.Response(200, content=b"[]")

    session = Session("http://platform", "t")
    session.client.close()
    session.client = Client("http://platform", "t", transport=httpx.MockTransport(answer))
    yield session, seen
    session.client.close()


def test_what_is_made_when_asked_for_may_take_its_time(patience, tmp_path):
    session, seen = patience
    losses(session, "/datasets/d/versions/1", "coco")
    export(session, "/datasets/d/versions/1", "coco", tmp_path / "d.zip")
    session.get("/projects")
    assert [(limit["connect"], limit["read"]) for limit in seen] == [(5.0, None), (5.0, None), (5.0, 30.0)]
    assert (tmp_path / "d.zip").read_bytes() == b"[]"
