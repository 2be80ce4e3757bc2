"""Ultralytics' callbacks: what a training tells the run directory."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from retinue_sdk.errors import RetinueError
from retinue_sdk.run import Run

# Figures of each epoch, by ultralytics' own validator; other `val/...` keys are its losses and keep their names.
NAMES = {
    "metrics/accuracy_top1": "val/top1",
    "metrics/accuracy_top5": "val/top5",
    "metrics/mAP50(B)": "val/map50",
    "metrics/mAP50-95(B)": "val/map50_95",
    "metrics/precision(B)": "val/precision",
    "metrics/recall(B)": "val/recall",
}
_PROGRESS_SECONDS = 0.5


class Reporter:
    """Reports one training. `step` counts batches and never goes back, even when ultralytics repeats an epoch."""

    def __init__(self, run: Run, images: dict[str, int]) -> None:
        self.run = run
        self.images = images
        self.step = 0
        self.epoch_trained = False
        self.started = time.monotonic()
        self.told = -math.inf

    def attach(self, trainer: Any) -> None:
        """Be called at the trainer's events."""
        for event in (
            "on_pretrain_routine_end", "on_train_start", "on_train_batch_end", "on_train_epoch_end", "on_model_save",
            "on_fit_epoch_end",
        ):  # fmt: skip
            trainer.add_callback(event, getattr(self, event))

    def on_pretrain_routine_end(self, trainer: Any) -> None:
        """Ultralytics leaves out images it cannot read with a line in its log; the person should know."""
        for name, loader in (("train", trainer.train_loader), ("val", trainer.test_loader)):
            lost = self.images[name] - len(loader.dataset)
            if lost > 0 and not (name == "train" and trainer.args.fraction < 1):
                self.run.warning(
                    "images_unusable", f"{lost} {name} images cannot be read and take no part; see the log."
                )

    def on_train_start(self, trainer: Any) -> None:
        """The clock of the ETA starts here."""
        self.started = time.monotonic()
        self._progress(trainer, 0)

    def on_train_batch_end(self, trainer: Any) -> None:
        """One point a batch; progress at most twice a second."""
        self.step += 1
        loss = sum(float(value) for value in trainer.loss_items.values())
        values = {"train/loss": loss, "lr": trainer.optimizer.param_groups[0]["lr"]}
        self.run.metric(self.step, values, epoch=trainer.epoch + 1)
        self._progress(trainer, self.step)

    def on_train_epoch_end(self, trainer: Any) -> None:
        """Stop after this epoch when asked to, or when nothing can come of it."""
        self.epoch_trained = True
        if not trainer.loss.isfinite():
            if trainer.epoch == trainer.start_epoch:  # later ones are taken back to the last checkpoint
                raise nan_loss(trainer.epoch + 1)
            self.run.warning("nan_loss", f"The loss became NaN in epoch {trainer.epoch + 1}; the epoch is repeated.")
        trainer.stop = trainer.stop or self.run.should_stop()

    def on_model_save(self, trainer: Any) -> None:
        """Keep what ultralytics has just written."""
        self.run.checkpoint("last.pt", trainer.last, self.step)
        if trainer.best_fitness == trainer.fitness:
            self.run.checkpoint("best.pt", trainer.best, self.step)

    def on_fit_epoch_end(self, trainer: Any) -> None:
        """The figures of an epoch. Ultralytics calls this once more, after its final evaluation of the best weights."""
        if not self.epoch_trained:
            self.run.metric(self.step, final_figures(trainer), epoch=trainer.epoch)
            return
        self.epoch_trained = False
        self.run.metric(self.step, epoch_figures(trainer), epoch=trainer.epoch + 1)
        self._progress(trainer, self.step, last=trainer.stop)

    def _progress(self, trainer: Any, step: int, *, last: bool = False) -> None:
        now = time.monotonic()
        if now - self.told < _PROGRESS_SECONDS and not last:
            return
        self.told = now
        total = max(step, trainer.epochs * len(trainer.train_loader))
        eta = round((self.told - self.started) / step * (total - step), 1) if step else None
        self.run.progress(
            min(trainer.epoch + 1, trainer.epochs) if step else 1, trainer.epochs, step, total, eta_seconds=eta
        )


def epoch_figures(trainer: Any) -> dict[str, float]:
    """Validation figures of the epoch just ended, and the parts of its training loss."""
    parts = trainer.label_loss_items(trainer.tloss)
    figures = {NAMES.get(key, key): float(value) for key, value in trainer.metrics.items()}
    losses = [value for key, value in figures.items() if key.startswith("val/") and key.endswith("loss")]
    figures["val/loss"] = sum(losses)
    if len(parts) > 1:  # a single part is train/loss itself, which is reported batch by batch
        figures |= {key: float(value) for key, value in parts.items()}
    return figures


def final_figures(trainer: Any) -> dict[str, float]:
    """Figures of the best weights: for detections mAP is our own, over the final evaluation's predictions."""
    figures = {NAMES[key].replace("val/", "final/"): float(v) for key, v in trainer.metrics.items() if key in NAMES}
    if hasattr(trainer.validator, "score"):
        score = trainer.validator.score()
        figures |= {"final/map50": score.map50, "final/map50_95": score.map50_95}
    return figures


def nan_loss(epoch: int) -> RetinueError:
    """The failure of a training that has diverged."""
    return RetinueError(
        f"The loss became NaN or infinite in epoch {epoch}.",
        code="nan_loss",
        status=422,
        where="parameters.lr0",
        hint="Lower the learning rate, lengthen the warm-up, or set amp to fp32.",
    )


def keep_outputs(run: Run, folder: Path, step: int) -> None:
    """Keep the final best weights (without their optimiser) and the plots and tables that ultralytics left in `folder`."""
    best = folder / "weights" / "best.pt"
    if best.is_file():
        run.checkpoint("best.pt", best, step)
    artifacts = run.path / "artifacts"
    artifacts.mkdir(exist_ok=True)
    for file in sorted(folder.iterdir()):
        kind = {".png": "plot", ".jpg": "plot", ".csv": "report", ".yaml": "report"}.get(file.suffix)
        if kind:
            file.rename(artifacts / file.name)
            run.artifact(f"artifacts/{file.name}", "plot" if kind == "plot" else "report", step=step)
