"""A timm training, from timm's own parts, top to bottom in `fit`."""

from __future__ import annotations

import math
import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import timm
import torch
from timm.data import resolve_data_config
from timm.models import get_pretrained_cfg, is_model
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.task import ClassificationTask
from timm.utils import AverageMeter, CheckpointSaver, accuracy, dispatch_clip_grad, random_seed

from retinue_sdk.errors import BadRequestError, RetinueError
from retinue_sdk.folders import ClassFolders
from retinue_sdk.run import Run
from retinue_sdk.schema import TrainRequest
from retinue_timm import spec
from retinue_timm.data import make_loaders, warn_about
from retinue_timm.weights import operator_file, unreachable


@dataclass
class State:
    """Where the loop is: what a checkpoint holds besides tensors."""

    epoch: int = 0
    step: int = 0
    best: float = -1.0
    best_epoch: int = -1
    started: float = field(default_factory=time.monotonic)
    told: float = 0.0  # when progress was last reported


def fit(run: Run, laid_out: Callable[[], ClassFolders]) -> None:
    """Train the model of the run's spec."""
    request = run.spec
    p = spec.defaults(request.task, request.model) | request.parameters
    random_seed(request.seed)
    device = pick_device(p["device"])

    view = laid_out()
    warn_about(run, view)
    model = create_model(request.model, len(view.classes), p).to(device)
    config = resolve_data_config({"input_size": (3, p["image_size"], p["image_size"])}, model=model)
    train_loader, val_loader = make_loaders(view, config, p, device)

    task = ClassificationTask(model, criterion_kwargs={"smoothing": p["label_smoothing"]}, device=device, verbose=False)
    if p["ema"]:
        task.setup_ema(decay=p["ema_decay"], use_warmup=True)
    optimizer = make_optimizer(model, p)
    steps = len(train_loader)
    scheduler, epochs = make_scheduler(optimizer, p, steps)
    saver = make_saver(run.path / "work", model, optimizer, task, describe(request, view, config))
    cast = precision(p["precision"], device)

    state = State()
    for state.epoch in range(epochs):
        task.train()
        for images, targets in train_loader:
            with cast():
                loss = task(images.to(device), targets.to(device))["loss"]
            value = loss.item()
            if not math.isfinite(value):
                raise nan_loss(value, state)
            optimizer.zero_grad()
            loss.backward()
            if p["clip_gradient"]:
                dispatch_clip_grad(task.get_clip_parameters(), p["clip_gradient"])
            optimizer.step()
            state.step += 1
            task.update_ema(step=state.step)
            run.metric(state.step, {"train/loss": value, "lr": optimizer.param_groups[0]["lr"]}, epoch=state.epoch + 1)
            if scheduler is not None:
                scheduler.step_update(state.step)
            report_progress(run, state, epochs, steps)

        figures = validate(task, val_loader, cast, device)
        run.metric(state.step, figures, epoch=state.epoch + 1)
        line = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
        print(f"epoch {state.epoch + 1}/{epochs}: {line}", flush=True)  # noqa: T201 - stdout is the job's log
        save(run, saver, state, figures["val/top1"])
        if run.should_stop() or exhausted(state, p["patience"]):
            break


def pick_device(wish: str) -> torch.device:
    """The device asked for; `auto` takes the GPU when there is one."""
    if wish == "auto":
        wish = "cuda" if torch.cuda.is_available() else "cpu"
    if wish == "cuda" and not torch.cuda.is_available():
        raise BadRequestError(
            "This trainer has no GPU that torch can use.", where="parameters.device", hint="Set device to auto or cpu."
        )
    return torch.device(wish)


def create_model(name: str, classes: int, p: dict[str, Any]) -> torch.nn.Module:
    """The architecture with a head of our classes; sizes are passed to architectures that are built for one size."""
    cfg = known_model(name)
    size = p["image_size"] if cfg.fixed_input_size and cfg.input_size[-1] != p["image_size"] else None
    file = operator_file(name) if p["pretrained"] else None
    try:
        model: torch.nn.Module = timm.create_model(
            name,
            pretrained=p["pretrained"],
            pretrained_cfg_overlay={"file": str(file)} if file else None,
            num_classes=classes,
            img_size=size,
            drop_rate=p["dropout"] or None,
            drop_path_rate=p["drop_path"] or None,
        )
    except TypeError as error:
        raise BadRequestError(
            f"{name} cannot be built with these parameters: {error}",
            where="parameters",
            hint=f"Leave drop_path at 0 and image_size at {cfg.input_size[-1]} for this model, or choose another.",
        ) from error
    except (OSError, RuntimeError) as error:
        if not p["pretrained"]:
            raise
        raise unreachable(name, error) from error
    return model


def known_model(name: str) -> Any:
    """The registry's entry of an architecture, or of `architecture.tag`."""
    try:
        cfg = get_pretrained_cfg(name) if is_model(name) else None
    except RuntimeError:  # an architecture it knows with a tag that it does not
        cfg = None
    if cfg is None:
        raise BadRequestError(
            f"timm has no model {name!r}.", code="unknown_model", where="model", hint="Choose one of GET /models/list."
        )
    return cfg


