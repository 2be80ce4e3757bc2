"""Building a classifier and its image processor: from a configuration, or from published weights."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModelForImageClassification, ViTImageProcessor
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES

from retinue_huggingface import sizes
from retinue_sdk.errors import BadRequestError, UnavailableError

# What a person may not override: it is decided by the dataset, or names code to run.
_OURS = frozenset(
    {"architectures", "auto_map", "id2label", "label2id", "model_type", "num_labels", "transformers_version"}
)


def types() -> list[str]:
    """The types that this trainer can train."""
    return sorted(set(MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES) - set(sizes.EXCLUDED))


def make_config(model: str, classes: list[str], image_size: int, overrides: dict[str, Any]) -> Any:
    """The configuration of a named size with our classes, image size and the person's overrides."""
    size = sizes.find(model)
    if size.type not in types():
        why = sizes.EXCLUDED.get(size.type)
        raise BadRequestError(
            f"{model} {why}." if why else f"transformers has no image classifier {model!r}.",
            code="unknown_model",
            where="model",
            hint="Choose one of GET /models/list.",
        )
    known = set(AutoConfig.for_model(size.type).to_dict()) - _OURS
    for key in overrides:
        if key not in known:
            guess = difflib.get_close_matches(key, known, 1)
            raise BadRequestError(
                f"The configuration of {size.type} has no {key!r}.",
                where=f"parameters.config.{key}",
                hint=f"Did you mean {guess[0]}?" if guess else f"It has: {', '.join(sorted(known))}.",
            )
    labels = dict(enumerate(classes))
    try:
        config = AutoConfig.for_model(
            size.type,
            **size.config | overrides,
            num_labels=len(classes),
            id2label=labels,
            label2id={name: index for index, name in labels.items()},
            problem_type="single_label_classification",
        )
    except Exception as error:  # strict configurations raise several kinds
        raise _refused(model, error) from error
    heads = MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES[size.type]
    config.architectures = [heads if isinstance(heads, str) else heads[0]]  # some types have several heads
    if "image_size" not in overrides:
        _set_image_size(config, image_size)
    return config


def _set_image_size(config: Any, side: int) -> None:
    """Where the type keeps it: convolutional ones do not care, others build their positions from it."""
    parts: tuple[Any, ...] = (config, getattr(config, "vision_config", None))
    for part in parts:
        if hasattr(part, "image_size"):
            part.image_size = [side, side] if isinstance(part.image_size, (list, tuple)) else side


def make_model(model: str, config: Any, *, pretrained: bool, freeze: bool) -> Any:
    """The classifier."""
    auto: Any = AutoModelForImageClassification
    if not pretrained:
        try:
            return auto.from_config(config)
        except (ValueError, TypeError, RuntimeError, ZeroDivisionError) as error:
            raise _refused(model, error) from error
    source = weights_source(model)
    try:
        network, report = auto.from_pretrained(
            source, config=config, ignore_mismatched_sizes=True, output_loading_info=True, trust_remote_code=False
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise unreachable(model, source, error) from error
    _require_fitting(model, network, report)
    if freeze:
        network.base_model.requires_grad_(requires_grad=False)
    return network


def make_processor(image_size: int, model: str, *, pretrained: bool) -> ViTImageProcessor:
    """One kind of processor for every model: a square of that side, with the mean and deviation of the weights."""
    side = {"height": image_size, "width": image_size}
    if not pretrained:
        return ViTImageProcessor(size=side)
    source = weights_source(model)
    try:
        published, _ = ViTImageProcessor.get_image_processor_dict(source)
    except OSError as error:
        raise unreachable(model, source, error) from error
    statistics = {
        key: published[key] for key in ("image_mean", "image_std", "resample") if published.get(key) is not None
    }
    return ViTImageProcessor(size=side, **statistics)


def weights_source(model: str) -> str:
    """Where the weights of a named size are: `$RETINUE_WEIGHTS/huggingface/<repository>`, or the repository itself."""
    repository = sizes.find(model).weights
    if repository is None:
        raise BadRequestError(
            f"There are no published weights for {model}.",
            where="parameters.pretrained",
            hint="Set pretrained to false, or choose a model whose weights are listed.",
        )
    folder = Path(os.environ.get("RETINUE_WEIGHTS", ""), "huggingface", repository)
    return str(folder) if os.environ.get("RETINUE_WEIGHTS") and folder.is_dir() else repository


def unreachable(model: str, source: str, cause: BaseException) -> UnavailableError:
    """The one error for weights that cannot be had."""
    said = (str(cause).splitlines() or [""])[0][:200]
    return UnavailableError(
        f"The pretrained weights of {model} ({source}) cannot be loaded: {type(cause).__name__}: {said}",
        code="weights_unreachable",
        where="parameters.pretrained",
        hint="Set pretrained to false to train from scratch, give this machine access to the hub, or put the repository's"
        f" files at $RETINUE_WEIGHTS/huggingface/{sizes.find(model).weights}.",
    )


def _require_fitting(model: str, network: Any, report: dict[str, Any]) -> None:
    """Only the head may differ from the weights: another size of anything else would silently start from noise."""
    prefix = network.base_model_prefix + "."
    wrong = [str(key[0] if isinstance(key, tuple) else key) for key in report.get("mismatched_keys", ())]
    if backbone := [key for key in wrong if key.startswith(prefix)]:
        raise BadRequestError(
            f"The weights of {model} do not fit these parameters: {backbone[0]} has another shape.",
            where="parameters",
            hint=f"Use image_size {sizes.find(model).image_size} and no overrides that change shapes, or pretrained false.",
        )


def _refused(model: str, error: Exception) -> BadRequestError:
    said = (str(error).splitlines() or [""])[-1][:200]
    return BadRequestError(
        f"{model} cannot be built with these parameters: {type(error).__name__}: {said}",
        where="parameters.config",
        hint="Correct the overrides; sizes must fit each other.",
    )
