"""Describing a trainer's parameters: rows of a plain table into JSON Schema. Needs no framework."""

from __future__ import annotations

from typing import Any

# default, minimum, maximum or choices, title, unit, group, description
Row = tuple[Any, Any, Any, str, str | None, str, str]
_KINDS = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object"}


def property_schema(row: Row, depends_on: dict[str, Any] | None = None) -> dict[str, Any]:
    """The schema of one parameter; `depends_on` maps another's name to a schema of the values at which this has an effect."""
    default, least, most, title, unit, group, description = row
    schema: dict[str, Any] = {"type": _KINDS[type(default)], "default": default, "title": title}
    schema |= {"description": description, "group": group}
    if isinstance(most, tuple):
        schema["enum"] = list(most)
    elif most is not None:
        schema |= {"minimum": least, "maximum": most}
    if unit:
        schema["unit"] = unit
    if depends_on:
        schema["x-depends-on"] = depends_on
    return schema


def object_schema(title: str, properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of all parameters together: others are refused."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


def defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """Every parameter at its default."""
    return {name: parameter["default"] for name, parameter in schema["properties"].items()}
