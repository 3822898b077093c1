"""Requests that a description in OpenAPI allows, and some that it does not, by Schemathesis.

How many there are follows from the description and `examples`, never from the time it takes, and
the same seed gives the same ones.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis import Case
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.transport import Response
from schemathesis.engine import events, from_schema
from schemathesis.hooks import HookContext
from schemathesis.schemas import BaseSchema

from tests.support.openapi import Document, operations

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
"""Not that whatever breaks the description is refused: nulls and empty values pass for missing, and
so a client may be more sloppy than the description tells it to be."""
_ANSWERED_WITHIN_S = 60.0
"""Longer than a busy machine takes: what does not answer at all is to fail."""


@dataclass
class Found:
    """`failures` of each operation and kind: the first one, with a request to see it by.
    `statuses` counts answers."""

    failures: dict[str, str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        return self.statuses.total()


@dataclass(frozen=True, kw_only=True)
class Attack:
    """`examples` for each operation, besides those that try its parts one by one. `parameters`
    (`task_id`, or `query.follow`) have these values wherever an operation has them. `thorough`: the
    parts are tried one by one at all. `after` is called with each answer."""

    url: str
    examples: int
    seed: int | None = None
    checks: Sequence[str] = CHECKS
    parameters: Mapping[str, Any] = field(default_factory=dict)
    thorough: bool = True
    after: Callable[[HookContext, Case, Response], None] | None = None

    def on(self, document: Document) -> Found:
        """What came of it."""
        load_all_checks()  # without it none is made
        found = Found()
        for event in from_schema(self._schema(document)).execute():
            match event:
                case events.ScenarioFinished():
                    _take(event, found)
                case events.NonFatalError():
                    found.failures[event.label] = event.info.format()
                case events.FatalError():
                    found.failures["Schemathesis"] = repr(event.exception)
                case _:
                    pass
        return found

    def _schema(self, document: Document) -> BaseSchema:
        config = SchemathesisConfig.from_dict(self._config())
        schema = schemathesis.openapi.from_dict(deepcopy(document), config=config)
        if self.after is not None:
            schema.hooks.register_hook_with_name(self.after, "after_call")
        return schema

    def _config(self) -> dict[str, Any]:
        said: dict[str, Any] = {
            "base-url": self.url,
            "continue-on-failure": True,
            "request-timeout": _ANSWERED_WITHIN_S,
            "parameters": dict(self.parameters),
            "generation": {
                "max-examples": self.examples,
                "deterministic": self.seed is None,
                "no-shrink": True,
                "database": "none",
            },
            "phases": {
                "stateful": {"enabled": False},
                "examples": {"enabled": self.thorough},
                "coverage": {"enabled": self.thorough},
                # What was found in answers may be others'.
                "fuzzing": {"extra-data-sources": {"responses": False}},
            },
            "checks": {"enabled": False, **{name: {"enabled": True} for name in self.checks}},
        }
        return said if self.seed is None else {**said, "seed": self.seed}


def _take(event: events.ScenarioFinished, found: Found) -> None:
    recorder = event.recorder
    for each in recorder.interactions.values():
        if each.response is not None:
            found.statuses[each.response.status_code] += 1
    for check in (check for checks in recorder.checks.values() for check in checks):
        if check.failure_info is not None:
            failure = check.failure_info.failure
            what = f"{recorder.label}: {check.name}: {failure.title}"
            said = f"{failure.message}\n    {check.failure_info.code_sample}"
            found.failures.setdefault(what, said)


def without_defaults(document: Document) -> Document:
    """The same, but that every status an operation may answer with has to be told of."""
    made = deepcopy(document)
    for _, _, operation in operations(made):
        operation["responses"].pop("default", None)
    return made


def only(document: Document, paths: Sequence[str]) -> Document:
    """The same, with these paths."""
    wanted = set(paths)
    found = {path: told for path, told in document["paths"].items() if path in wanted}
    return {**document, "paths": found}


def leaving_out(document: Document, names: Sequence[str]) -> Document:
    """The same without these operations (`GET /path`)."""
    left = {
        path: {
            method: told
            for method, told in methods.items()
            if f"{method.upper()} {path}" not in names
        }
        for path, methods in document["paths"].items()
    }
    return {**document, "paths": {path: methods for path, methods in left.items() if methods}}
