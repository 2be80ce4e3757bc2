"""The wire contract between the platform and a trainer, and of the run directory.

Owns every message that crosses those borders; what crosses the platform's own border is in `retinue_sdk.api`.
"""

from __future__ import annotations

import math
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from retinue_sdk.names import LONGEST_PATH, printable

LARGEST_SEQ = 2**63 - 1  # of a BIGINT: numbers of events, bytes of a log, steps
LARGEST_ATTEMPT = LARGEST_AUDIT = LARGEST_EPOCH = LARGEST_SEED = LARGEST_VERSION = 2**31 - 1  # of an INTEGER
LARGEST_SIZE = 2**53  # bytes of a file: the last whole number that a browser counts to
LONGEST_SECONDS = 2**31 - 1  # a clock can be added to it
MOST_LEVELS = 32  # of lists and objects in free JSON

Seq = Annotated[int, Field(ge=0, le=LARGEST_SEQ)]
Step = Annotated[int, Field(ge=-LARGEST_SEQ, le=LARGEST_SEQ)]
Epoch = Annotated[int, Field(ge=-LARGEST_EPOCH, le=LARGEST_EPOCH)]
AttemptNumber = Annotated[int, Field(ge=1, le=LARGEST_ATTEMPT)]
VersionNumber = Annotated[int, Field(ge=1, le=LARGEST_VERSION)]
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]


def _number_to_wire(value: float) -> float | str:
    """JSON has no NaN: FastAPI would turn it into null, and an infinity into a 500."""
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


Number = Annotated[
    float,
    BeforeValidator(lambda v: float(v) if v in ("NaN", "Infinity", "-Infinity") else v),
    PlainSerializer(_number_to_wire, return_type=float | str, when_used="json"),
]


def _fault(value: Any, level: int) -> str | None:
    """What some service, file or database of ours could not hold; JSON readers disagree about it."""
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        return "text with half a surrogate pair, which is no character: leave it out"
    if isinstance(value, int) and abs(value) > LARGEST_SEQ:
        return "a whole number of more than 64 bits: give a smaller one, or text"
    if isinstance(value, float) and not math.isfinite(value):
        return "a number that is not finite, which JSON has not: give a finite one, or text"
    if isinstance(value, dict | list | tuple) and level >= MOST_LEVELS:
        return f"more than {MOST_LEVELS} levels of lists and objects: make it flatter"
    return None


def _plain(value: Any, place: tuple[str, ...] = ()) -> Any:
    """`value`, once nothing in it is at fault; the error's context knows the place in it."""
    if fault := _fault(value, len(place)):
        raise PydanticCustomError("not_plain_json", "This has {fault}", {"fault": fault, "place": place})
    if isinstance(value, dict | list | tuple):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            inside = (*place, printable(str(name)))
            _plain(name, inside)
            _plain(inner, inside)
    return value


Parameters = Annotated[dict[str, Any], BeforeValidator(_plain)]  # free JSON that goes to a database and to trainers


