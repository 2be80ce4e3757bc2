"""Writes the wire classes as an OpenAPI document, from which `npm run schema` generates `src/schema.ts`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from retinue_sdk import api, intake, schema

WIRE = (
    api.Me, api.Project, api.ProjectCreate, api.Upload, api.UploadCreate, api.Dataset, intake.DatasetCreate, api.DatasetFormat,
    intake.VersionCreate, api.VersionDiff, intake.DatasetRetry, intake.Sources, api.TrashedDataset, api.Catalogue,
    api.Job, api.JobCreate, api.JobCancel, api.Metrics, api.Artifact, schema.Problem,
)  # fmt: skip


def document(models: tuple[type[BaseModel], ...]) -> dict[str, object]:
    """OpenAPI document with the models as components and no paths; answers are described as they are sent."""
    wanted = [(model, "serialization") for model in models]
    _, definitions = models_json_schema(wanted, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]  # a literal in a tuple
    info = {"title": "Retinue", "version": "1"}
    return {"openapi": "3.1.0", "info": info, "paths": {}, "components": {"schemas": definitions["$defs"]}}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(document(WIRE), indent=1))
