"""Small runs of what `python -m tests.faults life upload imports full_disk` does at its size."""

import pytest

from tests.faults import full_disk, imports, life, upload, volumes

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def check(figures):
    assert [figure for figure in figures if figure.holds is False] == []


def test_datasets_live_through_random_steps_and_kills():
    check(life.run(steps=120, length=40))


def test_an_upload_is_whole_whatever_was_killed(tmp_path):
    sending = upload.Sending(tmp_path, 60_000_000)
    try:
        check(upload.killed(sending, 3, seed=3))
        check(upload.next_day_from_two_tabs(sending))
        check(upload.abandoned(sending))
    finally:
        sending.close()


def test_a_killed_import_is_absent_or_whole():
    check(imports.run(kills=2, first=40, more=10))


def test_a_full_volume_leaves_nothing_half_and_is_told():
    if volumes.allowed():
        check(full_disk.run(points=1, training=False))
    else:  # test_uploads and test_store fill a limit on the size of files instead
        with pytest.raises(SystemExit, match="No mount is allowed here"):
            full_disk.run()
