"""An ultralytics training, by ultralytics' own trainers. Run: `python -m retinue_ultralytics.train RUN_DIR`."""

from __future__ import annotations

import shutil
from pathlib import Path

from retinue_sdk.beside import beside
from retinue_sdk.errors import BadRequestError, NotFoundError
from retinue_sdk.run import Run
from retinue_sdk.run import main as run_main
from retinue_sdk.schema import TrainRequest
from retinue_ultralytics import files, spec
from retinue_ultralytics.data import lay_out
from retinue_ultralytics.isolation import isolate
from retinue_ultralytics.report import Reporter, keep_outputs, nan_loss


def main(run_dir: Path) -> None:
    """Train the model of `run_dir/spec.json`."""
    run_dir = run_dir.resolve()
    with Run(run_dir) as run:
        request = run.spec
        values = spec.defaults(request.task, request.model) | request.parameters
        start = starting_point(request, pretrained=values["pretrained"])

        laid_out = beside(lay_out, request, run_dir / "dataset")
        work = run_dir / "work"
        isolate(work / "config")
        from retinue_ultralytics.trainers import TRAINERS  # noqa: PLC0415 - imports ultralytics, isolated by now

        view = laid_out()
        for code, message in view.findings:
            run.warning(code, message)
        trainer = TRAINERS[request.task](
            overrides={
                **spec.arguments(values),
                "model": start,
                "pretrained": values["pretrained"],
                "data": str(view.source),
                "device": pick_device(values["device"], request.resources.gpus),
                "seed": request.seed,
                "project": str(work),
                "name": "run",
                "exist_ok": True,
            }
        )
        reporter = Reporter(run, view.images)
        reporter.attach(trainer)
        try:
            trainer.train()
        except RuntimeError as error:
            if "NaN" in str(error):  # ultralytics has gone back to its last checkpoint three times
                raise nan_loss(trainer.epoch + 1) from error
            raise
        keep_outputs(run, trainer.save_dir, reporter.step)
        shutil.rmtree(work, ignore_errors=True)


def starting_point(request: TrainRequest, *, pretrained: bool) -> str:
    """What ultralytics builds the model from: the architecture's name, or a file of weights."""
    known = {a.name for a in files.architectures() if a.task is request.task}
    if request.model not in known:
        raise NotFoundError(
            f"ultralytics has no model {request.model} for {request.task}.",
            where="model",
            hint="Choose one of GET /models/list.",
        )
    if not pretrained:
        return f"{request.model}.yaml"
    weights = files.weights(request.model)
    if weights is None:
        raise BadRequestError(
            f"There are no weights of {request.model} on this trainer.",
            code="weights_unreachable",
            where="parameters.pretrained",
            hint=f"Set pretrained to false to train from scratch, or put the file at $RETINUE_WEIGHTS/ultralytics/{request.model}.pt.",
        )
    return str(weights)


def pick_device(wish: str, gpus: int) -> str:
    """The device asked for, in ultralytics' words; `auto` takes the GPU when there is one."""
    import torch  # noqa: PLC0415 - what is wrong with a request is said before torch is loaded

    if gpus > 1:
        raise BadRequestError(
            "An ultralytics training uses one GPU at most.", where="resources.gpus", hint="Ask for 1 GPU, or none."
        )
    if wish == "auto":
        wish = "cuda" if torch.cuda.is_available() else "cpu"
    if wish == "cuda" and not torch.cuda.is_available():
        raise BadRequestError(
            "This trainer has no GPU that torch can use.", where="parameters.device", hint="Set device to auto or cpu."
        )
    return "0" if wish == "cuda" else "cpu"


if __name__ == "__main__":
    run_main(main)
