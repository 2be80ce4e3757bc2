"""The Hugging Face trainer's parameters and sizes, without transformers."""

from __future__ import annotations

import json

import pytest

from retinue_huggingface import sizes, spec
from retinue_huggingface.service import FRAMEWORK
from retinue_sdk.schema import Task
from retinue_sdk.trainer import parameters
from tests.trainers.harness import ROOT
from tests.trainers.served import check_schema, imported_by


@pytest.mark.parametrize("model", ["vit", "resnet-tiny", "swinv2-tiny"])
def test_every_parameter_is_described(model):
    check_schema(FRAMEWORK, model)


def test_parameters_come_without_the_framework():
    assert imported_by("retinue_huggingface") == []


def test_default_size_is_the_models():
    assert spec.defaults(Task.CLASSIFY, "swinv2-tiny")["image_size"] == 256
    assert spec.defaults(Task.CLASSIFY, "mobilenet_v2-small")["image_size"] == 96
    assert spec.defaults(Task.CLASSIFY, "convnext")["image_size"] == 224


def test_any_other_name_is_a_type():
    assert sizes.find("regnet") == sizes.Size("regnet")
    assert sizes.find("vit-tiny").type == "vit"


def test_common_parameters_have_common_names():
    from retinue_timm import spec as timm_spec

    ours, theirs = (s.parameters(Task.CLASSIFY, "resnet")["properties"] for s in (spec, timm_spec))
    common = ours.keys() & theirs.keys()
    assert len(common) > 15
    assert all(ours[name]["type"] == theirs[name]["type"] for name in common)


def test_recipe_fits_the_schema():
    recipe = json.loads((ROOT / "hub_config/recipes/digits-huggingface.json").read_text())
    assert recipe["model"] in sizes.SIZES
    assert parameters.check(spec.parameters(Task.CLASSIFY, recipe["model"]), recipe["parameters"]) == []
