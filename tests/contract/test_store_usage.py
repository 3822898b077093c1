"""What every store keeps of what tasks used (ports.Store)."""

from dataclasses import replace

from tests.support.books import accepted, at, start
from tests.support.stores import listed

from subagent_sidecar.core.changes import UsagePriced, UsageSeen
from subagent_sidecar.core.model import TaskQuery, UsageEntry, total
from subagent_sidecar.ports import Store

FIRST = UsageEntry(
    task_id="t",
    message_id="m1",
    run_id="r1",
    at=at(10),
    model="a-model",
    input_tokens=100,
    output_tokens=10,
    cache_read_tokens=50,
    cache_write_tokens=7,
    cost_micro_usd=345,
)
SECOND = replace(FIRST, message_id="m2", at=at(11), model=None, cost_micro_usd=None)


async def started(store: Store, number: int = 1, run_id: str = "r1", thread_id: str = "t") -> None:
    intent = await store.admit(start(number, thread_id))
    await store.apply([accepted(intent, run_id, number + 0.5, thread_id=thread_id)])


def seen(*entries: UsageEntry, run_id: str = "r1", thread_id: str = "t") -> UsageSeen:
    return UsageSeen(thread_id=thread_id, run_id=run_id, entries=entries)


async def entries(store: Store, task_id: str = "t") -> dict[str, UsageEntry]:
    record = await store.task(task_id)
    assert record is not None
    return {entry.message_id: entry for entry in record.usage}


async def test_every_field_of_an_entry_is_kept(store: Store) -> None:
    await started(store)
    await store.apply([seen(FIRST, SECOND)])
    assert await entries(store) == {"m1": FIRST, "m2": SECOND}


async def test_a_task_that_nothing_was_read_of_has_no_usage(store: Store) -> None:
    await started(store)
    record = await store.task("t")
    assert record is not None and total(record.usage) is None


async def test_reading_it_again_changes_nothing(store: Store) -> None:
    await started(store)
    for second in (20, 30):
        await store.apply([seen(FIRST), seen(replace(FIRST, at=at(second)))])
    assert await entries(store) == {"m1": FIRST}


async def test_a_message_that_grew_is_brought_up_to_date_where_it_is(store: Store) -> None:
    await started(store)
    await store.apply([seen(FIRST)])
    grown = replace(FIRST, at=at(20), run_id="r2", output_tokens=99, cost_micro_usd=None)
    await store.apply([seen(grown, run_id="r2")])
    assert await entries(store) == {"m1": replace(grown, run_id="r1", at=at(10))}


async def test_a_message_stays_with_the_run_it_was_first_seen_in(store: Store) -> None:
    await started(store)
    await store.apply([seen(FIRST)])
    await started(store, 2, "r2")
    later = replace(SECOND, run_id="r2")
    await store.apply([seen(replace(FIRST, run_id="r2"), later, run_id="r2")])
    found = await entries(store)
    assert {name: entry.run_id for name, entry in found.items()} == {"m1": "r1", "m2": "r2"}


async def test_equal_message_ids_of_two_tasks_are_two_messages(store: Store) -> None:
    await started(store)
    await started(store, 2, "r2", "other")
    elsewhere = replace(FIRST, task_id="other", run_id="r2", input_tokens=5)
    await store.apply([seen(FIRST), seen(elsewhere, run_id="r2", thread_id="other")])
    assert await entries(store) == {"m1": FIRST}
    assert await entries(store, "other") == {"m1": elsewhere}


async def test_what_a_thread_that_is_no_task_used_is_not_kept(store: Store) -> None:
    await store.apply([seen(replace(FIRST, task_id="foreign"), thread_id="foreign")])
    assert await listed(store) == []


async def test_a_listing_shows_the_usage_of_each_task(store: Store) -> None:
    await started(store)
    await started(store, 2, "r2", "other")
    await store.apply([seen(FIRST, SECOND)])
    page = await store.tasks(TaskQuery())
    found = {record.task.task_id: total(record.usage) for record in page.records}
    assert found["other"] is None
    usage = found["t"]
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (200, 20)
    assert (usage.cache_read_tokens, usage.cache_write_tokens) == (100, 14)
    assert usage.cost_micro_usd is None, "one of the two has no price"
    assert usage.models == ("a-model",)


async def test_the_largest_numbers_there_can_be_are_kept(store: Store) -> None:
    await started(store)
    large = replace(FIRST, input_tokens=10**12, cost_micro_usd=2**63 - 1)
    await store.apply([seen(large)])
    assert await entries(store) == {"m1": large}


UNPRICED = replace(FIRST, cost_micro_usd=None)


def priced(*entries: UsageEntry) -> UsagePriced:
    return UsagePriced(entries=entries)


async def sums(store: Store) -> tuple[int, int, int]:
    """What the run `r1` adds up to: tokens, micro-USD, messages without a price."""
    record = await store.task("t")
    assert record is not None
    return record.runs[0].tokens, record.runs[0].cost_micro_usd, record.runs[0].unpriced


async def test_a_price_that_comes_later_is_entered_once_and_the_sums_follow(store: Store) -> None:
    await started(store)
    await store.apply([seen(UNPRICED, SECOND)])
    assert await sums(store) == (220, 0, 2)
    for _ in range(2):
        await store.apply([priced(FIRST)])
        assert await entries(store) == {"m1": FIRST, "m2": SECOND}
        assert await sums(store) == (220, 345, 1)


async def test_a_price_that_stands_is_not_changed(store: Store) -> None:
    await started(store)
    await store.apply([seen(FIRST)])
    await store.apply([priced(replace(FIRST, cost_micro_usd=1))])
    assert await entries(store) == {"m1": FIRST}
    assert await sums(store) == (110, 345, 0)


async def test_a_price_is_not_lost_to_what_was_read_before_there_was_one(store: Store) -> None:
    await started(store)
    await store.apply([seen(UNPRICED), priced(FIRST)])
    await store.apply([seen(replace(UNPRICED, at=at(20)))])
    assert await entries(store) == {"m1": FIRST}
    assert await sums(store) == (110, 345, 0)


async def test_a_message_that_is_another_by_now_does_not_get_the_price_of_what_it_was(
    store: Store,
) -> None:
    await started(store)
    grown = replace(UNPRICED, output_tokens=99)
    await store.apply([seen(grown)])
    await store.apply([priced(FIRST, replace(FIRST, message_id="none"))])
    assert await entries(store) == {"m1": grown}


async def test_what_has_no_price_is_found_by_model_page_by_page(store: Store) -> None:
    await started(store)
    await started(store, 2, "r2", "other")
    theirs = replace(UNPRICED, task_id="other", run_id="r2")
    another = replace(UNPRICED, message_id="m4", model="b-model")
    await store.apply([seen(FIRST, SECOND, replace(UNPRICED, message_id="m3"), another)])
    await store.apply([seen(theirs, run_id="r2", thread_id="other")])
    assert await store.unpriced_models(limit=9) == ["a-model", "b-model"]
    assert await store.unpriced_models(limit=1) == ["a-model"]
    assert await store.unpriced_models(after="a-model", limit=9) == ["b-model"]
    assert await store.unpriced_models(after="b-model", limit=9) == []
    assert await store.unpriced("nobody's", limit=9) == []
    [first] = await store.unpriced("a-model", limit=1)
    assert first == theirs
    [last] = await store.unpriced("a-model", after=("other", "m1"), limit=9)
    assert (last.task_id, last.message_id) == ("t", "m3")
