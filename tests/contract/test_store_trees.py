"""A tree of tasks is read whole, page by page, with what happened to it."""

from collections.abc import Sequence

import pytest
from tests.support.books import accepted, at, start

from subagent_sidecar.core.changes import CancelAsked
from subagent_sidecar.core.model import EndedBy, TaskRecord
from subagent_sidecar.core.policy import Limit, LimitKind, Policy
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.core.trace_ids import trace_of, traceparent
from subagent_sidecar.core.trees import TreePage
from subagent_sidecar.ports import Store

GIVEN = traceparent("4" * 32, "5" * 16)
NOBODY = Policy(limits=(Limit(name="nobody", policy="p", kind=LimitKind.DENY),))


async def grow(store: Store, number: int, task_id: str, session: str | None = None) -> None:
    """A task, started by another one's thread or by nobody who is known."""
    intent = await store.admit(start(number, task_id, body_session=session))
    await store.apply([accepted(intent, f"run-{task_id}", number, thread_id=task_id)])


async def family(store: Store) -> None:
    """root -> (left -> leaf, right), and somebody else's task among them."""
    await grow(store, 1, "root")
    await grow(store, 2, "left", "root")
    await grow(store, 3, "other")
    await grow(store, 4, "leaf", "left")
    await grow(store, 5, "right", "root")


def ids(page: TreePage | Sequence[TaskRecord]) -> list[str]:
    records = page.records if isinstance(page, TreePage) else page
    return [record.task.task_id for record in records]


async def test_a_tree_is_its_root_and_all_below_oldest_first(store: Store) -> None:
    await family(store)
    page = await store.tree(["root"], limit=10)
    assert ids(page) == ["root", "left", "leaf", "right"]
    assert (page.total, page.next_after) == (4, None)
    assert list(page.records) == [await store.task(each) for each in ids(page)]


async def test_a_large_tree_comes_in_pages(store: Store) -> None:
    await family(store)
    first = await store.tree(["root"], limit=3)
    rest = await store.tree(["root"], after=first.next_after, limit=3)
    assert (ids(first), ids(rest)) == (["root", "left", "leaf"], ["right"])
    assert (first.total, rest.total, rest.next_after) == (4, 4, None)


async def test_several_trees_are_read_together(store: Store) -> None:
    await family(store)
    assert ids(await store.tree(["root", "other"], limit=10)) == [
        *("root", "left", "other", "leaf", "right")
    ]
    assert (await store.tree([], limit=10)).total == 0


async def test_the_trees_of_a_trace_are_found_by_its_id(store: Store) -> None:
    await family(store)
    for number, task_id in ((6, "sent"), (7, "too")):
        intent = await store.admit(start(number, task_id, trace_parent=GIVEN))
        await store.apply([accepted(intent, f"run-{task_id}", number, thread_id=task_id)])
    leaf = await store.task("leaf")
    assert leaf is not None
    assert await store.trees_in(trace_of(leaf.task), among=100) == ["root"]
    assert await store.trees_in("4" * 32, among=100) == ["sent", "too"]
    assert await store.trees_in("4" * 32, among=1) == ["too"]
    assert await store.trees_in("5" * 32, among=100) == []


async def test_what_happened_to_tasks_is_told_of_each(store: Store) -> None:
    await family(store)
    for second, task_id in ((6, "left"), (7, "root"), (8, "left"), (9, "other")):
        asked = CancelAsked(
            thread_id=task_id,
            run_id=f"run-{task_id}",
            at=at(second),
            by=EndedBy.OPERATOR,
            reason=str(second),
        )
        await store.apply([asked])
    told = await store.moments(["root", "left"], each=5)
    assert {event.kind for event in told} == {"cancel_asked"}
    assert [event.task_id for event in told] == ["left", "root"]
    assert [event.seq for event in told] == sorted(event.seq for event in told)


async def test_only_the_newest_of_many_moments_are_told(store: Store) -> None:
    await grow(store, 1, "t")
    for number in range(2, 6):
        await store.apply([accepted(await store.admit(start(number)), f"u{number}", number)])
    told = await store.moments(["t"], each=2)
    assert [(event.kind, event.run_id) for event in told] == [("updated", "u4"), ("updated", "u5")]


async def test_what_tasks_were_refused_is_found_by_who_asked(store: Store) -> None:
    await family(store)
    for number, session in ((6, "root"), (7, "nobody"), (8, "leaf")):
        with pytest.raises(Refused) as told:
            await store.admit(start(number, f"no{number}", body_session=session), NOBODY)
        assert told.value.record is not None
        await store.apply([told.value.record])
    found = await store.refused_in(["root", "leaf", "right"], limit=10)
    assert [decision.call.session for decision in found] == ["root", "leaf"]
    assert len(await store.refused_in(["root", "leaf"], limit=1)) == 1
