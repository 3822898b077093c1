"""What is said of an id that no task has."""

import pytest
from tests.support.books import at, start
from tests.support.refusals import policy
from tests.support.refusing import refused_on_record

from subagent_sidecar.core.changes import Accepted, Frozen, Released
from subagent_sidecar.core.matching import EVERYTHING, Scope
from subagent_sidecar.core.verdict import Freeze
from subagent_sidecar.proxy.no_task import what_it_is
from subagent_sidecar.store.memory import MemoryStore

THREAD = "019a2065-0000-7000-8000-00000000abcd"
CLOSED = policy("limits: [{name: nobody, deny: true, match: {agent: '*'}}]")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.mark.parametrize("given", [THREAD, "019a2065", "0000abcd"])
async def test_the_thread_of_a_refused_start_is_said_to_be_that(
    store: MemoryStore, given: str
) -> None:
    await refused_on_record(store, start(1, THREAD), CLOSED)
    assert await what_it_is(store, given) == (
        f"{THREAD} is no task: its start was refused by rule nobody of policy p at {at(1)[:19]}Z"
    )


async def test_nobody_is_told_of_a_rule_where_an_operator_froze(store: MemoryStore) -> None:
    freeze = Freeze(scope=Scope.GLOBAL, scope_id=EVERYTHING)
    await store.apply([Frozen(freeze=freeze, at=at(1))])
    await refused_on_record(store, start(2, THREAD), CLOSED)
    assert "was refused by an operator's freeze at" in await what_it_is(store, THREAD)


async def test_so_is_that_of_a_start_that_came_to_nothing_and_of_a_cron(store: MemoryStore) -> None:
    failed = await store.admit(start(1, "failed"))
    cron = await store.admit(start(2, "cron", cron=True))
    await store.apply(
        [
            Released(intent=failed, at=at(3), reason="refused (409)"),
            Accepted(intent=cron, at=at(4), cron_id="c1"),
        ]
    )
    assert await what_it_is(store, "failed") == (
        f"failed is no task: its start came to nothing at {at(3)[:19]}Z: refused (409)"
    )
    assert await what_it_is(store, "cron") == "cron is no task: it is the thread of a cron, c1"


async def test_of_others_nothing_is_known(store: MemoryStore) -> None:
    await refused_on_record(store, start(1, THREAD), CLOSED)
    await refused_on_record(store, start(2, None), CLOSED)
    assert await what_it_is(store, "else") == "no task's id begins or ends with 'else'"
