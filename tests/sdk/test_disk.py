"""What is said of a full volume."""

import shutil

import pytest

from retinue_sdk.disk import appearing, check_room, full_disk, on_disk
from retinue_sdk.errors import StorageFullError

NO_SPACE = OSError(28, "No space left on device")


def test_the_volume_and_what_is_missing_are_named(tmp_path):
    needed = shutil.disk_usage(tmp_path).total * 2
    with pytest.raises(StorageFullError) as caught:
        check_room(tmp_path / "new", needed)
    problem = caught.value.problem
    assert (problem.code, problem.where) == ("storage_full", str(tmp_path / "new"))
    assert f"{needed} bytes are needed there" in problem.message
    assert "are missing" in problem.message


def test_a_full_quota_is_told_as_one(tmp_path):
    with pytest.raises(StorageFullError, match=r"1 bytes are needed there, .* a quota"), full_disk(tmp_path, 1):
        raise NO_SPACE
    with pytest.raises(StorageFullError, match=r"is full: \d+ bytes are free\."), appearing(tmp_path / "new"):
        raise NO_SPACE
    assert list(tmp_path.iterdir()) == []


def test_small_files_take_whole_blocks():
    assert [on_disk(size) for size in (0, 1, 4096, 4097)] == [0, 4096, 4096, 8192]
