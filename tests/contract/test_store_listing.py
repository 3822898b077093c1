"""Listing tasks: filters, pages, what is hidden, and short ids. For every store."""

from typing import Any

import pytest
from tests.support.books import accepted, at, start
from tests.support.stores import listed, pages

from subagent_sidecar.core.changes import CancelAsked, CancelConfirmed, CancelUnconfirmed, RunSeen
from subagent_sidecar.core.model import EndedBy, RunStatus, TaskQuery, TaskStatus
from subagent_sidecar.ports import Store


async def started(
    store: Store, second: float, task_id: str, *, ended: float | None = None, **facts: str
) -> None:
    """A task created in `second`, that ended in second `ended`."""
    run_id = f"run of {task_id}"
    intent = await store.admit(
        start(0, task_id, intent_id=f"intent of {task_id}", at=at(second), **facts)
    )
    await store.apply([accepted(intent, run_id, second, thread_id=task_id)])
    if ended is not None:
        end = RunSeen(thread_id=task_id, run_id=run_id, status=RunStatus.ERROR, at=at(ended))
        await store.apply([end])


async def test_tasks_are_listed_newest_first_and_by_id_among_equals(store: Store) -> None:
    for second, task_id in ((1, "b"), (3, "a"), (2, "c"), (2, "d")):
        await started(store, second, task_id)
    assert await listed(store) == ["a", "d", "c", "b"]


FILTERS = [
    (TaskQuery(session_id="s1"), ["d", "b"]),
    (TaskQuery(supervisor="bob"), ["c"]),
    (TaskQuery(agent_name="coder"), ["c", "b"]),
    (TaskQuery(upstream="other"), ["d"]),
    (TaskQuery(session_id="s1", agent_name="coder"), ["b"]),
    (TaskQuery(session_id="S1"), []),
    (TaskQuery(session_id="s%"), []),
    (TaskQuery(session_id=""), []),
    (TaskQuery(statuses=frozenset({TaskStatus.ERROR})), ["a"]),
    (TaskQuery(statuses=frozenset({TaskStatus.ERROR, TaskStatus.PENDING})), ["d", "c", "b", "a"]),
    (TaskQuery(statuses=frozenset({TaskStatus.WAITING})), []),
    (TaskQuery(since=at(3)), ["d", "c"]),
    (TaskQuery(since=at(9)), []),
    (TaskQuery(), ["d", "c", "b", "a"]),
]


