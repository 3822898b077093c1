"""Supervisors that are told apart by two sidecars on one record: what one of them has let somebody
make, the other knows whose it is (row 25 of the failure table)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.contract.agent_client import agent_client, random_id
from tests.integration.http.rig import settings_for
from tests.support.supervisors import EVERY_TASK, SupervisorClient, told_apart

from subagent_sidecar import compose
from subagent_sidecar.testing import FakeAgentServer

_TIMES = 10


@dataclass(frozen=True)
class Side:
    """One of the sidecars, as each of the supervisors reaches it."""

    ann: SupervisorClient
    bob: SupervisorClient
    operator: SupervisorClient


@pytest.fixture
async def sides(tmp_path: Path) -> AsyncIterator[tuple[Side, Side]]:
    store = f"sqlite:///{tmp_path}/record.db"
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(FakeAgentServer())
        found = []
        for _ in range(2):
            settings = settings_for(server.url, store=store, drain_timeout="100ms")
            running = compose.running(settings, compose.bind(settings))
            plane = await stack.enter_async_context(running)
            url = await stack.enter_async_context(told_apart(plane))
            client = await stack.enter_async_context(agent_client(url))
            named = (SupervisorClient(client, name) for name in ("ann", "bob", EVERY_TASK))
            found.append(Side(*named))
        yield found[0], found[1]


async def test_a_thread_that_was_just_made_is_there_for_its_maker_everywhere(
    sides: tuple[Side, Side],
) -> None:
    """A supervisor behind a load balancer makes a thread here and starts its run there."""
    here, there = sides
    for _ in range(_TIMES):
        path = f"/threads/{await here.ann.new_thread()}"
        assert (await there.ann.call("GET", path)).status == 200
        assert (await there.bob.call("GET", path)).status == 404


async def test_of_two_who_make_one_thread_at_once_one_has_it(sides: tuple[Side, Side]) -> None:
    here, there = sides
    for _ in range(_TIMES):
        named = {"thread_id": random_id(), "if_exists": "do_nothing"}
        made = await asyncio.gather(
            here.ann.call("POST", "/threads", named), there.bob.call("POST", "/threads", named)
        )
        path = f"/threads/{named['thread_id']}"
        seen = [
            {(await side.call("GET", path)).status for side in by}
            for by in ((here.ann, there.ann), (here.bob, there.bob))
        ]
        assert sorted(map(sorted, seen)) == [[200], [404]], made


async def test_who_sees_every_task_takes_no_thread_by_asking_for_it(
    sides: tuple[Side, Side],
) -> None:
    here, there = sides
    thread_id = await here.ann.new_thread()
    named = {"thread_id": thread_id, "if_exists": "do_nothing"}
    assert (await here.operator.call("POST", "/threads", named)).status == 200
    listed = await there.operator.call("POST", "/threads/search", {"ids": [thread_id]})
    assert listed.status == 200
    await here.ann.new_thread()  # once it is on record, so is what came before
    assert (await there.ann.call("GET", f"/threads/{thread_id}")).status == 200
