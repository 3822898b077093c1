"""kill -9 between any two steps of a start with a key, and the start sent again: one run.

Row 14.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from tests.contract.agent_client import Answer, run_of
from tests.integration.faults.rig import Rig, running_rig
from tests.integration.idempotency.rig import KEY, replayed
from tests.support.waiting import eventually_got

from subagent_sidecar.tasks import spawn
from subagent_sidecar.testing import FaultKind

NOT_TAKEN = ["start.before_intent", "start.after_intent"]
TAKEN = [
    "start.after_send",
    "start.after_head",
    "start.before_settle",
    "start.after_settle",
    "start.after_answer",
]
AT_ONCE = 3
WITHIN = 120.0

CONFIG = {"start_timeout": "2s"}
"""How long a start may take is how long one that left no trace stays possible."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def start(rig: Rig, thread_id: str) -> Answer:
    body = run_of("hang")
    return await rig.client.call("POST", f"/threads/{thread_id}/runs", body, headers=KEY)


async def answered(rig: Rig, thread_id: str) -> Answer:
    """The first answer that is not "in doubt, try again"."""
    return await eventually_got(
        lambda: start(rig, thread_id), lambda answer: answer.status != 409, within=WITHIN
    )


async def cut_short(folder: Path, step: str) -> bool:
    """Start, die at `step`, come back, start again; whether that was a replay."""
    async with running_rig(folder, config=CONFIG, failpoint=step) as rig:
        thread_id = await rig.client.new_thread()
        with contextlib.suppress(aiohttp.ClientError):
            await start(rig, thread_id)
        await rig.sidecar.died_at_failpoint()
        await rig.sidecar.start()

        again = await answered(rig, thread_id)
        assert (again.status, [again.json["run_id"]]) == (200, rig.server.ledger.run_ids)
        assert replayed(await start(rig, thread_id))
        await rig.books_agree(within=WITHIN)
        return replayed(again)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plays(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Mapping[str, "asyncio.Task[bool]"]]:
    """Every start that is cut short, some at once: processes take long to start."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def played(step: str) -> bool:
        async with turn:
            return await cut_short(tmp_path_factory.mktemp("killed"), step)

    tasks = {
        step: spawn(played(step), name=f"killed at {step}", awaited=True)
        for step in (*NOT_TAKEN, *TAKEN)
    }
    yield tasks
    await asyncio.gather(*tasks.values(), return_exceptions=True)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("step", TAKEN)
async def test_a_start_the_server_took_is_answered_with_its_run(
    plays: Mapping[str, "asyncio.Task[bool]"], step: str
) -> None:
    assert await plays[step]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("step", NOT_TAKEN)
async def test_a_start_the_server_never_saw_is_made_by_its_retry(
    plays: Mapping[str, "asyncio.Task[bool]"], step: str
) -> None:
    assert not await plays[step]


@pytest.mark.timeout(400)
async def test_an_answer_is_the_same_after_a_kill(tmp_path: Path) -> None:
    async with running_rig(tmp_path) as rig:
        thread_id = await rig.client.new_thread()
        first = await start(rig, thread_id)
        await start(rig, thread_id)  # from the store: so the answer is in it
        await rig.direct.run_when(thread_id, first.json["run_id"], "running")
        await rig.sidecar.restart()
        again = await start(rig, thread_id)
        assert (again.status, again.body, replayed(again)) == (200, first.body, True)
        assert len(rig.server.ledger) == 1


@pytest.mark.timeout(400)
async def test_what_a_kill_left_in_doubt_is_not_sent_again(tmp_path: Path) -> None:
    async with running_rig(tmp_path, failpoint="start.after_head") as rig:
        thread_id = await rig.client.new_thread()
        with contextlib.suppress(aiohttp.ClientError):
            await start(rig, thread_id)
        await rig.sidecar.died_at_failpoint()
        rig.server.faults.add(FaultKind.STATUS, "*/runs", method="GET", times=None)
        await rig.sidecar.start()
        in_doubt = await start(rig, thread_id)
        assert (in_doubt.status, in_doubt.json["task_id"]) == (409, thread_id)
        assert len(rig.server.ledger) == 1

        rig.server.faults.clear()
        known = await answered(rig, thread_id)
        assert [known.json["run_id"]] == rig.server.ledger.run_ids
