"""The sidecar's own tools before a real `langgraph dev`: beside deepagents' tools, and as three
different MCP clients use them."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from tests.acceptance.rig import isolated, node
from tests.acceptance.rig.servers import Sidecar, python_path

PATIENCE = 60.0
TOOLS = {f"{verb}_async_task" for verb in ("start", "check", "wait", "update", "cancel")} | {
    "list_async_tasks"
}


def test_the_model_reads_the_same_by_deepagents_tools_and_by_ours(
    sidecar_to_langgraph: Sidecar,
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.acceptance.driver.tool_story", sidecar_to_langgraph.url],
        env={**os.environ, **python_path()},
        capture_output=True,
        timeout=2 * PATIENCE,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert '"result": "Findings on the bread w0' in told["theirs"][4]
    assert "It was waiting for a human; that request was dropped." in told["theirs"][9]
    assert told["ours"] == told["theirs"]


async def test_the_official_mcp_client_uses_every_tool(sidecar_to_langgraph: Sidecar) -> None:
    async with (
        httpx2.AsyncClient(trust_env=False, timeout=httpx2.Timeout(PATIENCE)) as http,
        Client(
            streamable_http_client(f"{sidecar_to_langgraph.url}/sidecar/mcp", http_client=http)
        ) as client,
    ):

        async def call(tool: str, **arguments: Any) -> str:
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, result
            return str(cast(Any, result.content[0]).text)

        started = await call("start_async_task", description="tea", subagent_type="researcher")
        task_id = started.rpartition(" ")[2]
        waited = json.loads(await call("wait_async_task", task_id=task_id, timeout=PATIENCE))
        checked = json.loads(await call("check_async_task", task_id=task_id))
        updated = await call("update_async_task", task_id=task_id, message="words=3 milk")
        listed = await call("list_async_tasks")
        again = json.loads(await call("wait_async_task", task_id=task_id, timeout=PATIENCE))
        hang = (await call("start_async_task", description="x", subagent_type="hang")).rpartition(
            " "
        )[2]
        cancelled = await call("cancel_async_task", task_id=hang)
    assert waited == checked and waited["result"].startswith("Findings on tea w0")
    assert again["result"] == "Findings on milk w0 w1 w2"
    assert updated == f"Updated async subagent. task_id: {task_id}"
    assert listed.startswith("1 tracked task(s):\n") and listed.endswith("purpose: tea")
    assert cancelled == f"Cancelled async subagent task: {hang}"


def test_a_langchain_agent_uses_every_tool_by_mcp(sidecar_to_langgraph: Sidecar) -> None:
    """With `langchain-mcp-adapters`, whose newest version needs an older `mcp` than ours."""
    command = isolated.python("langchain-mcp-adapters==0.3.1", "mcp<2", "langchain>=1", part="mcp")
    url = f"{sidecar_to_langgraph.url}/sidecar/mcp"
    done = subprocess.run(
        [*command, "-m", "tests.acceptance.driver.mcp_agent", url],
        env={**os.environ, **python_path(), "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        timeout=2 * PATIENCE,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {each["tool"] for each in told} == TOOLS
    assert [each["status"] for each in told] == ["success"] * 8 + ["error"]
    started, first, updated, second, other, listed, cancelled, checked, unknown = (
        each["text"] for each in told
    )
    coffee, tea = (text.rpartition(" ")[2] for text in (started, other))
    assert started == f"Launched async subagent. task_id: {coffee}"
    assert json.loads(first)["result"] == "Findings on coffee w0"
    assert updated == f"Updated async subagent. task_id: {coffee}"
    assert json.loads(second)["result"] == "Findings on milk w0"
    assert listed.startswith("2 tracked task(s):\n")
    assert f"- task_id: {coffee}  agent: researcher  status: success" in listed
    assert f"- task_id: {tea}  agent: hang" in listed
    assert cancelled == f"Cancelled async subagent task: {tea}"
    assert json.loads(checked)["status"] == "cancelled"
    assert unknown == "No tracked task found for task_id: 'no-such-task'"


def inspected(url: str, method: str, *more: str) -> tuple[int, Any]:
    """Exit code and answer of the MCP inspector."""
    package = node.FOLDER / "node_modules/@modelcontextprotocol/inspector"
    command = [node.node(), str(package / "clients/launcher/build/index.js"), "--cli", url]
    done = subprocess.run(
        [*command, "--transport", "http", "--method", method, *more],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        text=True,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def inspected_call(url: str, tool: str, **arguments: str) -> tuple[bool, str]:
    """Whether it went well, and the text."""
    given = [f"{name}={value}" for name, value in arguments.items()]
    _, result = inspected(
        url, "tools/call", "--tool-name", tool, *(["--tool-arg", *given] if given else [])
    )
    return not result["isError"], result["content"][0]["text"]


def test_the_mcp_inspector_uses_every_tool(sidecar_to_langgraph: Sidecar) -> None:
    """Each call of it is a session of its own; --strict finds fault with schemas."""
    node.require_packages()
    url = f"{sidecar_to_langgraph.url}/sidecar/mcp"
    code, tools = inspected(url, "tools/list", "--strict")
    assert (code, {tool["name"] for tool in tools["tools"]}) == (0, TOOLS)
    good, text = inspected_call(
        url, "start_async_task", subagent_type="hang", description="take your time"
    )
    task_id = text.rpartition(" ")[2]
    assert good and text.startswith("Launched async subagent. task_id: ")
    with ThreadPoolExecutor() as at_once:
        checked = at_once.submit(inspected_call, url, "check_async_task", task_id=task_id)
        waited = at_once.submit(
            inspected_call, url, "wait_async_task", task_id=task_id, timeout="0"
        )
        listed = at_once.submit(inspected_call, url, "list_async_tasks")
        unknown = at_once.submit(inspected_call, url, "check_async_task", task_id="x")
    assert json.loads(checked.result()[1])["status"] in ("pending", "running")
    assert json.loads(waited.result()[1])["waited_s"] == 0.0
    assert listed.result() == (True, "No async subagent tasks tracked.")
    assert unknown.result() == (False, "No tracked task found for task_id: 'x'")
    assert inspected_call(url, "update_async_task", task_id=task_id, message="more")[0]
    assert inspected_call(url, "cancel_async_task", task_id=task_id) == (
        True,
        f"Cancelled async subagent task: {task_id}",
    )


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever proxy there is, the sidecar is on this machine."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
