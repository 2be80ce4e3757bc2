"""A database with one running job in it, and events to feed it with."""

import contextlib
import json
import sqlite3
import uuid
from datetime import UTC, datetime

from retinue_platform.db import Database
from retinue_platform.tables import DatasetRow, JobRow, ProjectRow

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def open_database(folder):
    database = Database(f"sqlite:///{folder / 'retinue.sqlite'}")
    database.upgrade()
    return database


def project_row(**values):
    name = uuid.uuid4().hex
    return ProjectRow(
        **{
            "id": uuid.uuid4(),
            "name": name,
            "name_key": name,
            "description": "",
            "created_at": NOW,
            "created_by": "ann",
        }
        | values
    )


def dataset_row(project_id, **values):
    name = uuid.uuid4().hex
    return DatasetRow(
        **{
            "id": uuid.uuid4(), "project_id": project_id, "name": name, "name_key": name, "status": "ready", "stage": "",
            "progress": 1.0, "problem": None, "request": {}, "created_at": NOW, "created_by": "ann",
        }
        | values
    )  # fmt: skip


def job_row(project_id, dataset_id, **values):
    return JobRow(
        **{
            "id": uuid.uuid4(), "project_id": project_id, "name": "job", "kind": "train", "framework": "points",
            "model": "line", "task": "classify", "dataset_id": dataset_id, "dataset_version": 1,
            "dataset_digest": "0" * 64, "parameters": {}, "seed": 0, "priority": 0, "resources": {"gpus": 0},
            "status": "running", "target": "finished", "attempt": 1, "cursor": 0, "reason": None, "message": None,
            "stale_since": None, "progress": None, "latest": {}, "idempotency_key": None, "request_digest": "",
            "created_at": NOW, "created_by": "ann", "started_at": NOW, "ended_at": None,
        }
        | values
    )  # fmt: skip


def add_job(database, **values):
    """A job, running unless told otherwise, in a project of its own. Returns its id."""
    project = project_row()
    dataset = dataset_row(project.id)
    job = job_row(project.id, dataset.id, **values)
    with database.write() as session:
        for row in (project, dataset, job):
            session.add(row)
            session.flush()
    return job.id


@contextlib.contextmanager
def away(file, table):
    """What needs a table finds that the database does not answer."""
    with contextlib.closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO away")
        try:
            yield
        finally:
            connection.execute(f"ALTER TABLE away RENAME TO {table}")


def metric(seq, **values):
    """A line of events.jsonl; `step` is seq - 1."""
    values = values or {"train/loss": 1 / seq}
    time = datetime.fromtimestamp(1_795_000_000 + seq / 1000, UTC).isoformat(timespec="milliseconds")
    event = {"seq": seq, "time": time, "type": "metric", "step": seq - 1, "epoch": 1, "values": values}
    return json.dumps(event).encode()


def event(seq, type_, **values):
    return json.dumps({"seq": seq, "time": NOW.isoformat(), "type": type_, **values}).encode()
