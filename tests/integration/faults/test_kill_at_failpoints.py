"""kill -9 between any two steps: every run the server took is on record, once. (row 6)

One round per step in the normal run; FAULT_ROUNDS=100 for more.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from tests.contract.agent_client import run_of
from tests.integration.faults.rig import Rig, running_rig

from subagent_sidecar.tasks import spawn
from subagent_sidecar.testing import FaultKind

ROUNDS = range(int(os.environ.get("FAULT_ROUNDS", "1")))
START_STEPS = [
    "start.before_intent",
    "start.after_intent",
    "start.after_send",
    "start.after_head",
    "start.before_settle",
    "start.after_settle",
    "start.after_answer",
]

STARTS = [(step,) for step in START_STEPS]
UPDATES = [*((step, "interrupt") for step in START_STEPS), ("start.after_send", "enqueue")]
AT_ONCE = 3
SETTLED_WITHIN = 60.0

Plays = Mapping[tuple[str | int, ...], asyncio.Task[None]]

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIG = {"start_timeout": "1s"}
"""How long a start may take is how long one that left no trace stays possible."""


async def start_and_die(rig: Rig, thread_id: str, **more: Any) -> None:
    """Send a start to a sidecar that kills itself on the way, and bring it back."""
    with contextlib.suppress(aiohttp.ClientError):
        await rig.client.call("POST", f"/threads/{thread_id}/runs", run_of("hang", **more))
    await rig.sidecar.died_at_failpoint()
    await rig.sidecar.start()


async def start_cut_short(folder: Path, step: str) -> None:
    async with running_rig(folder, config=CONFIG, failpoint=step) as rig:
        thread_id = await rig.client.new_thread({"subagent_name": "hang"})
        await start_and_die(rig, thread_id)

        await rig.books_agree(within=SETTLED_WITHIN)
        assert len(rig.server.ledger) <= 1


async def update_cut_short(folder: Path, step: str, strategy: str) -> None:
    async with running_rig(folder, config=CONFIG) as rig:
        thread_id = await rig.client.new_thread({"subagent_name": "hang"})
        first = await rig.client.start(thread_id, "hang")
        await rig.client.run_when(thread_id, first, "running")
        await rig.books_agree(within=SETTLED_WITHIN)
        await rig.sidecar.kill9()
        await rig.sidecar.start(failpoint=step)
        await start_and_die(rig, thread_id, multitask_strategy=strategy)

        await rig.books_agree(within=SETTLED_WITHIN)
        task = await rig.task(thread_id)
        assert [run["run_id"] for run in task["runs"]] == rig.server.ledger.run_ids
        assert task["run_id"] == rig.server.ledger.run_ids[-1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plays(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plays]:
    """Every start and update that is cut short, some at once: processes take long to start."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def played(play: Callable[..., Awaitable[None]], *how: str) -> None:
        async with turn:
            await play(tmp_path_factory.mktemp("killed"), *how)

    tasks = {
        (*how, a_round): spawn(played(play, *how), name=f"killed at {how}", awaited=True)
        for play, hows in ((start_cut_short, STARTS), (update_cut_short, UPDATES))
        for how in hows
        for a_round in ROUNDS
    }
    yield tasks
    await asyncio.gather(*tasks.values(), return_exceptions=True)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("a_round", ROUNDS)
@pytest.mark.parametrize("how", STARTS, ids=" ".join)
async def test_a_start_survives_a_kill(plays: Plays, how: tuple[str], a_round: int) -> None:
    await plays[*how, a_round]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("a_round", ROUNDS)
@pytest.mark.parametrize("how", UPDATES, ids=" ".join)
async def test_an_update_survives_a_kill(plays: Plays, how: tuple[str, str], a_round: int) -> None:
    await plays[*how, a_round]


async def test_a_run_found_late_does_not_overtake_a_newer_one(tmp_path: Path) -> None:
    """The first run's start was cut off, and only after an update can the sidecar ask for it."""
    async with running_rig(tmp_path, failpoint="start.after_head") as rig:
        thread_id = await rig.client.new_thread({"subagent_name": "hang"})
        rig.server.faults.add(FaultKind.STATUS, "*/runs", method="GET", times=None)
        await start_and_die(rig, thread_id)
        second = await rig.client.start(thread_id, "hang", multitask_strategy="interrupt")
        rig.server.faults.clear()

        await rig.books_agree(within=SETTLED_WITHIN)
        task = await rig.task(thread_id)
        assert [run["run_id"] for run in task["runs"]] == rig.server.ledger.run_ids
        assert (task["run_id"], task["superseded_run_ids"]) == (
            second,
            rig.server.ledger.run_ids[:1],
        )


@pytest.mark.parametrize("_round", ROUNDS)
async def test_a_thread_made_just_before_a_kill_is_no_task(tmp_path: Path, _round: int) -> None:
    async with running_rig(tmp_path, config=CONFIG, failpoint="thread.after_head") as rig:
        with pytest.raises(aiohttp.ClientError):
            await rig.client.new_thread({"subagent_name": "hang"})
        await rig.sidecar.died_at_failpoint()
        await rig.sidecar.start()

        await rig.books_agree(within=SETTLED_WITHIN)
        found = await rig.direct.call("POST", "/threads/search", {})
        (thread,) = found.json
        run_id = await rig.client.start(thread["thread_id"], "hang")
        assert (await rig.task(thread["thread_id"]))["run_id"] == run_id


@pytest.mark.parametrize("_round", ROUNDS)
@pytest.mark.parametrize(
    ("step", "on_server", "on_record"),
    [
        ("cancel.before_send", "running", "running"),
        ("cancel.after_head", "interrupted", "cancelled"),
    ],
)
async def test_a_cancel_cut_short_by_a_kill_leaves_the_servers_truth(
    tmp_path: Path, step: str, on_server: str, on_record: str, _round: int
) -> None:
    async with running_rig(tmp_path, config=CONFIG) as rig:
        thread_id = await rig.client.new_thread({"subagent_name": "hang"})
        run_id = await rig.client.start(thread_id, "hang")
        await rig.direct.run_when(thread_id, run_id, "running")
        await rig.books_agree(within=SETTLED_WITHIN)
        await rig.sidecar.kill9()
        await rig.sidecar.start(failpoint=step)
        with pytest.raises(aiohttp.ClientError):
            await rig.client.call("POST", f"/threads/{thread_id}/runs/{run_id}/cancel?wait=0")
        await rig.sidecar.died_at_failpoint()
        await rig.sidecar.start()

        await rig.books_agree(within=SETTLED_WITHIN)
        await rig.client.run_when(thread_id, run_id, on_server)
        await rig.task_when(thread_id, on_record, within=SETTLED_WITHIN)
