"""A step of a training in a process beside it, which lays the dataset out while the training imports its framework."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def beside(step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
    """Start `step` in a process of its own; what is returned waits for its result, or raises what it raised.

    Call it before the framework is imported, for it forks: the step starts at once, without the framework's threads.
    MemoryError if the process was killed.
    """
    pool = ProcessPoolExecutor(1, mp_context=get_context("fork"))
    future = pool.submit(step, *args, **kwargs)
    pool.shutdown(wait=False)

    def result() -> T:
        try:
            return future.result()
        except BrokenProcessPool as error:
            raise MemoryError("the process that reads the dataset was killed, most likely for its memory") from error

    return result
