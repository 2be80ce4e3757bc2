"""Adds one dataset to another: classes are mapped, images whose key is taken go by a policy, all in one new table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from retinue_sdk import prints, split
from retinue_sdk.api import Finding, Merged
from retinue_sdk.errors import DataError
from retinue_sdk.files import sha256
from retinue_sdk.formats.report import Report
from retinue_sdk.names import same_form
from retinue_sdk.table import AnnotationTable, Ints, concat

Conflict = Literal["skip", "keep_both", "replace"]


@dataclass(frozen=True)
class Wish:
    """How to add: what to do with classes, with images whose key is taken, and with images that bring no split."""

    classes: Mapping[str, str | None]  # incoming name to existing one, or None to leave it out
    conflict: Conflict = "skip"
    split: str | None = None  # drawn 80/20 by the seed when None
    seed: int = 0


@dataclass(frozen=True)
class Result:
    """The new table, what became of the incoming images, and what there is to say about them."""

    table: AnnotationTable
    counts: Merged
    split_rule: str | None  # how a split was drawn
    findings: list[Finding]


def merge(base: AnnotationTable, incoming: AnnotationTable, wish: Wish) -> Result:
    """The base with what is new in `incoming`.

    An image with the same bytes and annotations under the same key is the same image; to replace it, also another split,
    group or attribute that comes with it is a reason. A key is taken as well by one that is the same to another file
    system, such as `A.png` by `a.png`. Files of `incoming` are read only where a key is taken. Raises DataError
    `nothing_to_add` when the result would be the base.
    """
    report = Report()
    base, incoming = _with_one_list_of_classes(base, incoming, wish.classes, report)
    taken = _taken(base, incoming)
    same = _same(base, incoming, taken)
    if wish.conflict == "replace":
        same &= ~_says_more(base, incoming, taken)
    conflict, fresh = (taken >= 0) & ~same, taken < 0
    wanted = fresh if wish.conflict == "skip" else fresh | conflict
    counts = _counts(fresh, conflict, same, wish.conflict)
    if not wanted.any():
        raise _nothing_to_add(counts)
    incoming, rule = _with_splits(base, incoming, taken, wish)
    if wish.conflict == "keep_both":
        incoming = incoming.with_images(key=_free_keys(base, incoming, conflict))
    elif wish.conflict == "replace":
        base = base.select(np.setdiff1d(np.arange(len(base)), taken[conflict]))
    table = concat([base, incoming.select(np.flatnonzero(wanted))])
    return Result(table, counts, rule, report.findings())


def _nothing_to_add(counts: Merged) -> DataError:
    if counts.skipped:
        hint = "To put these images in the place of those that are there, choose the conflict policy `replace`."
    else:
        hint = "There is nothing to do."
    total = counts.skipped + counts.unchanged
    return DataError(f"All {total} images are in the dataset already.", code="nothing_to_add", hint=hint)


def _counts(
    fresh: npt.NDArray[np.bool_], conflict: npt.NDArray[np.bool_], same: npt.NDArray[np.bool_], policy: Conflict
) -> Merged:
    taken = int(conflict.sum())
    by = {"skip": "skipped", "keep_both": "kept_both", "replace": "replaced"}[policy]
    counts = {"skipped": 0, "kept_both": 0, "replaced": 0, by: taken}
    return Merged(added=int(fresh.sum()) + counts["kept_both"], unchanged=int(same.sum()), **counts)


def _with_one_list_of_classes(
    base: AnnotationTable, incoming: AnnotationTable, wanted: Mapping[str, str | None], report: Report
) -> tuple[AnnotationTable, AnnotationTable]:
    """Both tables with the base's classes and the new ones behind them; annotations of classes left out are gone."""
    _check_known(wanted, incoming.classes, "The upload has no class")
    _check_known([name for name in wanted.values() if name is not None], base.classes, "The dataset has no class")
    goal = [wanted.get(name, name) for name in incoming.classes]
    new = [name for name in goal if name is not None and name not in set(base.classes)]
    known = {same_form(name): name for name in base.classes}
    for name in new:
        if same_form(name) in known:
            report.add("class_name_similar", "classes", f"{known[same_form(name)]}, {name}")
    first = max(base.class_ids, default=-1) + 1
    classes: dict[str, Any] = {
        "classes": base.classes + new,
        "class_ids": base.class_ids + list(range(first, first + len(new))),
        "class_attributes": base.class_attributes
        + [incoming.class_attributes[incoming.classes.index(name)] for name in new],
    }
    place = {name: number for number, name in enumerate(classes["classes"])}
    numbers = np.array([-2 if name is None else place[name] for name in goal] + [-1])  # -1 is no class
    ids = numbers[incoming.annotations["class_id"].to_numpy()]
    mapped = replace(incoming, annotations=incoming.annotations.assign(class_id=np.maximum(ids, -1)), **classes)
    return replace(base, **classes), mapped.keep(ids != -2)


