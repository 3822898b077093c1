"""What a supervisor that sees only its own tasks can do all the same, and what nobody but one that
sees all may."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.agent_client import Answer, random_id, run_of
from tests.integration.isolation.rig import Two, two
from tests.support.supervisors import SupervisorClient

from subagent_sidecar.testing import FakeAgentServer


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Two]:
    async with two(tmp_path) as found:
        yield found


async def found(client: Any, **search: object) -> list[str]:
    answer = await client.call("POST", "/threads/search", {"limit": 100, **search})
    assert answer.status == 200, answer
    return [thread["thread_id"] for thread in answer.json]


async def test_a_task_is_its_supervisors_from_start_to_end(rig: Two) -> None:
    thread_id = await rig.bob.new_thread()
    run_id = await rig.bob.start(thread_id, "researcher")
    await rig.bob.run_when(thread_id, run_id, "success")
    for path in (f"/threads/{thread_id}", f"/threads/{thread_id.upper()}/state"):
        assert (await rig.bob.call("GET", path)).status == 200, path
    for path in ("runs", f"runs/{run_id}/join"):
        assert (await rig.bob.call("GET", f"/threads/{thread_id}/{path}")).status == 200, path
    hanging = await rig.bob.start(thread_id, "hang")
    cancelled = {"thread_id": thread_id, "run_ids": [hanging]}
    assert (await rig.bob.call("POST", "/runs/cancel", cancelled)).status == 204
    await rig.bob.run_when(thread_id, hanging, "interrupted")
    assert (await rig.bob.call("DELETE", f"/threads/{thread_id}")).status == 204


async def test_a_thread_is_there_for_its_maker_at_once(rig: Two) -> None:
    for _ in range(20):
        thread_id = await rig.bob.new_thread()
        assert (await rig.bob.call("GET", f"/threads/{thread_id}")).status == 200
        run_id = await rig.bob.start(thread_id, "researcher")
        assert (await rig.bob.call("GET", f"/threads/{thread_id}/runs/{run_id}")).status == 200


async def test_a_run_is_asked_for_on_its_own_thread_only(rig: Two) -> None:
    """Servers there are that find a run by its id, whatever thread stands before it."""
    thread_id, own = await rig.ann.new_thread(), await rig.bob.new_thread()
    run_id = await rig.ann.start(thread_id, "hang")
    for method, rest in (("GET", ""), ("GET", "/join"), ("POST", "/cancel"), ("DELETE", "")):
        answer = await rig.bob.call(method, f"/threads/{own}/runs/{run_id}{rest}")
        assert (answer.status, answer.json["code"]) == (404, "run_not_found"), (method, rest)
    both = {"thread_id": own, "run_ids": [run_id]}
    assert (await rig.bob.call("POST", "/runs/cancel", both)).detail == "No runs found to cancel."


async def test_a_search_finds_ones_own_threads(rig: Two) -> None:
    theirs = [await rig.ann.new_thread({"project": "x"}) for _ in range(3)]
    own = [await rig.bob.new_thread({"project": "x"}) for _ in range(2)]
    assert sorted(await found(rig.bob)) == sorted(own)
    assert sorted(await found(rig.bob, metadata={"project": "x"})) == sorted(own)
    assert await found(rig.bob, ids=[theirs[0], own[0].upper()]) == [own[0]]
    assert await found(rig.bob, ids=theirs) == []
    assert sorted(await found(rig.operator)) == sorted([*own, *theirs])


async def test_pages_are_as_if_there_were_no_others(rig: Two) -> None:
    own = []
    for _ in range(3):
        await rig.ann.new_thread()
        own.append(await rig.bob.new_thread())
    pages = [await found(rig.bob, limit=1, offset=offset) for offset in range(4)]
    assert sorted(pages) == sorted([[one] for one in own] + [[]])


async def test_a_search_that_leaves_the_ids_out_finds_nothing(rig: Two) -> None:
    await rig.ann.new_thread()
    await rig.bob.new_thread()
    answer = await rig.bob.call("POST", "/threads/search", {"select": ["status"]})
    assert answer.status == 200
    assert answer.json == [] or all("thread_id" in each for each in answer.json)


async def test_the_id_of_another_ones_thread_is_taken(rig: Two) -> None:
    thread_id = await rig.ann.new_thread()
    for given in (thread_id, thread_id.upper()):
        for more in ({}, {"if_exists": "do_nothing"}):
            answer = await rig.bob.call("POST", "/threads", {"thread_id": given, **more})
            assert (answer.status, answer.json["code"]) == (409, "thread_exists")
    again = {"thread_id": thread_id, "if_exists": "do_nothing"}
    assert (await rig.ann.call("POST", "/threads", again)).status == 200


async def test_a_thread_made_past_the_sidecar_is_nobodys(rig: Two) -> None:
    async with rig.bob.session.post(f"{rig.server.url}/threads", json={}) as made:
        thread_id = (await made.json())["thread_id"]
    taken = {"thread_id": thread_id, "if_exists": "do_nothing"}
    assert (await rig.bob.call("POST", "/threads", taken)).status == 409
    start = run_of("researcher", if_not_exists="create")
    assert (await rig.bob.call("POST", f"/threads/{thread_id}/runs", start)).status == 404
    assert (await rig.bob.call("GET", f"/threads/{thread_id}")).status == 404
    assert (await rig.operator.call("GET", f"/threads/{thread_id}")).status == 200


async def test_a_thread_of_ones_own_naming_is_ones_own(rig: Two) -> None:
    thread_id = random_id()
    start = run_of("researcher", if_not_exists="create")
    assert (await rig.bob.call("POST", f"/threads/{thread_id}/runs", start)).status == 200
    assert (await rig.bob.call("GET", f"/threads/{thread_id}")).status == 200
    assert (await rig.ann.call("GET", f"/threads/{thread_id}")).status == 404
    named = random_id()
    assert (await rig.bob.call("POST", "/threads", {"thread_id": named})).status == 200
    assert (await rig.bob.call("GET", f"/threads/{named}")).status == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/threads/count", {}),
        ("POST", "/threads/prune", {"thread_ids": []}),
        ("POST", "/runs/cancel", {"status": "all"}),
        ("POST", "/runs/crons", run_of("researcher", schedule="* * * * *")),
        ("POST", "/runs/crons/search", {}),
        ("GET", "/store/items?namespace=a&key=b", None),
        ("PUT", "/store/items", {"namespace": ["a"], "key": "b", "value": {}}),
        ("POST", "/store/namespaces", {}),
        ("POST", "/assistants", {"graph_id": "researcher"}),
        ("GET", "/metrics", None),
        ("GET", "/custom", None),
        ("POST", "/a2a/researcher", {"method": "ListTasks", "params": {}}),
        ("POST", "/mcp", {"method": "resources/read", "params": {}}),
    ],
)
async def test_what_is_about_all_is_closed(rig: Two, method: str, path: str, body: Any) -> None:
    before = len(rig.server.requests)
    answer = await rig.bob.call(method, path, body)
    assert (answer.status, answer.json["code"]) == (403, "needs_every_task")
    assert "--every-task" in answer.detail
    assert answer.headers["x-subagent-sidecar"] == "refused"
    assert not [r for r in rig.server.requests[before:] if r.header("x-test-supervisor")]
    opened = await rig.operator.call(method, path, body)
    assert opened.headers.get("x-subagent-sidecar") != "refused"


@pytest.mark.parametrize("path", ["/ok", "/info"])
async def test_what_is_about_nobody_is_open(rig: Two, path: str) -> None:
    assert (await rig.bob.call("GET", path)).status == 200
    assert (await rig.bob.call("POST", "/assistants/search", {})).status == 200


@pytest.mark.parametrize("path", ["/threads", "/threads/search", "/runs/cancel", "/mcp"])
async def test_a_body_that_cannot_be_read_is_refused(rig: Two, path: str) -> None:
    zipped = {"content-encoding": "gzip"}
    assert (await rig.bob.call("POST", path, {}, headers=zipped)).status == 400
    assert (await rig.bob.call("POST", path, raw=b'{"thread_id": ')).status == 400


async def test_a_foreign_session_is_no_parent(rig: Two) -> None:
    """Its tree and its depth are another's: what is counted there is charged to it."""
    parent = await rig.ann.new_thread()
    await rig.ann.start(parent, "hang")
    for client, depth in ((rig.bob, 0), (rig.ann, 1), (rig.operator, 1)):
        thread_id = await client.new_thread({"parent_thread_id": parent})
        await client.start(thread_id, "hang")
        await client.call("GET", f"/threads/{thread_id}/runs")
        told = await rig.admin.call("GET", f"/v1/tasks/{thread_id}")
        assert told.json["task"]["depth"] == depth, client.name
        assert (told.json["task"]["parent_task_id"] == parent) is (depth == 1)


