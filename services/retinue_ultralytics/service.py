"""The ultralytics trainer as a service: `retinue-ultralytics`, or `python -m retinue_ultralytics.service`."""

from __future__ import annotations

from retinue_sdk.schema import Task
from retinue_sdk.trainer.framework import Framework
from retinue_ultralytics import spec
from retinue_ultralytics.isolation import ENVIRONMENT

FRAMEWORK = Framework(
    name="ultralytics",
    distribution="ultralytics",
    licence="AGPL-3.0",
    tasks=(Task.CLASSIFY, Task.DETECT),
    models="retinue_ultralytics.models:catalogue",
    train="retinue_ultralytics.train",
    parameters=spec.parameters,
    environment=ENVIRONMENT,
)


def main() -> None:
    """Serve until told to stop."""
    from retinue_sdk.trainer.service import serve  # noqa: PLC0415 - reading FRAMEWORK must not need a web server

    serve(FRAMEWORK)


if __name__ == "__main__":
    main()
