"""Tasks, runs and events as the admin plane describes them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from subagentctl.client import JsonObject
from subagentctl.listing import LIVE
from subagentctl.when import to_wire

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
"""When tests take place."""


def make_task(task_id: str = "01a2064f-5864-7545-89d1-a55134a759fd", **changes: Any) -> JsonObject:
    """A running task of a minute's age at NOW, as the admin plane describes it."""
    made = to_wire(NOW - timedelta(minutes=1))
    task: JsonObject = {
        "task_id": task_id,
        "short_id": task_id[-8:],
        "agent_name": "researcher",
        "thread_id": task_id,
        "run_id": "01a2064f-5871-7040-883a-8daa13a1e57e",
        "status": "running",
        "created_at": made,
        "last_checked_at": None,
        "last_updated_at": made,
        "started_at": made,
        "ended_at": None,
        "ended_by": None,
        "reason": None,
        "purpose": "Find the three most cited papers on proxies",
        "session_id": "sup-async-8b39df",
        "supervisor": "anonymous",
        "upstream": "default",
        "assistant_id": "researcher",
        "parent_task_id": None,
        "depth": 0,
        "unknown_since": None,
        "runs": [],
        "superseded_run_ids": [],
        "usage": None,
    }
    return task | changes


def make_run(run_id: str = "01a2064f-5871-7040-883a-8daa13a1e57e", **changes: Any) -> JsonObject:
    """The first run of a task, running for a minute at NOW."""
    made = to_wire(NOW - timedelta(minutes=1))
    run: JsonObject = {
        "run_id": run_id,
        "kind": "start",
        "status": "running",
        "strategy": None,
        "created_at": made,
        "started_at": made,
        "ended_at": None,
        "superseded_by": None,
        "request_id": "req-1",
    }
    return run | changes


def demo_tasks(now: datetime) -> Sequence[JsonObject]:
    """One of everything, newest first."""
    session, other = "sup-async-interrupt-8b39df", "01a2064f-1111-7545-89d1-4b1d00c0ffee"
    known = {"input_tokens": 11_480, "output_tokens": 931, "cost_usd": 0.0312, "model": "m-1"}
    rows: list[tuple[int, str, str, str, str, JsonObject]] = [
        (7, "researcher", "pending", session, "Find the three most cited papers", {}),
        (12, "fact-checker", "running", session, "Verify: «Zürich has 400k people»", {"depth": 1}),
        (48, "link-opener", "running", session, "open the\nlinks and \x1b[31mread", {"depth": 2}),
        (
            95,
            "researcher",
            "running",
            session,
            "北京の天気を調べて、三日間の予報をまとめる " * 3,
            {},
        ),
        (190, "approver", "waiting", other, "Ask before deleting the 12 stale branches", {}),
        (
            700,
            "coder",
            "success",
            other,
            "Fix the flaky test in tests/test_io.py",
            {"usage": known},
        ),
        (1900, "coder", "error", other, "Port the parser to Rust 🦀 and benchmark it", {}),
        (3000, "researcher", "timeout", "default:anonymous", "Read the whole internet", {}),
        (9000, "a-very-long-agent-name-indeed", "cancelled", session, "", {}),
    ]
    tasks = []
    for number, (seconds, agent, status, of, purpose, more) in enumerate(rows):
        made = to_wire(now - timedelta(seconds=seconds))
        task_id = f"01a2064f-{number:04x}-7545-89d1-{(number + 3) * 0x1F3A5C77B1D3 % 16**12:012x}"
        ended = None if status in LIVE else to_wire(now - timedelta(seconds=seconds // 2))
        task = make_task(task_id, agent_name=agent, status=status, purpose=purpose, session_id=of)
        moments = {"created_at": made, "started_at": made, "ended_at": ended}
        tasks.append(task | moments | {"runs": [make_run(started_at=made)]} | more)
    replaced = {"status": "cancelled", "superseded_by": tasks[3]["run_id"], "ended_at": None}
    old = make_run("01a2064f-4444-7040-883a-0d15ea5e0001", **replaced)
    tasks[3]["runs"] = [old, make_run(kind="update", strategy="interrupt")]
    return tasks


def demo_events(task: JsonObject) -> list[JsonObject]:
    """The story of a task that was updated once."""
    made = datetime.fromisoformat(task["created_at"])
    told: list[tuple[float, str, str | None, JsonObject]] = [
        (0.0, "started", "pending", {}),
        (0.96, "run_status", "running", {}),
        (0.96, "status", "running", {}),
        (41.2, "updated", "pending", {"strategy": "interrupt"}),
        (42.1, "run_status", "running", {}),
        (42.1, "status", "running", {}),
    ]
    return [
        {
            "seq": number,
            "at": to_wire(made + timedelta(seconds=after)),
            "kind": kind,
            "task_id": task["task_id"],
            "run_id": task["run_id"],
            "status": status,
            "detail": detail,
            "agent_name": task["agent_name"],
            "session_id": task["session_id"],
            "upstream": task["upstream"],
        }
        for number, (after, kind, status, detail) in enumerate(told, 1)
    ]
