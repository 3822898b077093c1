"""Holding real answers to what `/openapi.json` says of them."""

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

Document = dict[str, Any]


def operations(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(path, method, operation)."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def strict(schema: Any) -> Any:
    """The same, but that an object may have no key that is not told of."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    if isinstance(made.get("properties"), dict) and "additionalProperties" not in made:
        made["additionalProperties"] = False
    return made


def mistakes(document: Document, schema: Any, value: Any) -> list[str]:
    """What is wrong with a value, by a schema of the document taken strictly."""
    whole = {**strict(schema), "components": strict(document["components"])}
    assert validator_for(whole, default=Draft202012Validator) is Draft202012Validator
    return [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        for error in Draft202012Validator(whole).iter_errors(value)
    ]


def answer_schema(document: Document, path: str, method: str, status: int) -> Any:
    responses = document["paths"][path][method]["responses"]
    found = responses.get(str(status), responses["default"])
    return found["content"]["application/json"]["schema"]
