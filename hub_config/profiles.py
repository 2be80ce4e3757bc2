"""The server profiles that people choose from on a cluster: KubeSpawner's `profile_list`, as a pure function.

KubeSpawner merges a chosen profile into the spawner it keeps for the person's next start. So every profile sets all that
any other one sets: the number of every device even where it is 0, and no selector or toleration where it needs none.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

GPU = "nvidia.com/gpu"
SHARED_MEMORY = "shm"
IMAGE_NAME = r"[a-z0-9]+([._-][a-z0-9]+)*"
IMAGE_HELP = "An image with its tag or digest, such as {example}"


class Size(BaseModel):
    """What a server gets of a node; `shared_memory_gb` is what PyTorch's data loaders pass batches through."""

    cpu: float = Field(gt=0)
    memory_gb: float = Field(gt=0)
    shared_memory_gb: float = Field(1, gt=0)


class ProfileSettings(BaseSettings):
    """From `RETINUE_PROFILE_*`; lists and objects are JSON."""

    model_config = SettingsConfigDict(env_prefix="RETINUE_PROFILE_", extra="ignore", frozen=True)

    image: str = "retinue/notebook:0.1.0"
    images: dict[str, str] = {}  # more images to choose from: title -> image
    free_image_registries: list[str] = []  # whose images may be typed in; none: no free choice
    cpu: Size = Size(cpu=2, memory_gb=8)
    gpu: Size = Size(cpu=4, memory_gb=32, shared_memory_gb=8)  # for each GPU
    gpu_counts: list[int] = [1]  # 1 is one profile, the larger ones share another
    mig: list[str] = []  # such as "1g.10gb": the resource is nvidia.com/mig-1g.10gb
    node_selector: dict[str, str] = {}  # of GPU nodes
    tolerate_gpu_taint: bool = True


def make_profile_list(settings: ProfileSettings) -> list[dict[str, Any]]:
    """The profiles, the CPU one chosen at first."""
    single = 1 in settings.gpu_counts
    several = sorted({count for count in settings.gpu_counts if count > 1})
    profiles = [_cpu(settings)]
    if single:
        profiles.append(_gpu(settings))
    if several:
        profiles.append(_several(settings, several))
    profiles += [_mig(settings, kind) for kind in settings.mig]
    return [{**profile, "profile_options": _options(settings, profile)} for profile in profiles]


def _size(size: Size, times: int = 1) -> dict[str, Any]:
    """Limits, and shared memory on an emptyDir; its size counts towards the memory limit."""
    return {
        "cpu_guarantee": size.cpu * times,
        "cpu_limit": size.cpu * times,
        "mem_guarantee": f"{size.memory_gb * times:g}G",
        "mem_limit": f"{size.memory_gb * times:g}G",
        # as dictionaries, which KubeSpawner merges with the volumes it has; lists would replace the home directory
        "volumes": {
            SHARED_MEMORY: {
                "name": SHARED_MEMORY,
                "emptyDir": {"medium": "Memory", "sizeLimit": f"{size.shared_memory_gb * times:g}G"},
            }
        },
        "volume_mounts": {SHARED_MEMORY: {"name": SHARED_MEMORY, "mountPath": "/dev/shm"}},  # noqa: S108 - in the pod
    }


def _devices(settings: ProfileSettings, kind: str = GPU, count: int = 0) -> dict[str, Any]:
    """The devices, and where they are. Requests equal limits, as Kubernetes demands of devices."""
    devices = dict.fromkeys((GPU, *map(_mig_resource, settings.mig)), "0") | {kind: str(count)}
    toleration = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}
    return {
        "extra_resource_limits": devices,
        "extra_resource_guarantees": dict(devices),
        "node_selector": {key: value if count else None for key, value in settings.node_selector.items()},
        "tolerations": [toleration] if count and settings.tolerate_gpu_taint else [],
    }


def _mig_resource(kind: str) -> str:
    return f"nvidia.com/mig-{kind}"


def _cpu(settings: ProfileSettings) -> dict[str, Any]:
    return {
        "slug": "cpu",
        "display_name": "CPU",
        "description": f"{settings.cpu.cpu:g} cores, {settings.cpu.memory_gb:g} GB. Trainings run elsewhere.",
        "default": True,
        "kubespawner_override": {**_size(settings.cpu), **_devices(settings)},
    }


def _gpu(settings: ProfileSettings) -> dict[str, Any]:
    return {
        "slug": "gpu",
        "display_name": "One GPU",
        "description": f"1 GPU, {settings.gpu.cpu:g} cores, {settings.gpu.memory_gb:g} GB.",
        "kubespawner_override": {**_size(settings.gpu), **_devices(settings, GPU, 1)},
    }


def _several(settings: ProfileSettings, counts: list[int]) -> dict[str, Any]:
    choices = {
        str(count): {
            "display_name": f"{count} GPUs, {settings.gpu.cpu * count:g} cores, {settings.gpu.memory_gb * count:g} GB",
            "default": count == counts[0],
            "kubespawner_override": {**_size(settings.gpu, count), **_devices(settings, GPU, count)},
        }
        for count in counts
    }
    return {
        "slug": "gpus",
        "display_name": "Several GPUs",
        "description": "On one node.",
        "kubespawner_override": {**_size(settings.gpu, counts[0]), **_devices(settings, GPU, counts[0])},
        "profile_options": {"gpus": {"display_name": "GPUs", "choices": choices}},
    }


def _mig(settings: ProfileSettings, kind: str) -> dict[str, Any]:
    return {
        "slug": f"mig-{kind.replace('.', '-')}",
        "display_name": f"Part of a GPU ({kind})",
        "description": f"One MIG instance {kind}, {settings.gpu.cpu:g} cores, {settings.gpu.memory_gb:g} GB.",
        "kubespawner_override": {**_size(settings.gpu), **_devices(settings, _mig_resource(kind), 1)},
    }


def _options(settings: ProfileSettings, profile: dict[str, Any]) -> dict[str, Any]:
    """The profile's own options and the choice of image."""
    images = {"Retinue": settings.image, **settings.images}
    choices = {
        f"image-{number}": {
            "display_name": title,
            "default": number == 0,
            "kubespawner_override": {"image": image},
        }
        for number, (title, image) in enumerate(images.items())
    }
    image: dict[str, Any] = {"display_name": "Image", "choices": choices}
    if settings.free_image_registries:
        image["unlisted_choice"] = _free_image(settings.free_image_registries)
    return {**profile.get("profile_options", {}), "image": image}


def _free_image(registries: list[str]) -> dict[str, Any]:
    """An image of the registries named: anyone's would run with the user's token."""
    hosts = "|".join(registry.strip("/").replace(".", r"\.") for registry in registries)
    reference = r"(:[\w][\w.-]{0,127}|@sha256:[0-9a-f]{64})"
    example = f"{registries[0].strip('/')}/me/notebook:1.0"
    return {
        "enabled": True,
        "display_name": "Image",
        "display_name_in_choices": "Another image",
        "validation_regex": f"^({hosts})(/{IMAGE_NAME})+{reference}$",
        "validation_message": IMAGE_HELP.format(example=example),
        "kubespawner_override": {"image": "{value}"},
    }
