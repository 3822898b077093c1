"""`/openapi.json` is OpenAPI, and about the routes that there are."""

import json
from collections.abc import Iterator
from typing import Any

from aiohttp import web
from jsonschema import Draft202012Validator
from tests.support.openapi import mistakes, operations

from subagent_sidecar.core.roles import Role
from subagent_sidecar.proxy.admin_access import access_to
from subagent_sidecar.proxy.admin_audit import AuditRoutes
from subagent_sidecar.proxy.admin_budgets import BudgetRoutes
from subagent_sidecar.proxy.admin_cancel import CancelRoutes
from subagent_sidecar.proxy.admin_events import EventRoutes
from subagent_sidecar.proxy.admin_explain import ExplainRoutes
from subagent_sidecar.proxy.admin_freeze import FreezeRoutes
from subagent_sidecar.proxy.admin_keys import KeyRoutes
from subagent_sidecar.proxy.admin_metrics import MetricsRoutes
from subagent_sidecar.proxy.admin_past import PastRoutes
from subagent_sidecar.proxy.admin_policy import PolicyRoutes
from subagent_sidecar.proxy.admin_reap import ReapRoutes
from subagent_sidecar.proxy.admin_report import ReportRoutes
from subagent_sidecar.proxy.admin_routes import AdminPlane
from subagent_sidecar.proxy.admin_sessions import SessionRoutes
from subagent_sidecar.proxy.admin_spans import SpanRoutes
from subagent_sidecar.proxy.admin_tasks import TaskRoutes
from subagent_sidecar.proxy.admin_tools import AdminToolRoutes
from subagent_sidecar.proxy.admin_traces import TraceRoutes
from subagent_sidecar.proxy.openapi import document

DOCUMENT = document()


class Nothing:
    """Stands behind routes that nobody asks."""

    def __getattr__(self, name: str) -> "Nothing":
        return self

    def __call__(self, *args: object, **named: object) -> "Nothing":
        return self


def application(*, metrics: MetricsRoutes | None = None) -> web.Application:
    any_: Any = Nothing()
    return AdminPlane(
        service=any_,
        store=any_,
        ready=lambda: None,
        body_timeout_s=1.0,
        tasks=TaskRoutes(service=any_, store=any_, clock=any_, reachability=any_, links=any_),
        cancels=CancelRoutes(ender=any_, store=any_),
        events=EventRoutes(service=any_, store=any_),
        policy=PolicyRoutes(policies=any_, reap_interval_s=5.0),
        budgets=BudgetRoutes(service=any_, store=any_, clock=any_, names=any_),
        freeze=FreezeRoutes(service=any_, store=any_, names=any_),
        keys=KeyRoutes(keyring=any_, clock=any_, asked=False),
        explain=ExplainRoutes(service=any_, store=any_, clock=any_, upstreams=any_),
        past=PastRoutes(store=any_),
        reap=ReapRoutes(reaping=any_),
        sessions=SessionRoutes(service=any_, store=any_, clock=any_),
        spans=SpanRoutes(seen=any_),
        traces=TraceRoutes(store=any_, clock=any_, links=any_, seen=any_),
        audit=AuditRoutes(auditor=any_, upstreams=any_),
        metrics=metrics or MetricsRoutes(written=any_),
        tools=AdminToolRoutes(tools=any_, credentials=any_),
        report=ReportRoutes(service=any_, store=any_, clock=any_),
        guard=any_,
    ).application()


def test_every_route_and_method_is_in_it_and_no_other() -> None:
    there_are = {
        (route.resource.canonical, route.method.lower())
        for route in application().router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert {(path, method) for path, method, _ in operations(DOCUMENT)} == there_are


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does() -> None:
    names = [operation["operationId"] for _, _, operation in operations(DOCUMENT)]
    assert len(names) == len(set(names))
    assert all(operation["summary"].endswith(".") for _, _, operation in operations(DOCUMENT))


def test_every_operation_says_whose_token_it_wants_and_what_becomes_of_others() -> None:
    assert DOCUMENT["components"]["securitySchemes"].keys() == {"token"}
    for path, method, operation in operations(DOCUMENT):
        access = access_to(method.upper(), path)
        assert access is not None
        needed = access.role is not None
        assert operation["security"] == ([{"token": []}, {}] if needed else [])
        assert operation.get("x-role") == access.role
        assert ("401" in operation["responses"]) == needed
        if needed and access.role is not Role.VIEWER:
            assert "403" in operation["responses"]


def schemas(value: Any = DOCUMENT, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every schema in the document, with its place."""
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from schemas(each, f"{place}/{number}")
    elif isinstance(value, dict):
        for key, each in value.items():
            if key == "schema" or place == "/components/schemas":
                yield f"{place}/{key}", each
            yield from schemas(each, f"{place}/{key}")


def test_every_schema_is_one() -> None:
    found = dict(schemas())
    assert len(found) > 100
    for place, schema in found.items():
        assert place and Draft202012Validator.check_schema(schema) is None


def with_examples(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from with_examples(each)
    elif isinstance(value, dict):
        if isinstance(value.get("examples"), list):
            yield value
        for each in value.values():
            yield from with_examples(each)


def test_every_example_is_one() -> None:
    found = list(with_examples(DOCUMENT))
    assert len(found) > 10
    wrong = [
        (example, said)
        for schema in found
        for example in schema["examples"]
        if (said := mistakes(DOCUMENT, schema, example))
    ]
    assert wrong == []


def test_every_reference_leads_somewhere_and_every_record_is_referred_to() -> None:
    text = json.dumps(DOCUMENT)
    prefix = '"#/components/schemas/'
    named = {part.split('"')[0] for part in text.split(prefix)[1:]}
    assert named == DOCUMENT["components"]["schemas"].keys()


def test_the_parameters_of_a_path_are_those_in_it() -> None:
    for path, _, operation in operations(DOCUMENT):
        given = operation.get("parameters", [])
        in_path = {each["name"] for each in given if each["in"] == "path"}
        assert in_path == {part[1:-1] for part in path.split("/") if part.startswith("{")}
        assert all(each["required"] for each in given if each["in"] == "path")


def test_a_problem_is_what_any_route_may_answer() -> None:
    for _, _, operation in operations(DOCUMENT):
        content = operation["responses"]["default"]["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
