"""A task that spends on a real server, and a budget that ends it: how much is too much."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.acceptance.rig.servers import Sidecar, sidecar
from tests.acceptance.rig.services import Service

_PATIENCE_S = 120.0
_CALL_MICRO_USD = 292
"""One call of the model of app/spending.py, of which the graph `spree` makes four a second."""
_LIMIT_MICRO_USD = 5_000
_MOST_CALLS_TOO_MANY = 240
"""A minute's. An idle machine needs one to two seconds; how loaded this one is nobody knows. If
nothing ended the task it would go on for nine more minutes."""

_POLICY = {
    "version": 1,
    "budgets": [
        {"name": "spree-usd", "usd": 0.005, "per": "task", "on_exhausted": "cancel"},
    ],
}


@pytest.fixture
def governed(tmp_path: Path, langgraph: Service) -> Iterator[Sidecar]:
    policy, config = tmp_path / "policy.yaml", tmp_path / "config.yaml"
    policy.write_text(json.dumps(_POLICY), "utf-8")
    config.write_text(json.dumps({"usage_interval": "1s"}), "utf-8")
    with sidecar(
        tmp_path,
        name="governed",
        upstreams={"main": langgraph.url},
        policy=str(policy),
        config=config,
    ) as found:
        yield found


def calls_made(server: Service, thread_id: str) -> int:
    """By the server's own state: what the sidecar has read plays no part."""
    state = httpx.get(f"{server.url}/threads/{thread_id}/state", trust_env=False).json()
    return sum(message["type"] == "ai" for message in state["values"]["messages"])


def ended(client: httpx.Client, path: str) -> Any:
    give_up = time.monotonic() + _PATIENCE_S
    while (run := client.get(path).json())["status"] in ("pending", "running"):
        assert time.monotonic() < give_up, run
        time.sleep(0.1)
    return run


def test_a_task_over_its_budget_is_cancelled_while_it_runs(
    governed: Sidecar, langgraph: Service, record_property: Any
) -> None:
    with httpx.Client(base_url=governed.url, timeout=_PATIENCE_S, trust_env=False) as client:
        thread_id = client.post("/threads", json={}).json()["thread_id"]
        body = {"assistant_id": "spree", "input": {"messages": [{"role": "user", "content": "go"}]}}
        started = client.post(f"/threads/{thread_id}/runs", json=body).raise_for_status().json()
        run = ended(client, f"/threads/{thread_id}/runs/{started['run_id']}")
        refused = client.post(f"/threads/{thread_id}/runs", json=body)
    with httpx.Client(base_url=governed.admin, timeout=_PATIENCE_S, trust_env=False) as admin:
        task = admin.get(f"/v1/tasks/{thread_id}").json()["task"]
        [budget] = admin.get("/v1/budgets").json()["budgets"]
    assert (task["status"], task["ended_by"]) == ("cancelled", "budget")
    assert run["status"] == "error"
    assert "the budget of this task is spent: 0.00" in run["error"]
    assert "of 0.005 USD" in run["error"] and "spree-usd" in run["error"]
    assert (refused.status_code, refused.json()["code"]) == (402, "budget_usd")
    assert budget["state"] == "exhausted"
    calls = calls_made(langgraph, thread_id)
    too_many = calls - _LIMIT_MICRO_USD // _CALL_MICRO_USD
    record_property("calls_too_many", too_many)
    print(f"{calls} calls, {too_many} of them too many")  # shown with -rP
    assert 0 < too_many < _MOST_CALLS_TOO_MANY
