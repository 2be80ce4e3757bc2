"""The wire contract of the platform: what its API takes and gives, shared by server, kernel package and CLI.

TypeScript's `schema.ts` is generated from the OpenAPI document that the platform builds from these classes.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from retinue_sdk.schema import (
    LARGEST_SIZE,
    Kind,
    ModelInfo,
    Number,
    Parameters,
    ProgressEvent,
    Reason,
    Resources,
    Seed,
    Status,
    Target,
    Task,
    VersionNumber,
    Wire,
)


class Role(StrEnum):
    """What a member may do in a project: a viewer reads, an editor also writes, an owner also manages members."""

    VIEWER = "viewer"
    EDITOR = "editor"
    OWNER = "owner"


class Reply(BaseModel):
    """An answer. Clients ignore fields they do not know, so that a newer server can add some."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Me(Reply):
    """GET /me: who the platform takes the caller for."""

    name: str
    admin: bool
    scopes: list[str]


# --- projects -----------------------------------------------------------------------------------------------------------


class ProjectCreate(Wire):
    """POST /projects."""

    name: str = Field(min_length=1, max_length=120)
    description: str = Field("", max_length=2000)


class ProjectUpdate(Wire):
    """PATCH /projects/{id}."""

    name: str | None = Field(None, min_length=1, max_length=120)
    description: str | None = Field(None, max_length=2000)


class Project(Reply):
    """A project and the caller's role in it."""

    id: UUID
    name: str
    description: str
    role: Role
    created_at: datetime
    created_by: str


class MemberPut(Wire):
    """PUT /projects/{id}/members/{user}."""

    role: Role


class Member(Reply):
    """A user's role in a project."""

    user: str
    role: Role


# --- uploads and datasets -----------------------------------------------------------------------------------------------


class UploadCreate(Wire):
    """POST /projects/{id}/uploads: announces a file; its bytes follow in chunks."""

    filename: str = Field(min_length=1, max_length=255)
    size: int = Field(ge=0, le=LARGEST_SIZE)  # an empty file is refused as an empty dataset


class Upload(Reply):
    """A file on its way. `offset` is how many bytes are safely here: go on from there."""

    id: UUID
    project_id: UUID
    filename: str
    size: int
    offset: int
    expires_at: datetime


class VersionRestore(Wire):
    """POST /datasets/{id}/versions/{number}/restore."""

    note: str | None = Field(None, max_length=2000)  # says which version it was when absent


class DatasetRestore(Wire):
    """POST /datasets/{id}/restore: takes a dataset out of the trash."""

    name: str | None = Field(None, min_length=1, max_length=120)  # another one, when its own is taken


class Finding(Reply):
    """One kind of thing found while reading a dataset; `examples` are `file:line` with the value."""

    code: str
    severity: Literal["error", "warning"]
    message: str
    hint: str
    count: int
    examples: list[str]


class Merged(Reply):
    """What became of the images that were added to a version."""

    added: int
    kept_both: int  # of those added, the ones that got another key because theirs was taken
    replaced: int
    skipped: int
    unchanged: int  # there already, with the same bytes and annotations


class VersionContent(Reply):
    """What a version holds and how it was read. The same content has the same digest."""

    digest: str
    format: str
    tasks: list[Task]
    classes: list[str]
    images: int
    annotations: int
    splits: dict[str, int]  # images per split
    size_bytes: int
    findings: list[Finding]
    split_rule: str | None  # how the split was made, when the data brought none
    recognised: str | None = None  # why it was read in this format, unless somebody chose it
    merged: Merged | None = None  # when it was made by adding to its parent
    origin: str | None = None  # where the data came from: a URL, or the name of the file that was sent
    elsewhere: int = 0  # images whose bytes stayed at their place when it was made


class DatasetVersion(VersionContent):
    """An immutable version."""

    number: int
    parent: int | None  # the version it was made from
    note: str
    created_at: datetime
    created_by: str


class DatasetFormat(Reply):
    """A format that is installed; `writes` when datasets can be exported to it."""

    name: str
    title: str
    writes: bool


class ImageChange(Reply):
    """An image that is not the same in two versions. `was_` is how it was in the first one."""

    key: str
    split: str
    was_key: str  # empty for one that is new
    was_split: str
    other_bytes: bool  # has other bytes under the same key
    other_attributes: bool  # has other attributes, or belongs to another group
    annotations_added: int
    annotations_removed: int
    annotations_changed: int  # same shape with another class, or same class with another shape


