"""The links of a job's view."""

from __future__ import annotations

from pathlib import Path

import pytest

from retinue_sdk import dataset, store
from retinue_sdk.links import link
from retinue_sdk.table import AnnotationTable
from tests.sdk.drawn import box_table


@pytest.fixture
def table(tmp_path) -> AnnotationTable:
    place = tmp_path / "store"
    return dataset.load(dataset.manifest(place, store.publish(box_table(tmp_path / "source"), place).digest))


def test_every_image_gets_a_link_of_its_own(tmp_path, table):
    view = tmp_path / "view"
    names = link(table, {view: [2, 0], view / "more": []})[view]
    assert [(view / name).readlink() for name in names] == [table.files[row] for row in (2, 0)]
    assert all(name.endswith(".png") for name in names)
    assert not view.is_symlink()
    assert [(view / name).read_bytes() for name in names] == [table.files[row].read_bytes() for row in (2, 0)]
    assert not list((view / "more").iterdir())
    more = link(table, {view: [1]})[view]
    assert len({Path(name).stem.casefold() for name in [*names, *more]}) == 3


def test_a_framework_that_repairs_an_image_does_not_touch_the_store(tmp_path, table):
    place = tmp_path / "view" / link(table, {tmp_path / "view": [0]})[tmp_path / "view"][0]
    before = table.files[0].read_bytes()
    repaired = tmp_path / "repaired"
    repaired.write_bytes(b"new")
    repaired.replace(place)
    assert table.files[0].read_bytes() == before


def test_what_stops_a_link_is_an_error_of_the_caller(tmp_path, table):
    link(table, {tmp_path / "view": [1]})
    with pytest.raises(FileExistsError, match=r"b\.png"):
        link(table, {tmp_path / "other": [0], tmp_path / "view": [0, 1]})


def test_paths_may_be_those_of_the_working_folder(tmp_path, table, monkeypatch):
    monkeypatch.chdir(tmp_path)
    near = table.with_images(path=[str(file.relative_to(tmp_path)) for file in table.files])
    name = link(near, {tmp_path / "far" / "view": [0]})[tmp_path / "far" / "view"][0]
    assert (tmp_path / "far" / "view" / name).read_bytes() == table.files[0].read_bytes()