async def test_tools_are_about_ones_own_tasks(rig: Two) -> None:
    started = await rig.ann.tool("start_async_task", description="x", subagent_type="hang")
    task_id = started.json["task_id"]
    for tool, more in (
        ("check_async_task", {}),
        ("update_async_task", {"message": "more"}),
        ("cancel_async_task", {}),
        ("wait_async_task", {"timeout": 0}),
    ):
        answers = []
        for asked in (task_id, random_id()):
            answer = await rig.bob.tool(tool, task_id=asked, **more)
            assert answer.status == 404, (tool, answer)
            text = answer.body.replace(asked.encode(), b"T")
            answers.append((text.partition(b'"request_id"')[0], sorted(answer.headers)))
        assert answers[0] == answers[1]
    listed = await rig.bob.tool("list_async_tasks")
    assert listed.json["tasks"] == []
    own = await rig.bob.tool("start_async_task", description="x", subagent_type="researcher")
    checked = await rig.bob.tool("check_async_task", task_id=own.json["task_id"])
    assert checked.status == 200


async def test_many_starts_at_once_on_one_new_thread_are_of_one_supervisor(rig: Two) -> None:
    thread_id = random_id()
    start = run_of("hang", if_not_exists="create", multitask_strategy="enqueue")
    answers = await asyncio.gather(
        *(
            client.call("POST", f"/threads/{thread_id}/runs", start)
            for _ in range(5)
            for client in (rig.ann, rig.bob)
        )
    )
    won = {answer.status for answer in answers[0::2]}, {answer.status for answer in answers[1::2]}
    assert sorted(won, key=str) == [{200}, {404}]