@pytest.mark.parametrize(("query", "expected"), FILTERS)
async def test_a_filter_lets_through_what_fits_it(
    store: Store, query: TaskQuery, expected: list[str]
) -> None:
    await started(store, 1, "a", ended=1.5)
    await started(store, 2, "b", header_session="s1", agent_name="coder")
    await started(store, 3, "c", supervisor="bob", agent_name="coder")
    await started(store, 4, "d", header_session="s1", upstream="other")
    assert await listed(store, query) == expected


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6, 100])
async def test_pages_add_up_to_the_whole(store: Store, limit: int) -> None:
    ids = [f"t{n}" for n in range(5)]
    for number, task_id in enumerate(ids):
        await started(store, number // 2, task_id, ended=9 if number % 2 else None)  # with ties
    whole = sorted(ids, key=lambda task_id: (ids.index(task_id) // 2, task_id), reverse=True)
    for query in (TaskQuery(limit=limit), TaskQuery(limit=limit, ended_after=at(5))):
        found = await pages(store, query)
        assert [r.task.task_id for page in found for r in page.records] == whole
        assert len(found) == max(-(-5 // limit), 1)
        assert found[-1].next_after is None


async def test_what_is_inserted_meanwhile_moves_no_page(store: Store) -> None:
    for number in range(4):
        await started(store, number, f"t{number}")
    first = await store.tasks(TaskQuery(limit=2))
    await started(store, 10, "newest")
    await started(store, 0.5, "late, but old")
    rest = await store.tasks(TaskQuery(limit=10, after=first.next_after))
    assert [r.task.task_id for r in first.records] == ["t3", "t2"]
    assert [r.task.task_id for r in rest.records] == ["t1", "late, but old", "t0"]


async def test_tasks_that_ended_long_ago_are_hidden_and_counted(store: Store) -> None:
    await started(store, 1, "long ago", ended=2)
    await started(store, 1, "just in time", ended=5)
    await started(store, 1, "lately", ended=9)
    await started(store, 1, "live")
    await started(store, 1, "long ago, of another", ended=2, header_session="s1")
    page = await store.tasks(TaskQuery(ended_after=at(5), limit=2))
    assert ([r.task.task_id for r in page.records], page.hidden) == (["live", "lately"], 2)
    later = await store.tasks(TaskQuery(ended_after=at(5), limit=2, after=page.next_after))
    assert ([r.task.task_id for r in later.records], later.hidden) == (["just in time"], 0)
    filtered = await store.tasks(TaskQuery(ended_after=at(5), session_id="s1"))
    assert (filtered.records, filtered.hidden) == ((), 1)
    assert (await store.tasks(TaskQuery())).hidden == 0


async def test_a_task_whose_run_is_at_large_is_not_hidden(store: Store) -> None:
    await started(store, 1, "long ago", ended=2)
    await started(store, 1, "at large")
    run: dict[str, Any] = {"thread_id": "at large", "run_id": "run of at large"}
    await store.apply(
        [
            CancelAsked(**run, by=EndedBy.OPERATOR, at=at(2)),
            RunSeen(**run, status=RunStatus.INTERRUPTED, at=at(2)),
            CancelUnconfirmed(**run, at=at(3), tried=()),
        ]
    )
    page = await store.tasks(TaskQuery(ended_after=at(5)))
    assert ([r.task.task_id for r in page.records], page.hidden) == (["at large"], 1)
    await store.apply([CancelConfirmed(**run, at=at(4), lost=False)])
    page = await store.tasks(TaskQuery(ended_after=at(5)))
    assert (page.records, page.hidden) == ((), 2)


async def test_a_listing_can_ask_for_the_ended_and_hide_the_old_of_them(store: Store) -> None:
    await started(store, 1, "old", ended=2)
    await started(store, 1, "recent", ended=6)
    await started(store, 1, "live")
    query = TaskQuery(ended_after=at(5), statuses=frozenset({TaskStatus.ERROR}))
    assert await listed(store, query) == ["recent"]
    assert (await store.tasks(query)).hidden == 1


async def test_records_in_a_list_have_their_runs_in_order(store: Store) -> None:
    for number in range(12):
        intent = await store.admit(start(number, "t"))
        await store.apply([accepted(intent, f"r{number}", number)])
    page = await store.tasks(TaskQuery())
    assert [run.run_id for run in page.records[0].runs] == [f"r{n}" for n in range(12)]
    assert page.records == (await store.task("t"),)


async def short_ids(store: Store) -> dict[str, str]:
    page = await store.tasks(TaskQuery(limit=100))
    return {record.task.task_id: record.short_id for record in page.records}


async def test_a_short_id_is_the_tail_for_heads_are_all_alike(store: Store) -> None:
    same_minute = ["01a2064f-5864-7545-89d1-a55134a759fd", "01a2064f-5871-7040-883a-8daa13a1e57e"]
    for number, task_id in enumerate(same_minute):
        await started(store, number, task_id)
    assert await short_ids(store) == {task_id: task_id[-8:] for task_id in same_minute}


async def test_tails_that_collide_are_longer_until_they_differ(store: Store) -> None:
    colliding = ["xxAA12345678", "yyBA12345678", "zzCB12345678", "unrelated-id"]
    for number, task_id in enumerate(colliding):
        await started(store, number, task_id)
    found = await short_ids(store)
    assert found == {
        "xxAA12345678": "AA12345678",
        "yyBA12345678": "BA12345678",
        "zzCB12345678": "B12345678",
        "unrelated-id": "lated-id",
    }
    for task_id, short in found.items():
        assert list(await store.tasks_named(short, limit=2)) == [task_id]


@pytest.mark.parametrize("ids", [["12345678", "x12345678"], ["short", "t"], ["a" * 9, "a" * 10]])
async def test_an_id_that_is_the_tail_of_another_is_shown_whole(
    store: Store, ids: list[str]
) -> None:
    for number, task_id in enumerate(ids):
        await started(store, number, task_id)
    assert await short_ids(store) == {task_id: task_id for task_id in ids}


async def test_a_tail_may_hold_any_character(store: Store) -> None:
    ids = ["a%_'\"é🚀\0zz", "b%_'\"é🚀\0zz"]
    for number, task_id in enumerate(ids):
        await started(store, number, task_id)
    assert await short_ids(store) == {task_id: task_id for task_id in ids}
