"""What a trainer package hands to the kit. Adding a trainer is writing one of these: see docs/adding.md."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from retinue_sdk.schema import ModelInfo, Task


class Models(Protocol):
    """Lists the framework's models. Runs in a process of its own, because it imports the framework.

    Yields the whole list, first with what the registry knows for nothing, then again with more details filled in; the
    last list is complete.
    """

    def __call__(self) -> Iterator[list[ModelInfo]]:
        """Yield growing versions of the list."""
        ...


@dataclass(frozen=True)
class Framework:
    """One framework as the kit sees it. Nothing here imports the framework itself.

    `parameters(task, model)` is the JSON Schema of a model's parameters (an object schema, `additionalProperties` false,
    each property with type, default, title, description and, where they apply, minimum, maximum, enum, `unit`, `group`,
    `x-depends-on`). `models` is "module:function" of a `Models`, imported only in the catalogue's process. `train` is the
    module that is run as `python -m MODULE RUN_DIR`.
    """

    name: str
    distribution: str  # whose installed version is the framework's
    licence: str
    tasks: Sequence[Task]
    models: str
    train: str
    parameters: Callable[[Task, str], dict[str, Any]]
    environment: dict[str, str] = field(default_factory=dict)  # set for every training process

    def command(self) -> list[str]:
        """The command of a training process, before the run directory."""
        return [sys.executable, "-m", self.train]
