"""The document as a whole."""

from collections.abc import Iterator
from typing import Any

from ... import __version__
from ...core.roles import Role
from ..admin_access import access_to
from . import answers
from .governing import GOVERNING
from .kinds import Schema, ref
from .operation import JSON, Operation, Parameter
from .operations import OPERATIONS
from .records import RECORDS

_ABOUT = (
    "What is on record of the tasks behind a subagent sidecar, and the levers. For programs on the "
    "same machine or in the same network: under another host's name nothing is answered, unless "
    "`allowed_hosts` has it. Where the sidecar has admin tokens a request needs one, and `x-role` "
    "says of which role at least; where it has none, all may do everything. A POST must say "
    "`content-type: application/json`."
)
_TOKEN = "token"
_STATUSES = {
    400: "it cannot be understood",
    401: "there are tokens, and the request has none of them",
    402: "a budget refuses it",
    403: "a rule or a freeze refuses it, or the token's role does not do for it",
    404: "there is no such thing",
    409: "several fit, or it is over",
    413: "the body is larger than a MiB",
    415: "not sent as application/json",
    421: "asked under the name of another host, as web pages do",
    422: "the policy files have mistakes; all is as it was",
    502: "the agent server is out of reach, or its answer was no good one",
    503: "not now: the store cannot do it, or the sidecar is stopping",
    504: "the agent server did not answer in time",
}


def document() -> dict[str, Any]:
    """OpenAPI 3.1, as JSON has it."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Subagent sidecar: admin plane",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:8461", "description": "where it listens by default"}],
        "paths": paths,
        "components": {
            "schemas": {**RECORDS, **GOVERNING, "Problem": answers.PROBLEM},
            "securitySchemes": {_TOKEN: {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.says,
        "responses": _responses(operation),
        "security": [],
    }
    if (role := _role(operation)) is not None:
        found |= {"security": [{_TOKEN: []}, {}], "x-role": role.value}
    if operation.parameters:
        found["parameters"] = [_parameter(each) for each in operation.parameters]
    if operation.body is not None:
        found["requestBody"] = {"required": True, "content": {JSON: {"schema": operation.body}}}
    return found


def _parameter(parameter: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.where,
        "description": parameter.says,
        "required": parameter.required,
        "schema": parameter.schema,
    }
    if parameter.listed:
        found["schema"] = {"type": "array", "items": parameter.schema, "minItems": 1}
        found |= {"style": "form", "explode": False}
    return found


def _responses(operation: Operation) -> dict[str, Any]:
    media: dict[str, Schema] = dict(operation.media)
    if operation.answer:
        media[JSON] = operation.answer
    found = {"200": _response("what was asked for", media)}
    for status in sorted({*operation.refusals, *_everywhere(operation)}):
        found[str(status)] = _response(_STATUSES[status], {JSON: ref("Problem")})
    for status, schema in operation.others.items():
        found[str(status)] = _response(_STATUSES[status], {JSON: schema})
    found["default"] = _response("any other problem", {JSON: ref("Problem")})
    return found


def _everywhere(operation: Operation) -> Iterator[int]:
    """What the door, and the store behind it, may answer to any request of the kind."""
    yield 421
    if operation.path.startswith("/v1/"):
        yield 503
    if (role := _role(operation)) is not None:
        yield 401
        if role is not Role.VIEWER:
            yield 403


def _role(operation: Operation) -> Role | None:
    """The least that is needed."""
    access = access_to(operation.method.upper(), operation.path)
    return None if access is None else access.role


def _response(says: str, media: dict[str, Schema]) -> dict[str, Any]:
    return {
        "description": says,
        "content": {kind: {"schema": schema} for kind, schema in media.items()},
    }
