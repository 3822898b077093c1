"""Which runs every store finds that were asked to end for a reason (ports.Store.ends_asked)."""

import pytest
from tests.support.books import accepted, at, start

from subagent_sidecar.core.changes import CancelAsked, RunSeen
from subagent_sidecar.core.model import EndedBy, RunStatus
from subagent_sidecar.ports import Store


async def started(store: Store, number: int, *, upstream: str = "up") -> None:
    """The run `r<number>` of the task `t<number>`."""
    intent = await store.admit(start(number, f"t{number}", upstream=upstream))
    await store.apply(
        [accepted(intent, f"r{number}", number + 0.5, thread_id=f"t{number}")],
    )


def asked(number: int, second: float, reason: str | None = "too dear") -> CancelAsked:
    return CancelAsked(
        thread_id=f"t{number}",
        run_id=f"r{number}",
        by=EndedBy.OPERATOR if reason else EndedBy.SUPERVISOR,
        at=at(second),
        reason=reason,
    )


def key(number: int, upstream: str = "up") -> tuple[str, str, str]:
    return upstream, f"t{number}", f"r{number}"


async def test_those_asked_last_are_found_the_latest_last(store: Store) -> None:
    for number in range(5):
        await started(store, number)
    for second, number in enumerate([3, 1, 4, 0], start=10):
        await store.apply([asked(number, second)])
    assert await store.ends_asked(limit=9) == [key(3), key(1), key(4), key(0)]
    assert await store.ends_asked(limit=2) == [key(4), key(0)]
    assert await store.ends_asked(limit=0) == []


async def test_each_comes_with_the_upstream_it_is_on(store: Store) -> None:
    await started(store, 1, upstream="far")
    await store.apply([asked(1, 5)])
    assert await store.ends_asked(limit=9) == [key(1, "far")]


async def test_a_cancel_without_a_reason_is_none_of_them(store: Store) -> None:
    await started(store, 1)
    await store.apply([asked(1, 5, None)])
    assert await store.ends_asked(limit=9) == []


@pytest.mark.parametrize("status", RunStatus)
async def test_an_end_of_another_kind_is_none_of_them(store: Store, status: RunStatus) -> None:
    await started(store, 1)
    seen = RunSeen(thread_id="t1", run_id="r1", status=status, at=at(6))
    await store.apply([asked(1, 5), seen])
    open_or_cancelled = status in (RunStatus.PENDING, RunStatus.RUNNING, RunStatus.INTERRUPTED)
    assert await store.ends_asked(limit=9) == ([key(1)] if open_or_cancelled else [])
