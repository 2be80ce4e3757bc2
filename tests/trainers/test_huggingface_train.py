"""Real trainings with transformers through the real service, on drawn digits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from retinue_sdk.errors import BadRequestError
from tests.trainers.drawn import draw_digits
from tests.trainers.harness import ROOT, wait_for
from tests.trainers.served import FrameworkService, check_training
from tests.trainers.stores import closed

pytestmark = pytest.mark.heavy
SMALL = {
    "image_size": 32, "batch_size": 16, "workers": 0, "epochs": 2, "warmup_epochs": 1, "learning_rate": 0.003,
    "horizontal_flip": 0.0, "crop_scale": 0.8, "device": "cpu",
}  # fmt: skip
STEPS = 4  # 60 digits, 50 of them for training, the last batch smaller
LOAD = """
import json, sys, torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification
model = AutoModelForImageClassification.from_pretrained(sys.argv[1]).eval()
processor = AutoImageProcessor.from_pretrained(sys.argv[1])
pixels = processor(images=Image.open(sys.argv[2]).convert("RGB"), return_tensors="pt")["pixel_values"]
print(json.dumps([list(pixels.shape), list(model(pixels).logits.shape), model.config.id2label]))
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("huggingface")
    draw_digits(folder / "data", per_class=6)
    with FrameworkService("retinue_huggingface.service", folder, RETINUE_TRAINER_ROOTS=str(folder.parent)) as service:
        yield service.ready()


def run_plain(code: str, *arguments: str | Path) -> str:
    """Run Python that knows nothing of ours."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RETINUE")}
    environment["HF_HUB_OFFLINE"] = "1"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_tables_hold_what_transformers_has():
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
    from transformers.trainer_utils import SchedulerType
    from transformers.training_args import OptimizerNames

    from retinue_huggingface import sizes, spec

    assert set(spec.OPTIMIZERS) <= {o.value for o in OptimizerNames}
    assert set(spec.SCHEDULERS) <= {s.value for s in SchedulerType}
    assert sizes.EXCLUDED.keys() <= MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES.keys()
    assert {s.type for s in sizes.SIZES.values()} <= MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES.keys()


def test_every_type_of_the_catalogue_classifies():
    """On the meta device, which computes shapes alone."""
    code = """
import torch
from retinue_huggingface import build, models
first, last = models.catalogue()
for model in first:
    config = build.make_config(model.name, ["a", "b", "c"], model.input_size, {})
    with torch.device("meta"), models.no_init_weights():
        network = build.make_model(model.name, config, pretrained=False, freeze=False).eval()
        pixels = torch.empty(2, 3, model.input_size, model.input_size)
        output = network(pixel_values=pixels, labels=torch.zeros(2, dtype=torch.long))
    assert output.logits.shape == (2, 3), (model.name, output.logits.shape)
    assert output.loss is not None, model.name
assert len(last) == len(first) > 50
assert [m.name for m in last if m.parameters_m is None] == []
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=os.environ | {"HF_HUB_OFFLINE": "1"})


def test_training_and_its_checkpoint(service, tmp_path):
    with closed(service.data, tmp_path, "cvat") as version:  # a version of a format that Hugging Face does not know
        job = service.job("resnet-tiny", SMALL, version)
        check_training(job, epochs=2, steps=STEPS)
    folder = job.folder("checkpoints/best", tmp_path / "best")
    assert {"config.json", "model.safetensors", "preprocessor_config.json"} <= {f.name for f in folder.iterdir()}
    image = next(service.data.rglob("*.png"))
    pixels, logits, labels = json.loads(run_plain(LOAD, folder, image))
    assert (pixels, logits) == ([1, 3, 32, 32], [1, 10])
    assert labels == {str(n): str(n) for n in range(10)}