def make_optimizer(model: torch.nn.Module, p: dict[str, Any]) -> Any:
    """Timm's optimiser of that name; biases and norms are not decayed."""
    return create_optimizer_v2(
        model, p["optimizer"], lr=p["learning_rate"], weight_decay=p["weight_decay"], momentum=p["momentum"]
    )


def make_scheduler(optimizer: Any, p: dict[str, Any], steps: int) -> tuple[Any, int]:
    """Timm's schedule of that name, moved at every step, and how many epochs it lasts."""
    warmup = min(p["warmup_epochs"], p["epochs"] - 1)
    try:
        scheduler, epochs = create_scheduler_v2(
            optimizer,
            p["scheduler"],
            num_epochs=p["epochs"],
            warmup_epochs=warmup,
            warmup_lr=min(1e-5, p["learning_rate"]),
            min_lr=min(p["min_learning_rate"], p["learning_rate"]),
            stable_timescale=max(warmup, 1),
            step_on_epochs=False,
            updates_per_epoch=steps,
        )
    except ValueError as error:
        raise BadRequestError(
            f"The schedule {p['scheduler']} does not fit {p['epochs']} epochs of {steps} steps: {error}",
            where="parameters.scheduler",
            hint="Train for more epochs, or choose the cosine schedule.",
        ) from error
    return scheduler, int(epochs)


def make_saver(work: Path, model: Any, optimizer: Any, task: Any, args: Namespace) -> CheckpointSaver:
    """Timm's saver, in a folder of its own; what it keeps is handed to the run."""
    work.mkdir(exist_ok=True)
    return CheckpointSaver(
        model, optimizer, args=args, task=task, checkpoint_dir=str(work), recovery_dir=str(work), max_history=1
    )


def describe(request: TrainRequest, view: ClassFolders, config: dict[str, Any]) -> Namespace:
    """What the checkpoint says about itself, in types that load with weights_only."""
    return Namespace(
        model=request.model,
        num_classes=len(view.classes),
        classes=view.classes,
        input_size=tuple(config["input_size"]),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        interpolation=config["interpolation"],
        seed=request.seed,
    )


def precision(name: str, device: torch.device) -> Callable[[], AbstractContextManager[Any]]:
    """The context that a forward pass runs in."""
    if name == "bf16":
        return lambda: torch.autocast(device.type, torch.bfloat16)
    return nullcontext


@torch.inference_mode()
def validate(
    task: Any, loader: Any, cast: Callable[[], AbstractContextManager[Any]], device: torch.device
) -> dict[str, float]:
    """Loss and top-k over the validation split, of the averaged weights where there are some."""
    model = task.get_eval_model(ema=task.has_ema())
    model.eval()
    losses, top1, top5 = AverageMeter(), AverageMeter(), AverageMeter()
    for images, targets in loader:
        wanted = targets.to(device)
        with cast():
            output = model(images.to(device))
        first, fifth = accuracy(output, wanted, topk=(1, 5))
        losses.update(torch.nn.functional.cross_entropy(output.float(), wanted).item(), len(wanted))
        top1.update(first.item() / 100, len(wanted))
        top5.update(fifth.item() / 100, len(wanted))
    return {"val/loss": losses.avg, "val/top1": top1.avg, "val/top5": top5.avg}


def save(run: Run, saver: CheckpointSaver, state: State, top1: float) -> None:
    """Keep `last`, and `best` when this epoch is."""
    saver.save_checkpoint(state.epoch, metric=top1)
    folder = Path(saver.checkpoint_dir)
    run.checkpoint("last.pth.tar", folder / "last.pth.tar", state.step)
    if top1 > state.best:
        state.best, state.best_epoch = top1, state.epoch
        run.checkpoint("best.pth.tar", folder / "model_best.pth.tar", state.step)


def exhausted(state: State, patience: int) -> bool:
    """Whether too many epochs have passed without a better one."""
    return patience > 0 and state.epoch - state.best_epoch >= patience


def report_progress(run: Run, state: State, epochs: int, steps: int) -> None:
    """At most twice a second, and at the last step."""
    now, total = time.monotonic(), epochs * steps
    if now - state.told < 0.5 and state.step < total:
        return
    state.told = now
    eta = (now - state.started) / state.step * (total - state.step)
    run.progress(state.epoch + 1, epochs, state.step, total, eta_seconds=round(eta, 1))


def nan_loss(value: float, state: State) -> RetinueError:
    """The failure of a training that has diverged."""
    return RetinueError(
        f"The loss became {value} at step {state.step + 1}, epoch {state.epoch + 1}.",
        code="nan_loss",
        status=422,
        where="parameters.learning_rate",
        hint="Lower the learning rate, lengthen the warm-up, or set clip_gradient to 1.",
    )
