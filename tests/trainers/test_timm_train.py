"""Real timm trainings through the real service, on drawn digits."""

from __future__ import annotations

import pytest

from retinue_sdk.schema import Task
from tests.trainers.drawn import draw_digits
from tests.trainers.harness import wait_for
from tests.trainers.served import FrameworkService, check_training
from tests.trainers.stores import closed

pytestmark = pytest.mark.heavy
SMALL = {
    "image_size": 32, "batch_size": 16, "workers": 0, "epochs": 2, "warmup_epochs": 1, "learning_rate": 0.003,
    "horizontal_flip": 0.0, "crop_scale": 0.8, "color_jitter": 0.0, "device": "cpu",
}  # fmt: skip
STEPS = 3  # 60 digits, 48 of them for training


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("timm")
    draw_digits(folder / "data", per_class=6)
    with FrameworkService("retinue_timm.service", folder, RETINUE_TRAINER_ROOTS=str(folder.parent)) as service:
        yield service.ready()


def test_tables_hold_what_timm_has():
    from timm.data import create_transform
    from timm.optim import list_optimizers
    from torch import nn
    from torch.optim import SGD

    from retinue_timm import spec
    from retinue_timm.data import POLICIES
    from retinue_timm.loop import make_scheduler

    assert set(spec.OPTIMIZERS) <= set(list_optimizers())
    optimizer = SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    for name in spec.SCHEDULERS:
        for options in ({}, {"epochs": 1}, {"warmup_epochs": 0}):
            p = spec.defaults(Task.CLASSIFY, "resnet18") | {"scheduler": name} | options
            assert make_scheduler(optimizer, p, steps=5)[1] == p["epochs"]
    assert POLICIES.keys() == set(spec.AUGMENTATIONS)
    for policy in POLICIES.values():
        create_transform(32, is_training=True, auto_augment=policy)


def test_catalogue_names_everything_at_once():
    import timm

    from retinue_timm.models import catalogue, parameters_m

    models = {m.name: m for m in next(catalogue())}
    assert list(models) == timm.list_models()
    assert (models["resnet18"].input_size, models["resnet18"].licence) == (224, "apache-2.0")
    for name in ("resnet18", "test_vit"):
        count = sum(p.numel() for p in timm.create_model(name).parameters())
        assert parameters_m(name) == pytest.approx(count / 1e6, abs=0.006)


def test_training_and_its_checkpoint(service, tmp_path):
    import timm
    import torch

    with closed(service.data, tmp_path, "csv") as version:  # a version of a format that timm does not know
        job = service.job("test_resnet", SMALL | {"ema": True, "patience": 5}, version)
        check_training(job, epochs=2, steps=STEPS)
    file = tmp_path / "best.pth.tar"
    file.write_bytes(job.get("artifacts/checkpoints/best.pth.tar"))
    model = timm.create_model("test_resnet", num_classes=10, checkpoint_path=str(file)).eval()
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
    said = timm.utils.checkpoint_saver.load_checkpoint_metadata(str(file))["args"]
    assert (said.model, said.classes, said.input_size) == ("test_resnet", [str(n) for n in range(10)], (3, 32, 32))


def test_same_seed_same_figures(service):
    first, again, other = (service.job("test_resnet", SMALL | {"epochs": 1}, seed=seed) for seed in (3, 3, 4))
    for job in (first, again, other):
        job.wait()
    assert first.series("train/loss") == again.series("train/loss") != other.series("train/loss")
    assert first.series("val/loss") == again.series("val/loss")


def test_fixed_size_models_are_built_for_our_size(service):
    job = service.job("test_vit", SMALL | {"epochs": 1, "auto_augment": "randaugment", "precision": "bf16"})
    check_training(job, epochs=1, steps=STEPS)


def test_stop_after_epoch_keeps_results(service):
    job = service.job("test_resnet", SMALL | {"epochs": 500})
    wait_for(lambda: job.events("progress"), 60, every=0.2)
    job.stop_after_epoch()
    job.wait()
    epochs = len(job.series("val/top1"))
    assert 1 <= epochs < 500
    assert job.series("train/loss")[STEPS * epochs :] == []
    assert job.get("artifacts/checkpoints/last.pth.tar")


def test_divergence_is_named(service):
    wild = {"learning_rate": 10.0, "weight_decay": 1.0, "scheduler": "constant", "epochs": 60, "warmup_epochs": 0}
    state = service.job("test_resnet", SMALL | wild).wait()  # each step multiplies the weights by -9
    assert (state.status, state.reason) == ("failed", "nan_loss")
    assert "learning rate" in state.message


def test_weights_out_of_reach(service):
    job = service.job("resnet10t", SMALL | {"pretrained": True})
    state = job.wait()
    assert state.status == "failed"
    assert "weights_unreachable" in state.message
    assert "$RETINUE_WEIGHTS/timm/resnet10t" in state.message


def test_operators_weights_are_used(service, tmp_path, monkeypatch):
    import timm
    import torch

    from retinue_timm import spec
    from retinue_timm.loop import create_model

    published = timm.create_model("test_resnet")
    (tmp_path / "timm").mkdir()
    torch.save(published.state_dict(), tmp_path / "timm" / "test_resnet.pth")
    monkeypatch.setenv("RETINUE_WEIGHTS", str(tmp_path))
    model = create_model("test_resnet", 10, spec.defaults(Task.CLASSIFY, "test_resnet") | {"pretrained": True})
    theirs, ours = published.state_dict(), model.state_dict()
    assert all(torch.equal(theirs[k], ours[k]) for k in ours if ours[k].shape == theirs[k].shape)


def test_service_describes_itself(service):
    with service.client() as client:
        ready = client.get("/health/ready")
        assert (ready["framework"], ready["licence"]) == ("timm", "Apache-2.0")
        assert client.get("/models/resnet18/schema")["properties"]["epochs"]["default"] == 30