def test_configuration_is_overridden(service):
    tiny = {
        "patch_size": 8,
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    }
    options = {"config": tiny, "epochs": 1, "label_smoothing": 0.1, "optimizer": "sgd", "precision": "bf16"}
    job = service.job("vit-tiny", SMALL | options)
    check_training(job, epochs=1, steps=STEPS)
    saved = json.loads(job.get("artifacts/checkpoints/last/config.json"))
    assert (saved["hidden_size"], saved["image_size"], saved["patch_size"]) == (32, 32, 8)


def test_unknown_configuration_is_named():
    from retinue_huggingface.build import make_config

    with pytest.raises(BadRequestError) as caught:
        make_config("vit-tiny", ["a", "b"], 32, {"patchsize": 8})
    assert caught.value.problem.where == "parameters.config.patchsize"
    assert caught.value.problem.hint == "Did you mean patch_size?"


def test_same_seed_same_figures(service):
    first, again, other = (service.job("resnet-tiny", SMALL | {"epochs": 1}, seed=seed) for seed in (3, 3, 4))
    for job in (first, again, other):
        job.wait()
    assert first.series("train/loss") == again.series("train/loss") != other.series("train/loss")
    assert first.series("val/loss") == again.series("val/loss")


def test_stop_after_epoch_keeps_results(service):
    job = service.job("resnet-tiny", SMALL | {"epochs": 500})
    wait_for(lambda: job.events("progress"), 60, every=0.2)
    job.stop_after_epoch()
    job.wait()
    epochs = len(job.series("val/top1"))
    assert 1 <= epochs < 500
    assert len(job.series("train/loss")) == STEPS * epochs
    assert job.get("artifacts/checkpoints/last/config.json")


def test_divergence_is_named(service):
    wild = {"learning_rate": 10.0, "weight_decay": 1.0, "scheduler": "constant", "epochs": 60, "warmup_epochs": 0}
    state = service.job("resnet-tiny", SMALL | wild).wait()  # each step multiplies the weights by -9
    assert (state.status, state.reason) == ("failed", "nan_loss")
    assert "learning rate" in state.message


def test_weights_out_of_reach(service):
    state = service.job("resnet-18", SMALL | {"pretrained": True}).wait()
    assert state.status == "failed"
    assert "weights_unreachable" in state.message
    assert "$RETINUE_WEIGHTS/huggingface/microsoft/resnet-18" in state.message


def test_operators_weights_are_used_whole_or_not_at_all(tmp_path, monkeypatch):
    import torch
    from transformers import ResNetConfig, ResNetForImageClassification, ViTConfig, ViTForImageClassification

    from retinue_huggingface.build import make_config, make_model, make_processor
    from retinue_huggingface.sizes import SIZES

    monkeypatch.setenv("RETINUE_WEIGHTS", str(tmp_path))
    resnet = ResNetForImageClassification(ResNetConfig(**SIZES["resnet-18"].config, num_labels=5))
    folder = tmp_path / "huggingface" / "microsoft" / "resnet-18"
    resnet.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.1, 0.2, 0.3], "do_resize": True}))
    model = make_model("resnet-18", make_config("resnet-18", ["a", "b"], 32, {}), pretrained=True, freeze=True)
    theirs, ours = resnet.base_model.state_dict(), model.base_model.state_dict()
    assert all(torch.equal(theirs[key], ours[key]) for key in theirs)
    assert {name for name, p in model.named_parameters() if p.requires_grad} == {
        "classifier.1.weight",
        "classifier.1.bias",
    }
    assert make_processor(32, "resnet-18", pretrained=True).image_mean == (0.1, 0.2, 0.3)

    vit = ViTForImageClassification(ViTConfig(**SIZES["vit-tiny"].config))
    vit.save_pretrained(tmp_path / "huggingface" / "facebook" / "deit-tiny-patch16-224")
    with pytest.raises(BadRequestError, match="do not fit") as caught:
        make_model("vit-tiny", make_config("vit-tiny", ["a", "b"], 32, {}), pretrained=True, freeze=False)
    assert "image_size 224" in caught.value.problem.hint
