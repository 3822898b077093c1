"""A start whose connection is reset at any byte, there or back: the books agree. (row 4)

The normal run strikes at every STRIDEth byte; FULL_SWEEP=1 at every one.
"""

import os
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from tests.contract.agent_client import run_of
from tests.integration.faults.rig import QUICK_TO_DOUBT, Rig, running_rig
from tests.support.toxics import ResetPeer, Way

STRIDE = 1 if os.environ.get("FULL_SWEEP") else 67
LONGER_THAN = {Way.UP: 1000, Way.DOWN: 2200}
"""Bytes of the longest request and answer of a start: the sweep goes past their ends."""


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    async with running_rig(tmp_path_factory.mktemp("cut"), config=QUICK_TO_DOUBT) as parts:
        yield parts


async def struck_start(rig: Rig, way: Way, offset: int) -> str:
    """Start a run on a new thread while the connection is reset; returns what the client saw."""
    thread_id = await rig.client.new_thread({"subagent_name": "researcher"})
    rig.proxy.add(ResetPeer(after_bytes=offset), way)
    try:
        answer = await rig.client.call("POST", f"/threads/{thread_id}/runs", run_of("researcher"))
    except aiohttp.ClientPayloadError:
        return "cut"
    finally:
        rig.proxy.clear()
    if answer.status == 200:
        assert answer.json["run_id"] in rig.server.ledger.run_ids
        return "whole"
    assert (answer.status, answer.json["error"]) == (502, "upstream_broken")
    assert answer.json["task_id"] == thread_id
    return "refused"


@pytest.mark.timeout(1800 if STRIDE == 1 else 120)
@pytest.mark.parametrize("way", list(Way))
async def test_a_start_reset_at_any_byte_is_on_record_if_it_was_taken(rig: Rig, way: Way) -> None:
    seen = {await struck_start(rig, way, n) for n in range(0, LONGER_THAN[way], STRIDE)}

    assert {"whole", "refused"} <= seen
    await rig.books_agree()
    threads = [entry.thread_id for entry in rig.server.ledger]
    assert len(set(threads)) == len(threads), "a start was sent twice"
