"""The timm trainer's parameters, without timm."""

from __future__ import annotations

import json

import pytest

from retinue_sdk.schema import Task
from retinue_sdk.trainer import parameters
from retinue_timm import spec
from retinue_timm.service import FRAMEWORK
from retinue_timm.weights import operator_file, unreachable
from tests.trainers.harness import ROOT
from tests.trainers.served import check_schema, imported_by


def test_every_parameter_is_described():
    check_schema(FRAMEWORK, "resnet18")


def test_parameters_come_without_the_framework():
    assert imported_by("retinue_timm") == []


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("resnet18", 224),
        ("resnet101", 224),
        ("vit_base_patch16_384", 384),
        ("swin_tiny_patch4_window7_224.ms_in1k", 224),
        ("convnextv2_tiny.fcmae_ft_in22k_in1k_384", 384),
        ("tf_efficientnet_b0", 224),
        ("mobilenetv3_small_050", 224),
    ],
)
def test_default_size_is_the_one_in_the_name(model, size):
    assert spec.defaults(Task.CLASSIFY, model)["image_size"] == size


def test_recipe_fits_the_schema():
    recipe = json.loads((ROOT / "hub_config/recipes/digits-timm.json").read_text())
    assert parameters.check(spec.parameters(Task.CLASSIFY, recipe["model"]), recipe["parameters"]) == []


def test_operators_weights_come_first(tmp_path, monkeypatch):
    assert operator_file("resnet18") is None
    file = tmp_path / "timm" / "resnet18.pth"
    file.parent.mkdir()
    file.write_bytes(b"")
    monkeypatch.setenv("RETINUE_WEIGHTS", str(tmp_path))
    assert operator_file("resnet18") == file
    assert operator_file("resnet34") is None


def test_unreachable_weights_name_the_cure():
    problem = unreachable("resnet18", OSError("no route")).problem
    assert (problem.code, problem.status) == ("weights_unreachable", 503)
    assert "$RETINUE_WEIGHTS/timm/resnet18.safetensors" in problem.hint
