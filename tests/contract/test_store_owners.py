"""Whose threads are, as every store tells it."""

from tests.support.books import accepted, at, start

from subagent_sidecar.core.changes import ThreadCreated
from subagent_sidecar.core.model import Thread
from subagent_sidecar.core.owners import Owner
from subagent_sidecar.ports import Store

ANN, BOB = Owner("up", "ann"), Owner("up", "bob")


async def test_a_thread_is_its_makers_before_it_has_a_task(store: Store) -> None:
    thread = Thread(thread_id="t", upstream="up", created_at=at(1), supervisor="bob")
    await store.apply([ThreadCreated(thread=thread)])
    assert await store.owners(["t", "elsewhere"]) == {"t": BOB}
    assert await store.owned(BOB, limit=10) == []


async def test_a_thread_stays_its_first_makers(store: Store) -> None:
    for second, who in enumerate(("ann", "bob")):
        thread = Thread(thread_id="t", upstream="up", created_at=at(second), supervisor=who)
        await store.apply([ThreadCreated(thread=thread)])
    assert await store.owners(["t"]) == {"t": ANN}


async def test_a_start_on_its_way_makes_its_thread_somebodys(store: Store) -> None:
    await store.admit(start(1, "t", supervisor="ann"))
    assert await store.owners(["t", "t"]) == {"t": ANN}


async def test_a_cron_makes_no_thread_anybodys(store: Store) -> None:
    await store.admit(start(1, "t", supervisor="ann", cron=True))
    assert await store.owners(["t"]) == {}


async def test_a_task_is_its_supervisors_with_its_runs(store: Store) -> None:
    for second, (thread_id, who) in enumerate([("a", "ann"), ("b", "bob"), ("c", "ann")]):
        intent = await store.admit(start(second, thread_id, supervisor=who))
        await store.apply([accepted(intent, f"{thread_id}'s", second, thread_id=thread_id)])
    assert await store.owners(["a", "b", "c"]) == {"a": ANN, "b": BOB, "c": ANN}
    assert await store.owned(ANN, limit=10) == ["c", "a"]
    assert await store.owned(ANN, limit=1) == ["c"]
    assert await store.owned(Owner("other", "ann"), limit=10) == []
    assert await store.has_run("a", "a's")
    assert not await store.has_run("a", "b's")
    assert not await store.has_run("none", "a's")


async def test_nobody_is_asked_about(store: Store) -> None:
    assert await store.owners([]) == {}
