"""What the columns of a Hugging Face dataset mean, by their features and Arrow types.

The features are in the metadata of the schema under `huggingface`, or in a dataset_info.json: `Image` columns, and
`ClassLabel`s with the names of their numbers. Without features, the types and names of the columns decide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyarrow import types

from retinue_sdk.formats.hf_objects import BOX, CATEGORY
from retinue_sdk.formats.json_files import items, mapping
from retinue_sdk.formats.label_columns import GROUP, LABEL, VALUE, VALUE_PREFIX, role

IMAGE = ("image", "img", "picture", "photo", "jpg", "png")
# a second column of images by such a name holds the numbers of the first one's classes
MASK = (
    "label", "annotation", "mask", "segmentation_mask", "semantic_mask", "semantic_segmentation", "segmentation", "labels",
    "annotations", "masks", "seg", "ground_truth", "gt",
)  # fmt: skip
SIZE = ("width", "height")
METADATA = b"huggingface"
OURS = b"retinue"  # metadata that says that the boxes are x, y, width, height
_LISTS = {"Sequence", "List", "LargeList"}


@dataclass(frozen=True)
class Columns:
    """Which column is what."""

    image: str
    mask: str = ""
    label: str = ""
    names: list[str] = field(default_factory=list)  # of the label's numbers
    values: dict[str, str] = field(default_factory=dict)  # column to what it measures
    objects: str = ""
    object_fields: list[str] = field(default_factory=list)
    object_names: list[str] = field(default_factory=list)  # of the categories' numbers
    group: str = ""
    attributes: str = ""
    scalars: list[str] = field(default_factory=list)  # kept as attributes of the image
    ignored: list[str] = field(default_factory=list)

    def used(self) -> list[str]:
        """All columns that are read but the image."""
        named = (self.mask, self.label, *self.values, self.objects, self.group, self.attributes, *self.scalars)
        return [name for name in named if name]


def features_of(schema: Any, info: Any = None) -> dict[str, Any]:
    """The features by column; empty when nothing says them. `info` is what a dataset_info.json holds."""
    try:
        stated = mapping(json.loads((schema.metadata or {}).get(METADATA, b"{}")))
    except (ValueError, RecursionError):
        stated = {}
    return mapping(mapping(stated.get("info")).get("features")) or mapping(mapping(info).get("features"))


def image_column(schema: Any, features: Mapping[str, Any]) -> str:
    """The column that holds the images; empty when there is none."""
    found = _image_columns(schema, features)
    return role(found, IMAGE) or next((name for name in found if not role([name], MASK)), next(iter(found), ""))


def mask_column(schema: Any, features: Mapping[str, Any]) -> str:
    """The column that holds masks of the images' classes; empty when there is none."""
    image = image_column(schema, features)
    return role((name for name in _image_columns(schema, features) if name != image), MASK)


def _image_columns(schema: Any, features: Mapping[str, Any]) -> list[str]:
    return [f.name for f in schema if _is_image(f, mapping(features.get(f.name)))]


def understand(schema: Any, features: Mapping[str, Any]) -> Columns | None:
    """What the columns mean; None when there are no images."""
    image = image_column(schema, features)
    if not image:
        return None
    mask = mask_column(schema, features)
    fields = {f.name: f.type for f in schema if f.name not in (image, mask) and f.name.lower() not in SIZE}
    objects = next((name for name, kind in fields.items() if role(_inner_fields(kind), BOX)), "")
    values = {
        name: name.removeprefix(VALUE_PREFIX)
        for name, kind in fields.items()
        if name.startswith(VALUE_PREFIX) and _is_number(kind)
    }
    label = _label(fields, features)
    if label and types.is_floating(fields[label]):
        values[label], label = label, ""
    elif not label and not values:
        values = {name: name for name, kind in fields.items() if name.lower() in VALUE and _is_number(kind)}
    texts = [name for name, kind in fields.items() if _is_text(kind)]
    group, attributes = role(texts, GROUP), role(texts, ("attributes",))
    rest = [name for name in fields if name not in (label, objects, group, attributes, *values)]
    scalars = [name for name in rest if _is_scalar(fields[name])]
    inner = _inner_fields(fields[objects]) if objects else []
    categories = mapping(_unwrapped(features.get(objects))).get(role(inner, CATEGORY)) if objects else None
    return Columns(
        image, mask, label, class_names(features.get(label)), values, objects, inner, class_names(categories),
        group, attributes, scalars, [name for name in rest if name not in scalars],
    )  # fmt: skip


def class_names(feature: Any) -> list[str]:
    """The names of a ClassLabel, or of one inside of lists; empty for anything else."""
    found = mapping(_unwrapped(feature))
    names = found.get("names") if found.get("_type") == "ClassLabel" else None
    if isinstance(names, dict):  # by number, as a dataset card writes them
        names = [names.get(str(i), f"class_{i}") for i in range(len(names))]
    return [str(name) for name in items(names)]


def _unwrapped(feature: Any) -> Any:
    """The feature inside of lists, however they are written."""
    for _ in range(5):
        if isinstance(feature, list) and len(feature) == 1:
            feature = feature[0]
        elif isinstance(feature, dict) and feature.get("_type") in _LISTS:
            feature = feature.get("feature")
        else:
            break
    return feature


def _label(fields: Mapping[str, Any], features: Mapping[str, Any]) -> str:
    """A column called label or the like, else the first ClassLabel."""
    usable = [name for name, kind in fields.items() if _is_scalar(_element(kind))]
    stated = [name for name in usable if class_names(features.get(name))]
    return role(stated, LABEL) or role(usable, LABEL) or next(iter(stated), "")


def _is_image(column: Any, feature: Mapping[str, Any]) -> bool:
    if feature.get("_type") == "Image":
        return True
    if types.is_struct(column.type):
        return {"bytes", "path"} <= {inner.name for inner in column.type}
    return _is_binary(column.type) and column.name.lower() in IMAGE


def _inner_fields(kind: Any) -> list[str]:
    """The fields of a struct, or of a list of them."""
    kind = _element(kind)
    return [inner.name for inner in kind] if types.is_struct(kind) else []


def _element(kind: Any) -> Any:
    listed = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return kind.value_type if listed else kind


def _is_number(kind: Any) -> bool:
    return bool(types.is_integer(kind) or types.is_floating(kind))


def _is_text(kind: Any) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _is_binary(kind: Any) -> bool:
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _is_scalar(kind: Any) -> bool:
    return _is_number(kind) or _is_text(kind) or bool(types.is_boolean(kind))
