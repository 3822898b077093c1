"""What tasks used on a real server, as an operator reads it: what the graphs themselves report."""

import json
import os
import subprocess
import sys
import time
from typing import Any

import httpx
from tests.acceptance.rig.servers import Sidecar

_PATIENCE_S = 90.0

# One call of the deep agent's model (app/spending.py), by the list price of claude-3-haiku:
# 500 plain tokens at 0.25, 400 from cache at 0.03, 100 into it at 0.30, 100 out at 1.25.
_CALL_MICRO_USD = 125 + 12 + 30 + 125


def run_to_its_end(sidecar: Sidecar, graph: str, text: str, thread_id: str | None = None) -> str:
    """The thread of a run that has ended, and whose end the sidecar was told of."""
    with httpx.Client(base_url=sidecar.url, timeout=_PATIENCE_S, trust_env=False) as client:
        if thread_id is None:
            thread_id = str(client.post("/threads", json={}).raise_for_status().json()["thread_id"])
        body = {"assistant_id": graph, "input": {"messages": [{"role": "user", "content": text}]}}
        run = client.post(f"/threads/{thread_id}/runs", json=body).raise_for_status().json()
        give_up = time.monotonic() + _PATIENCE_S
        while run["status"] in ("pending", "running"):
            assert time.monotonic() < give_up, run
            time.sleep(0.1)
            run = client.get(f"/threads/{thread_id}/runs/{run['run_id']}").json()
        assert run["status"] == "success", run
    return thread_id


def subagentctl(sidecar: Sidecar, *words: str) -> str:
    argv = [sys.executable, "-m", "subagentctl", "--server", sidecar.admin, *words]
    done = subprocess.run(
        argv,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def task_when_read(sidecar: Sidecar, task_id: str, *, input_tokens: int) -> Any:
    give_up = time.monotonic() + _PATIENCE_S
    while True:
        task = json.loads(subagentctl(sidecar, "-o", "json", "task", task_id))["task"]
        if task["usage"] and task["usage"]["input_tokens"] >= input_tokens:
            return task
        assert time.monotonic() < give_up, task
        time.sleep(0.2)


def test_a_deep_agent_used_what_its_model_reported(sidecar_to_langgraph: Sidecar) -> None:
    """But for its inner subagent, whose messages stay inside the tool call."""
    task_id = run_to_its_end(sidecar_to_langgraph, "spender", "spend")
    task = task_when_read(sidecar_to_langgraph, task_id, input_tokens=2_000)
    wanted = {
        "input_tokens": 2_000,
        "output_tokens": 200,
        "cache_read_tokens": 800,
        "cache_write_tokens": 200,
        "cost_usd": f"0.{2 * _CALL_MICRO_USD:06d}",
        "model": "claude-3-haiku-20240307",
        "models": ["claude-3-haiku-20240307"],
    }
    assert task["usage"] == wanted
    assert [run["usage"] for run in task["runs"]] == [wanted]
    page = subagentctl(sidecar_to_langgraph, "task", task_id)
    told = "2,000 tokens in (800 from cache, 200 into cache), 200 tokens out, $0.000584"
    assert f"{told}, claude-3-haiku-20240307" in " ".join(page.split())
    row = next(
        line
        for line in subagentctl(sidecar_to_langgraph, "tasks", "--all").splitlines()
        if task["short_id"] in line
    )
    assert "2.2k tok $0.0006" in row


def test_a_plain_graph_used_what_its_model_reported(sidecar_to_langgraph: Sidecar) -> None:
    """One token a word; no price is known for the fake. A follow-up reads what came before."""
    first = ["Findings", "on", "cats", "w0", "w1"]
    task_id = run_to_its_end(sidecar_to_langgraph, "researcher", "cats words=2")
    task_when_read(sidecar_to_langgraph, task_id, input_tokens=2)
    run_to_its_end(sidecar_to_langgraph, "researcher", "dogs words=1", task_id)
    task = task_when_read(sidecar_to_langgraph, task_id, input_tokens=3)
    used = [(run["usage"]["input_tokens"], run["usage"]["output_tokens"]) for run in task["runs"]]
    assert used == [(2, len(first)), (2 + len(first) + 2, 4)]
    assert task["usage"]["cost_usd"] is None
    assert task["usage"]["model"] == "fake-researcher-1"
    assert "cost unknown" in subagentctl(sidecar_to_langgraph, "task", task_id)
