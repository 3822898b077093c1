"""The tools over MCP, as the official client uses them, against a fake server."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from tests.contract.agent_client import agent_client
from tests.integration.http.rig import sidecar
from tests.integration.tools.rig import WITHIN, Bench, bench
from tests.support.waiting import eventually_got

from subagent_sidecar.core.toolset import NAMES
from subagent_sidecar.testing import FakeAgentServer, FaultKind, JumpingClock, succeed

NOBODY = "http://127.0.0.1:9"


@asynccontextmanager
async def connected(at: Bench, session: str | None = None, **more: Any) -> AsyncIterator[Client]:
    headers = {"x-subagent-session": session} if session else {}
    async with httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(60.0)) as http:
        transport = streamable_http_client(f"{at.client.url}/sidecar/mcp", http_client=http)
        async with Client(transport, **more) as client:
            yield client


async def told(client: Client, tool: str, **arguments: object) -> str:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    [block] = result.content
    return str(getattr(block, "text", ""))


async def started(client: Client, agent: str, words: str = "do it") -> str:
    text = await told(client, "start_async_task", description=words, subagent_type=agent)
    return text.removeprefix("Launched async subagent. task_id: ")


async def test_the_official_client_uses_every_tool(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, connected(at) as client:
        listed = (await client.list_tools()).tools
        assert [tool.name for tool in listed] == list(NAMES)
        assert "- researcher: " in (listed[0].description or "")
        done = await started(client, "researcher", "read")
        result = json.loads(await told(client, "wait_async_task", task_id=done))
        assert result == {"status": "success", "thread_id": done, "result": "done"}
        task_id = await started(client, "hang", "think")
        await at.checked_when(task_id, "running")
        assert json.loads(await told(client, "check_async_task", task_id=task_id)) == {
            "status": "running",
            "thread_id": task_id,
        }
        updated = await told(client, "update_async_task", task_id=task_id, message="more")
        assert updated == f"Updated async subagent. task_id: {task_id}"
        text = await told(client, "list_async_tasks")
        assert text.startswith("2 tracked task(s):\n") and text.endswith("purpose: think")
        cancelled = await told(client, "cancel_async_task", task_id=task_id)
        assert cancelled == f"Cancelled async subagent task: {task_id}"


async def test_what_goes_wrong_is_a_result_in_error_with_text_for_the_model(
    tmp_path: Path,
) -> None:
    limit = {"name": "none", "match": {"agent": "*"}, "deny": True}
    async with bench(tmp_path, {"limits": [limit]}) as at, connected(at) as client:
        start = {"description": "d", "subagent_type": "researcher"}
        calls = [
            ("start_async_task", start, "Failed to launch async subagent 'researcher': "),
            ("start_async_task", {**start, "subagent_type": "x"}, "Unknown async subagent type"),
            ("check_async_task", {"task_id": "x"}, "No tracked task found for task_id: 'x'"),
            ("check_async_task", {}, "check_async_task: the argument 'task_id' is missing"),
            ("no_such_tool", {}, "there is no tool 'no_such_tool'; there are: start_async"),
        ]
        for tool, arguments, words in calls:
            result = await client.call_tool(tool, arguments)
            assert result.is_error, tool
            assert getattr(result.content[0], "text", "").startswith(words)


@pytest.mark.parametrize(
    "content",
    [
        "half a pair: \ud800",
        [{"type": "text", "text": "\ud800"}, {"type": "image", "base64": "aGk="}],
        [{"type": "image", "base64": "aGk=", "mime_type": ["x"]}],
        [{"type": "file", "base64": "\ud800", "mime_type": 5}],
        [{"type": "file", "url": "http://x/\ud800", "mime_type": {}}],
        [{"type": "image", "source": {"type": "base64", "data": 5, "media_type": "\ud800"}}],
    ],
)
async def test_an_answer_of_any_shape_can_be_read(tmp_path: Path, content: Any) -> None:
    async with bench(tmp_path) as at, connected(at, "s1") as client:
        task_id = await at.start("researcher")
        await at.checked_when(task_id, "success")
        thread = {"status": "idle", "values": {"messages": [{"type": "ai", "content": content}]}}
        body = json.dumps(thread).encode()
        path = f"/threads/{task_id}"
        at.server.faults.add(FaultKind.STATUS, path, method="GET", status=200, body=body)
        result = await client.call_tool("check_async_task", {"task_id": task_id})
    assert not result.is_error
    assert json.loads(getattr(result.content[0], "text", ""))["status"] == "success"


async def test_a_failure_in_words_that_no_client_could_read_is_told(tmp_path: Path) -> None:
    async with bench(tmp_path) as at, connected(at, "s1") as client:
        task_id = await at.start("hang")
        body = json.dumps({"detail": "cut in half: \ud800"}).encode()
        path = "/threads/*/runs/*"
        at.server.faults.add(FaultKind.STATUS, path, method="GET", times=None, body=body)
        result = await client.call_tool("check_async_task", {"task_id": task_id})
    assert result.is_error
    assert getattr(result.content[0], "text", "").endswith("cut in half: ?")


async def test_a_session_of_mcp_is_a_session_and_ends_with_it(tmp_path: Path) -> None:
    ends = {"name": "ends", "on_session_end": "request_cancel"}
    async with bench(tmp_path, {"lifecycle": [ends]}, reap_interval="50ms") as at:
        async with connected(at) as client, connected(at) as other:
            task_id = await started(client, "hang")
            await at.checked_when(task_id, "running")
            assert await told(other, "list_async_tasks") == "No async subagent tasks tracked."
            session = (await at.task(task_id))["session_id"]
            lease = (await at.client.call("GET", f"/sidecar/sessions/{session}")).json
        task = await eventually_got(
            lambda: at.task(task_id), lambda t: t["status"] == "cancelled", within=WITHIN
        )
        ended = (await at.client.call("GET", f"/sidecar/sessions/{session}")).json
    assert session.startswith("mcp:")
    assert (lease["lease"], lease["lease_s"]) == ("held", 600.0)
    assert (ended["ended_by"], ended["reason"]) == (
        "supervisor",
        "its MCP client ended the session",
    )
    assert task["ended_by"] == "reaper"


async def test_a_session_that_is_named_is_that_one_and_does_not_end_with_its_client(
    tmp_path: Path,
) -> None:
    ends = {"name": "ends", "on_session_end": "request_cancel"}
    async with bench(tmp_path, {"lifecycle": [ends]}) as at:
        versions = []
        for mode in ("auto", "legacy"):
            async with connected(at, "mine", mode=mode) as client:
                await started(client, "hang")
                versions.append(client.protocol_version)
        answer = (await at.client.call("GET", "/sidecar/sessions/mine")).json
    assert versions == ["2026-07-28", "2025-11-25"]
    assert (answer["live_tasks"], answer["ended_at"]) == (2, None)


async def test_whoever_waits_is_told_how_it_goes(tmp_path: Path) -> None:
    told_so_far: list[tuple[float, float | None, str | None]] = []

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        told_so_far.append((progress, total, message))

    async with bench(tmp_path, graphs={"slow": succeed(0.3)}) as at, connected(at) as client:
        task_id = await started(client, "slow")
        await client.call_tool(
            "wait_async_task", {"task_id": task_id, "timeout": 30}, progress_callback=progress
        )
    assert told_so_far
    assert {total for _, total, _ in told_so_far} == {30.0}
    assert {message for _, _, message in told_so_far} <= {"pending", "running"}


class Later(JumpingClock):
    """The machine's clock, and some seconds more."""

    seconds = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.seconds


