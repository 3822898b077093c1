"""What callers of the SDKs get of a refusal, and how often they send what is refused.

`@langchain/langgraph-sdk` 1.8 repeats a POST five times on 429 and 5xx: refusals are 402 and 403.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.acceptance.rig import node
from tests.acceptance.rig.asking import plain_http
from tests.acceptance.rig.request_counter import RequestCounter, counting
from tests.acceptance.rig.servers import REPO, python_path
from tests.integration.http.rig import sidecar

from subagent_sidecar.testing import FakeAgentServer, succeed

POLICY = """
version: 1
limits:
  - {name: no-coder, match: {agent: coder}, deny: true, message: Do the coding yourself.}
budgets:
  - {name: one-run, match: {agent: spent}, runs: 1, per: agent, window: 1h}
"""
TEXTS = {
    "coder": "Not started: no task of agent coder may be started. Waiting does not help: do the "
    "work yourself, or tell the user. Do the coding yourself. (rule no-coder of policy p; the same "
    "call now would be refused again)",
    "spent": "Not started: the budget of this agent within 1h is spent: 1 of 1 runs. Try again in ",
}
"""By the agent: the first is refused with 403, the second with 402 and a Retry-After."""

CALLS = ("runs.create", "runs.stream", "runs.wait")
PYTHON = ("python-async", "python-sync")
JAVASCRIPT = ("@langchain/langgraph-sdk", "langgraph-sdk-1.15", "langgraph-sdk-1.8")


def command(client: str, url: str) -> Sequence[str]:
    if client in PYTHON:
        kind = client.removeprefix("python-")
        return [sys.executable, "-m", "tests.acceptance.tours.refused", kind, url, *TEXTS]
    node.require_packages()
    return [node.node(), str(node.FOLDER / "refused.mjs"), client, url, *TEXTS]


async def told(client: str, url: str) -> list[tuple[str, str, str, str]]:
    """(agent, call, thread id, error text) of each call of that client."""
    process = await asyncio.create_subprocess_exec(
        *command(client, url),
        cwd=REPO,
        env={**os.environ, **python_path()},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return [tuple(each) for each in json.loads(out)]


@asynccontextmanager
async def front(folder: Path) -> AsyncIterator[RequestCounter]:
    """A sidecar with the policy above, whose one run of `spent` was used."""
    policy = folder / "p.yaml"
    policy.write_text(POLICY, "utf-8")
    async with (
        FakeAgentServer({"spent": succeed(), "coder": succeed()}) as server,
        sidecar(server.url, policy=str(policy)) as parts,
        counting(parts.port) as counter,
        plain_http(counter.url) as http,
    ):
        thread = (await http.post("/threads", json={})).raise_for_status().json()
        body = {"assistant_id": "spent", "input": {"messages": []}}
        run = await http.post(f"/threads/{thread['thread_id']}/runs", json=body)
        run.raise_for_status()
        yield counter


@pytest.mark.parametrize("client", [*PYTHON, *JAVASCRIPT])
async def test_a_refused_call_is_sent_once_and_its_caller_reads_why(
    client: str, tmp_path: Path
) -> None:
    async with front(tmp_path) as counter:
        answers = await told(client, counter.url)
        sent = Counter(target.split("/")[2] for target in counter.targets()[2:])
    assert [answer[:2] for answer in answers] == [(a, c) for a in TEXTS for c in CALLS]
    assert sent == dict.fromkeys([thread_id for _, _, thread_id, _ in answers], 1)
    for agent, call, _, text in answers:
        assert TEXTS[agent] in text, (call, text)
        assert "same call now would be refused again" in text
