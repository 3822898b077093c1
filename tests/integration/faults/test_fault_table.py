"""Every row of docs/faults.md, played. (rows 1 to 4 and 10)"""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio
from tests.integration.faults.rows.row import Row
from tests.integration.faults.scenes import Scene
from tests.integration.faults.stage import PATIENCE, Stage, either, staged
from tests.integration.faults.table import ROWS
from tests.support.waiting import eventually_got

from subagent_sidecar.tasks import spawn

AT_ONCE = 10

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plays() -> AsyncIterator[Mapping[str, asyncio.Task[None]]]:
    """All rows, by number, some at once: they mostly wait."""
    turn = asyncio.Semaphore(AT_ONCE)
    tasks = {
        row.number: spawn(played(row, turn), name=f"row {row.number}", awaited=True) for row in ROWS
    }
    yield tasks
    await asyncio.gather(*tasks.values(), return_exceptions=True)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", [row.number for row in ROWS])
async def test_the_record_says_what_the_table_says(
    plays: Mapping[str, asyncio.Task[None]], number: str
) -> None:
    await plays[number]


async def played(row: Row, turn: asyncio.Semaphore) -> None:
    async with turn, staged(row.config) as stage:
        scene = Scene(stage)
        await row.begin(scene)
        async with row.trouble(scene):
            assert await row.act(scene) in either(row.client)
            await stage.record_becomes(scene.thread_id, row.at_once)
        stage.clock.jump(row.later)

        await stage.record_becomes(scene.thread_id, row.at_last)
        if row.blind:
            assert await stage.untruths(scene.thread_id)
        else:
            await agreement(stage, scene.thread_id)
        if row.at_last.startswith("live"):
            await followed_to_the_end(stage, scene.thread_id)


async def agreement(stage: Stage, task_id: str) -> None:
    """The record comes to say of every run what the server says."""
    await eventually_got(lambda: stage.untruths(task_id), lambda wrong: not wrong, within=PATIENCE)


async def followed_to_the_end(stage: Stage, task_id: str) -> None:
    """What is live is not lost sight of: it ends on the server, and nobody asks."""
    for run in (await stage.direct.call("GET", f"/threads/{task_id}/runs?limit=100")).json:
        path = f"/threads/{task_id}/runs/{run['run_id']}/cancel?wait=0"
        await stage.direct.call("POST", path)
    await agreement(stage, task_id)
