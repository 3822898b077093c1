"""A sidecar whose wall clock is set while tasks are at work, an hour forward and two back: nothing
ends that should not, no budget begins anew, no list is turned over. (failures.md row 10)

The process is real and so are its system calls; libfaketime stands between.
"""

import importlib.util
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.contract.agent_client import AgentClient, agent_client
from tests.integration.reaping.rig import GRAPHS, WITHIN
from tests.support.processes import SidecarProcess
from tests.support.waiting import eventually_got

from subagent_sidecar.clock import SystemClock
from subagent_sidecar.testing import FakeAgentServer

HOUR = 3_600
POLICY = """
version: 1
limits:
  - {name: day, starts: 100, per: session, window: 1d}
budgets:
  - {name: runs-ever, runs: 100, per: session}
  - {name: runs-a-day, runs: 100, per: session, window: 1d}
lifecycle:
  - {name: clocks, queue: 30m, run: 30m, total: 45m, stall: 20m, waiting: 30m}
  - {name: orphans, heartbeat: 1m, lease: 10m, grace: 5m, idle: 30m,
     on_session_end: request_cancel, on_parent_close: request_cancel}
  - {name: hasty, match: {agent: steps}, run: 2s}
"""


def library() -> Path | None:
    spec = importlib.util.find_spec("libfaketime")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    return path if path.exists() else None


LIBRARY = library()


@dataclass(frozen=True)
class Desk:
    client: AgentClient
    admin: AgentClient
    offset: Path

    async def start(self, graph: str, *, session: str = "s") -> str:
        thread_id = await self.client.new_thread()
        answer = await self.client.call(
            "POST",
            f"/threads/{thread_id}/runs",
            {"assistant_id": graph, "input": {"messages": [{"role": "user", "content": "go"}]}},
            headers={"x-subagent-session": session},
        )
        assert answer.status == 200, answer
        await self.client.run_when(thread_id, answer.json["run_id"], "running", "success")
        return thread_id

    async def beat(self) -> datetime:
        """Renews the lease; the sidecar's wall time, by the answer."""
        answer = await self.client.call("POST", "/sidecar/sessions/s/heartbeat", {})
        assert answer.status == 200, answer
        return datetime.fromisoformat(answer.json["expires_at"])

    async def set_clock(self, seconds: int) -> None:
        """So far from the true time; returns when the sidecar goes by it."""
        fresh = self.offset.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n", "ascii")
        fresh.replace(self.offset)

        async def ahead() -> float:
            lease_s = 600.0
            return (await self.beat() - SystemClock().now()).total_seconds() - lease_s

        await eventually_got(ahead, lambda found: abs(found - seconds) < 60, within=WITHIN)

    async def plan(self) -> list[Any]:
        """What is to end, after as many sweeps as it takes to be sure."""
        found: list[Any] = []
        for _ in range(3):
            found += (await self.admin.call("POST", "/v1/reap?dry_run=true", {})).json["reaps"]
        return found

    async def task_ids(self) -> list[str]:
        """As listed, page by page."""
        found: list[str] = []
        cursor = ""
        while cursor is not None:
            path = f"/v1/tasks?all=true&limit=3{cursor and f'&cursor={cursor}'}"
            page = (await self.admin.call("GET", path)).json
            found += [task["task_id"] for task in page["tasks"]]
            cursor = page["next_cursor"]
        return found

    async def used(self) -> Mapping[str, int]:
        """Runs that count to each budget of the session."""
        budgets = (await self.admin.call("GET", "/v1/budgets")).json["budgets"]
        mine = [each for each in budgets if each["scope_id"] == "s"]
        return {each["rule"]: each["amounts"]["runs"]["used"] for each in mine}

    async def task(self, task_id: str) -> Any:
        return (await self.admin.call("GET", f"/v1/tasks/{task_id}")).json["task"]

    async def reaped(self) -> list[str]:
        answer = await self.admin.call("GET", "/v1/events?follow=false&limit=1000&kind=reaped")
        return [event["task_id"] for event in answer.json["events"]]


@asynccontextmanager
async def desk(folder: Path, library: Path) -> AsyncIterator[Desk]:
    offset, policy = folder / "offset", folder / "policy.yaml"
    offset.write_text("+0\n", "ascii")
    policy.write_text(POLICY, "utf-8")
    env = {
        "LD_PRELOAD": " ".join([str(library), *os.environ.get("LD_PRELOAD", "").split()]),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    config = {"policy": str(policy), "reap_interval": "1s", "usage_interval": "1s"}
    async with (
        FakeAgentServer(dict(GRAPHS)) as server,
        SidecarProcess(folder, upstreams={"main": server.url}, config=config, env=env) as sidecar,
        agent_client(sidecar.url) as client,
        agent_client(sidecar.admin_url) as admin,
    ):
        yield Desk(client, admin, offset)


@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is for Linux")
async def test_a_clock_that_is_set_ends_nothing_and_begins_nothing_anew(tmp_path: Path) -> None:
    assert LIBRARY is not None
    async with desk(tmp_path, LIBRARY) as at:
        before = [await at.start("hang") for _ in range(4)]
        before.append(await at.start("asker"))
        child = await at.start("hang", session=before[0])
        await at.beat()
        order, used = await at.task_ids(), await at.used()
        assert order == [child, *before[::-1]] and used == {"runs-ever": 5, "runs-a-day": 5}
        assert await at.plan() == []

        await at.set_clock(HOUR)
        assert await at.plan() == []
        assert await at.task_ids() == order and await at.used() == used
        await at.client.start(before[0], "hang", multitask_strategy="enqueue")
        ahead = await at.start("hang")
        assert await at.plan() == []
        assert await at.used() == {"runs-ever": 7, "runs-a-day": 7}

        await at.set_clock(-HOUR)
        assert await at.plan() == []
        back = await at.start("hang")
        listed = await at.task_ids()
        assert [each for each in listed if each in order] == order
        assert sorted(listed) == sorted([*order, ahead, back])
        assert await at.used() == {"runs-ever": 8, "runs-a-day": 8}
        assert await at.plan() == [] and await at.reaped() == []

        stale = await at.start("steps")  # and what is stale by true time still ends
        await eventually_got(at.reaped, lambda found: found == [stale], within=WITHIN)
        await at.set_clock(0)
        assert await at.plan() == [] and await at.reaped() == [stale]
        runs = [run["run_id"] for run in (await at.task(before[0]))["runs"]]
        assert len(runs) == 2 and (await at.task(before[0]))["run_id"] == runs[1]
