"""The tools over HTTP, against a fake server: what a model reads, and what the books say."""

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.contract.agent_client import agent_client
from tests.integration.http.rig import sidecar
from tests.integration.tools.rig import WITHIN, Bench, bench
from tests.support.waiting import eventually, eventually_got

from subagent_sidecar.tasks import spawn
from subagent_sidecar.testing import FakeAgentServer, FaultKind, succeed

SESSION = "0197a000-0000-7000-8000-000000000001"


async def test_a_start_is_a_task_like_any_other(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        answer = await at.call(
            "start_async_task",
            session=SESSION,
            description="find out",
            subagent_type="researcher",
        )
        task_id = answer.json["task_id"]
        task = await eventually_got(
            lambda: at.task(task_id), lambda t: t["status"] == "success", within=WITHIN
        )
        [thread] = at.server.received("POST", "/threads")
        [run] = at.server.received("POST", "/runs")
    assert answer.json["text"] == f"Launched async subagent. task_id: {task_id}"
    assert (task["agent_name"], task["session_id"]) == ("researcher", SESSION)
    assert (task["purpose"], task["depth"]) == ("find out", 0)
    metadata = json.loads(thread.body)["metadata"]
    assert (metadata["subagent_name"], metadata["parent_thread_id"]) == ("researcher", SESSION)
    told = json.loads(run.body)
    assert told["input"] == {"messages": [{"role": "user", "content": "find out"}]}
    assert told["config"]["configurable"]["deepagents_parent"] == {"thread_id": SESSION}
    assert told["metadata"]["sidecar_task_id"] == task_id


async def test_what_a_check_tells_of_each_status(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        ids = {a: await at.start(a) for a in ("researcher", "failing", "asker", "hang")}
        done = await at.checked_when(ids["researcher"], "success")
        failed = await at.checked_when(ids["failing"], "error")
        waiting = await at.checked_when(ids["asker"], "waiting")
        running = await at.checked_when(ids["hang"], "running")
    assert done == {"status": "success", "thread_id": ids["researcher"], "result": "done"}
    assert failed["error"] == "The async subagent encountered an error."
    assert waiting["interrupts"][0]["value"] == {
        "question": "Which region?",
        "options": ["EU", "US"],
    }
    assert "waiting for a human" in waiting["note"]
    assert running == {"status": "running", "thread_id": ids["hang"]}


async def test_a_long_result_is_cut_and_says_so(tmp_path: Path) -> None:
    long = succeed(reply="x" * 5_000)
    async with bench(tmp_path, graphs={"long": long}, tool_result_limit=1_000) as at:
        told = await at.checked_when(await at.start("long"), "success")
    assert told["result"] == "x" * 1_000 + "\n... [cut off after 1,000 of 5,000 characters]"


async def test_a_list_has_the_tasks_of_the_session_with_their_purpose(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        first = await at.start("hang", "first\nthing")
        second = await at.start("researcher", "second")
        await at.start("hang", "not mine", session="s2")
        await at.checked_when(second, "success")
        await at.checked_when(first, "running")
        everything = (await at.call("list_async_tasks")).json
        finished = (await at.call("list_async_tasks", status_filter="success")).json
        none = (await at.call("list_async_tasks", session="s3")).json
    assert everything["text"].splitlines() == [
        "2 tracked task(s):",
        f"- task_id: {first}  agent: hang  status: running  purpose: first thing",
        f"- task_id: {second}  agent: researcher  status: success  purpose: second",
    ]
    assert [task["task_id"] for task in finished["tasks"]] == [second]
    assert none["text"] == "No async subagent tasks tracked."


async def test_a_list_says_what_it_could_not_see(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        task_id = await at.start("hang")
        await at.checked_when(task_id, "running")
        at.server.faults.add(FaultKind.RESET, "/threads/*", method="GET", times=None)
        told = (await at.call("list_async_tasks")).json["text"]
    assert f"{task_id}  agent: hang  status: running (when it was last seen" in told


async def test_an_update_interrupts_or_queues_as_the_agent_has_it(tmp_path: Path) -> None:
    agents = [
        {"name": "one", "assistant_id": "hang"},
        {"name": "two", "assistant_id": "hang", "update_strategy": "enqueue"},
    ]
    async with bench(tmp_path, agents=agents) as at:
        ids = {name: await at.start(name) for name in ("one", "two")}
        told = {}
        for name, task_id in ids.items():
            await at.checked_when(task_id, "running")
            told[name] = (
                await at.call("update_async_task", task_id=task_id, message="and more")
            ).json["text"]
        sent = [json.loads(run.body) for run in at.server.received("POST", "/runs")]
    assert told["one"] == f"Updated async subagent. task_id: {ids['one']}"
    assert told["two"].startswith("Queued follow-up to async subagent without interrupting")
    assert [run.get("multitask_strategy") for run in sent] == [None, None, "interrupt", "enqueue"]


async def test_an_interrupt_before_the_run_has_begun_loses_no_instruction(tmp_path: Path) -> None:
    async with bench(tmp_path, pickup_seconds=60.0) as at:
        task_id = await at.start("researcher", "the first words")
        await at.call("update_async_task", task_id=task_id, message="the second")
        run = at.server.received("POST", "/runs")[-1]
    messages = json.loads(run.body)["input"]["messages"]
    assert [message["content"] for message in messages] == ["the first words", "the second"]


async def test_an_update_of_what_waits_for_a_human_says_that_the_request_is_dropped(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as at:
        task_id = await at.start("asker")
        await at.checked_when(task_id, "waiting")
        told = (await at.call("update_async_task", task_id=task_id, message="forget it")).json
    assert told["text"].endswith("It was waiting for a human; that request was dropped.")


async def test_where_the_operator_says_so_a_run_is_cancelled_before_the_next_one_starts(
    tmp_path: Path,
) -> None:
    agents = [{"name": "hang", "update_strategy": "cancel_first"}]
    async with bench(tmp_path, agents=agents) as at:
        at.server.faults.add(FaultKind.MULTITASK_IGNORED, "/threads/*/runs", method="POST", times=9)
        task_id = await at.start("hang")
        await at.checked_when(task_id, "running")
        before = at.server.executing
        answer = await at.call("update_async_task", task_id=task_id, message="m")
        assert not before & at.server.executing
    assert answer.json["text"] == f"Updated async subagent. task_id: {task_id}"


async def test_a_cancel_is_verified_and_the_second_one_says_that_it_is_over(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as at:
        task_id = await at.start("hang")
        await at.checked_when(task_id, "running")
        first = await at.call("cancel_async_task", task_id=task_id)
        executing = at.server.executing
        again = await at.call("cancel_async_task", task_id=task_id)
        told = await at.checked(task_id)
        task = await at.task(task_id)
    assert first.json["text"] == f"Cancelled async subagent task: {task_id}"
    assert not executing
    assert told == {"status": "cancelled", "thread_id": task_id}
    assert (again.status, again.json["code"]) == (409, "task_is_over")
    assert "was over already, with status cancelled" in again.json["text"]
    assert (task["status"], task["ended_by"]) == ("cancelled", "supervisor")


async def test_a_cancelled_task_that_waited_stays_cancelled(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        task_id = await at.start("asker")
        await at.checked_when(task_id, "waiting")
        await at.call("cancel_async_task", task_id=task_id)
        told = await at.checked(task_id)
    assert told == {"status": "cancelled", "thread_id": task_id}


async def test_a_wait_returns_with_the_result_as_soon_as_there_is_one(tmp_path: Path) -> None:
    async with bench(tmp_path, graphs={"slow": succeed(0.3, reply="at last")}) as at:
        answer = await at.call("wait_async_task", task_id=await at.start("slow"), timeout=600)
    assert json.loads(answer.json["text"])["result"] == "at last"


async def test_a_wait_that_is_too_short_says_so(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        task_id = await at.start("hang")
        await at.checked_when(task_id, "running")
        told = json.loads(
            (await at.call("wait_async_task", task_id=task_id, timeout=0)).json["text"]
        )
    assert (told["status"], told["waited_s"]) == ("running", 0.0)
    assert "not over yet" in told["note"]


async def test_nobody_waits_for_a_sidecar_that_stops(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack, FakeAgentServer() as server:
        front = await stack.enter_async_context(sidecar(server.url, drain_timeout="60s"))
        async with agent_client(f"http://127.0.0.1:{front.port}") as client:
            at = Bench(server, client, client)
            task_id = await at.start("hang")
            await at.checked_when(task_id, "running")
            seen = len(server.received("GET"))
            waiting = spawn(
                at.call("wait_async_task", task_id=task_id, timeout=600), name="wait", awaited=True
            )
            await eventually(lambda: len(server.received("GET")) > seen, within=WITHIN)
            await stack.aclose()
            told = json.loads((await waiting).json["text"])
    assert told["status"] == "running"


async def test_a_start_with_a_key_is_made_once(tmp_path: Path) -> None:
    said = {"description": "d", "subagent_type": "hang"}
    headers = {"x-subagent-session": "s1", "idempotency-key": "k1"}
    async with bench(tmp_path) as at:
        answers = [await at.send("start_async_task", said, headers) for _ in range(2)]
        other = await at.send("start_async_task", {**said, "description": "e"}, headers)
        runs = at.server.ledger.run_ids
    assert answers[0].json == answers[1].json
    assert len(runs) == 1
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")


async def test_a_start_whose_caller_has_left_is_seen_through(tmp_path: Path) -> None:
    """failures.md row 19."""
    said = {"description": "d", "subagent_type": "hang"}
    async with bench(tmp_path) as at:
        at.server.faults.add(FaultKind.DELAY_HEAD, "/threads/*/runs", method="POST", seconds=0.3)
        leaving = spawn(at.send("start_async_task", said), name="leaves", awaited=True)
        await eventually(lambda: at.server.received("POST", "/runs"), within=WITHIN)
        leaving.cancel()
        [found] = await eventually_got(
            lambda: listed(at), lambda tasks: bool(tasks and tasks[0]["run_id"]), within=WITHIN
        )
        assert at.server.ledger.run_ids == [found["run_id"]]
        assert not found["in_doubt"]


async def listed(at: Bench) -> Any:
    return (await at.admin.call("GET", "/v1/tasks")).json["tasks"]


@pytest.mark.parametrize("thread_id", ["a/b", "a b", "a?b#c", "a%2Fb", "日本"])
async def test_an_id_of_any_shape_is_one_segment(tmp_path: Path, thread_id: str) -> None:
    body = json.dumps({"thread_id": thread_id, "status": "idle", "metadata": {}}).encode()
    async with bench(tmp_path) as at:
        at.server.faults.add(
            FaultKind.STATUS, "/threads", method="POST", status=200, body=body, times=1
        )
        await at.call("start_async_task", description="d", subagent_type="researcher")
        [start] = at.server.received("POST", "/runs")
    assert start.raw_path == f"/threads/{quote(thread_id, safe='')}/runs"


async def test_credentials_and_the_trace_go_on_with_a_start(tmp_path: Path) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"x-api-key": "secret", "traceparent": trace, "x-subagent-session": "s1"}
    async with bench(tmp_path) as at:
        answer = await at.send(
            "start_async_task", {"description": "d", "subagent_type": "hang"}, headers
        )
        task = await at.task(answer.json["task_id"])
        sent = [dict(r.raw_headers) for r in at.server.received("POST")]
    assert task["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert all(fields[b"x-api-key"] == b"secret" for fields in sent)


async def test_agents_are_those_of_the_servers_unless_some_are_declared(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        found = (await at.client.call("GET", "/sidecar/tools")).json["tools"]
    async with bench(tmp_path, agents=[{"name": "r", "description": "reads"}]) as at:
        declared = (await at.client.call("GET", "/sidecar/tools?format=anthropic")).json["tools"]
    assert "- researcher: " in found[0]["function"]["description"]
    assert found[0]["function"]["parameters"]["required"] == ["description", "subagent_type"]
    assert "Available async agent types:\n- r: reads\n" in declared[0]["description"]
    assert declared[0]["input_schema"]["required"] == ["description", "subagent_type"]
