"""An upstream that refuses connections: told at once, nothing left behind, well again by itself.
(row 1)
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.contract.agent_client import Answer, run_of
from tests.integration.faults.rig import QUICK_TO_DOUBT, Rig, running_rig
from tests.support.waiting import eventually_got

STARTS = 200
AT_ONCE = 20


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running_rig(tmp_path, config=QUICK_TO_DOUBT) as parts:
        yield parts


async def start_many(rig: Rig, thread_id: str) -> list[tuple[Answer, float]]:
    """Many starts, some at once; each answer with the seconds it took."""
    turn, loop = asyncio.Semaphore(AT_ONCE), asyncio.get_running_loop()

    async def one() -> tuple[Answer, float]:
        async with turn:
            began = loop.time()
            answer = await rig.client.call(
                "POST", f"/threads/{thread_id}/runs", run_of("researcher")
            )
            return answer, loop.time() - began

    return await asyncio.gather(*(one() for _ in range(STARTS)))


async def test_starts_on_a_dead_upstream_are_refused_and_leave_nothing(rig: Rig) -> None:
    thread_id = await rig.client.new_thread()
    async with rig.proxy.down():
        answered = await start_many(rig, thread_id)

    for answer, _ in answered:
        assert (answer.status, answer.json["error"]) == (502, "upstream_unreachable")
        assert answer.json["message"] == answer.json["detail"]
        assert int(answer.headers["retry-after"]) >= 1
    assert len(rig.server.ledger) == 0
    await rig.books_agree()
    assert await rig.tasks() == []


async def test_a_dead_upstream_costs_no_waiting(rig: Rig) -> None:
    thread_id = await rig.client.new_thread()
    async with rig.proxy.down():
        await start_many(rig, thread_id)
        seconds = sorted(took for _, took in await start_many(rig, thread_id))

    assert seconds[STARTS // 2] < 1.0  # the longest are those of a machine that stood still


async def test_reads_are_refused_too_and_told_why(rig: Rig) -> None:
    thread_id = await rig.client.new_thread()
    async with rig.proxy.down():
        answer = await rig.client.call("GET", f"/threads/{thread_id}")

    assert (answer.status, answer.json["code"]) == (502, "upstream_unreachable")


async def test_the_way_is_open_again_soon_after_the_upstream_is_back(rig: Rig) -> None:
    thread_id = await rig.client.new_thread()
    async with rig.proxy.down():
        await start_many(rig, thread_id)

    async def ask() -> int:
        return (await rig.client.call("GET", f"/threads/{thread_id}")).status

    await eventually_got(ask, lambda status: status == 200)
    run_id = await rig.client.start(thread_id, "researcher")
    await rig.client.run_when(thread_id, run_id, "success")
    await rig.books_agree()
