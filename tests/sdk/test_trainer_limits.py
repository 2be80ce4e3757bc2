"""What a trainer service is asked that no file, file system, database or clock could hold: refused, and it goes on."""

import io
import json
import os
import tarfile

import pytest

from tests.sdk.test_trainer_app import ended, refused, train


def nested(levels: int) -> list:
    value: list = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    "path", ["x" * 300, "x/" * 3000, "pipe", "circle", "circle/x", "last.bin/x", "a%00b", "named-by-no-text"]
)
def test_what_is_no_regular_file_is_not_there(client, service, path):
    request = train(client, service)
    ended(client, request.job_id)
    folder = service.runs / str(request.job_id) / "1/checkpoints"
    os.mkfifo(folder / "pipe")
    (folder / "circle").symlink_to("circle")
    os.mkfifo(os.fsencode(folder) + b"/\xff")
    (folder / "named-by-no-text").symlink_to("\udcff")
    problem = refused(client, "GET", f"/jobs/{request.job_id}/artifacts/checkpoints/{path}")
    assert (problem.status, problem.code) == (404, "not_found")
    assert len(problem.where) <= 200
    whole = client.request("GET", f"/jobs/{request.job_id}/artifacts/checkpoints")
    with tarfile.open(fileobj=io.BytesIO(whole.content)) as archive:
        assert archive.getnames() == ["checkpoints/last.bin", "checkpoints/last.bin.manifest.json"]


def test_a_link_to_a_name_that_is_no_text_is_followed(client, service):
    request = train(client, service)
    ended(client, request.job_id)
    folder = service.runs / str(request.job_id) / "1/checkpoints"
    (folder / "\udcff").write_bytes(b"1234")
    (folder / "plain").symlink_to("\udcff")
    answer = client.request("GET", f"/jobs/{request.job_id}/artifacts/checkpoints/plain")
    assert answer.content == b"1234"
    assert 'filename="plain"' in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"parameters": {"fail": "\ud800"}}, "body.parameters.fail"),
        ({"parameters": {"fa\udfffil": ""}}, "body.parameters.fa\ufffdil"),
        ({"parameters": {"fail": ["", {"x": "a\ud800"}]}}, "body.parameters.fail.1.x"),
        ({"parameters": {"rate": float("nan")}}, "body.parameters.rate"),
        ({"parameters": {"points": 2**63}}, "body.parameters.points"),
        ({"parameters": {"points": nested(32)}}, "body.parameters.points" + ".0" * 31),
        ({"parameters": {"points": nested(500)}}, "body.parameters.points" + ".0" * 31),
        ({"\ud800": 1}, "body"),
        ({"seed": 2**31}, "body.seed"),
        ({"attempt": 10**300}, "body.attempt"),
        ({"resources": {"grace_seconds": 10**400}}, "body.resources.grace_seconds"),
        ({"resources": {"memory_gb": float("inf")}}, "body.resources.memory_gb"),
    ],
)
def test_a_request_that_no_file_and_no_clock_could_hold(client, service, change, where):
    body = json.dumps(service.request().model_dump(mode="json") | change)
    for path in ("/train", "/validate"):
        problem = refused(client, "POST", path, content=body, headers={"Content-Type": "application/json"})
        assert (problem.status, problem.code) == (422, "invalid_request")
        assert problem.where.startswith(where)
        assert problem.hint


@pytest.mark.parametrize(
    ("path", "params"), [("/events", {"after": 2**63}), ("/logs", {"after": 2**63}), ("", {"attempt": 2**31})]
)
def test_numbers_beyond_every_column(client, service, path, params):
    request = train(client, service)
    ended(client, request.job_id)
    ((name, value),) = params.items()
    problem = refused(client, "GET", f"/jobs/{request.job_id}{path}", params=params)
    assert (problem.status, problem.where) == (422, f"query.{name}")
    if name == "after":
        assert client.request("GET", f"/jobs/{request.job_id}{path}", params={name: value - 1}).content == b""
