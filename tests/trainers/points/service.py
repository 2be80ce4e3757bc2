"""The points trainer's service: `python -m tests.trainers.points.service`."""

from pathlib import Path
from typing import Any

from retinue_sdk.schema import Task
from retinue_sdk.trainer.framework import Framework
from retinue_sdk.trainer.service import serve

FAILURES = [
    "", "exit", "error", "cuda_oom", "memory", "import", "nan", "segfault", "stubborn", "grandchildren",
]  # fmt: skip


def parameters(_task: Task, _model: str) -> dict[str, Any]:
    """JSON Schema of a model's parameters."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "points": {
                "type": "integer", "default": 20, "minimum": 1, "maximum": 10_000_000,
                "title": "Points", "description": "How many metric points to report.", "group": "Training",
            },
            "rate": {
                "type": "number", "default": 1000, "exclusiveMinimum": 0, "maximum": 1_000_000, "unit": "points/s",
                "title": "Rate", "description": "How fast to report them.", "group": "Training",
            },
            "fail": {
                "type": "string", "enum": FAILURES, "default": "",
                "title": "Failure", "description": "What to do wrong.", "group": "Tests",
            },
        },
    }  # fmt: skip


FRAMEWORK = Framework(
    name="points",
    distribution="retinue",
    licence="BSD-3-Clause",
    tasks=[Task.CLASSIFY, Task.DETECT],
    models="tests.trainers.points.models:models",
    train="tests.trainers.points.train",
    parameters=parameters,
    environment={"PYTHONPATH": str(Path(__file__).parents[3])},  # a package that is installed needs none
)


def main() -> None:
    """Serve until told to stop."""
    serve(FRAMEWORK)


if __name__ == "__main__":
    main()
