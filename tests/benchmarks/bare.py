"""The bare arm of `overhead`: the same training by hand, without Retinue's run directory, supervisor or services.

`python tests/benchmarks/bare.py SETTINGS.json` prints the time of each optimiser step as JSON. The ultralytics arm is its
own `YOLO.train`; the other two are the loop that a user of timm and of transformers would write. They take the same
transforms and arguments from us; what importing that costs is told, as no such user would pay it.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

STAMPS: list[float] = []
OURS = [0.0]  # seconds


def stamp(*_: Any) -> None:
    """Note that an optimiser step is over."""
    STAMPS.append(time.time())


def import_ours() -> None:
    """Import what a script by hand would not, and note how long it took."""
    began = time.perf_counter()
    for module in ("folders", "metrics", "run"):
        import_module(f"retinue_sdk.{module}")
    OURS[0] = time.perf_counter() - began


def ultralytics(s: dict[str, Any]) -> None:
    from ultralytics import YOLO, settings

    settings.update(
        sync=False, **dict.fromkeys(("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb"), False)
    )
    model = YOLO(f"{s['model']}.yaml")
    model.add_callback("on_train_batch_end", stamp)
    model.train(data=s["view"], project=s["work"], name="run", exist_ok=True, seed=s["seed"], device="cpu", pretrained=False, **s["arguments"])  # fmt: skip


def timm(s: dict[str, Any]) -> None:
    import timm
    import torch
    from timm.data import resolve_data_config
    from timm.optim import create_optimizer_v2
    from timm.scheduler import create_scheduler_v2
    from timm.utils import CheckpointSaver, accuracy, random_seed

    import_ours()
    from retinue_sdk.folders import ClassFolders
    from retinue_timm.data import make_loaders

    p = s["parameters"]
    random_seed(s["seed"])
    view = ClassFolders(**{**s["folders"], "root": Path(s["view"])})
    model = timm.create_model(s["model"], num_classes=len(view.classes))
    config = resolve_data_config({"input_size": (3, p["image_size"], p["image_size"])}, model=model)
    train, val = make_loaders(view, config, p, torch.device("cpu"))
    criterion = torch.nn.CrossEntropyLoss(label_smoothing=p["label_smoothing"])
    optimizer = create_optimizer_v2(
        model, p["optimizer"], lr=p["learning_rate"], weight_decay=p["weight_decay"], momentum=p["momentum"]
    )
    scheduler, epochs = create_scheduler_v2(
        optimizer, p["scheduler"], num_epochs=p["epochs"], warmup_epochs=min(p["warmup_epochs"], p["epochs"] - 1),
        warmup_lr=1e-5, min_lr=p["min_learning_rate"], step_on_epochs=False, updates_per_epoch=len(train),
    )  # fmt: skip
    work = Path(s["work"])
    saver = CheckpointSaver(model, optimizer, checkpoint_dir=str(work), recovery_dir=str(work), max_history=1)
    for epoch in range(int(epochs)):
        model.train()
        for images, targets in train:
            loss = criterion(model(images), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            stamp()
            scheduler.step_update(len(STAMPS))
        model.eval()
        with torch.inference_mode():
            figures = [accuracy(model(images), targets)[0].item() for images, targets in val]
        saver.save_checkpoint(epoch, metric=sum(figures) / len(figures))


def huggingface(s: dict[str, Any]) -> None:
    from transformers import Trainer, TrainerCallback, set_seed

    import_ours()
    from retinue_huggingface.build import make_config, make_model, make_processor
    from retinue_huggingface.data import collate, make_datasets
    from retinue_huggingface.report import figures, first_output
    from retinue_huggingface.trainer import make_arguments
    from retinue_sdk.folders import ClassFolders

    class Stamp(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            stamp()

    p = s["parameters"]
    set_seed(s["seed"])
    view = ClassFolders(**{**s["folders"], "root": Path(s["view"])})
    model = make_model(
        s["model"], make_config(s["model"], view.classes, p["image_size"], p["config"]), pretrained=False, freeze=False
    )
    processor = make_processor(p["image_size"], s["model"], pretrained=False)
    train, val = make_datasets(view, processor, p)
    arguments = make_arguments(Path(s["work"]), p, s["seed"])
    arguments.logging_steps, arguments.save_strategy = 50, "epoch"
    trainer = Trainer(
        model, arguments, data_collator=collate, train_dataset=train, eval_dataset=val,
        compute_metrics=figures, preprocess_logits_for_metrics=first_output, callbacks=[Stamp()],
    )  # fmt: skip
    trainer.train()


if __name__ == "__main__":
    settings = json.loads(Path(sys.argv[1]).read_text())
    {"ultralytics": ultralytics, "timm": timm, "huggingface": huggingface}[settings["framework"]](settings)
    print("\n" + json.dumps({"stamps": STAMPS, "ours": OURS[0]}), end="")
