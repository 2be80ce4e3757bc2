"""Datasets from Google Cloud Storage and Azure Blob Storage, through their own drivers."""

from __future__ import annotations

import pytest

from retinue_sdk.errors import RetinueError
from retinue_sdk.places import Source
from retinue_sdk.remote import Opener, copy_from
from tests.sdk import clouds
from tests.sdk.drawn import draw
from tests.sdk.test_remote import a_zip

CLOUDS = {"gs": (clouds.Google, clouds.google), "az": (clouds.Azure, clouds.azure)}


@pytest.fixture
def picture(tmp_path):
    return draw(tmp_path / "drawn" / "a.png").read_bytes()


@pytest.fixture
def objects(picture):
    return {
        **{f"pets/cat/{number}.png": picture for number in range(8)}, "pets/dog/a b+é.png": picture,
        "pets/x%2fy.png": picture, "pets/large.jpg": bytes(range(256)) * 9_000, "pets/empty.txt": b"",
        "zips/data.zip": a_zip({"a.png": picture}), "petsX/b.png": picture, "closed/a.png": picture,
    }  # fmt: skip


@pytest.fixture(params=CLOUDS)
def cloud(request, objects, monkeypatch):
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # no gRPC is spoken here
    kind, options = CLOUDS[request.param]
    with clouds.serving(kind, objects) as url:
        yield request.param, options(url)


def test_a_folder_and_an_archive_are_copied(tmp_path, cloud, objects, picture):
    scheme, options = cloud
    sources = [Source(f"{scheme}://sets/pets", options), Source(f"{scheme}://sets/zips", options)]
    root, findings = copy_from(f"{scheme}://sets/pets", tmp_path / "got", sources)
    files = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    assert files == {name.removeprefix("pets/"): found for name, found in objects.items() if name.startswith("pets/")}
    assert findings == []
    root, _ = copy_from(f"{scheme}://sets/zips/data.zip", tmp_path / "zip", sources)
    assert (root / "a.png").read_bytes() == picture


def test_what_stays_there_is_read_by_its_url(cloud, picture):
    scheme, options = cloud
    opener = Opener([Source(f"{scheme}://sets/pets", options)])
    with opener.reading(f"{scheme}://sets/pets/dog/a b+é.png", len(picture)) as read:
        assert read(1 << 20) == picture


def test_what_is_not_there_or_not_ours_is_said(tmp_path, cloud):
    scheme, options = cloud
    sources = [Source(f"{scheme}://sets", options)]
    for name, code in (("none", "source_not_found"), ("closed", "source_forbidden")):
        with pytest.raises(RetinueError) as caught:
            copy_from(f"{scheme}://sets/{name}", tmp_path / "out" / "data", sources)
        assert caught.value.problem.code == code
        assert not list(tmp_path.glob("out/*"))
