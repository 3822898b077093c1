"""Tools over HTTP: what goes wrong, told in words a model can act on."""

from pathlib import Path
from typing import Any

import pytest
from tests.integration.tools.rig import WITHIN, bench
from tests.support.waiting import eventually

from subagent_sidecar.testing import FaultKind


@pytest.mark.parametrize(
    ("tool", "arguments", "status", "code", "words"),
    [
        ("nonsense", {}, 404, "no_such_tool", "there are: start_async_task, check"),
        ("check_async_task", {}, 400, "bad_body", "the argument 'task_id' is missing"),
        ("check_async_task", {"task_id": 5}, 400, "bad_body", "must be text"),
        ("check_async_task", {"task_id": "x", "y": 1}, 400, "bad_body", "no argument 'y'"),
        ("check_async_task", {"task_id": "x"}, 404, "task_not_found", "for task_id: 'x'"),
        ("update_async_task", {"task_id": "x", "message": "m"}, 404, "task_not_found", "'x'"),
        ("cancel_async_task", {"task_id": "x"}, 404, "task_not_found", "'x'"),
        ("wait_async_task", {"task_id": "x", "timeout": 601}, 400, "bad_body", "from 0 to 600"),
        ("wait_async_task", {"task_id": "x", "timeout": True}, 400, "bad_body", "a number"),
        ("wait_async_task", {"task_id": "x", "timeout": 10**400}, 400, "bad_body", "0 to 600"),
        ("list_async_tasks", {"status_filter": "odd"}, 400, "bad_body", "one of: running"),
        (
            "start_async_task",
            {"description": "d", "subagent_type": "nobody"},
            404,
            "no_such_agent",
            "Unknown async subagent type `nobody`. Available types: `asker`, `coder`",
        ),
        ("start_async_task", {"description": " ", "subagent_type": "x"}, 400, "bad_body", "empty"),
    ],
)
async def test_a_call_in_error_says_what_to_do(
    tmp_path: Path, tool: str, arguments: Any, status: int, code: str, words: str
) -> None:
    async with bench(tmp_path) as at:
        answer = await at.send(tool, arguments)
        assert not at.server.received("POST", "/runs")
    assert (answer.status, answer.json["code"]) == (status, code)
    assert words in answer.json["text"]
    assert answer.json["message"] == answer.json["detail"]


async def test_a_refused_start_is_told_as_the_policy_tells_it_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    limit = {"name": "one", "concurrent": 1, "per": "session"}
    async with bench(tmp_path, {"limits": [limit]}) as at:
        first = await at.start("hang")
        answer = await at.call("start_async_task", description="d", subagent_type="researcher")
        await eventually(lambda: at.server.received("DELETE"), within=WITHIN)
    told = answer.json
    assert (answer.status, answer.headers["x-subagent-sidecar"]) == (403, "refused")
    assert (told["rule"], told["limit"], told["current"]) == ("one", 1, 1)
    assert told["text"] == f"Failed to launch async subagent 'researcher': {told['message']}"
    assert first in told["text"]


async def test_a_server_that_is_down_is_told_in_words(tmp_path: Path) -> None:
    agents = [{"name": "far", "upstream": "far"}]
    upstreams = {"far": "http://127.0.0.1:9"}
    async with bench(tmp_path, agents=agents, upstreams=upstreams) as at:
        answer = await at.call("start_async_task", description="d", subagent_type="far")
    assert (answer.status, answer.json["code"]) == (502, "upstream_unreachable")
    assert answer.json["text"].startswith("Failed to launch async subagent 'far': ")
    assert "refused the connection" in answer.json["text"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"run_id": 5, "status": ["x"]}', b"[" * 5_000]
)
async def test_a_server_that_says_yes_and_names_no_run_is_not_believed(
    tmp_path: Path, body: bytes
) -> None:
    path = "/threads/*/runs"
    async with bench(tmp_path) as at:
        task_id = await at.start("hang")
        await at.checked_when(task_id, "running")
        at.server.faults.add(FaultKind.STATUS, path, method="POST", times=2, status=200, body=body)
        update = await at.call("update_async_task", task_id=task_id, message="more")
        start = await at.call("start_async_task", description="d", subagent_type="hang")
    assert (update.status, start.status) == (502, 502)
    why = "the server's answer names no run, so whether there is one is not known"
    assert update.json["text"].startswith(f"Failed to update async subagent: {why}")
    assert start.json["text"].startswith(f"Failed to launch async subagent 'hang': {why}")
    assert update.json["task_id"] == task_id != start.json["task_id"]


async def test_an_agent_is_not_called_unknown_while_its_server_cannot_be_asked(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, upstreams={"far": "http://127.0.0.1:9"}) as at:
        answer = await at.call("start_async_task", description="d", subagent_type="yonder")
    assert (answer.status, answer.json["code"]) == (502, "upstream_unreachable")
    assert answer.json["text"].startswith("Failed to launch async subagent 'yonder': ")


async def test_a_key_that_is_none_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    said = {"description": "d", "subagent_type": "hang"}
    async with bench(tmp_path) as at:
        answer = await at.send("start_async_task", said, {"idempotency-key": "x" * 300})
        assert not at.server.received("POST", "/threads")
    assert (answer.status, answer.json["code"]) == (400, "bad_header")


async def test_what_is_no_json_is_told_in_words_for_the_model_too(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        plain = await at.send("check_async_task", {}, {"Content-Type": "text/plain"})
        path = "/sidecar/tools/check_async_task"
        broken = await at.client.call("POST", path, raw=b'{"task_id"')
    assert (plain.status, plain.json["code"]) == (415, "not_json")
    assert (broken.status, broken.json["code"]) == (400, "bad_body")
    assert broken.json["text"] == broken.json["message"] == "the tool's arguments are not JSON"
    assert plain.json["text"] == plain.json["message"]


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Origin": "https://evil.example"}, 421, "foreign_origin"),
        ({"Host": "evil.example"}, 421, "foreign_origin"),
        ({"Content-Type": "text/plain"}, 415, "not_json"),
    ],
)
async def test_web_pages_use_no_tools(
    tmp_path: Path, headers: dict[str, str], status: int, code: str
) -> None:
    said = {"description": "d", "subagent_type": "hang"}
    async with bench(tmp_path) as at:
        answer = await at.send("start_async_task", said, headers)
        assert not at.server.received("POST", "/threads")
    assert (answer.status, answer.json["code"]) == (status, code)