class ChangeCounts(Reply):
    """How many of something changed, and in which way. What was moved may have been modified too."""

    added: int
    removed: int
    modified: int
    moved: int = 0  # same bytes under another key, or in another split


class VersionDiff(Reply):
    """GET /datasets/{id}/versions/{a}/diff/{b}: the counts are of everything, the lists are one page each, by key."""

    a: int
    b: int
    images: ChangeCounts
    annotations: ChangeCounts
    classes_added: list[str]
    classes_removed: list[str]
    added: list[ImageChange]
    removed: list[ImageChange]
    modified: list[ImageChange]
    moved: list[ImageChange]


class DatasetStatus(StrEnum):
    """Life of an import."""

    IMPORTING = "importing"
    READY = "ready"
    FAILED = "failed"


class Dataset(Reply):
    """A named dataset of a project with its versions, newest first.

    FAILED carries the problem and has no version. With versions, IMPORTING means that something is being added, and READY
    with a problem that the last addition failed: its versions can be used all the while.
    """

    id: UUID
    project_id: UUID
    name: str
    status: DatasetStatus
    progress: float  # 0 to 1 while importing
    stage: str  # "waiting", "fetching" or "copying" of a source, "unpacking" or "frames", "reading", "storing"
    problem: dict[str, Any] | None
    versions: list[DatasetVersion]
    created_at: datetime
    created_by: str
    trashed_at: datetime | None = None  # while it is in the trash
    trashed_by: str | None = None


class TrashedDataset(Dataset):
    """GET /projects/{id}/trash: a dataset that was deleted, and until when it can be restored."""

    expires_at: datetime


# --- models -------------------------------------------------------------------------------------------------------------


class TrainerState(Reply):
    """One trainer service as the platform sees it."""

    framework: str
    reachable: bool
    stale: bool  # the models listed for it are the last good answer
    since: datetime | None  # when it stopped answering
    reason: str | None
    complete: bool  # false while details of models are still being filled in
    version: str | None


class Catalogue(Reply):
    """GET /models: the models of all trainers, and which trainer is missing since when."""

    trainers: list[TrainerState]
    models: list[ModelInfo]


# --- jobs ---------------------------------------------------------------------------------------------------------------


class JobCreate(Wire):
    """POST /projects/{id}/jobs. The same `Idempotency-Key` header again gives the same job."""

    name: str | None = Field(None, max_length=120)
    framework: str = Field(max_length=60)
    model: str = Field(max_length=200)
    task: Task
    dataset_id: UUID
    dataset_version: VersionNumber | None = None  # the newest when absent
    parameters: Parameters = Field(default_factory=dict)
    seed: Seed = 0
    priority: int = Field(0, ge=-10, le=10)
    resources: Resources = Resources()


class JobCancel(Wire):
    """POST /jobs/{id}/cancel: at once, or after this epoch keeping results."""

    when: Literal["now", "epoch"] = "now"


class Job(Reply):
    """A training job. `stale_since` is set while its trainer does not answer; what is shown is then the last known."""

    id: UUID
    project_id: UUID
    name: str
    kind: Kind
    framework: str
    model: str
    task: Task
    dataset_id: UUID
    dataset_name: str
    dataset_version: int
    dataset_digest: str
    parameters: dict[str, Any]
    seed: int
    priority: int
    status: Status
    target: Target
    attempt: int
    reason: Reason | None
    message: str | None
    queue_position: int | None
    stale_since: datetime | None
    progress: ProgressEvent | None
    latest: dict[str, Number]  # newest value of each metric
    mlflow_run_id: str | None
    created_at: datetime
    created_by: str
    started_at: datetime | None
    ended_at: datetime | None


class Series(Reply):
    """One metric of one attempt; the lists have one entry per point, ordered by `seq`."""

    key: str
    attempt: int
    seq: list[int]
    step: list[int]
    epoch: list[int | None]
    time: list[datetime]
    value: list[Number]
    total: int  # points that exist; more than listed when down-sampled
    sampled: bool


class Metrics(Reply):
    """GET /jobs/{id}/metrics."""

    job_id: UUID
    attempt: int
    seq: int  # cursor: everything up to here is included
    series: list[Series]


class Artifact(Reply):
    """A file or checkpoint of a job."""

    name: str
    kind: str
    path: str
    size: int
    sha256: str
    step: int | None
    time: datetime


class AuditEntry(Reply):
    """One write, who did it and how it ended. Append-only."""

    id: int
    time: datetime
    user: str
    token_id: str | None
    action: str
    object: str
    outcome: str


class Health(Reply):
    """GET /health of any service of ours."""

    status: Literal["ok"] = "ok"
    version: str
