"""Names, looked up in every store (ports.Store)."""

import pytest
from tests.support.books import accepted, start

from subagent_sidecar.core.matching import Scope
from subagent_sidecar.ports import Store

ONE = {"agent_name": "coder", "header_session": "s1", "supervisor": "ann", "upstream": "up"}
OTHER = {"agent_name": "writer", "header_session": "s2", "supervisor": "bob", "upstream": "east"}


async def begun(store: Store, number: int, task_id: str, **facts: str) -> None:
    intent = await store.admit(start(number, task_id, **facts))
    await store.apply([accepted(intent, f"r{number}", number, thread_id=task_id)])


NAMES = [
    (Scope.AGENT, "coder", "writer"),
    (Scope.SESSION, "s1", "s2"),
    (Scope.SUPERVISOR, "ann", "bob"),
    (Scope.UPSTREAM, "up", "east"),
]


@pytest.mark.parametrize(("scope", "first", "second"), NAMES)
async def test_a_name_is_known_once_a_task_has_it(
    store: Store, scope: Scope, first: str, second: str
) -> None:
    assert not await store.has(scope, first) and not await store.names(scope, among=9)
    await begun(store, 1, "t1", **ONE)
    assert await store.has(scope, first) and not await store.has(scope, second)
    assert not await store.has(scope, first.upper())
    await begun(store, 2, "t2", **OTHER)
    await begun(store, 3, "t3", **OTHER)
    assert sorted(await store.names(scope, among=9)) == sorted([first, second])
    assert list(await store.names(scope, among=2)) == [second]


async def test_the_agent_of_a_follow_up_is_known_as_well(store: Store) -> None:
    await begun(store, 1, "t1", **ONE)
    await begun(store, 2, "t1", **{**ONE, "assistant_id": "painter", "agent_name": "painter"})
    assert await store.has(Scope.AGENT, "painter")