def _check_known(names: Mapping[str, Any] | Sequence[str], known: Sequence[str], what: str) -> None:
    for name in names:
        if name not in known:
            shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
            raise DataError(
                f"{what} {name!r}.",
                code="class_unknown",
                hint=f"Correct the mapping; there are: {shown}.",
                where="classes",
            )


def _taken(base: AnnotationTable, incoming: AnnotationTable) -> Ints:
    """For each incoming image the row of the base that has its key, or one of the same form; -1 where none has."""
    there = {key: row for row, key in enumerate(base.images["key"])}
    forms = {same_form(key): row for key, row in there.items()}
    return np.array([there.get(key, forms.get(same_form(key), -1)) for key in incoming.images["key"]], dtype=np.int64)


def _says_more(base: AnnotationTable, incoming: AnnotationTable, taken: Ints) -> npt.NDArray[np.bool_]:
    """Which incoming images bring a split, group or attributes that the image with their key has not."""
    more = np.zeros(len(taken), dtype=bool)
    rows = np.flatnonzero(taken >= 0)
    for name in ("split", "group", "attributes"):
        here, there = (t.images[name].to_numpy(dtype=object) for t in (incoming, base))
        more[rows] |= (here[rows] != "") & (here[rows] != there[taken[rows]])
    return more


def _same(base: AnnotationTable, incoming: AnnotationTable, taken: Ints) -> npt.NDArray[np.bool_]:
    """Which incoming images are in the base under their key with the same bytes and annotations."""
    same = np.zeros(len(taken), dtype=bool)
    rows = np.flatnonzero(taken >= 0)
    there, here = base.select(taken[rows]), incoming.select(rows)
    contents = [prints.of_images(table, prints.of_annotations(table).whole) for table in (there, here)]
    for row, blob, path, equal in zip(
        rows, there.images["blob"], here.images["path"], contents[0] == contents[1], strict=True
    ):
        same[row] = equal and sha256(Path(path)) == blob
    return same


def _with_splits(
    base: AnnotationTable, incoming: AnnotationTable, taken: Ints, wish: Wish
) -> tuple[AnnotationTable, str | None]:
    """Images that bring no split get that of the image whose key they have, else the one wished for or one drawn."""
    splits = incoming.images["split"].to_numpy(dtype=object).copy()
    inherit = (splits == "") & (taken >= 0)
    splits[inherit] = base.images["split"].to_numpy(dtype=object)[taken[inherit]]
    without, rule = np.flatnonzero(splits == ""), None
    if wish.split is not None:
        splits[without] = wish.split
    elif len(without):
        drawn, rule = split.stratified(incoming.select(without), wish.seed)
        splits[without] = drawn.images["split"].to_numpy(dtype=object)
    return incoming.with_images(split=splits), rule


def _free_keys(base: AnnotationTable, incoming: AnnotationTable, conflict: npt.NDArray[np.bool_]) -> list[str]:
    """The keys, with a number in those that are taken: `a.png` becomes `a-2.png`."""
    used = {same_form(key) for table in (base, incoming) for key in table.images["key"]}
    keys = list(incoming.images["key"])
    for row in np.flatnonzero(conflict):
        path, number = PurePosixPath(keys[row]), 2
        while same_form(key := str(path.with_name(f"{path.stem}-{number}{path.suffix}"))) in used:
            number += 1
        used.add(same_form(key))
        keys[row] = key
    return keys
