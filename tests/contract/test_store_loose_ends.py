"""Which ended tasks every store finds that are not seen to their end (ports.Store.loose_ends)."""

from tests.support.books import accepted, at, start

from subagent_sidecar.core.changes import Change, RunSeen, ThreadSeen
from subagent_sidecar.core.model import RunStatus, ThreadStatus
from subagent_sidecar.ports import Store


async def started(store: Store, number: int, *, upstream: str = "up") -> None:
    """The run `r<number>` of the task `t<number>`."""
    intent = await store.admit(start(number, f"t{number}", upstream=upstream))
    await store.apply([accepted(intent, f"r{number}", number + 0.5, thread_id=f"t{number}")])


def ran(number: int, status: RunStatus, second: float) -> Change:
    return RunSeen(thread_id=f"t{number}", run_id=f"r{number}", status=status, at=at(second))


async def found(store: Store, limit: int = 9) -> list[str]:
    return [chain.task_id for chain in await store.loose_ends("up", limit=limit)]


async def test_a_success_whose_thread_was_not_seen_since_is_one(store: Store) -> None:
    for number, status in enumerate([RunStatus.RUNNING, RunStatus.ERROR, RunStatus.SUCCESS]):
        await started(store, number)
        await store.apply([ran(number, status, 10)])
    (chain,) = await store.loose_ends("up", limit=9)
    assert (chain.task_id, chain.status, chain.runs) == ("t2", "success", ())

    await store.apply([ThreadSeen(thread_id="t2", status=ThreadStatus.IDLE, at=at(11))])
    assert await found(store) == []


async def test_an_earlier_run_that_goes_on_is_one(store: Store) -> None:
    await started(store, 1)
    intent = await store.admit(start(2, "t1"))
    await store.apply(
        [
            accepted(intent, "r2", 3, thread_id="t1"),
            ran(1, RunStatus.RUNNING, 4),
            RunSeen(thread_id="t1", run_id="r2", status=RunStatus.ERROR, at=at(5)),
        ]
    )
    (chain,) = await store.loose_ends("up", limit=9)
    assert (chain.status, chain.runs) == ("error", (("r1", RunStatus.RUNNING),))

    await store.apply([ran(1, RunStatus.INTERRUPTED, 6)])
    assert await found(store) == []


async def test_they_are_looked_for_among_those_that_ended_last(store: Store) -> None:
    for number, second in [(0, 30), (1, 10), (2, 20)]:
        await started(store, number)
        await store.apply([ran(number, RunStatus.SUCCESS, second)])
    assert await found(store) == ["t0", "t1", "t2"]
    assert await found(store, limit=2) == ["t0", "t2"]
    assert await found(store, limit=0) == []


async def test_those_of_other_upstreams_are_left_out(store: Store) -> None:
    await started(store, 1, upstream="far")
    await store.apply([ran(1, RunStatus.SUCCESS, 2)])
    assert await found(store) == []
