"""The catalogue as objects: models of all trainers and their parameters."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from retinue import html
from retinue.listing import Listing
from retinue.session import Session
from retinue_sdk import api
from retinue_sdk.schema import ModelInfo


class Model:
    """A model that a trainer offers."""

    HEAD: ClassVar = ("model", "tasks", "parameters (M)", "input", "licence", "pretrained weights")

    def __init__(self, session: Session, info: ModelInfo) -> None:
        self.session = session
        self.info = info
        self.framework = info.framework
        self.name = info.name
        tasks = ", ".join(info.tasks)
        millions = "" if info.parameters_m is None else f"{info.parameters_m:.1f}"
        self.row = (
            f"{info.framework}/{info.name}",
            tasks,
            millions,
            info.input_size or "",
            info.licence or "",
            info.pretrained,
        )

    def schema(self, task: str | None = None) -> dict[str, Any]:
        """The JSON Schema of its parameters."""
        answer: dict[str, Any] = self.session.get(
            f"/models/{self.framework}/{self.name}/schema", task=task or self.info.tasks[0]
        )
        return answer

    def parameters(self, task: str | None = None) -> Listing[Parameter]:
        """Its parameters with default, range and unit."""
        properties = self.schema(task)["properties"]
        return Listing([Parameter(name, p) for name, p in properties.items()], Parameter.HEAD, "No parameters.")

    def __repr__(self) -> str:
        return f"Model({self.row[0]!r}, {self.row[1]})"

    def _repr_html_(self) -> str:
        return html.table(self.HEAD, [self.row]) + self.parameters()._repr_html_()


class Parameter:
    """One parameter of a model, as its schema describes it."""

    HEAD: ClassVar = ("parameter", "default", "range", "unit", "what it does")

    def __init__(self, name: str, schema: dict[str, Any]) -> None:
        span = (
            "|".join(map(str, schema["enum"]))
            if "enum" in schema
            else f"{schema.get('minimum', '')} .. {schema.get('maximum', '')}"
        )
        self.row = (
            name,
            schema.get("default", ""),
            span.strip(" ."),
            schema.get("unit", ""),
            schema.get("description", ""),
        )


def models(session: Session, task: str | None = None, find: str = "") -> Listing[Model]:
    """The catalogue of all trainers, or what of it has `find` in its name.

    A trainer that is down is named on stderr; what it last offered stays listed.
    """
    catalogue = api.Catalogue.model_validate(session.get("/models", task=task))
    for trainer in catalogue.trainers:
        if not trainer.reachable:
            print(f"{trainer.framework} does not answer since {trainer.since}: {trainer.reason}", file=sys.stderr)  # noqa: T201
    found = [Model(session, info) for info in catalogue.models if find in f"{info.framework}/{info.name}"]
    return Listing(found, Model.HEAD, "No trainer offers such a model.")