async def test_an_mcp_session_is_for_the_supervisor_that_opened_it(rig: Two) -> None:
    kinds = {"accept": "application/json, text/event-stream"}
    info = {"name": "someone", "version": "1"}
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info}
    opened = await rig.ann.call(
        "POST",
        "/sidecar/mcp",
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        headers=kinds,
    )
    session = opened.headers["mcp-session-id"]
    asked = {"jsonrpc": "2.0", "id": 2, "method": "tools/call"}
    asked["params"] = {"name": "list_async_tasks", "arguments": {}}

    async def answers(client: SupervisorClient, named: str) -> Answer:
        fields = {**kinds, "mcp-session-id": named}
        return await client.call("POST", "/sidecar/mcp", asked, headers=fields)

    foreign, made_up = await answers(rig.bob, session), await answers(rig.bob, "f" * 32)
    assert (foreign.status, foreign.body) == (made_up.status, made_up.body)
    assert foreign.status == 404
    assert (await answers(rig.operator, session)).status == 404
    ended = {"mcp-session-id": session}
    assert (await rig.bob.call("DELETE", "/sidecar/mcp", headers=ended)).status == 404
    assert (await answers(rig.ann, session)).status == 200


async def test_where_another_ones_thread_is_nobody_is_told(tmp_path: Path) -> None:
    """Several upstreams, and nothing says which: neither does the thread."""
    async with (
        FakeAgentServer() as second,
        two(tmp_path, more_upstreams=[f"far={second.url}"]) as rig,
    ):
        made = await rig.ann.call("POST", "/to/far/threads", {})
        foreign, own = made.json["thread_id"], random_id()
        named = await rig.bob.call("POST", "/to/main/threads", {"thread_id": own})
        assert named.status == 200
        for prefix in ("", "/to/main", "/to/far"):
            answers = [
                await rig.bob.call(
                    "GET", f"{prefix}/threads/{asked}", headers={"x-request-id": "asked"}
                )
                for asked in (foreign, random_id())
            ]
            assert answers[0].status == answers[1].status == (404 if prefix else 421)
            assert [a.headers for a in answers[:1]] == [a.headers for a in answers[1:]]
        assert (await rig.bob.call("GET", f"/threads/{own}")).status == 200
        assert (await rig.bob.call("GET", f"/to/far/threads/{own}")).status == 404
        taken = await rig.bob.call("POST", "/to/main/threads", {"thread_id": foreign})
        assert taken.status == 409
