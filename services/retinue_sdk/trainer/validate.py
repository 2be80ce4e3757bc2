"""Every reason why a training could not start, found before a process or a GPU is taken."""

from __future__ import annotations

import time
from pathlib import Path

from retinue_sdk import dataset
from retinue_sdk.errors import BadRequestError, RetinueError, UnavailableError
from retinue_sdk.schema import DatasetFolder, DatasetManifest, ModelInfo, Task, TrainRequest
from retinue_sdk.trainer import parameters
from retinue_sdk.trainer.catalogue import Catalogue
from retinue_sdk.trainer.framework import Framework

CATALOGUE_PATIENCE = 10.0  # at the very first start the names take a moment: the framework has to be imported


class Validator:
    """Checks requests against the framework, its catalogue and the folders that may be read. It may block: use a thread."""

    def __init__(self, framework: Framework, catalogue: Catalogue, roots: list[Path]) -> None:
        self.framework = framework
        self.catalogue = catalogue
        self.roots = roots

    def problems(self, request: TrainRequest) -> list[RetinueError]:
        """Everything wrong with the request; empty when it can start."""
        found: list[RetinueError] = []
        try:
            self.model(request.model, request.task)
            schema = self.framework.parameters(request.task, request.model)
            found += parameters.check(schema, request.parameters)
        except RetinueError as error:
            found.append(error)
        try:
            self._dataset(request.dataset, request.task)
        except RetinueError as error:
            found.append(error)
        return found

    def require(self, request: TrainRequest) -> None:
        """Raise the first problem."""
        for problem in self.problems(request):
            raise problem

    def fill(self, request: TrainRequest) -> TrainRequest:
        """The request with every default spelt out: what spec.json holds and training code reads."""
        try:
            schema = self.framework.parameters(request.task, request.model)
        except RetinueError:
            return request  # `require` says what is wrong
        return request.model_copy(update={"parameters": parameters.fill(schema, request.parameters)})

    def model(self, name: str, task: Task | None) -> ModelInfo:
        """The model's entry in the catalogue, if it fits the task."""
        info = self.catalogue.get(name) or self._wait_for(name)
        if info is None:
            guess = parameters.nearest(name, [model.name for model in self.catalogue.list()[1]])
            raise BadRequestError(
                f"{self.framework.name} has no model {name}.",
                hint=f"Did you mean {guess}?" if guess else "GET /models/list names them all.",
                where="model",
                code="unknown_model",
            )
        if task is not None and task not in info.tasks:
            raise BadRequestError(
                f"{name} does not do {task.value}.",
                hint=f"It does: {', '.join(t.value for t in info.tasks)}. Choose another task or model.",
                where="task",
                code="model_task_mismatch",
            )
        return info

    def _wait_for(self, name: str) -> ModelInfo | None:
        """The first list names every model; before it is there, nobody can say that one does not exist."""
        deadline = time.monotonic() + CATALOGUE_PATIENCE
        while not self.catalogue.list()[1]:
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"The list of {self.framework.name}'s models is still being made.",
                    hint="Repeat in some seconds; if it stays, look at the trainer's log.",
                    code="catalogue_loading",
                )
            time.sleep(0.1)
        return self.catalogue.get(name)

    def _dataset(self, source: DatasetFolder | DatasetManifest, task: Task) -> None:
        """What can be known without reading it: it is there, may be read, and a version has labels for the task."""
        facts = dataset.summary(source, self.roots)
        if facts is not None and task not in facts.tasks:
            raise BadRequestError(
                f"The dataset has no labels for {task.value}.",
                hint=f"It can be used for: {', '.join(t.value for t in facts.tasks) or 'nothing yet'}.",
                where="dataset",
                code="dataset_task_mismatch",
            )
