"""The catalogue of transformers' image classifiers. Imported only in the catalogue's own process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import torch
from huggingface_hub import try_to_load_from_cache
from transformers import AutoModelForImageClassification
from transformers.initialization import no_init_weights

from retinue_huggingface import sizes
from retinue_huggingface.build import make_config, types, weights_source
from retinue_sdk.schema import ModelInfo, Task
from retinue_sdk.trainer.hub import hub_answers

_LICENCE = "Apache-2.0"  # of the code and so of what is trained from scratch; published weights have their own


def catalogue() -> Iterator[list[ModelInfo]]:
    """Every type at its default configuration and every named size; then again with the parameters counted."""
    online = hub_answers()
    models = [_info(name, online=online) for name in sorted({*types(), *sizes.SIZES})]
    yield models
    yield [model.model_copy(update={"parameters_m": parameters_m(model.name)}) for model in models]


def _info(name: str, *, online: bool) -> ModelInfo:
    return ModelInfo(
        name=name,
        framework="huggingface",
        tasks=[Task.CLASSIFY],
        input_size=sizes.find(name).image_size,
        licence=_LICENCE,
        pretrained=_pretrained(name, online=online),
    )


def _pretrained(name: str, *, online: bool) -> Literal["reachable", "missing", "none"]:
    repository = sizes.find(name).weights
    if repository is None:
        return "none"
    kept = Path(weights_source(name)).is_dir() or isinstance(try_to_load_from_cache(repository, "config.json"), str)
    return "reachable" if online or kept else "missing"


def parameters_m(name: str) -> float | None:
    """Millions of parameters with two classes, counted without memory; None for what cannot be built so."""
    size = sizes.find(name)
    try:
        config = make_config(name, ["a", "b"], size.image_size, {})
        with torch.device("meta"), no_init_weights():
            model = AutoModelForImageClassification.from_config(config)  # type: ignore[no-untyped-call]  # not typed there
    except Exception:  # noqa: BLE001 - one type must not cost the others
        return None
    count: int = sum(p.numel() for p in model.parameters())
    return round(count / 1e6, 2)
