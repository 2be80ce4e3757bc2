"""The authorisation table: who may at least do what, and a valid request for each operation.

A new operation of the platform that is not classified here fails `test_matrix`.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

PUBLIC, USER, VIEWER, EDITOR, OWNER, ADMIN = "public", "user", "viewer", "editor", "owner", "admin"
RANK = {"stranger": 0, VIEWER: 1, EDITOR: 2, OWNER: 3}

CHUNK = b"x"
DIGEST = hashlib.sha256(CHUNK).hexdigest()
JOB = {"framework": "none", "model": "none", "task": "classify"}  # whoever may, hears that there is no such trainer


@dataclass(frozen=True)
class Operation:
    """`minimum`: the least role; `uses`: the objects in its path; the rest makes a request that is valid."""

    minimum: str
    uses: tuple[str, ...] = ()
    body: dict[str, Any] | None = None
    params: dict[str, Any] = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    consumes: str | None = None  # what is gone afterwards: whoever may do it gets one of their own
    of: str | None = None  # the operation it is a variant of
    undo: str | None = None  # the operation that the owner takes it back with


PROJECT, UPLOAD, DATASET, MEMBER = ("project_id",), ("upload_id",), ("dataset_id",), {"user": "someone"}
JOB_ID = ("job_id",)

OPERATIONS = {
    "health": Operation(PUBLIC),
    "ready": Operation(PUBLIC),
    "me": Operation(USER),
    "list_models": Operation(USER),
    "get_schema": Operation(USER, path={"framework": "points", "name": "counter"}, params={"task": "classify"}),
    "list_projects": Operation(USER),
    "create_project": Operation(USER, body={"name": "made by {actor}"}),
    "get_project": Operation(VIEWER, PROJECT),
    "update_project": Operation(EDITOR, PROJECT, body={"description": "by {actor}"}),
    "delete_project": Operation(OWNER, PROJECT, consumes="project_id"),
    "list_members": Operation(VIEWER, PROJECT),
    "put_member": Operation(OWNER, PROJECT, body={"role": "viewer"}, path=MEMBER),
    "delete_member": Operation(OWNER, PROJECT, path=MEMBER),
    "create_upload": Operation(EDITOR, PROJECT, body={"filename": "a.zip", "size": 10}),
    "get_upload": Operation(VIEWER, UPLOAD),
    "put_chunk": Operation(
        EDITOR, UPLOAD, content=CHUNK, params={"offset": 5}, headers={"X-Content-SHA256": DIGEST}
    ),  # at a wrong offset: whoever may, hears the true one
    "delete_upload": Operation(EDITOR, UPLOAD, consumes="upload_id"),
    "list_datasets": Operation(VIEWER, PROJECT),
    "create_dataset": Operation(EDITOR, PROJECT, body={"name": "by {actor}", "upload_id": "{upload_id}"}),
    "get_dataset": Operation(VIEWER, DATASET),
    "delete_dataset": Operation(EDITOR, DATASET, undo="restore_dataset"),
    "purge_dataset": Operation(
        OWNER, DATASET, params={"purge": "true"}, of="delete_dataset"
    ),  # in use by a job: whoever may, hears that
    "restore_dataset": Operation(EDITOR, DATASET),
    "list_trash": Operation(VIEWER, PROJECT),
    "list_dataset_versions": Operation(VIEWER, DATASET),
    "create_dataset_version": Operation(EDITOR, DATASET, body={"upload_id": "{upload_id}"}),
    "get_dataset_version": Operation(VIEWER, DATASET, path={"number": "1"}),
    "retry_dataset": Operation(EDITOR, DATASET, body={}),  # nothing of it has failed: whoever may, hears that
    "delete_problem": Operation(EDITOR, DATASET),
    "get_sources": Operation(USER),
    "list_formats": Operation(USER),
    "get_losses": Operation(VIEWER, DATASET, path={"number": "1"}, params={"format": "image_folder"}),
    "get_archive": Operation(VIEWER, DATASET, path={"number": "1"}, params={"format": "image_folder"}),
    "restore_dataset_version": Operation(EDITOR, DATASET, path={"number": "1"}),
    "diff_dataset_versions": Operation(VIEWER, DATASET, path={"a": "1", "b": "1"}),
    "create_job": Operation(EDITOR, PROJECT, body={**JOB, "dataset_id": "{dataset_id}"}),
    "validate_job": Operation(EDITOR, PROJECT, body={**JOB, "dataset_id": "{dataset_id}"}),
    "list_jobs": Operation(VIEWER, PROJECT),
    "get_job": Operation(VIEWER, JOB_ID),
    "cancel_job": Operation(EDITOR, JOB_ID, body={}),
    "get_metrics": Operation(VIEWER, JOB_ID),
    "get_log": Operation(VIEWER, JOB_ID),
    "list_artifacts": Operation(VIEWER, JOB_ID),
    "get_artifact": Operation(VIEWER, JOB_ID, path={"path": "checkpoints/none"}),
    "list_audit": Operation(ADMIN),
}


@dataclass(frozen=True)
class Actor:
    """Someone who calls. `refusal`: what they always hear; else their `role`, and which scopes their token lacks."""

    name: str
    refusal: tuple[int, str] | None = None
    role: str = "stranger"
    writes: bool = True
    admin: bool = False


ACTORS = [
    Actor("nobody", refusal=(401, "unauthenticated")),
    Actor("garbage", refusal=(401, "unauthenticated")),
    Actor("without_access", refusal=(403, "hub_scope_missing")),
    Actor("disabled", refusal=(401, "unauthenticated")),
    Actor("deleted", refusal=(401, "unauthenticated")),
    Actor("trainer_token", refusal=(401, "unauthenticated")),  # what the platform shows to trainers
    Actor("trainer_service", refusal=(403, "user_required")),  # what the hub gave a trainer
    Actor("viewer", role=VIEWER),
    Actor("editor", role=EDITOR),
    Actor("owner", role=OWNER),
    Actor("owner_reading", role=OWNER, writes=False),
    Actor("admin", role=OWNER, admin=True),
    Actor("admin_unasked", role="stranger"),  # an administrator whose token was not asked for with that scope
    Actor("other", role="stranger"),  # owns another project
    Actor("guest", role="stranger"),  # in the browser, on a server that the owner shares
]


def expected(actor: Actor, operation: Operation, method: str) -> tuple[int, str] | None:
    """The refusal that the actor must hear, or None when they may."""
    if operation.minimum == PUBLIC:
        return None
    if actor.refusal:
        return actor.refusal
    if (not actor.writes and method != "GET") or (operation.minimum == ADMIN and not actor.admin):
        return 403, "hub_scope_missing"
    if operation.minimum in (USER, ADMIN):
        return None
    if actor.role == "stranger":
        return 404, "not_found"
    return None if RANK[actor.role] >= RANK[operation.minimum] else (403, "role_required")
