"""Every bad archive of the corpus, by the one way in: the right code, a cure, and nothing left behind."""

import pytest

from retinue_sdk.archive import unpack
from retinue_sdk.errors import DataError
from tests.corpus.archives import ROWS
from tests.sdk.drawn import draw


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number}-{row.title}")
def test_bad_archive(tmp_path, row):
    png = draw(tmp_path / "drawn" / "a.png").read_bytes()
    path, dest = tmp_path / "upload", tmp_path / "out" / "data"
    path.write_bytes(row.make(png))
    if row.code is None:
        root, findings = unpack(path, dest, row.limits, name=row.file)
        assert {f.code: f.count for f in findings} == row.findings
        assert sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()) == sorted(row.files)
        assert all((root / name).read_bytes() == png for name in row.files)
        return
    with pytest.raises(DataError) as caught:
        unpack(path, dest, row.limits, name=row.file)
    problem = caught.value.problem
    assert (problem.code, problem.status) == (row.code, 422), problem
    assert problem.hint
    assert row.says in f"{problem.message} {problem.hint}"
    assert problem.where is None or len(problem.where) <= 80
    assert not list(tmp_path.glob("out/*"))


def test_every_row_is_there():
    assert {row.number for row in ROWS} == set(range(1, 19))
