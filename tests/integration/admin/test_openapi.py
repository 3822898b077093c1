"""What a running sidecar answers is what its `/openapi.json` says."""

import re
from pathlib import Path
from typing import Any

from tests.contract.agent_client import AgentClient, agent_client
from tests.integration.budgets.rig import Desk, desk
from tests.integration.http.rig import sidecar
from tests.support.openapi import Document, answer_schema, mistakes, operations

from subagent_sidecar.core.toolset import NAMES as TOOLS

POLICY: dict[str, Any] = {
    "limits": [
        {"name": "fan-out", "concurrent": 50, "per": "session"},
        {"name": "no-idlers", "match": {"agent": "idle"}, "deny": True},
        {"name": "watched", "starts": 1, "per": "session", "window": "1h", "mode": "observe"},
    ],
    "budgets": [
        {"name": "usd", "usd": 5, "tokens": 2_000_000, "run_time": "3h", "per": "session"},
    ],
    "lifecycle": [{"name": "clocks", "run": "2h", "lease": "5m", "heartbeat": "1m"}],
}


async def said(admin: AgentClient) -> Document:
    answer = await admin.call("GET", "/openapi.json")
    assert answer.status == 200
    found: Document = answer.json
    return found


async def held(
    at: Desk, told: Document, method: str, path: str, body: Any = None, *, status: int = 200,
    query: str = "", **places: str,
) -> Any:  # fmt: skip
    """The answer of a route, held to what is said of it."""
    target = path.format(**places) + query
    given = {} if body is None and method == "POST" else body
    answer = await at.admin.call(method, target, given, headers={"accept": "application/json"})
    assert answer.status == status, (method, target, answer.body)
    schema = answer_schema(told, path, method.lower(), status)
    assert (method, target, mistakes(told, schema, answer.json)) == (method, target, [])
    return answer.json


async def test_answers_are_what_is_said_of_them(tmp_path: Path) -> None:
    async with desk(tmp_path, POLICY) as at:
        told = await said(at.admin)
        quick, _ = await at.start("quick")
        await at.task_when(quick, status="success")
        await at.used(quick)
        live, _ = await at.start("long")
        child = (await at.start("unpriced", session=live))[0]
        await at.start("idle")
        await at.client.call("POST", "/runs", {"assistant_id": "quick"})
        await at.client.call("POST", "/sidecar/sessions/s1/heartbeat", {"lease_s": 60})

        for path, method, operation in operations(told):
            names = {each["name"] for each in operation.get("parameters", ())}
            if method == "get" and path not in ("/metrics", "/v1/events", "/v1/policy/explain"):
                query = "?all=true" if "all" in names else ""
                await held(at, told, "GET", path, query=query, task_id=quick, id=live)
        await held(at, told, "GET", "/v1/tasks/{task_id}", task_id=child)
        tasks = (await held(at, told, "GET", "/v1/tasks", query="?all=1"))["tasks"]
        assert {run["kind"] for task in tasks for run in task["runs"]} == {"start", "stateless"}
        events = await held(at, told, "GET", "/v1/events", query="?follow=false&after=0")
        assert {"started", "refused", "would_refuse"} <= {e["kind"] for e in events["events"]}
        for query in (f"?task={quick}", "?agent=idle", "?agent=quick&session=s1"):
            await held(at, told, "GET", "/v1/policy/explain", query=query)

        raised = {"rule": "usd", "scope_id": "s1", "usd": "5", "tokens": 1, "run_time": "1m"}
        await held(at, told, "POST", "/v1/budgets/raise", raised)
        frozen = {"scope": "agent", "id": "nobody-yet", "reason": "why not"}
        assert (await held(at, told, "POST", "/v1/freeze", frozen))["not_on_record"]
        await held(at, told, "POST", "/v1/unfreeze", {"scope": "agent", "id": "nobody-yet"})
        await held(at, told, "POST", "/v1/policy/reload")
        await held(at, told, "POST", "/v1/reap", query="?dry_run=true")
        await held(at, told, "POST", "/v1/reap", {"wait_s": 1})
        await held(at, told, "POST", "/v1/audit", {"adopt": "all"})
        tool = "/v1/tools/{tool}"
        of_task = {"arguments": {"task_id": quick}}
        new = {"arguments": {"subagent_type": "quick", "description": "Look."}, "session": "s1"}
        await held(at, told, "POST", tool, new, tool="start_async_task")
        await held(at, told, "POST", tool, of_task, tool="check_async_task")
        await held(at, told, "POST", tool, {}, tool="list_async_tasks")
        await held(at, told, "POST", tool, {}, tool="check_async_task", status=400)
        await held(at, told, "POST", tool, of_task, tool="no_such_tool", status=404)
        await held(at, told, "POST", tool, of_task, tool="cancel_async_task", status=409)
        cancel = "/v1/tasks/{task_id}/cancel"
        await held(at, told, "POST", cancel, {"wait_s": 5}, task_id=child)
        end = "/v1/sessions/{session_id}/end"
        await held(at, told, "POST", end, {"reason": "done"}, session_id="s1")
        await held(at, told, "POST", "/v1/cancel", {"all": True, "wait_s": 5})
        await held(at, told, "GET", "/v1/sessions", query="?session=s1")

        # And what goes wrong.
        await held(at, told, "GET", "/v1/tasks/{task_id}", status=404, task_id="nobody")
        await held(at, told, "GET", "/v1/tasks", status=400, query="?limit=0")
        await held(at, told, "POST", "/v1/unfreeze", {"scope": "all"}, status=404)
        await held(at, told, "POST", "/v1/cancel", {"all": 1}, status=400)
        (tmp_path / "policy.yaml").write_text("version: 1\nlimits: [{name: x}]\n", "utf-8")
        await held(at, told, "POST", "/v1/policy/reload", status=422)
        await held(at, told, "GET", "/v1/policy")


