"""Where pretrained weights come from: a folder of the operator's, the hub's cache, or the hub itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from retinue_sdk.errors import UnavailableError

_SUFFIXES = (".safetensors", ".pth", ".bin", ".pt", ".npz")


def operator_file(model: str) -> Path | None:
    """`$RETINUE_WEIGHTS/timm/<model>.safetensors` (or .pth, .bin, .pt, .npz), when the operator has put one there."""
    folder = os.environ.get("RETINUE_WEIGHTS")
    if not folder:
        return None
    files = (Path(folder) / "timm" / f"{model}{suffix}" for suffix in _SUFFIXES)
    return next((f for f in files if f.is_file()), None)


def local_file(model: str, cfg: Any) -> Path | None:
    """Weights that need no network: the operator's file, or what the hub's cache holds."""
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - only who asks for weights pays for it

    if found := operator_file(model):
        return found
    names = [cfg.hf_hub_filename] if cfg.hf_hub_filename else ["model.safetensors", "pytorch_model.bin"]
    cached = (try_to_load_from_cache(cfg.hf_hub_id, name) for name in names) if cfg.hf_hub_id else ()
    return next((Path(c) for c in cached if isinstance(c, str)), None)


def unreachable(model: str, cause: BaseException) -> UnavailableError:
    """The one error for weights that cannot be had."""
    return UnavailableError(
        f"The pretrained weights of {model} cannot be loaded: {type(cause).__name__}: {str(cause).splitlines()[0][:200] if str(cause) else ''}",
        code="weights_unreachable",
        where="parameters.pretrained",
        hint=f"Set pretrained to false to train from scratch, give this machine access to the hub, or put the file at $RETINUE_WEIGHTS/timm/{model}.safetensors.",
    )
