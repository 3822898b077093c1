"""What is to be told to targets of completion push: put down once, had by one, until it is done."""

from dataclasses import replace
from pathlib import Path

from tests.support.books import accepted, at, start
from tests.support.stores import open_sqlite

from subagent_sidecar.core.push.deliveries import Delivery
from subagent_sidecar.ports import Store


def delivery(seq: int, target: str = "ops") -> Delivery:
    return Delivery(
        target=target,
        seq=seq,
        at=at(seq),
        status="success",
        task_id=f"t{seq}",
        run_id=None if seq == 2 else f"r{seq}",
        next_at=at(seq),
    )


async def begun(store: Store, *deliveries: Delivery) -> None:
    await store.begin_spans("push")
    assert await store.enter_deliveries("push", 0, 9, deliveries)


async def test_they_are_put_down_by_whoever_was_first_and_by_nobody_else(store: Store) -> None:
    await store.apply([accepted(await store.admit(start(1)), "r1", 2)])
    await store.begin_spans("push")
    begin = await store.last_event()
    assert await store.enter_deliveries("push", begin, begin + 2, [delivery(1), delivery(2)])
    assert not await store.enter_deliveries("push", begin, begin + 3, [delivery(3)])
    assert await store.spans_claimed("push") == begin + 2
    assert await store.deliveries_waiting() == {"ops": 2}


async def test_without_a_place_nothing_is_put_down(store: Store) -> None:
    assert not await store.enter_deliveries("push", 0, 9, [delivery(1)])
    assert await store.deliveries_waiting() == {}


async def test_what_is_due_is_had_by_one_until_its_time_is_over(store: Store) -> None:
    await begun(store, delivery(3), delivery(1), delivery(2), delivery(1, "other"))
    assert await store.next_delivery("ops") == at(1)
    assert await store.next_delivery("nobody") is None
    claimed = await store.claim_deliveries("ops", now=at(2), until=at(60), limit=5)
    assert claimed == [replace(delivery(seq), next_at=at(60), attempts=1) for seq in (1, 2)]
    assert await store.claim_deliveries("ops", now=at(2), until=at(61), limit=5) == []
    assert await store.next_delivery("ops") == at(3)
    (again,) = await store.claim_deliveries("ops", now=at(60), until=at(99), limit=1)
    assert again == replace(delivery(3), next_at=at(99), attempts=1)  # the most overdue one
    assert await store.next_delivery("other") == at(1)


async def test_what_was_done_is_gone_and_what_failed_comes_again(store: Store) -> None:
    await begun(store, delivery(1), delivery(2))
    one, two = await store.claim_deliveries("ops", now=at(5), until=at(60), limit=5)
    await store.settle_delivery(one, None)
    await store.settle_delivery(two, at(7))
    assert await store.deliveries_waiting() == {"ops": 1}
    assert await store.claim_deliveries("ops", now=at(7), until=at(80), limit=5) == [
        replace(two, next_at=at(80), attempts=2)
    ]


async def test_who_took_too_long_settles_nothing_any_more(store: Store) -> None:
    await begun(store, delivery(1))
    (slow,) = await store.claim_deliveries("ops", now=at(5), until=at(60), limit=5)
    (quick,) = await store.claim_deliveries("ops", now=at(60), until=at(120), limit=5)
    await store.settle_delivery(slow, at(61))
    await store.settle_delivery(slow, None)
    assert await store.next_delivery("ops") == at(120)
    await store.settle_delivery(quick, None)
    assert await store.deliveries_waiting() == {}


async def test_old_ones_are_removed_and_counted(store: Store) -> None:
    await begun(store, delivery(1), delivery(2), delivery(1, "other"), delivery(5, "other"))
    assert await store.drop_deliveries(at(5)) == {"ops": 2, "other": 1}
    assert await store.deliveries_waiting() == {"other": 1}
    assert await store.drop_deliveries(at(5)) == {}


async def test_they_outlive_the_process(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path) as store:
        await begun(store, delivery(1), delivery(2))
    async with open_sqlite(tmp_path) as store:
        assert await store.claim_deliveries("ops", now=at(5), until=at(60), limit=5) == [
            replace(delivery(seq), next_at=at(60), attempts=1) for seq in (1, 2)
        ]
