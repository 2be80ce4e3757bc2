"""A step in a process beside: its result, its error with all it says, its death."""

from __future__ import annotations

import os
import signal

import pytest

from retinue_sdk.beside import beside
from retinue_sdk.errors import DataError


def fail() -> None:
    raise DataError("No image.", code="split_empty", where="dataset, split val", hint="Add one.")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_step_returns_or_raises_arrives() -> None:
    result = beside(divmod, 7, 3)
    assert (result(), result()) == ((2, 1), (2, 1))
    assert beside(os.getpid)() != os.getpid()
    with pytest.raises(DataError) as caught:
        beside(fail)()
    assert str(caught.value) == "No image. (dataset, split val) Add one. [split_empty]"


def test_a_killed_step_is_told() -> None:
    with pytest.raises(MemoryError, match="process that reads the dataset was killed"):
        beside(die)()
