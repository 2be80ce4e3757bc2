"""Every format into every other: what arrives, and what is said to be lost. `docs/conversions.md` is written from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from retinue_sdk import formats
from retinue_sdk.formats.fit import fit
from retinue_sdk.table import KINDS, AnnotationTable
from tests.sdk.differences import DIFFERENCES, unexplained
from tests.sdk.samples import sample

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
OURS = "retinue_sdk.formats"
# losses after which what arrives is another thing: pixels under other pixels, rings without their holes, images left out
REMAKING = {"loss_overlap", "loss_objects", "loss_rings", "loss_image"}
Losses = dict[str, int]  # how often each was told


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


def import_only() -> Iterator[tuple[str, AnnotationTable]]:
    """What is read of the committed samples of the formats that cannot be written."""
    for path in sorted(SAMPLES.glob("*.json")):
        name = json.loads(path.read_text(encoding="utf-8"))["format"]
        if name not in writers():
            yield name, readers()[name].read(path.with_suffix(""))[0]


def convert(table: AnnotationTable, target: Any, folder: Path) -> tuple[Losses, AnnotationTable]:
    """Write a table in another format and read it again: the losses told and how often, and what arrived."""
    losses = {finding.code: finding.count for finding in target.write(table, folder)}
    again, findings = target.read(folder)
    errors = [f for f in findings if f.severity == "error" and f.code != "dataset_empty"]
    assert errors == [], (target.NAME, errors)
    return losses, again


def same(table: AnnotationTable, other: AnnotationTable) -> list[str]:
    """Where the images, splits or annotations of two tables differ by more than rounding; nothing when they say the same."""
    names = ("images", "splits", "annotations")
    return [f"{name}: {pairs[:2]}" for name in names if (pairs := DIFFERENCES[name](table, other))]


@cache
def losses_between() -> dict[tuple[str, str, str], Losses]:
    """For each format, what is in it, and target format: what is lost and how often, nothing for an exact copy."""
    found: dict[tuple[str, str, str], Losses] = {}
    with TemporaryDirectory() as temporary:
        for name in writers():
            for kind, table in sources(name, Path(temporary) / name):
                found |= _into_all(name, kind, table, Path(temporary) / name / kind)
        for name, table in import_only():
            found |= _into_all(name, ", ".join(sorted(set(table.annotations["kind"]))), table, Path(temporary) / name)
    return found


def _into_all(name: str, kind: str, table: AnnotationTable, folder: Path) -> dict[tuple[str, str, str], Losses]:
    found = {}
    for other, target in writers().items():
        losses, again = convert(table, target, folder / f"to {other}")
        assert unexplained(table, again, losses) == [], f"{kind} from {name} to {other}"
        if not REMAKING & losses.keys():
            held, _ = fit(table, target.HOLDS, other)
            assert DIFFERENCES["annotations"](held, again) == [], f"{kind} from {name} to {other}"
        found[name, kind, other] = losses
    return found


def page() -> str:
    """`docs/conversions.md`."""
    from tests.reference import NOTE, table

    found = losses_between()
    titles = {name: form.TITLE for name, form in readers().items()}
    parts = [
        "# From every format to every other\n",
        NOTE,
        "Made by converting: a sample of five images, or for formats that are import only the one in `tests/samples`, is read in",
        "the format of the heading, written in each other one and read again. What is not said to be lost arrives: whole numbers",
        "exactly, coordinates within a millionth of the image's size. `group` 5 stands for the loss `loss_group`, counted five",
        "times; each export tells the same before it is made, and [errors.md](errors.md) has what each means.\n",
        f"Import only: {', '.join(titles[name] for name in sorted(readers().keys() - writers().keys()))}.\n",
    ]
    for name in sorted({source for source, _, _ in found}, key=lambda name: titles[name].casefold()):
        rows = [
            [kind, ", ".join(titles[other] for other in others), lost]
            for (kind, lost), others in _alike(name, found).items()
        ]
        parts.append(f"## {titles[name]}\n\n{table(['what is in it', 'written as', 'loses'], rows)}\n")
    return "\n".join(parts)


def _alike(name: str, found: dict[tuple[str, str, str], Losses]) -> dict[tuple[str, str], list[str]]:
    """The targets by what is in a format and what that loses in them."""
    alike: dict[tuple[str, str], list[str]] = {}
    for (source, kind, other), losses in found.items():
        if source == name:
            lost = ", ".join(f"`{code.removeprefix('loss_')}` {count}" for code, count in sorted(losses.items()))
            alike.setdefault((kind, lost or "nothing"), []).append(other)
    return alike
