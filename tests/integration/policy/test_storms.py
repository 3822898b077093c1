"""Two hundred starts at once at a limit of ten: ten get in, whatever becomes of them. (row 13)"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import pytest
from tests.contract.agent_client import AgentClient, agent_client
from tests.integration.http.rig import LOCAL, sidecar
from tests.integration.policy.storm import FAILED, REFUSED, Storm, fail_a_third, unlimited
from tests.support.waiting import eventually_got

from subagent_sidecar.testing import FakeAgentServer, hang, succeed

LIMIT = 10
AT_ONCE = 200
CLIENTS = 15
PATIENCE = 60.0
RULES = {
    "concurrent": "{name: only-ten, concurrent: 10, per: session}",
    "starts": "{name: only-ten, starts: 10, per: session}",
}


@dataclass(frozen=True)
class Place:
    server: FakeAgentServer
    client: AgentClient
    direct: AgentClient

    def storm(self, session: str) -> Storm:
        return Storm(self.server, self.client, session)

    async def spans(self, thread_id: str) -> list[tuple[str, str]]:
        """(begin, end) of the runs of a thread that have ended, as the server has it."""
        answer = await self.direct.call("GET", f"/threads/{thread_id}/runs")
        if answer.status == 404:
            return []  # its start was refused
        assert {run["status"] for run in answer.json} <= {"success"}
        return [(run["created_at"], run["updated_at"]) for run in answer.json]


@asynccontextmanager
async def place(folder: Path, rule: str) -> AsyncIterator[Place]:
    file = folder / "ten.yaml"
    file.write_text(f"version: 1\nlimits:\n  - {RULES[rule]}\n", "utf-8")
    async with AsyncExitStack() as stack:
        graphs = {"hang": hang(), "short": succeed(0.05)}
        server = await stack.enter_async_context(FakeAgentServer(graphs))
        store = f"sqlite:///{folder / 'books.db'}"
        front = await stack.enter_async_context(sidecar(server.url, policy=str(file), store=store))
        client = await stack.enter_async_context(unlimited(f"http://{LOCAL}:{front.port}"))
        direct = await stack.enter_async_context(agent_client(server.url))
        yield Place(server, client, direct)


@pytest.mark.parametrize(("rule", "repeats"), [("concurrent", 4), ("starts", 2)])
async def test_of_two_hundred_starts_at_once_ten_get_in(
    tmp_path: Path, rule: str, repeats: int
) -> None:
    async with place(tmp_path, rule) as at:
        for number in range(repeats):
            storm = at.storm(f"s{number}")
            found = await storm.fire(AT_ONCE)
            assert found == {200: LIMIT, REFUSED: AT_ONCE - LIMIT}
            assert len(storm.taken) == LIMIT


@pytest.mark.parametrize(("rule", "repeats"), [("concurrent", 20), ("starts", 4)])
async def test_a_start_that_fails_frees_its_place(tmp_path: Path, rule: str, repeats: int) -> None:
    async with place(tmp_path, rule) as at:
        fail_a_third(at.server)
        failed = 0
        for number in range(repeats):
            storm = at.storm(f"s{number}")
            await storm.fire(AT_ONCE)
            while len(storm.taken) < LIMIT:
                await storm.fire(LIMIT)
            assert await storm.fire(LIMIT) == {REFUSED: LIMIT}
            # What was taken does not end: there were never more than there are now.
            assert len(storm.taken) == LIMIT == storm.counted[200]
            assert set(storm.counted) <= {200, FAILED, REFUSED}
            failed += storm.counted[FAILED]
        assert failed > repeats


async def test_an_end_frees_a_place_and_never_too_early(tmp_path: Path) -> None:
    async with place(tmp_path, "concurrent") as at:
        storm = at.storm("s")

        async def work() -> None:
            """Start one task after the other; each is waited for, wherever there is no room."""
            for _ in range(4):
                await eventually_got(
                    lambda: storm.start("short", form="/wait"),
                    lambda status: status == 200,
                    within=PATIENCE,
                )

        await asyncio.gather(*(work() for _ in range(CLIENTS)))
        assert len(storm.taken) == CLIENTS * 4
        spans = [span for thread_id in storm.threads for span in await at.spans(thread_id)]
        assert most_at_once(spans) <= LIMIT
        assert storm.counted[REFUSED]


def most_at_once(spans: Iterable[tuple[str, str]]) -> int:
    """How many of the (begin, end) there were at any moment."""
    moves = sorted(move for begin, end in spans for move in ((begin, 1), (end, -1)))
    return max(accumulate(step for _, step in moves))
