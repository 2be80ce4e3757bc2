"""A Hugging Face training. Run: `python -m retinue_huggingface.train RUN_DIR`."""

from __future__ import annotations

from pathlib import Path

from retinue_sdk.beside import beside
from retinue_sdk.folders import lay_out
from retinue_sdk.run import Run
from retinue_sdk.run import main as run_main


def main(run_dir: Path) -> None:
    """Train the model of `run_dir/spec.json`."""
    with Run(run_dir) as run:
        laid_out = beside(lay_out, run.spec.dataset, run_dir / "dataset")
        from retinue_huggingface.trainer import fit  # noqa: PLC0415 - imports torch and transformers meanwhile

        fit(run, laid_out)


if __name__ == "__main__":
    run_main(main)