@pytest.mark.parametrize("session", [None, "mine"])
async def test_clients_are_told_when_the_agents_have_changed(
    tmp_path: Path, session: str | None
) -> None:
    """By a notification, or by an event where the protocol has no session."""
    clock = Later()
    changed = asyncio.Event()

    async def hear(message: object) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            changed.set()

    async with bench(tmp_path, clock=clock) as at, AsyncExitStack() as stack:
        client = await stack.enter_async_context(connected(at, session, message_handler=hear))
        await client.list_tools()
        heard = None
        if session is not None:
            heard = await stack.enter_async_context(client.listen(tools_list_changed=True))
        at.server.graphs["newcomer"] = succeed()
        clock.seconds += 61
        await at.client.call("GET", "/sidecar/tools")
        async with asyncio.timeout(WITHIN):
            if heard is not None:
                await anext(aiter(heard))
            else:
                await changed.wait()
        found = (await client.list_tools(cache_mode="bypass")).tools
    assert "- newcomer: " in (found[0].description or "")


async def test_a_sidecar_that_stops_waits_for_no_client_that_only_listens(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as stack, FakeAgentServer() as server:
        front = await stack.enter_async_context(sidecar(server.url, drain_timeout="60s"))
        url = f"http://127.0.0.1:{front.port}"
        async with agent_client(url) as plain:
            at = Bench(server, plain, plain)
            async with connected(at, mode="legacy") as client:
                await client.list_tools()
                async with asyncio.timeout(WITHIN):
                    await stack.aclose()


async def test_pages_of_other_origins_are_kept_out(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
            answer = await at.client.call("POST", "/sidecar/mcp", {}, headers=headers)
            assert (answer.status, answer.json["code"]) == (421, "foreign_origin")


async def test_by_stdin_and_stdout_the_tools_are_the_same_and_the_session_ends_with_them(
    tmp_path: Path,
) -> None:
    ends = {"name": "ends", "on_session_end": "request_cancel"}
    async with bench(tmp_path, {"lifecycle": [ends]}, reap_interval="50ms") as at:
        command = ["-m", "subagent_sidecar", "mcp", "--server", at.client.url]
        program = StdioServerParameters(command=sys.executable, args=command)
        async with Client(program) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == list(NAMES)
            task_id = await started(client, "hang")
            session = (await at.task(task_id))["session_id"]
        ended = await eventually_got(
            lambda: at.task(task_id), lambda t: t["status"] == "cancelled", within=WITHIN
        )
    assert session.startswith("mcp:") and ended["ended_by"] == "reaper"


async def test_a_program_without_a_sidecar_says_so() -> None:
    command = [sys.executable, "-m", "subagent_sidecar", "mcp", "--server", NOBODY]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 69
    assert said.decode().startswith(f"subagent-sidecar: no sidecar answers at {NOBODY} (")


def test_a_sidecar_without_mcp_clients_loads_nothing_for_them() -> None:
    code = (
        "import sys, subagent_sidecar.__main__; "
        "print(*{'mcp', 'mcp_types', 'pydantic', 'starlette', 'httpx2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == ""