class Wire(BaseModel):
    """Unknown fields are refused: a typo in a request is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Task(StrEnum):
    """What a model is trained to do."""

    CLASSIFY = "classify"
    MULTILABEL = "multilabel"
    REGRESS = "regress"
    DETECT = "detect"
    SEGMENT = "segment"  # instances
    SEMANTIC = "semantic"
    POSE = "pose"
    OBB = "obb"


class Kind(StrEnum):
    """What a job does."""

    TRAIN = "train"
    EVALUATE = "evaluate"
    PREDICT = "predict"
    EXPORT = "export"


class Status(StrEnum):
    """What is. The platform owns all of them; a trainer reports STARTING, RUNNING, STOPPING and the terminal ones."""

    CREATED = "created"
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"  # only when a trainer has looked at the attempt and says so; an unreachable trainer is RUNNING, stale since ...


class Target(StrEnum):
    """What should be. Handlers write it, the reconciler makes it true."""

    FINISHED = "finished"
    STOPPED_AFTER_EPOCH = "stopped_after_epoch"
    CANCELLED = "cancelled"


class Reason(StrEnum):
    """Why an attempt is over."""

    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"
    FAILED = "failed"
    OOM = "oom"
    CUDA_OOM = "cuda_oom"
    KILLED = "killed"
    DISK_FULL = "disk_full"
    TIMEOUT = "timeout"
    IMPORT_ERROR = "import_error"
    DATA_ERROR = "data_error"
    NAN_LOSS = "nan_loss"
    LOST = "lost"  # supervise itself died; written by whoever then got the attempt's lock


class DatasetFolder(Wire):
    """A folder the trainer can read: for a trainer used alone. Allowed roots are a setting of the service."""

    kind: Literal["folder"] = "folder"
    path: str
    format: str | None = None  # detected when absent


class DatasetManifest(Wire):
    """A published dataset version; blobs are opened through fsspec (a path on one machine, signed URLs elsewhere)."""

    kind: Literal["manifest"] = "manifest"
    url: str
    blobs: str  # URL template with {sha256}
    digest: str
    token: str | None = None


class Resources(Wire):
    """What a job may use. `grace_seconds` lie between SIGTERM and SIGKILL."""

    gpus: int = Field(0, ge=0, le=10_000)
    nodes: int = Field(1, ge=1, le=10_000)
    memory_gb: float | None = Field(None, gt=0, le=1_000_000)
    time_limit_seconds: int | None = Field(None, gt=0, le=LONGEST_SECONDS)
    grace_seconds: int = Field(3, ge=0, le=3600)  # 3 on one machine, 30 on Kubernetes


class TrainRequest(Wire):
    """POST /train. The same (job_id, attempt) again gives the same answer and one process; with another body it is 409."""

    job_id: UUID
    attempt: AttemptNumber
    task: Task
    model: str
    parameters: Parameters = {}  # checked against GET /models/{name}/schema
    dataset: Annotated[DatasetFolder | DatasetManifest, Field(discriminator="kind")]
    seed: Seed = 0
    resume_from: str | None = None  # artifact URL of a verified checkpoint
    resources: Resources = Resources()


class Cursor(Wire):
    """How far a reader is. Each stream of each attempt counts from 1; a log counts bytes."""

    attempt: int
    stream: Literal["events", "system", "log"]
    after: int = 0


class JobState(Wire):
    """GET /jobs/{id} of a trainer."""

    job_id: UUID
    attempt: int
    kind: Kind
    status: Status
    reason: Reason | None = None
    message: str | None = None  # one sentence: cause and cure
    handle: str | None = None  # pid, or namespace/name of the Job
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cursors: list[Cursor] = []


# --- events.jsonl: one line each, appended by the training process only; system.jsonl by supervise only -------------------


class Event(Wire):
    """What every line of events.jsonl and system.jsonl has."""

    seq: int = Field(ge=1, le=LARGEST_SEQ)  # no gaps within a stream
    time: datetime  # of the event, milliseconds; it is the MLflow timestamp too, so that sending again changes nothing


class MetricEvent(Event):
    """Values of metrics at an optimiser step."""

    type: Literal["metric"] = "metric"
    step: Step
    epoch: Epoch | None = None
    values: dict[str, Number]  # "train/loss", "val/top1", "val/map50_95", "lr"


class ProgressEvent(Event):
    """How far the training is; `eta_seconds` is the training's own estimate."""

    type: Literal["progress"] = "progress"
    epoch: Step
    epochs: Step
    step: Step
    steps: Step
    eta_seconds: float | None = Field(None, allow_inf_nan=False)


class ArtifactEvent(Event):
    """A checkpoint that is a folder is a manifest of files; its digest is the manifest's."""

    type: Literal["artifact"] = "artifact"
    name: str
    kind: Literal["checkpoint", "plot", "report", "export", "predictions"]
    path: str = Field(max_length=LONGEST_PATH)
    size: Seq
    sha256: str
    step: Step | None = None


class ImageEvent(Event):
    """Sample predictions on a fixed image."""

    type: Literal["image"] = "image"
    key: str
    step: int
    path: str
    predictions: list[dict[str, Any]]


class WarningEvent(Event):
    """What a person should know and what does not end the training."""

    type: Literal["warning"] = "warning"
    code: str
    message: str


class SystemEvent(Event):
    """system.jsonl, from supervise."""

    type: Literal["system"] = "system"
    cpu_percent: float
    memory_bytes: int
    gpus: list[dict[str, float]] = []


class Done(Wire):
    """done.json, written last."""

    exit_code: int | None
    signal: int | None = None
    reason: Reason
    message: str
    ended_at: datetime


class ModelInfo(Wire):
    """GET /models/list. `complete: false` beside the list while details are still being filled in."""

    name: str
    framework: str
    tasks: list[Task]
    parameters_m: float | None = None
    input_size: int | None = None
    licence: str | None = None
    pretrained: Literal["reachable", "missing", "none"] = "none"


class Problem(Wire):
    """application/problem+json: the one shape of an error."""

    type: str = "about:blank"
    status: int
    code: str  # stable, snake_case, documented
    message: str
    hint: str
    where: str | None = None  # file:line, field path, url
    request_id: str | None = None
