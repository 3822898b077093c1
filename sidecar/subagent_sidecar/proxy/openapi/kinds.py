"""JSON Schema in few words: the shapes of which the records are made."""

from collections.abc import Iterable
from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "minLength": 1}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
SECONDS: Schema = {"type": "number", "minimum": 0}
RATE: Schema = {"type": "number", "minimum": 0}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
ANY_OBJECT: Schema = {"type": "object"}
MOMENT: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$",
    "examples": ["2026-11-23T03:00:00.000000Z"],
}
USD: Schema = {
    "type": "string",
    "pattern": r"^\d+\.\d{6}$",
    "description": "US dollars, exact",
    "examples": ["0.012345"],
}
DURATION: Schema = {
    "type": "string",
    "pattern": r"^\d{1,4}(\.\d{1,3})?(ms|s|m|h|d|w)$",
    "examples": ["250ms", "30s", "5m", "2h", "7d"],
}
AMOUNT: Schema = {
    "anyOf": [{"type": "number"}, USD, {"type": "null"}],
    "description": "dollars as text, run time in seconds, all else counted; null where nothing is",
}


def words(*allowed: str) -> Schema:
    """One of some words."""
    return {"type": "string", "enum": list(allowed)}


def said(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


def maybe(schema: Schema) -> Schema:
    """Or null."""
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def several(schema: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": schema, **more}


def by_name(schema: Schema) -> Schema:
    """An object with keys nobody can know beforehand."""
    return {"type": "object", "additionalProperties": schema}


def record(fields: dict[str, Schema], *, optional: Iterable[str] = ()) -> Schema:
    """An object that has all of these; later versions may add to it."""
    left_out = set(optional)
    return {
        "type": "object",
        "properties": fields,
        "required": [name for name in fields if name not in left_out],
    }


def body(fields: dict[str, Schema], *, required: Iterable[str] = (), **more: Any) -> Schema:
    """What is sent: nothing else is taken."""
    made: Schema = {"type": "object", "properties": fields, "additionalProperties": False, **more}
    if listed := list(required):
        made["required"] = listed
    return made


def one_of(*bodies: Schema, examples: list[Any]) -> Schema:
    """Either of several shapes."""
    return {"oneOf": list(bodies), "examples": examples}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
