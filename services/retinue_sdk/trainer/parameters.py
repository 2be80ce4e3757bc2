"""Checks a training's parameters against their JSON Schema and says, in words, what is wrong and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from retinue_sdk.errors import BadRequestError

if TYPE_CHECKING:
    from retinue_sdk.trainer.jsonschema import ValidationError

_LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}
_RANGE = {*_LIMITS, "multipleOf", "minLength", "maxLength", "minItems", "maxItems"}
_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "array": "a list",
    "object": "an object",
    "null": "empty",
}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be."""
    found = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.5)
    return found[0] if found else None


def fill(schema: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """`parameters` with the defaults of everything left out."""
    defaults = {k: p["default"] for k, p in schema.get("properties", {}).items() if "default" in p}
    return {**defaults, **parameters}


def check(schema: dict[str, Any], parameters: dict[str, Any]) -> list[BadRequestError]:
    """Everything wrong with `parameters`; empty when they are right."""
    from retinue_sdk.trainer.jsonschema import Draft202012Validator  # noqa: PLC0415  # loads while the service answers

    problems: list[BadRequestError] = []
    for error in sorted(Draft202012Validator(schema).iter_errors(parameters), key=lambda e: list(map(str, e.path))):
        if error.validator == "additionalProperties":
            problems += _unknown(schema, parameters)
        else:
            problems.append(_explain(error))
    return problems


def _unknown(schema: dict[str, Any], parameters: dict[str, Any]) -> list[BadRequestError]:
    known = schema.get("properties", {})
    problems = []
    for name in parameters:
        if name not in known:
            guess = nearest(name, known)
            hint = f"Did you mean {guess}?" if guess else f"Parameters are: {', '.join(sorted(known)) or 'none'}."
            problems.append(
                BadRequestError(
                    f"There is no parameter {name}.", hint=hint, where=f"parameters.{name}", code="unknown_parameter"
                )
            )
    return problems


def _explain(error: ValidationError) -> BadRequestError:
    path = ".".join(str(part) for part in error.path)
    where = f"parameters.{path}" if path else "parameters"
    schema = error.schema if isinstance(error.schema, dict) else {}
    name = path or "parameters"
    if error.validator == "type":
        kinds = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        wanted = " or ".join(_TYPES.get(str(kind), str(kind)) for kind in kinds)
        return BadRequestError(
            f"{name} is {error.instance!r}, not {wanted}.",
            hint=f"Give {wanted}{_unit(schema)}.",
            where=where,
            code="parameter_type",
        )
    if error.validator in _RANGE:
        return BadRequestError(
            f"{name} is {error.instance!r}, outside its range.",
            hint=f"Give {_range(schema)}.",
            where=where,
            code="parameter_out_of_range",
        )
    if error.validator in ("enum", "const"):
        return _not_among(error, name, where)
    return BadRequestError(f"{name}: {error.message[:300]}.", where=where, code="parameter_invalid")


def _not_among(error: ValidationError, name: str, where: str) -> BadRequestError:
    values = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
    guess = nearest(str(error.instance), [str(value) for value in values])
    hint = f"Choose one of: {', '.join(str(value) for value in values)}."
    if guess:
        hint = f"Did you mean {guess}? {hint}"
    return BadRequestError(
        f"{name} is {error.instance!r}, which is not one of its values.",
        hint=hint,
        where=where,
        code="parameter_not_allowed",
    )


def _unit(schema: dict[str, Any]) -> str:
    return f" in {schema['unit']}" if schema.get("unit") else ""


def _range(schema: dict[str, Any]) -> str:
    limits = [f"{words} {schema[key]}" for key, words in _LIMITS.items() if key in schema]
    if "multipleOf" in schema:
        limits.append(f"a multiple of {schema['multipleOf']}")
    lengths = [schema.get(f"min{kind}") for kind in ("Length", "Items")]
    longest = [schema.get(f"max{kind}") for kind in ("Length", "Items")]
    limits += [f"no fewer than {value} entries" for value in lengths if value is not None]
    limits += [f"no more than {value} entries" for value in longest if value is not None]
    return " and ".join(limits) + _unit(schema)
