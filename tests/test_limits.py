"""Every whole number of a request has limits, so that none of them is the database's or the clock's to refuse."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from retinue_platform.app import create_app
from retinue_platform.settings import Settings
from retinue_sdk.trainer.app import make_app
from retinue_sdk.trainer.settings import TrainerSettings
from tests.trainers.points.service import FRAMEWORK

VERSIONS = {"number", "a", "b"}  # in paths: one that is too large is as absent as any other


def platform(_folder: Path) -> FastAPI:
    return create_app(Settings(data=Path("data"), hub_api_url="http://hub"))


def trainer(folder: Path) -> FastAPI:
    (folder / "token").write_text("t" * 32)
    return make_app(FRAMEWORK, TrainerSettings(token_file=folder / "token"))


@pytest.mark.parametrize("make", [platform, trainer])
def test_every_whole_number_of_a_request_has_limits(make, tmp_path):
    document = make(tmp_path).openapi()
    found = dict(whole_numbers(document))
    assert len(found) >= 8
    assert [place for place, schema in found.items() if not {"minimum", "maximum"} <= limits(schema)] == []


def limits(schema: dict[str, Any]) -> set[str]:
    return {name.replace("exclusiveM", "m") for name in schema}


def whole_numbers(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for parameter in operation.get("parameters", []):
                if parameter["in"] != "path" or parameter["name"] not in VERSIONS:
                    yield from inside(parameter["schema"], f"{method} {path} {parameter['name']}", document)
            for content in operation.get("requestBody", {}).get("content", {}).values():
                yield from inside(content["schema"], f"{method} {path} body", document)


def inside(schema: dict[str, Any], place: str, document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if schema.get("type") == "integer":
        yield place, schema
    for name, part in schema.get("properties", {}).items():
        yield from inside(part, f"{place}.{name}", document)
    for part in [*schema.get("anyOf", []), *schema.get("oneOf", []), *filter(None, [schema.get("items")])]:
        yield from inside(part, place, document)
