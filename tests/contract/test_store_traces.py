"""The context in which a task was started is kept with it, from its intent on."""

from dataclasses import replace

from tests.support.books import accepted, start

from subagent_sidecar.core.trace_ids import span_of, traceparent
from subagent_sidecar.ports import Store

GIVEN = f"00-{'4' * 32}-{'5' * 16}-01"


async def test_a_context_stays_with_its_start_and_its_task(store: Store) -> None:
    intent = await store.admit(start(1, trace_parent=GIVEN))
    (open_intent,) = await store.open_intents(before="9999")
    await store.apply([accepted(intent, "r1", 2)])
    record = await store.task("t")
    assert record is not None
    assert (open_intent.trace_parent, record.task.trace_parent) == (GIVEN, GIVEN)


async def test_a_nested_task_keeps_which_run_started_it(store: Store) -> None:
    await store.apply([accepted(await store.admit(start(1)), "r1", 2)])
    intent = await store.admit(start(3, "nested", body_session="t"))
    await store.apply([accepted(intent, "n1", 4, thread_id="nested")])
    parent, nested = await store.task("t"), await store.task("nested")
    assert parent is not None and nested is not None
    trace_id = nested.task.trace_parent[3:35] if nested.task.trace_parent else ""
    assert nested.task.trace_parent == traceparent(trace_id, span_of(parent.runs[0]))


async def test_places_begin_after_the_newest_event_and_are_moved_by_one(store: Store) -> None:
    assert await store.spans_claimed("a") is None
    assert not await store.claim_spans("a", 0, 1)
    await store.apply([accepted(await store.admit(start(1)), "r1", 2)])
    await store.begin_spans("a", "b")
    begin = await store.last_event()
    assert (await store.spans_claimed("a"), await store.spans_claimed("b")) == (begin, begin)
    assert await store.claim_spans("a", begin, begin + 7)
    assert not await store.claim_spans("a", begin, begin + 9)  # somebody was quicker
    await store.begin_spans("a")
    assert (await store.spans_claimed("a"), await store.spans_claimed("b")) == (begin + 7, begin)
    assert await store.claim_spans("a", begin + 7, begin)  # given back
    assert await store.spans_claimed("a") == begin


async def test_tasks_are_read_together_as_they_are_read_alone(store: Store) -> None:
    for number, task_id in enumerate(("a", "b", "c")):
        intent = await store.admit(start(number, task_id))
        await store.apply([accepted(intent, f"r{number}", number, thread_id=task_id)])
    found = await store.tasks_with(["c", "nobody", "a"])
    alone = [await store.task(task_id) for task_id in ("a", "c")]
    unnamed = [replace(record, short_id="") for record in alone if record is not None]
    assert sorted(found, key=lambda record: record.task.task_id) == unnamed
    assert list(await store.tasks_with([])) == []
