"""The Hugging Face trainer as a service: `retinue-huggingface`, or `python -m retinue_huggingface.service`."""

from __future__ import annotations

from retinue_huggingface import spec
from retinue_sdk.schema import Task
from retinue_sdk.trainer.framework import Framework

FRAMEWORK = Framework(
    name="huggingface",
    distribution="transformers",
    licence="Apache-2.0",
    tasks=(Task.CLASSIFY,),
    models="retinue_huggingface.models:catalogue",
    train="retinue_huggingface.train",
    parameters=spec.parameters,
    environment={
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TRANSFORMERS_VERBOSITY": "warning",
        "OMP_WAIT_POLICY": "PASSIVE",  # threads that spin while they wait take time from others on a shared machine
    },
)


def main() -> None:
    """Serve until told to stop."""
    from retinue_sdk.trainer.service import serve  # noqa: PLC0415 - reading FRAMEWORK must not need a web server

    serve(FRAMEWORK)


if __name__ == "__main__":
    main()
