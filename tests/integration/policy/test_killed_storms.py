"""kill -9 in the middle of two hundred starts at a limit of ten: there are never more than ten,
and when it has been found out what became of the others, there are ten. (rows 6 and 13)"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.contract.agent_client import AgentClient
from tests.integration.policy.storm import CUT, REFUSED, Storm, fail_a_third, unlimited
from tests.support.processes import SidecarProcess
from tests.support.waiting import eventually

from subagent_sidecar.store.driver import sqlite3
from subagent_sidecar.tasks import spawn
from subagent_sidecar.testing import FakeAgentServer, FaultKind

LIMIT = 10
AT_ONCE = 200
SETTLED_WITHIN = 60.0
RULES = {
    "concurrent": "{name: only-ten, concurrent: 10, per: session}",
    "starts": "{name: only-ten, starts: 10, per: session}",
}
DEATHS = [
    ("concurrent", "start.after_intent"),
    ("concurrent", "start.after_head"),
    ("concurrent", None),
    ("starts", None),
]
"""(rule, the failpoint it dies at: None, in the middle of it all)."""

OPEN = "SELECT count(*) FROM intents"
LIVE = "SELECT count(*) FROM tasks WHERE ended_at IS NULL"
UNSURE = (
    "SELECT count(*) FROM runs WHERE cancel_asked_at IS NOT NULL AND cancel_confirmed_at IS NULL"
)
"""What was cancelled has its place until that is known to be true."""


@dataclass(frozen=True)
class Place:
    server: FakeAgentServer
    sidecar: SidecarProcess
    client: AgentClient

    def one_value(self, query: str) -> int:
        connection = sqlite3.connect(self.sidecar.store_path)
        try:
            found: int = connection.execute(query).fetchone()[0]
            return found
        finally:
            connection.close()

    async def end_all(self, storm: Storm) -> None:
        """Cancel what is live, and wait until that is on record, and true."""
        for entry in storm.taken:
            path = f"/threads/{entry.thread_id}/runs/{entry.run_id}/cancel"
            assert (await self.client.call("POST", path)).status == 202
        await eventually(
            lambda: self.one_value(LIVE) == self.one_value(UNSURE) == 0, within=SETTLED_WITHIN
        )

    async def settled(self) -> None:
        """Until nothing is open any more."""
        await eventually(lambda: self.one_value(OPEN) == 0, within=SETTLED_WITHIN)


@asynccontextmanager
async def place(folder: Path, rule: str, failpoint: str | None) -> AsyncIterator[Place]:
    (folder / "ten.yaml").write_text(f"version: 1\nlimits:\n  - {RULES[rule]}\n", "utf-8")
    config = {"policy": "ten.yaml", "start_timeout": "2s"}
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(FakeAgentServer())
        sidecar = SidecarProcess(folder, upstreams={"main": server.url}, config=config)
        stack.push_async_exit(sidecar.__aexit__)
        await sidecar.start(failpoint=failpoint)
        client = await stack.enter_async_context(unlimited(sidecar.url))
        yield Place(server, sidecar, client)


async def died(at: Place, storm: Storm, failpoint: str | None) -> None:
    """Fire, and let it die of that, or kill it as soon as a few have got in."""
    firing = spawn(storm.fire(AT_ONCE), name="storm", awaited=True)
    if failpoint is None:
        await eventually(lambda: len(storm.taken) >= LIMIT // 2, within=SETTLED_WITHIN)
        await at.sidecar.kill9()
    else:
        await at.sidecar.died_at_failpoint()
    await firing


async def dies_and_comes_back(folder: Path, rule: str, failpoint: str | None) -> None:
    async with place(folder, rule, failpoint) as at:
        fail_a_third(at.server)
        # Some are taken, and nobody has heard of it when it dies.
        at.server.faults.add(FaultKind.HANG_AFTER, "/threads/*0/runs", method="POST", times=3)
        storm = Storm(at.server, at.client, "s")
        await died(at, storm, failpoint)
        assert storm.counted[CUT] or failpoint is None, "all was over when it died"
        await at.sidecar.start()

        # While it is still being found out what became of them there are no more than ten, either.
        await storm.fire(AT_ONCE // 4)
        assert len(storm.taken) <= LIMIT
        await at.settled()
        while len(storm.taken) < LIMIT:
            await storm.fire(LIMIT)
        assert await storm.fire(LIMIT) == {REFUSED: LIMIT}
        # What was taken has not ended: there were never more than there are now.
        assert len(storm.taken) == LIMIT
        await at.settled()
        assert at.one_value(LIVE) == LIMIT

        await at.end_all(storm)
        at.server.faults.clear()
        again = {200: LIMIT, REFUSED: LIMIT} if rule == "concurrent" else {REFUSED: 2 * LIMIT}
        assert await storm.fire(2 * LIMIT) == again


async def test_a_kill_leaves_neither_one_too_many_nor_a_place_that_nobody_has(
    tmp_path: Path,
) -> None:
    async with asyncio.TaskGroup() as group:  # they wait more than they work
        for rule, failpoint in DEATHS:
            folder = tmp_path / f"{rule}-{failpoint}"
            folder.mkdir()
            group.create_task(dies_and_comes_back(folder, rule, failpoint), name=folder.name)
