"""Real clients with a key: the Python SDK, the tools, and `subagent-sidecar mcp`."""

import asyncio
import sys
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner
from httpx import HTTPStatusError
from langgraph_sdk import get_client
from tests.integration.auth.rig import admin, new_key
from tests.integration.http.rig import LOCAL, Front, sidecar

from subagent_sidecar.__main__ import main
from subagent_sidecar.testing import FakeAgentServer

RUN: dict[str, Any] = {"messages": [{"role": "user", "content": "x"}]}


def url(front: Front) -> str:
    return f"http://{LOCAL}:{front.port}"


@pytest.mark.parametrize("by", ["argument", "environment", "header"])
async def test_the_sdk_says_it_by_itself(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeAgentServer() as server, sidecar(server.url, auth=True) as front:
        key = await new_key(front)
        said: dict[str, Any] = {}
        if by == "argument":
            said = {"api_key": key}
        elif by == "environment":
            monkeypatch.setenv("LANGSMITH_API_KEY", key)
        else:
            said = {"headers": {"x-subagent-key": key}}  # x-api-key is reserved there
        async with get_client(url=url(front), **said) as client:
            thread = await client.threads.create()
            run = await client.runs.create(thread["thread_id"], "researcher", input=RUN)
            got = await client.runs.get(thread["thread_id"], run["run_id"])
        assert got["run_id"] == run["run_id"]
        (task,) = (await admin(front, "/v1/tasks"))["tasks"]
        assert task["supervisor"] == "team-a"


async def test_without_one_it_hands_on_what_to_do() -> None:
    async with FakeAgentServer() as server, sidecar(server.url, auth=True) as front:
        async with get_client(url=url(front), api_key=None) as client:
            with pytest.raises(HTTPStatusError) as raised:
                await client.threads.create()
        assert raised.value.response.status_code == 401
        assert "`subagentctl keys create NAME`" in str(raised.value)
        assert (await admin(front, "/v1/tasks"))["tasks"] == []


async def test_tools_start_in_the_name_of_the_key_and_what_it_may() -> None:
    async with FakeAgentServer() as server, sidecar(server.url, auth=True) as front:
        key = await new_key(front, agents=["researcher"])
        headers = {"Authorization": f"Bearer {key}"}
        async with aiohttp.ClientSession(url(front), headers=headers) as session:
            start = "/sidecar/tools/start_async_task"
            asked = {"subagent_type": "researcher", "description": "Look."}
            async with session.post(start, json=asked) as answer:
                assert answer.status == 200, await answer.text()
            (task,) = (await admin(front, "/v1/tasks"))["tasks"]
            assert (task["supervisor"], task["agent_name"]) == ("team-a", "researcher")
            async with session.post(start, json={**asked, "subagent_type": "coder"}) as answer:
                assert "you may start researcher here" in (await answer.json())["text"]


async def test_the_program_for_mcp_has_it_from_its_environment() -> None:
    async with FakeAgentServer() as server, sidecar(server.url, auth=True) as front:
        key = await new_key(front)
        words = [sys.executable, "-m", "subagent_sidecar", "mcp", "--server", url(front)]
        process = await asyncio.create_subprocess_exec(
            *words,
            env={"SUBAGENT_SIDECAR_SUPERVISOR_KEY": f"{key}\n"},
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, complaint = await process.communicate()
        assert (process.returncode, complaint) == (0, b"")
        stranger = await asyncio.to_thread(CliRunner().invoke, main, words[3:])
        assert stranger.exit_code == 69
        assert "set SUBAGENT_SIDECAR_SUPERVISOR_KEY to one" in stranger.stderr


def test_what_is_no_key_is_told_before_anything_is_asked_and_not_repeated() -> None:
    told = CliRunner().invoke(main, ["mcp", "--supervisor-key", "hush-hush\n\x00"])
    assert told.exit_code == 64
    assert told.stderr.startswith("subagent-sidecar: --supervisor-key is not a supervisor's key")
    assert "hush" not in told.stderr
