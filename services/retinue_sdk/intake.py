"""The wire contract of data on its way in: from where it comes, and how it is to be read. Part of `api`."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from retinue_sdk.api import Reply
from retinue_sdk.schema import Seed, VersionNumber, Wire


class Reading(Wire):
    """How data is read."""

    format: str | None = None  # detected when absent
    every: int | None = Field(None, ge=1, le=2**31 - 1)  # of a video every so many frames
    seconds: float | None = Field(
        None, gt=0, le=86400
    )  # of a video a frame each so many seconds; 1 when neither is given

    @model_validator(mode="after")
    def _one_step(self) -> Self:
        if self.every is not None and self.seconds is not None:
            raise PydanticCustomError("one_step", "Give `every` or `seconds`, not both")
        return self


class Incoming(Reading):
    """Data on its way in: a complete upload, or a source. An archive, or a video."""

    upload_id: UUID | None = None
    source: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)] | None = None
    # https://..., or a place: s3://, gs://, az://, file://, or hf://OWNER/NAME@REVISION; see GET /sources
    in_place: bool = False  # the images of a folder at a place stay there until a training or an export needs them

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.upload_id is None) == (self.source is None):
            raise PydanticCustomError("one_way", "Give an `upload_id` or a `source`, one of the two")
        return self


class DatasetCreate(Incoming):
    """POST /projects/{id}/datasets: makes a dataset of what comes in."""

    name: str = Field(min_length=1, max_length=120)
    seed: Seed = 0  # of the 80/20 split, where the data brings none


class VersionCreate(Incoming):
    """POST /datasets/{id}/versions: adds what comes in, which may be a single image too, to a version; the result is the next one."""

    parent: VersionNumber | None = None  # the version that is added to; the newest when absent
    classes: dict[str, str | None] = Field(
        default_factory=dict
    )  # incoming name to existing one, or null to leave it out
    conflict: Literal["skip", "keep_both", "replace"] = "skip"  # about an image whose key is taken
    split: Literal["train", "val", "test"] | None = None  # of images that bring none; drawn 80/20 when absent
    seed: Seed = 0  # of that draw
    note: str = Field("", max_length=2000)


class DatasetRetry(Reading):
    """POST /datasets/{id}/retry: reads what has failed once more. What is absent stays as it was; null is detected."""


class Sources(Reply):
    """GET /sources: where data may come from, besides a file that is sent."""

    hosts: list[str]  # of URLs that are fetched: HOST, *.DOMAIN, HOST:PORT or http://HOST:PORT; https by default
    places: list[str]  # that are copied from, with all below them: s3://BUCKET/FOLDER, file:///FOLDER, hf://
    videos: bool  # whether frames of videos can be taken
    largest: int  # most bytes of a file or a source
