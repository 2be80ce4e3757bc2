"""The links of a job's view, made here and by a process beside."""

from __future__ import annotations

from pathlib import Path

import pytest

from retinue_sdk import dataset, links, store
from retinue_sdk.links import link, linking
from retinue_sdk.table import AnnotationTable
from tests.sdk.drawn import box_table


@pytest.fixture
def table(tmp_path) -> AnnotationTable:
    place = tmp_path / "store"
    return dataset.load(dataset.manifest(place, store.publish(box_table(tmp_path / "source"), place).digest))


@pytest.fixture
def _many(monkeypatch):
    monkeypatch.setattr(links, "MANY", 1)


def test_every_image_gets_a_link_of_its_own(tmp_path, table):
    view = tmp_path / "view"
    names = link(table, [2, 0], view)
    assert [(view / name).readlink() for name in names] == [table.files[row] for row in (2, 0)]
    assert all(name.endswith(".png") for name in names)
    assert not view.is_symlink()
    assert [(view / name).read_bytes() for name in names] == [table.files[row].read_bytes() for row in (2, 0)]
    more = link(table, [1], view)
    assert len({Path(name).stem.casefold() for name in [*names, *more]}) == 3


def test_a_framework_that_repairs_an_image_does_not_touch_the_store(tmp_path, table):
    place = tmp_path / "view" / link(table, [0], tmp_path / "view")[0]
    before = table.files[0].read_bytes()
    repaired = tmp_path / "repaired"
    repaired.write_bytes(b"new")
    repaired.replace(place)
    assert table.files[0].read_bytes() == before


@pytest.mark.usefixtures("_many")
def test_a_process_beside_makes_the_same_links(tmp_path, table, monkeypatch):
    here, beside = tmp_path / "here", tmp_path / "beside"
    (tmp_path / "retinue_sdk.py").write_text("raise SystemExit('a module of the working folder was run')")
    monkeypatch.chdir(tmp_path)
    names = link(table, [2, 0, 1], here)
    with linking(table, [2, 0, 1], beside) as same:
        assert same == names
    assert {p.name: p.readlink() for p in beside.iterdir()} == {p.name: p.readlink() for p in here.iterdir()}


@pytest.mark.usefixtures("_many")
def test_what_stops_the_process_beside_is_an_error_of_the_caller(tmp_path, table):
    link(table, [1], tmp_path / "view")
    with pytest.raises(FileExistsError, match="view"), linking(table, [0, 1], tmp_path / "view"):
        pass


@pytest.mark.usefixtures("_many")
def test_a_caller_that_fails_is_told_its_own_error(tmp_path, table):
    def label() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"), linking(table, [0, 1], tmp_path / "view"):
        label()