KNOWN = re.compile(r"there (?:are|is): (.*)$")


async def test_every_query_and_every_body_knows_what_is_said_and_nothing_else() -> None:
    async with (
        sidecar("http://127.0.0.1:9") as front,
        agent_client(f"http://127.0.0.1:{front.admin_port}") as admin,
    ):
        told = await said(admin)
        for path, method, operation in operations(told):
            target = path.format(
                task_id="some-task",
                session_id="some-session",
                id="some-task",
                tool=TOOLS[0],
                key="k",
            )
            listed = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"}
            if listed:
                given: Any = {} if method == "post" else None
                answer = await admin.call(method.upper(), f"{target}?zzz=1", given)
                assert (answer.status, answer.json["code"]) == (400, "bad_query")
                assert (path, names_in(answer.json["message"])) == (path, listed)
            if "requestBody" in operation:
                answer = await admin.call(method.upper(), target, {"zzz": 1})
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                assert (answer.status, answer.json["code"]) == (400, "bad_body")
                shapes = schema.get("oneOf", [schema])
                keys = {key for shape in shapes for key in shape["properties"]} or {"nothing"}
                assert (path, names_in(answer.json["message"])) == (path, keys)


def names_in(message: str) -> set[str]:
    found = KNOWN.search(message)
    assert found is not None, message
    return set(found[1].split(", "))


async def test_a_method_that_is_none_of_a_routes_is_told_those_that_are() -> None:
    async with (
        sidecar("http://127.0.0.1:9") as front,
        agent_client(f"http://127.0.0.1:{front.admin_port}") as admin,
    ):
        told = await said(admin)
        for path, methods in told["paths"].items():
            answer = await admin.call(
                "DELETE", path.format(task_id="t", session_id="s", id="t", tool="t", key="k")
            )
            assert (answer.status, answer.json["code"]) == (405, "no_such_route")
            assert answer.json["message"].endswith("; what there is stands in /openapi.json")
            allowed = {each.lower() for each in answer.headers["allow"].split(", ")}
            assert (path, allowed - {"head"}) == (path, set(methods))
