"""Every format into every other: what arrives, and what is said to be lost. `docs/conversions.md` is written from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from retinue_sdk import formats
from retinue_sdk.formats.fit import fit
from retinue_sdk.table import KINDS, AnnotationTable
from tests.sdk.samples import sample

TOLERANCE = 1e-6  # of the image's size
OURS = "retinue_sdk.formats"
# losses after which what arrives is another thing: pixels under other pixels, rings without their holes, images left out
REMAKING = {"loss_overlap", "loss_objects", "loss_rings", "loss_image"}


def readers() -> dict[str, Any]:
    """The formats of this tree, by name."""
    return {n: f for n, f in formats.all_formats().items() if getattr(f, "__name__", "").startswith(OURS)}


def writers() -> dict[str, Any]:
    """Those that can be exported to."""
    return {name: form for name, form in readers().items() if hasattr(form, "write")}


def sources(name: str, folder: Path) -> Iterator[tuple[str, AnnotationTable]]:
    """What a dataset of this format may hold, kind by kind: the samples, written in it and read again."""
    form = writers()[name]
    for kind in KINDS:
        if kind in form.HOLDS.kinds:
            form.write(sample(kind, folder / kind / "made"), folder / kind / "in")
            table, findings = form.read(folder / kind / "in")
            assert [f for f in findings if f.severity == "error"] == [], (name, kind, findings)
            yield kind, table


def convert(table: AnnotationTable, target: Any, folder: Path) -> tuple[list[str], AnnotationTable]:
    """Write a table in another format and read it again: the losses told, and what arrived."""
    losses = sorted({finding.code for finding in target.write(table, folder)})
    again, findings = target.read(folder)
    errors = [f for f in findings if f.severity == "error" and f.code != "dataset_empty"]
    assert errors == [], (target.NAME, errors)
    return losses, again


def content(table: AnnotationTable) -> dict[str, list[tuple[Any, ...]]]:
    """What a table says of each image, by the image's bytes: split, and its annotations in an order of their own."""
    values, offsets = table.coordinates()
    said: dict[str, list[tuple[Any, ...]]] = {}
    for row, path in enumerate(table.images["path"]):
        scale = max(table.images["width"][row], table.images["height"][row])
        rows = []
        for i in range(table.offsets[row], table.offsets[row + 1]):
            item = table.annotations.iloc[i]
            numbers = np.concatenate([table.boxes[i], values[offsets[i] : offsets[i + 1]]])
            rows.append((table.classes[item["class_id"]], item["kind"], scale, numbers))
        rows.sort(key=lambda r: (r[0], r[1], *np.nan_to_num(r[3], nan=-1.0).round(3)))
        said[Path(path).read_bytes().hex()] = [(table.images["split"][row],), *rows]
    return said


def same(table: AnnotationTable, other: AnnotationTable) -> list[str]:
    """Where two tables differ by more than rounding; nothing when they say the same."""
    left, right = content(table), content(other)
    differences = [f"{len(left)} images, then {len(right)}"] if left.keys() != right.keys() else []
    for key in left.keys() & right.keys():
        if len(left[key]) != len(right[key]) or left[key][0] != right[key][0]:
            differences.append(f"{left[key]} became {right[key]}")
            continue
        for a, b in zip(left[key][1:], right[key][1:], strict=True):
            close = len(a[3]) == len(b[3]) and np.allclose(a[3], b[3], rtol=0, atol=TOLERANCE * a[2], equal_nan=True)
            if a[:2] != b[:2] or not close:
                differences.append(f"{a} became {b}")
    return differences


def same_classes(table: AnnotationTable, other: AnnotationTable, losses: list[str]) -> list[str]:
    """Where the classes of two tables differ without a loss that says so."""
    differences = []
    if not {"loss_class_ids", "loss_class_order", "loss_class_names", "loss_class_unused"} & set(losses):
        left, right = (
            dict(zip(table.classes, table.class_ids, strict=True)),
            dict(zip(other.classes, other.class_ids, strict=True)),
        )
        differences += [f"{left} became {right}"] if left != right else []
    if not {"loss_class_attributes", "loss_class_names", "loss_class_unused"} & set(losses):
        left, right = (
            dict(zip(table.classes, table.class_attributes, strict=True)),
            dict(zip(other.classes, other.class_attributes, strict=True)),
        )
        differences += [f"{left} became {right}"] if left != right else []
    return differences


def same_attributes(table: AnnotationTable, other: AnnotationTable, losses: list[str]) -> list[str]:
    """Where attributes differ without a loss that says so; what COCO adds, ids and areas, is no difference."""
    told = {
        "annotations": {"loss_attributes", "loss_attribute_types", "loss_kind", "loss_shape"},
        "images": {"loss_image_attributes"},
    }
    differences = []
    for frame, codes in told.items():
        if not codes & set(losses):
            left, right = (sorted(map(_plain, getattr(t, frame)["attributes"])) for t in (table, other))
            differences += [f"{left} became {right}"] if left != right else []
    return differences


def _plain(attributes: str) -> str:
    said = json.loads(attributes) if attributes else {}
    return json.dumps({k: v for k, v in said.items() if k not in ("coco_id", "area")}, sort_keys=True)


@cache
def losses_between() -> dict[tuple[str, str, str], list[str]]:
    """For each format, kind of annotation in it and target format: the codes of what is lost, none for an exact copy."""
    found = {}
    with TemporaryDirectory() as temporary:
        for name in writers():
            for kind, table in sources(name, Path(temporary) / name):
                for other, target in writers().items():
                    place = Path(temporary) / name / kind / f"to {other}"
                    losses, again = convert(table, target, place)
                    held, _ = fit(table, target.HOLDS, other)
                    if not REMAKING & set(losses):
                        differences = [
                            *same(held, again),
                            *same_classes(table, again, losses),
                            *same_attributes(table, again, losses),
                        ]
                        assert differences == [], f"{kind} from {name} to {other}"
                    found[name, kind, other] = losses
    return found


def page() -> str:
    """`docs/conversions.md`."""
    from tests.reference import NOTE, table

    found = losses_between()
    names = list(writers())
    titles = {name: form.TITLE for name, form in readers().items()}
    parts = [
        "# From every format to every other\n",
        NOTE,
        "What a dataset of the format on the left loses in the format on the right. Shapes arrive within a millionth of the",
        "image's size. Each loss is told when it happens, with a count; [errors.md](errors.md) has what each code means.\n",
        f"Import only: {', '.join(sorted(titles[n] for n in readers().keys() - set(names)))}.\n",
    ]
    for name in names:
        rows = [
            [titles[name], kind, titles[other], ", ".join(f"`{code}`" for code in codes) or "exact"]
            for (source, kind, other), codes in found.items()
            if source == name
        ]
        parts.append(f"## {titles[name]}\n\n{table(['from', 'kind', 'to', 'lost'], rows)}\n")
    return "\n".join(parts)
