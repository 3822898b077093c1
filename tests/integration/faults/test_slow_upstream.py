"""An upstream that does not answer in time: the client is told, the run is found. (row 2)"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.contract.agent_client import run_of
from tests.integration.faults.rig import QUICK_TO_DOUBT, Rig, running_rig
from tests.support.toxics import Timeout, Way

from subagent_sidecar.testing import FaultKind

RUNS = "/threads/*/runs"
RELEASED_WITHIN = 60.0
"""A start that left no trace counts as possible for its own time-out and five seconds."""


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    async with running_rig(tmp_path_factory.mktemp("slow"), config=QUICK_TO_DOUBT) as parts:
        yield parts


async def test_a_start_that_hangs_after_it_was_taken_is_504_and_found_later(rig: Rig) -> None:
    thread_id = await rig.client.new_thread({"subagent_name": "researcher"})
    rig.server.faults.add(FaultKind.HANG_AFTER, RUNS, method="POST")
    answer = await rig.client.call("POST", f"/threads/{thread_id}/runs", run_of("researcher"))

    assert (answer.status, answer.json["error"]) == (504, "upstream_timeout")
    assert answer.json["task_id"] == thread_id
    await rig.books_agree()
    assert len(rig.accepted_on(thread_id)) == 1


async def test_a_start_that_hangs_before_it_was_taken_is_504_and_forgotten(rig: Rig) -> None:
    thread_id = await rig.client.new_thread({"subagent_name": "researcher"})
    rig.server.faults.add(FaultKind.HANG, RUNS, method="POST")
    answer = await rig.client.call("POST", f"/threads/{thread_id}/runs", run_of("researcher"))

    assert (answer.status, answer.json["task_id"]) == (504, thread_id)
    await rig.books_agree(within=RELEASED_WITHIN)
    assert rig.accepted_on(thread_id) == []


async def test_an_answer_lost_on_the_way_is_found_when_the_network_heals(rig: Rig) -> None:
    thread_id = await rig.client.new_thread({"subagent_name": "researcher"})
    rig.proxy.add(Timeout(), Way.DOWN)
    answer = await rig.client.call("POST", f"/threads/{thread_id}/runs", run_of("researcher"))
    assert (answer.status, answer.json["task_id"]) == (504, thread_id)
    assert (await rig.books()).in_doubt == [thread_id]

    rig.proxy.clear()
    await rig.books_agree()
    assert len(rig.accepted_on(thread_id)) == 1


async def test_an_update_in_doubt_is_found_too(rig: Rig) -> None:
    thread_id = await rig.client.new_thread({"subagent_name": "hang"})
    await rig.client.start(thread_id, "hang")
    rig.server.faults.add(FaultKind.HANG_AFTER, RUNS, method="POST")
    body = run_of("researcher", multitask_strategy="interrupt")
    answer = await rig.client.call("POST", f"/threads/{thread_id}/runs", body)

    assert (answer.status, answer.json["task_id"]) == (504, thread_id)
    await rig.books_agree()
    assert (await rig.task(thread_id))["run_id"] == rig.server.ledger.run_ids[-1]


@pytest.mark.parametrize("kind", [FaultKind.DELAY_HEAD, FaultKind.DELAY_BODY])
async def test_a_slow_answer_to_a_read_is_waited_for(rig: Rig, kind: FaultKind) -> None:
    thread_id = await rig.client.new_thread()
    rig.server.faults.add(kind, "/threads/*", method="GET", seconds=1.0)
    answer = await rig.client.call("GET", f"/threads/{thread_id}")

    assert (answer.status, answer.json["thread_id"]) == (200, thread_id)


async def test_a_client_that_waits_for_a_run_is_not_timed_out(rig: Rig) -> None:
    thread_id = await rig.client.new_thread()
    answer = await rig.client.call("POST", f"/threads/{thread_id}/runs/wait", run_of("steps"))

    assert answer.json["messages"][-1]["content"] == "done"
    await rig.books_agree()
