"""The catalogue of ultralytics' architectures. Imported only in the catalogue's own process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from retinue_sdk.schema import ModelInfo
from retinue_ultralytics import files
from retinue_ultralytics.isolation import isolate

LICENCE = "AGPL-3.0"
_EVERY = 20


def catalogue() -> Iterator[list[ModelInfo]]:
    """All architectures: first by name, then knowing which weights exist, then with more and more sizes."""
    models = [
        ModelInfo(
            name=a.name,
            framework="ultralytics",
            tasks=[a.task],
            input_size=a.input_size,
            licence=LICENCE,
            pretrained="reachable" if files.weights(a.name) else "none",
        )
        for a in files.architectures()
    ]
    yield list(models)

    with tempfile.TemporaryDirectory(prefix="retinue-ultralytics-") as config:
        isolate(Path(config))
        yield from _detailed(models)


def _detailed(models: list[ModelInfo]) -> Iterator[list[ModelInfo]]:
    from ultralytics.utils.downloads import GITHUB_ASSETS_STEMS  # noqa: PLC0415 - seconds, after the first list

    for at, model in enumerate(models):
        published = not GITHUB_ASSETS_STEMS.isdisjoint(_published_as(model.name))
        if model.pretrained == "none" and published:  # downloads are off: here only if the operator put them here
            models[at] = model.model_copy(update={"pretrained": "missing"})
    for at, model in enumerate(models):
        models[at] = model.model_copy(update={"parameters_m": parameters_m(model.name)})
        if (at + 1) % _EVERY == 0:
            yield list(models)
    yield list(models)


def _published_as(name: str) -> set[str]:
    """The stems of its weights: YOLOv3 and v5 were trained anew as `yolov5nu` and, for P6, `yolov5n6u`."""
    return {name, f"{name}u", f"{name.replace('-p6', '6')}u"}


def parameters_m(name: str) -> float | None:
    """Millions of parameters as ultralytics ships the model, counted on the meta device; None if it cannot be built."""
    import torch  # noqa: PLC0415
    from ultralytics.nn.tasks import parse_model, yaml_model_load  # noqa: PLC0415

    try:
        with torch.device("meta"):
            model, _ = parse_model(yaml_model_load(f"{name}.yaml"), ch=3, verbose=False)
    except Exception:  # noqa: BLE001 - one architecture must not cost the others
        return None
    count: int = sum(p.numel() for p in model.parameters())
    return round(count / 1e6, 2)
