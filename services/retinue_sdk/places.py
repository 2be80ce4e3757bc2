"""The places that datasets may be copied from: those the operator opens, with all below them. Imports no driver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import ConfigDict

from retinue_sdk.errors import DataError, ForbiddenError

# schemes that are read, and what makes their driver anonymous
ANONYMOUS: dict[str, dict[str, Any]] = {
    "s3": {"anon": True},
    "gs": {"token": "anon"},
    "az": {"anon": True},
    "hf": {"token": False},
    "file": {},
    "memory": {},
}
HUB = "hf://"  # followed by OWNER/NAME or OWNER/NAME@REVISION; alone, as a place, it is all of the Hugging Face Hub


@dataclass(frozen=True)
class Source:
    """A place the operator opens, with all below it. One that is never read is a ValueError at once."""

    url: str  # s3://BUCKET/FOLDER, gs://..., az://..., file:///FOLDER, hf://, hf://OWNER, hf://OWNER/NAME
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)  # of its fsspec file system: key, secret ...

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    def __post_init__(self) -> None:
        scheme, _, path = self.url.partition("://")
        if scheme not in ANONYMOUS:
            raise ValueError(f"a place begins with {', '.join(f'{name}://' for name in ANONYMOUS if name != 'memory')}")
        if self.url == HUB:
            return
        if not path.strip("/") or ".." in path.split("/") or (scheme == "file") != path.startswith("/"):
            raise ValueError("a place is written as s3://BUCKET/FOLDER or file:///FOLDER")

    def holds(self, url: str) -> bool:
        """Whether `url` is this place or below it."""
        base = self.url.rstrip("/")
        if url.startswith(HUB):
            url = url.partition("@")[0]
        return url == base or url.startswith(f"{base}/")


def find_source(url: str, sources: Sequence[Source]) -> Source:
    """The place that `url` is in. Raises ForbiddenError `source_refused` where there is none."""
    clean = url.isprintable() and ".." not in url.split("/")
    for source in sources if clean else ():
        if source.holds(url):
            return source
    raise ForbiddenError(
        "Datasets are not copied from there.",
        code="source_refused",
        hint="Upload the data, or ask your administrator to open that place.",
        where=url[:200] if url.isprintable() else None,
    )


def not_in_place() -> DataError:
    """Images in an archive, or behind a URL of the web, cannot be read one by one later."""
    return DataError(
        "Only the images of a folder at a place, such as s3://, can stay where they are.",
        code="in_place_unsupported",
        hint="Name the folder, or import without `in_place`.",
        where="in_place",
    )
