"""The Trainer's events and figures, told to the run directory."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from transformers import TrainerCallback

from retinue_sdk.errors import RetinueError
from retinue_sdk.metrics import top_k
from retinue_sdk.run import Run

_PROGRESS_SECONDS = 0.5


def figures(prediction: Any) -> dict[str, float]:
    """Loss without smoothing and top-k, for `compute_metrics`."""
    logits = np.asarray(prediction.predictions, dtype=np.float64)
    labels = np.asarray(prediction.label_ids)
    shifted = logits - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]
    return {
        "val/loss": float(losses.mean()),
        "val/top1": top_k(logits, labels, 1),
        "val/top5": top_k(logits, labels, 5),
    }


def first_output(logits: Any, _labels: Any) -> Any:
    """The logits alone, where a model gives more, for `preprocess_logits_for_metrics`."""
    return logits[0] if isinstance(logits, tuple) else logits


class Reporter(TrainerCallback):
    """Reports one training, keeps its checkpoints and stops it when asked to."""

    def __init__(self, run: Run, processor: Any, patience: int) -> None:
        self.run = run
        self.processor = processor
        self.patience = patience
        self.best = -1.0
        self.best_epoch = 0
        self.started = time.monotonic()
        self.told = -math.inf

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """The clock of the ETA starts here."""
        self.started = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, **told: Any) -> None:  # noqa: ARG002 - called by keyword
        """One point a step. A loss that is no number ends the training."""
        logs: dict[str, float] = told["logs"]
        if "loss" not in logs:  # the summary at the end
            return
        loss, epoch = float(logs["loss"]), self._epoch(state)
        if not math.isfinite(loss):
            raise nan_loss(loss, state.global_step, epoch)
        self.run.metric(state.global_step, {"train/loss": loss, "lr": logs["learning_rate"]}, epoch=epoch)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002 - called by keyword
        """At most twice a second, and at the last step."""
        now = time.monotonic()
        if now - self.told < _PROGRESS_SECONDS and state.global_step < state.max_steps:
            return
        self.told = now
        eta = (now - self.started) / state.global_step * (state.max_steps - state.global_step)
        epochs = int(state.num_train_epochs)
        self.run.progress(self._epoch(state), epochs, state.global_step, state.max_steps, eta_seconds=round(eta, 1))

    def on_evaluate(self, args: Any, state: Any, control: Any, **told: Any) -> None:
        """The epoch's figures, its checkpoints, and whether to go on."""
        epoch = self._epoch(state)
        metrics: dict[str, float] = told["metrics"]
        values = {key.removeprefix("eval_"): value for key, value in metrics.items() if key.startswith("eval_val/")}
        self.run.metric(state.global_step, values, epoch=epoch)
        line = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
        print(f"epoch {epoch}/{int(state.num_train_epochs)}: {line}", flush=True)  # noqa: T201 - stdout is the job's log
        folder = Path(args.output_dir) / "last"
        told["model"].save_pretrained(folder)
        self.processor.save_pretrained(folder)
        self.run.checkpoint("last", folder, state.global_step)
        if values["val/top1"] > self.best:
            self.best, self.best_epoch = values["val/top1"], epoch
            self.run.checkpoint("best", folder, state.global_step)
        worn_out = 0 < self.patience <= epoch - self.best_epoch
        control.should_training_stop = control.should_training_stop or worn_out or self.run.should_stop()

    @staticmethod
    def _epoch(state: Any) -> int:
        """Counted from 1; `state.epoch` is a fraction that has reached n at the end of epoch n."""
        return max(1, math.ceil(round(state.epoch or 0.0, 6)))


def nan_loss(value: float, step: int, epoch: int) -> RetinueError:
    """The failure of a training that has diverged."""
    return RetinueError(
        f"The loss became {value} at step {step}, epoch {epoch}.",
        code="nan_loss",
        status=422,
        where="parameters.learning_rate",
        hint="Lower the learning rate, lengthen the warm-up, or set clip_gradient to 1.",
    )
