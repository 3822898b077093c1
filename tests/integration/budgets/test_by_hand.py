"""`subagentctl` and a sidecar: they agree on what an operator says and is told."""

import asyncio
import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from tests.integration.budgets.rig import Desk, desk

from subagentctl.__main__ import cli

POLICY = {
    "budgets": [
        {"name": "session-usd", "usd": 5, "tokens": 2_000_000, "per": "session"},
        {"name": "task-runs", "runs": 1, "per": "task"},
    ]
}


async def subagentctl(at: Desk, *args: str) -> Result:
    environ = {"SUBAGENTCTL_SERVER": f"http://127.0.0.1:{at.admin_port}"}
    return await asyncio.to_thread(CliRunner().invoke, cli, list(args), env=environ)


async def as_json(at: Desk, *args: str) -> Any:
    result = await subagentctl(at, *args, "-o", "json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


async def test_an_operator_freezes_and_lifts_it(tmp_path: Path) -> None:
    async with desk(tmp_path, {}) as at:
        frozen = await subagentctl(at, "freeze", "--agent", "quick", "--reason", "it loops")
        assert (await at.start("quick"))[1].status == 403
        shown = await as_json(at, "freeze", "--show")
        lifted = await subagentctl(at, "unfreeze", "--agent", "quick")
        again = await subagentctl(at, "unfreeze", "--agent", "quick")
        assert (await at.start("quick"))[1].status == 200
        told = await subagentctl(at, "events")
    assert frozen.exit_code == 0 and "agent quick" in frozen.stdout
    assert [(each["scope"], each["id"], each["reason"]) for each in shown["frozen"]] == [
        ("agent", "quick", "it loops")
    ]
    assert lifted.stdout == "no longer frozen: agent quick\nNothing is frozen.\n"
    assert again.exit_code == 4 and "agent quick is not frozen" in again.stderr
    assert "starts of agent quick frozen: it loops" in told.stdout


async def test_an_operator_sees_what_is_left_and_adds_to_it(tmp_path: Path) -> None:
    async with desk(tmp_path, POLICY) as at:
        task_id, _ = await at.start("quick")
        await at.used(task_id)
        before = await subagentctl(at, "budgets")
        assert (await at.start("quick", thread_id=task_id))[1].status == 402
        raised = await subagentctl(at, "budgets", "raise", "task-runs", task_id, "--runs", "1")
        assert (await at.start("quick", thread_id=task_id))[1].status == 200
        more = await as_json(at, "budgets", "raise", "session-usd", "s1", "--usd", "2.50")
        told = await subagentctl(at, "events")
        unknown = await subagentctl(at, "budgets", "raise", "session", "s1", "--usd", "1")
    lines = [" ".join(line.split()) for line in before.stdout.splitlines()]
    assert f"task-runs task {task_id} runs 1 1 0 100% — exhausted" in lines
    assert "session-usd session s1 usd $0.0045 $5.00 $4.9955 0% — ok" in lines
    assert raised.stdout == f"task-runs (task {task_id}): 2, of which 1 is spent\n"
    assert more["budget"]["amounts"]["usd"]["limit"] == "7.500000"
    assert unknown.exit_code == 4 and "there are: session-usd, task-runs" in unknown.stderr
    assert "budget session-usd raised by $2.50 (session s1)" in told.stdout
