"""Every case of the corpus by the import's own code, one of each row over HTTP, some of them in all ways.

`python -m tests.corpus` sends all of them in all ways and measures.
"""

from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from tests.corpus.cases import FOLDER, cases, rows
from tests.corpus.made import MADE
from tests.corpus.ways import World, direct, misses

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")

CASES = [case for case in cases() if "large" not in case.says]
FIRST = list({case.row: case for case in reversed(CASES)}.values())[::-1]
THREE_WAYS = [case for case in FIRST if case.row[:2] in {"02", "18", "35", "47", "79"}]
SENT = [case for case in CASES if case.row.startswith("19")]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("corpus"))
    yield world
    world.close()


@pytest.fixture(scope="module", autouse=True)
def over_http(world):
    """The answers to come to one case of each row; they are asked for, two at a time, while other tests run."""
    pool = ThreadPoolExecutor(2)
    yield {case: pool.submit(world.http, case) for case in FIRST}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", [case for case in CASES if case not in SENT], ids=str)
def test_each_case_is_answered(case):
    assert misses(case, direct(case)) == []


@pytest.mark.parametrize("case", FIRST, ids=str)
def test_each_row_is_answered_over_http(over_http, case):
    assert misses(case, over_http[case].result()) == []


@pytest.mark.parametrize("case", [*THREE_WAYS, *SENT], ids=str)
def test_the_same_is_answered_in_all_ways(world, case):
    for way in case.ways:
        assert misses(case, getattr(world, way)(case)) == [], way


def test_nothing_is_left_of_what_was_refused(world, over_http):
    wait(over_http.values())
    assert world.left_behind() == []
    assert "Traceback" not in world.platform.read_log()
    listed = {dataset.name: dataset.data for dataset in world.project.datasets()}
    assert all(data.versions or data.problem for data in listed.values())
    assert not Path("canary").exists(), "a data.yaml was run"


def test_every_row_and_every_file_has_its_answer():
    assert {int(row[:2]) for row in rows()} == {*range(1, 20), *range(35, 80)}
    for row, said in rows().items():
        files = {path.name for path in (FOLDER / row).iterdir()} - {"expected.json"}
        assert files <= said["cases"].keys(), row
        assert MADE.get(row, {}).keys() <= said["cases"].keys()
