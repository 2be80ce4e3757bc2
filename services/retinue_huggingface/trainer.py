"""A training with transformers' Trainer, top to bottom in `fit`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainingArguments, set_seed
from transformers.utils import logging

from retinue_huggingface import spec
from retinue_huggingface.build import make_config, make_model, make_processor
from retinue_huggingface.data import collate, make_datasets
from retinue_huggingface.report import Reporter, figures, first_output
from retinue_sdk.errors import BadRequestError
from retinue_sdk.folders import ClassFolders
from retinue_sdk.run import Run


def fit(run: Run, laid_out: Callable[[], ClassFolders]) -> None:
    """Train the model of the run's spec."""
    request = run.spec
    p = spec.defaults(request.task, request.model) | request.parameters
    set_seed(request.seed)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # not typed there

    view = laid_out()
    for code, message in view.findings:
        run.warning(code, message)
    config = make_config(request.model, view.classes, p["image_size"], p["config"])
    model = make_model(request.model, config, pretrained=p["pretrained"], freeze=p["freeze"])
    processor = make_processor(p["image_size"], request.model, pretrained=p["pretrained"])
    train, val = make_datasets(view, processor, p)

    trainer = Trainer(
        model,
        make_arguments(run.path / "work", p, request.seed),
        data_collator=collate,
        train_dataset=train,
        eval_dataset=val,
        compute_metrics=figures,
        preprocess_logits_for_metrics=first_output,
        callbacks=[Reporter(run, processor, p["patience"])],
    )
    trainer.remove_callback(PrinterCallback)  # a line a step in the log
    trainer.train()


def make_arguments(work: Path, p: dict[str, Any], seed: int) -> TrainingArguments:
    """Our parameters by the Trainer's names."""
    if p["device"] == "cuda" and not torch.cuda.is_available():
        raise BadRequestError(
            "This trainer has no GPU that torch can use.", where="parameters.device", hint="Set device to auto or cpu."
        )
    use_cpu = p["device"] == "cpu" or not torch.cuda.is_available()
    if use_cpu and p["precision"] == "fp16":
        raise BadRequestError("fp16 needs a GPU.", where="parameters.precision", hint="Set precision to fp32 or bf16.")
    return TrainingArguments(
        output_dir=str(work),
        num_train_epochs=p["epochs"],
        per_device_train_batch_size=p["batch_size"],
        per_device_eval_batch_size=p["batch_size"],
        optim=p["optimizer"],
        learning_rate=p["learning_rate"],
        weight_decay=p["weight_decay"],
        max_grad_norm=p["clip_gradient"],
        lr_scheduler_type=p["scheduler"],
        warmup_steps=min(p["warmup_epochs"] / p["epochs"], 0.9),  # below 1 it is a share of all steps
        label_smoothing_factor=p["label_smoothing"],
        bf16=p["precision"] == "bf16",
        fp16=p["precision"] == "fp16",
        use_cpu=use_cpu,
        seed=seed,
        dataloader_num_workers=p["workers"],
        dataloader_persistent_workers=p["workers"] > 0,
        dataloader_pin_memory=not use_cpu,
        remove_unused_columns=False,
        label_names=["labels"],
        eval_strategy="epoch",
        save_strategy="no",  # the reporter keeps what is wanted
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
    )
