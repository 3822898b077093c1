"""A sidecar's life in a minute: all that the dashboards have a panel for happens, twice.

Twice, because Prometheus sees only what a counter rises by after it was scraped for the first time,
and a label that nobody could know beforehand comes with its first count.
"""

import json
from pathlib import Path
from typing import Any

from tests.integration.budgets.rig import Desk
from tests.support.ports import free_port
from tests.support.prometheus import Prometheus

POLICY = {
    "limits": [
        {"name": "few", "concurrent": 1, "per": "session"},
        {"name": "once", "starts": 1, "per": "session", "mode": "observe"},
    ],
    "budgets": [{"name": "usd", "usd": 0.009, "per": "session", "soft_at": 0.5}],
    "lifecycle": [
        {"name": "clock", "match": {"agent": "idle"}, "run": "300ms"},
        {"name": "tried", "match": {"agent": "long"}, "run": "300ms", "mode": "observe"},
    ],
}
_TOLD = (
    'subagent_tasks_reaped_total{reason="run"}',
    'subagent_starts_refused_total{rule="few"}',
    'subagent_starts_refused_total{rule="usd"}',
    'subagent_starts_refused_total{rule="freeze"}',
    "subagent_starts_failed_total",
)
"""What each round adds one to."""

CONFIG = {"reap_interval": "200ms", "coalesce": "10s"}


def pushing(folder: Path) -> dict[str, Any]:
    """Settings by which ends are pushed to one that does not listen."""
    secret = folder / "secret"
    secret.write_text("a-secret-of-sixteen-bytes-or-more", "utf-8")
    target = {
        "name": "pager",
        "url": f"http://127.0.0.1:{free_port()}/",
        "secret_file": str(secret),
    }
    return {"push": [target], "push_allow": ["127.0.0.1"]}


async def happens(at: Desk, prometheus: Prometheus, *, times: int = 2) -> None:
    """One round after the other, each seen by Prometheus before the next one begins."""
    for round_ in range(1, times + 1):
        await _round(at, f"s{round_}")
        for told in _TOLD:
            await prometheus.value_when(f"sum({told})", round_)


async def _round(at: Desk, session: str) -> None:
    await _spend(at, f"{session}-spends")
    await _fail(at, f"{session}-fails")
    await at.start("idle", f"{session}-reaped")
    await _cancel(at, f"{session}-cancelled")
    await _wait(at, f"{session}-waits")
    await _freeze(at, f"{session}-frozen")
    await _poll(at, f"{session}-polls")


async def _spend(at: Desk, session: str) -> None:
    """All of a budget, a start more, and what nobody has a price for."""
    for _ in range(2):
        task, _ = await at.start("quick", session)
        await at.task_when(task, status="success")
        await at.used(task)
    assert (await at.start("quick", session))[1].status == 402


async def _fail(at: Desk, session: str) -> None:
    task, _ = await at.start("failing", session)
    await at.task_when(task, status="error")
    assert (await at.start("nobody-has-it", session))[1].status == 422


async def _cancel(at: Desk, session: str) -> None:
    """One of a model that has no price, and one that has spent something."""
    for graph in ("unpriced", "long"):
        task, _ = await at.start(graph, f"{session}-{graph}")
        await at.used(task)
        await at.admin.call("POST", f"/v1/tasks/{task}/cancel", {})
        await at.task_when(task, status="cancelled")


async def _wait(at: Desk, session: str) -> None:
    """For a human, which is one task at a time as well."""
    task, _ = await at.start("asker", session)
    await at.task_when(task, status="waiting")
    assert (await at.start("asker", session))[1].status == 403


async def _freeze(at: Desk, session: str) -> None:
    await at.admin.call("POST", "/v1/freeze", {"scope": "session", "id": session})
    assert (await at.start("quick", session))[1].status == 403


async def _poll(at: Desk, session: str) -> None:
    """A task that goes on, which is asked for again and again, and a follow-up."""
    task, answer = await at.start("long", session)
    path = f"/threads/{task}/runs/{answer.json['run_id']}"
    for _ in range(4):
        await at.client.call("GET", path)


async def a_policy_cannot_be_used(at: Desk, folder: Path) -> None:
    """Written over the one in force, and not taken."""
    (folder / "policy.yaml").write_text(json.dumps({"version": 1, "limits": 7}), "utf-8")
    assert (await at.admin.call("POST", "/v1/policy/reload", {})).status == 422
