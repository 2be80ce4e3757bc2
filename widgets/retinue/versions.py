"""A version of a dataset, and what is other in one than in another, as objects that draw themselves."""

from __future__ import annotations

from typing import Any, ClassVar

from retinue import html
from retinue_sdk import api

SHOWN = 10  # changed images of each kind in a table


class Version:
    """An immutable version of a dataset."""

    HEAD: ClassVar = ("version", "from", "images", "annotations", "classes", "splits", "made by", "note", "added")

    def __init__(self, data: api.DatasetVersion) -> None:
        self.data = data
        self.number = data.number
        splits = ", ".join(f"{name} {count}" for name, count in data.splits.items())
        merged = data.merged
        added = "" if merged is None else f"{merged.added} added, {merged.replaced} replaced, {merged.skipped} skipped"
        self.row = (
            data.number, data.parent or "", data.images, data.annotations, len(data.classes), splits, data.created_by,
            data.note, added,
        )  # fmt: skip

    def __repr__(self) -> str:
        return html.text_table(self.HEAD, [self.row])

    def _repr_html_(self) -> str:
        return html.table(self.HEAD, [self.row])


class Diff:
    """What is other in the second version than in the first; `data` holds the changed images."""

    HEAD: ClassVar = ("", "added", "removed", "modified", "moved")
    IMAGES: ClassVar = ("image", "was", "what", "annotations")

    def __init__(self, answer: dict[str, Any]) -> None:
        self.data = data = api.VersionDiff.model_validate(answer)
        counts = {"images": data.images, "annotations": data.annotations}
        self.rows = [(name, c.added, c.removed, c.modified, c.moved) for name, c in counts.items()]
        self.title = f"version {data.a} to {data.b}"

    @property
    def images(self) -> list[tuple[str, str, str, str]]:
        """The first changed images of each kind, as lines of a table."""
        data = self.data
        kinds = {"added": data.added, "removed": data.removed, "modified": data.modified, "moved": data.moved}
        return [
            (image.key, image.was_key, kind, _changes(image))
            for kind, found in kinds.items()
            for image in found[:SHOWN]
        ]

    def __repr__(self) -> str:
        return "\n\n".join([
            f"{self.title}\n{html.text_table(self.HEAD, self.rows)}",
            html.text_table(self.IMAGES, self.images, "No image is other."),
        ])  # fmt: skip

    def _repr_html_(self) -> str:
        images = html.table(self.IMAGES, self.images, empty="No image is other.")
        return html.table(self.HEAD, self.rows, self.title) + images


def _changes(image: api.ImageChange) -> str:
    numbers = {"+": image.annotations_added, "-": image.annotations_removed, "~": image.annotations_changed}
    return " ".join(f"{sign}{number}" for sign, number in numbers.items() if number)
