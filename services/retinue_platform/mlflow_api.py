"""The few calls of MLflow's REST API that we need.

Not the mlflow package: importing it would add 250 MB to the platform's process, and its client retries for minutes in
the thread that called it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from retinue_sdk.errors import NotFoundError, RetinueError, UnavailableError

METRICS_PER_BATCH = 1000  # MLflow's own limits of runs/log-batch
PARAMS_PER_BATCH = 100
MISSING = "mlflow_not_found"  # code of what MLflow does not have
UNREACHABLE = ("mlflow_unreachable", "mlflow_unavailable")  # codes of errors that time cures
_REFUSED_CHARACTERS = re.compile(r"[^\w\-. :/]", re.ASCII)


@dataclass(frozen=True)
class Run:
    """An MLflow run: its id and the path of its files behind the artifact proxy."""

    id: str
    artifacts: str


class MlflowError(RetinueError):
    """MLflow refuses what we sent: not a matter of waiting."""

    status, code, hint = 502, "mlflow_refused", "Look at MLflow's own log."


class Mlflow:
    """Talks to one MLflow server. Raises `UnavailableError` when it does not answer, `NotFoundError`, `MlflowError`."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(30.0, connect=2.0), trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def experiment(self, project_id: str, name: str) -> str:
        """The id of a project's experiment, made when there is none."""
        query = {"max_results": 1, "filter": f"tags.`retinue.project_id` = '{project_id}'"}
        found = (await self._call("POST", "experiments/search", query)).get("experiments", [])
        if found:
            return str(found[0]["experiment_id"])
        tags = _tags({"retinue.project_id": project_id})
        try:
            made = await self._call("POST", "experiments/create", {"name": name, "tags": tags})
        except MlflowError:  # the name belongs to another experiment, perhaps a deleted one
            unique = f"{name} ({project_id[:8]})"
            made = await self._call("POST", "experiments/create", {"name": unique, "tags": tags})
        return str(made["experiment_id"])

    async def run(self, experiment: str, job_id: str, name: str, start: int, tags: Mapping[str, str]) -> Run:
        """A job's run, made when there is none: after a crash the same call finds the same run."""
        query = {"experiment_ids": [experiment], "max_results": 1, "filter": f"tags.`retinue.job_id` = '{job_id}'"}
        found = (await self._call("POST", "runs/search", query)).get("runs", [])
        if found:
            return _run(found[0])
        body = {"experiment_id": experiment, "run_name": name, "start_time": start}
        all_tags = _tags({**tags, "retinue.job_id": job_id, "mlflow.runName": name})
        return _run((await self._call("POST", "runs/create", {**body, "tags": all_tags}))["run"])

    async def get_run(self, run_id: str) -> Run:
        """A run by its id."""
        return _run((await self._call("GET", "runs/get", {"run_id": run_id}))["run"])

    async def log_metrics(self, run_id: str, metrics: Sequence[Mapping[str, Any]]) -> None:
        """At most `METRICS_PER_BATCH` of key, value, timestamp, step. Sending one again changes nothing."""
        await self._call("POST", "runs/log-batch", {"run_id": run_id, "metrics": metrics})

    async def log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        """Any number of parameters."""
        items = [{"key": metric_key(key), "value": value[:6000]} for key, value in params.items()]
        for start in range(0, len(items), PARAMS_PER_BATCH):
            batch = items[start : start + PARAMS_PER_BATCH]
            await self._call("POST", "runs/log-batch", {"run_id": run_id, "params": batch})

    async def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Write tags, over older ones."""
        await self._call("POST", "runs/log-batch", {"run_id": run_id, "tags": _tags(tags)})

    async def end(self, run_id: str, status: str, end: int) -> None:
        """End a run: FINISHED, FAILED or KILLED."""
        await self._call("POST", "runs/update", {"run_id": run_id, "status": status, "end_time": end})

    async def upload(self, run: Run, path: str, size: int, content: AsyncIterator[bytes]) -> None:
        """Store a file of a run through MLflow's artifact proxy."""
        address = f"/api/2.0/mlflow-artifacts/artifacts/{quote(run.artifacts)}/{quote(path)}"
        headers = {"Content-Length": str(size)} if size else {}
        await self._send("PUT", address, content=content, headers=headers, timeout=600)

    async def _call(self, method: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        given: dict[str, Any] = {"params": body} if method == "GET" else {"json": body}
        answer = await self._send(method, f"/api/2.0/mlflow/{name}", **given)
        parsed: dict[str, Any] = answer.json()
        return parsed

    async def _send(self, method: str, address: str, **given: Any) -> httpx.Response:
        try:
            response = await self._client.request(method, address, **given)
        except httpx.HTTPError as error:
            raise UnavailableError(
                f"MLflow does not answer: {type(error).__name__}.", code="mlflow_unreachable"
            ) from error
        if response.is_success:
            return response
        code, message = _problem(response)
        if response.status_code == 404 or code == "RESOURCE_DOES_NOT_EXIST":
            raise NotFoundError(f"MLflow: {message}", code="mlflow_not_found")
        if response.status_code >= 500 or response.status_code == 429:
            raise UnavailableError(f"MLflow answered {response.status_code}: {message}", code="mlflow_unavailable")
        raise MlflowError(f"MLflow answered {response.status_code} to {address}: {message}")


def metric_key(name: str) -> str:
    """A name as MLflow takes it: letters, digits, `_-. :/`, at most 250 of them, and no path that means another."""
    key = _REFUSED_CHARACTERS.sub("_", name)
    return "/".join(part if part.strip(".") else "_" * max(1, len(part)) for part in key.split("/"))[:250]


def _problem(response: httpx.Response) -> tuple[str, str]:
    try:
        body = response.json()
        return str(body.get("error_code", "")), str(body.get("message", ""))[:500]
    except (ValueError, AttributeError):
        return "", response.text[:200]


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value[:8000]} for key, value in tags.items()]


def _run(body: Mapping[str, Any]) -> Run:
    """`artifact_uri` is mlflow-artifacts:/EXPERIMENT/RUN/artifacts, or the same with a host."""
    info = body["info"]
    path = re.sub(r"^mlflow-artifacts:(//[^/]+)?/", "", info["artifact_uri"])
    return Run(str(info["run_id"]), path)
