"""The profiles of a cluster's servers: pure function, and what KubeSpawner itself makes of them."""

import re
from types import SimpleNamespace

import pytest
from hub_config.profiles import GPU, ProfileSettings, make_profile_list
from kubernetes_asyncio.config import kube_config
from kubespawner import KubeSpawner
from kubespawner.clients import load_config

FULL = ProfileSettings(
    image="example.org/retinue/notebook:0.1.0",
    images={"Nightly": "example.org/retinue/notebook:nightly"},
    free_image_registries=["example.org/retinue", "ghcr.io"],
    gpu_counts=[1, 4, 2],
    mig=["1g.10gb", "3g.40gb"],
    node_selector={"accelerator": "nvidia"},
)


CLUSTER = """
apiVersion: v1
kind: Config
current-context: nowhere
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
clusters: [{name: nowhere, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: nobody, user: {}}]
"""


@pytest.fixture
def make_spawner(tmp_path, monkeypatch):
    """KubeSpawner itself, with the address of a cluster that is not there: nothing here calls one."""
    config = tmp_path / "kubeconfig"
    config.write_text(CLUSTER)
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(config))
    load_config.cache_clear()

    def make(profiles):
        spawner = KubeSpawner(_mock=True, profile_list=profiles)
        spawner.hub = SimpleNamespace(api_url="http://127.0.0.1:9/hub/api", public_host="", base_url="/hub/")
        return spawner

    yield make
    load_config.cache_clear()


def by_slug(settings):
    return {profile["slug"]: profile for profile in make_profile_list(settings)}


def overrides(profile):
    """The profile's own override and those of every choice it offers, on top."""
    base = profile["kubespawner_override"]
    yield base
    for option in profile["profile_options"].values():
        for choice in option["choices"].values():
            yield {**base, **choice["kubespawner_override"]}


def test_profiles_that_are_offered():
    assert list(by_slug(FULL)) == ["cpu", "gpu", "gpus", "mig-1g-10gb", "mig-3g-40gb"]
    assert list(by_slug(ProfileSettings(gpu_counts=[]))) == ["cpu"]
    assert list(by_slug(ProfileSettings(gpu_counts=[2]))) == ["cpu", "gpus"]


def test_exactly_one_default_everywhere():
    profiles = make_profile_list(FULL)
    assert [profile["slug"] for profile in profiles if profile.get("default")] == ["cpu"]
    for profile in profiles:
        for option in profile["profile_options"].values():
            assert [choice["default"] for choice in option["choices"].values()].count(True) == 1


@pytest.mark.parametrize(
    ("slug", "devices"),
    [
        ("cpu", {GPU: "0", "nvidia.com/mig-1g.10gb": "0", "nvidia.com/mig-3g.40gb": "0"}),
        ("gpu", {GPU: "1", "nvidia.com/mig-1g.10gb": "0", "nvidia.com/mig-3g.40gb": "0"}),
        ("gpus", {GPU: "2", "nvidia.com/mig-1g.10gb": "0", "nvidia.com/mig-3g.40gb": "0"}),
        ("mig-1g-10gb", {GPU: "0", "nvidia.com/mig-1g.10gb": "1", "nvidia.com/mig-3g.40gb": "0"}),
    ],
)
def test_every_device_is_named_even_where_it_is_none(slug, devices):
    override = by_slug(FULL)[slug]["kubespawner_override"]
    assert override["extra_resource_limits"] == devices
    assert override["extra_resource_guarantees"] == devices


def test_several_gpus_scale_everything():
    choices = by_slug(FULL)["gpus"]["profile_options"]["gpus"]["choices"]
    four = choices["4"]["kubespawner_override"]
    assert four["extra_resource_limits"][GPU] == "4"
    assert (four["cpu_limit"], four["mem_limit"]) == (16, "128G")
    assert four["volumes"]["shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "32G"}


def test_no_choice_leaks_into_the_next_start():
    """KubeSpawner keeps what the last profile set: every profile must set the same things."""
    keys = {frozenset(override) - {"image"} for profile in make_profile_list(FULL) for override in overrides(profile)}
    assert len(keys) == 1


async def test_kubespawner_takes_every_profile_and_nothing_leaks(make_spawner):
    profiles = make_profile_list(FULL)
    spawner = make_spawner(profiles)
    for slug in ("gpu", "mig-1g-10gb", "gpus", "cpu"):
        spawner.user_options = {"profile": slug}
        await spawner.load_user_options()
    await spawner.load_user_options()  # what is the same twice must not add up
    pod = (await spawner.get_pod_manifest()).to_dict()
    container = pod["spec"]["containers"][0]
    assert set(container["resources"]["limits"].items()) >= {(GPU, "0"), ("nvidia.com/mig-1g.10gb", "0")}
    assert container["resources"]["limits"]["memory"] == 8 * 1024**3
    assert container["image"] == FULL.image
    assert [mount["mount_path"] for mount in container["volume_mounts"]] == ["/dev/shm"]
    assert pod["spec"]["volumes"][0]["empty_dir"] == {"medium": "Memory", "sizeLimit": "1G"}
    assert not pod["spec"].get("node_selector")
    assert not pod["spec"].get("tolerations")


async def test_kubespawner_checks_a_free_image(make_spawner):
    spawner = make_spawner(make_profile_list(FULL))
    spawner.user_options = {"profile": "gpu", "image--unlisted-choice": "ghcr.io/me/thing:2.1"}
    await spawner.load_user_options()
    assert spawner.image == "ghcr.io/me/thing:2.1"
    assert spawner.extra_resource_limits[GPU] == "1"
    spawner.user_options = {"profile": "cpu", "image--unlisted-choice": "evil.example/me/thing:2.1"}
    with pytest.raises(ValueError, match="validation regex"):
        await spawner.load_user_options()


@pytest.mark.parametrize(
    ("image", "good"),
    [
        ("example.org/retinue/notebook:1", True),
        ("ghcr.io/a/b/c@sha256:" + "0" * 64, True),
        ("ghcr.io/a", False),
        ("exampleXorg/retinue/notebook:1", False),
        ("example.org/retinue:1", False),
        ("example.org/retinue/../x:1", False),
        ("ghcr.io/a:1 --privileged", False),
        ("xghcr.io/a:1", False),
        ("ghcr.io/A:1", False),
    ],
)
def test_free_images_are_of_the_registries_named(image, good):
    choice = by_slug(FULL)["cpu"]["profile_options"]["image"]["unlisted_choice"]
    assert bool(re.match(choice["validation_regex"], image)) is good


def test_no_free_image_unless_a_registry_is_named():
    assert "unlisted_choice" not in by_slug(ProfileSettings())["cpu"]["profile_options"]["image"]


def test_settings_from_the_environment(monkeypatch):
    monkeypatch.setenv("RETINUE_PROFILE_GPU_COUNTS", "[1, 8]")
    monkeypatch.setenv("RETINUE_PROFILE_CPU", '{"cpu": 1, "memory_gb": 2.5}')
    profiles = by_slug(ProfileSettings())
    assert list(profiles["gpus"]["profile_options"]["gpus"]["choices"]) == ["8"]
    assert profiles["cpu"]["kubespawner_override"]["mem_limit"] == "2.5G"
