"""The catalogue of timm's architectures. Imported only in the catalogue's own process, because it imports timm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import timm
import torch
from timm.models import get_pretrained_cfg
from torch.overrides import TorchFunctionMode

from retinue_sdk.schema import ModelInfo, Task
from retinue_sdk.trainer.hub import hub_answers
from retinue_timm.weights import local_file

_EVERY = 100


class _NoInit(TorchFunctionMode):
    """Skips the filling of weights: counting needs shapes only, and filling is most of what building costs."""

    names = frozenset({"normal_", "uniform_", "fill_", "zero_", "mul_", "add_", "clamp_", "erfinv_", "copy_"})

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        target = args[0] if args else kwargs.get("tensor")
        if isinstance(target, torch.Tensor) and target.is_meta and getattr(func, "__name__", "") in self.names:
            return target
        return func(*args, **kwargs)


def catalogue() -> Iterator[list[ModelInfo]]:
    """All architectures: first what the registry knows, then again and again with more sizes filled in."""
    online = hub_answers()
    models = [_info(name, online=online) for name in timm.list_models()]
    yield list(models)
    for at, model in enumerate(models):
        models[at] = model.model_copy(update={"parameters_m": parameters_m(model.name)})
        if (at + 1) % _EVERY == 0:
            yield list(models)
    yield list(models)


def _info(name: str, *, online: bool) -> ModelInfo:
    cfg = get_pretrained_cfg(name)
    return ModelInfo(
        name=name,
        framework="timm",
        tasks=[Task.CLASSIFY],
        input_size=cfg.input_size[-1] if cfg else None,
        licence=cfg.license if cfg else None,
        pretrained=_pretrained(name, cfg, online=online),
    )


def _pretrained(name: str, cfg: Any, *, online: bool) -> Literal["reachable", "missing", "none"]:
    if cfg is None or not cfg.has_weights:
        return "none"
    return "reachable" if online or local_file(name, cfg) else "missing"


def parameters_m(name: str) -> float | None:
    """Millions of parameters with the ImageNet head, counted without memory; None for what cannot be built so."""
    try:
        with torch.device("meta"), _NoInit():
            model = timm.create_model(name)
    except Exception:  # noqa: BLE001 - one architecture of 1,371 must not cost the others
        return None
    count: int = sum(p.numel() for p in model.parameters())
    return round(count / 1e6, 2)
