"""The points trainer's models. A real framework is imported here, in a process of its own, and its registry asked."""

from collections.abc import Iterator

from retinue_sdk.schema import ModelInfo, Task

NAMES = {"counter": [Task.CLASSIFY], "boxer": [Task.DETECT], "any/thing": [Task.CLASSIFY, Task.DETECT]}


def models() -> Iterator[list[ModelInfo]]:
    """The names at once, then everything."""
    yield [ModelInfo(name=name, framework="points", tasks=tasks) for name, tasks in NAMES.items()]
    yield [ModelInfo(name=name, framework="points", tasks=tasks, parameters_m=0.1) for name, tasks in NAMES.items()]
