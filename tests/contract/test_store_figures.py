"""What every store answers to metrics (ports.Figures)."""

from dataclasses import replace

import pytest
from tests.support.books import accepted, at, start
from tests.support.door import Door
from tests.support.refusals import policy

from subagent_sidecar.core.changes import (
    BudgetTold,
    CancelAsked,
    CancelUnconfirmed,
    Change,
    Doubted,
    Frozen,
    Released,
    RunSeen,
    StartRefused,
    ThreadSeen,
    Told,
    UsagePriced,
    UsageSeen,
)
from subagent_sidecar.core.matching import EVERYTHING, Scope
from subagent_sidecar.core.metrics.record import (
    Census,
    Happened,
    Live,
    RunTime,
    Sighting,
    Stretch,
    Used,
)
from subagent_sidecar.core.model import (
    EndedBy,
    RunStatus,
    TaskStatus,
    ThreadStatus,
    UsageEntry,
)
from subagent_sidecar.core.policy import Mode
from subagent_sidecar.core.quick import changed
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.core.verdict import Check, Freeze
from subagent_sidecar.ports import Store

RUNNING, SUCCESS, INTERRUPTED = RunStatus.RUNNING, RunStatus.SUCCESS, RunStatus.INTERRUPTED
NOTHING = Census(unconfirmed={}, under_way={}, in_doubt={}, freezes={})


def seen(thread_id: str, status: RunStatus, second: float, run_id: str | None = None) -> RunSeen:
    run_id = run_id or f"{thread_id}'s"
    return RunSeen(thread_id=thread_id, run_id=run_id, status=status, at=at(second))


async def started(store: Store, number: int, thread_id: str, **facts: str) -> None:
    """A task whose start was asked for and accepted in second `number`."""
    intent = await store.admit(start(number, thread_id, **facts))
    await store.apply([accepted(intent, f"{thread_id}'s", number, thread_id=thread_id)])


async def stretch(store: Store, after: int = 0) -> Stretch:
    return await store.happened(after, limit=1_000)


async def test_of_nothing_there_is_nothing(store: Store) -> None:
    assert await store.census() == NOTHING
    assert await stretch(store) == Stretch(upto=0, last=0)
    assert list(await store.used()) == []
    assert store.waiting == 0


async def test_live_tasks_are_counted_by_whose_they_are_and_how_they_stand(store: Store) -> None:
    await started(store, 1, "a", agent_name="coder")
    await started(store, 2, "b", agent_name="coder")
    await started(store, 3, "c", agent_name="coder", upstream="other")
    await started(store, 4, "d", agent_name="painter")
    await started(store, 5, "over", agent_name="painter")
    await store.apply([seen("d", RUNNING, 7), seen("over", SUCCESS, 8)])
    pending, running = TaskStatus.PENDING, TaskStatus.RUNNING
    census = await store.census()
    assert [(one.upstream, one.agent_name, one.status, one.tasks) for one in census.live] == [
        ("other", "coder", pending, 1),
        ("up", "coder", pending, 2),
        ("up", "painter", running, 1),
    ]


async def test_the_age_in_a_status_begins_with_the_status(store: Store) -> None:
    await started(store, 1, "a")
    await started(store, 2, "b")
    await store.apply([seen("a", RUNNING, 30), seen("b", RUNNING, 20)])
    (live,) = (await store.census()).live
    assert live == Live(
        upstream="up", agent_name="graph", status=TaskStatus.RUNNING, tasks=2, since=at(20)
    )
    await store.apply([seen("b", SUCCESS, 40), ThreadSeen(
        thread_id="b", status=ThreadStatus.INTERRUPTED, at=at(41), upstream="up")])  # fmt: skip
    assert {one.status: one.since for one in (await store.census()).live} == {
        TaskStatus.RUNNING: at(30),
        TaskStatus.WAITING: at(41),
    }


async def test_cancels_that_do_not_come_true_are_counted_while_they_do_not(store: Store) -> None:
    await started(store, 1, "a")
    asked = CancelAsked(thread_id="a", run_id="a's", by=EndedBy.OPERATOR, at=at(2))
    await store.apply([asked, CancelUnconfirmed(thread_id="a", run_id="a's", at=at(3))])
    assert (await store.census()).unconfirmed == {"up": 1}
    await store.apply([seen("a", SUCCESS, 4)])
    assert (await store.census()).unconfirmed == {}


async def test_starts_are_counted_until_their_outcome_is_known(store: Store) -> None:
    first = await store.admit(start(1, "a"))
    await store.admit(start(2, "b", upstream="other"))
    assert (await store.census()).under_way == {"up": 1, "other": 1}
    await store.apply([Doubted(intent=first, at=at(3), reason="lost")])
    census = await store.census()
    assert (census.under_way, census.in_doubt) == ({"other": 1}, {"up": 1})
    await store.apply([Released(intent=first, at=at(4), reason="no")])
    assert (await store.census()).in_doubt == {}


async def test_freezes_are_counted_by_their_scope(store: Store) -> None:
    freezes = [(Scope.AGENT, "a"), (Scope.AGENT, "b"), (Scope.GLOBAL, EVERYTHING)]
    await store.apply([
        Frozen(freeze=Freeze(scope=scope, scope_id=name, at=at(1)), at=at(1))
        for scope, name in freezes
    ])  # fmt: skip
    assert (await store.census()).freezes == {"agent": 2, "global": 1}


async def test_events_are_added_up_by_what_metrics_tell_apart(store: Store) -> None:
    await started(store, 1, "a", agent_name="coder")
    await started(store, 2, "b", agent_name="coder")
    await started(store, 3, "c", agent_name="painter")
    await store.apply([
        seen("a", SUCCESS, 5),
        CancelAsked(thread_id="b", run_id="b's", by=EndedBy.OPERATOR, at=at(6), reason="enough"),
        seen("b", INTERRUPTED, 7),
    ])  # fmt: skip
    found = await stretch(store)
    assert (found.upto, found.last) == (found.last, 8)
    assert {
        (one.kind, one.agent_name, one.status, one.word): one.times for one in found.happened
    } == {
        ("started", "coder", None, None): 2,
        ("started", "painter", None, None): 1,
        ("cancel_asked", "coder", None, "operator"): 1,
        ("ended", "coder", "success", "upstream"): 1,
        ("ended", "coder", "cancelled", "operator"): 1,
    }
    assert {one.upstream for one in found.happened} == {"up"}


async def test_stretches_follow_one_another_without_gap_or_repeat(store: Store) -> None:
    for number in range(1, 8):
        await started(store, number, f"t{number}")
    upto, counted, sizes = 0, 0, []
    while (part := await store.happened(upto, limit=3)).happened:
        counted += sum(one.times for one in part.happened)
        sizes.append(part.upto - upto)
        upto = part.upto
    assert (counted, sizes, upto) == (7, [3, 3, 1], part.last)
    assert part == Stretch(upto=7, last=7)


async def test_a_follow_up_of_another_agent_is_that_agents(store: Store) -> None:
    await started(store, 1, "a", agent_name="coder")
    intent = await store.admit(start(2, "a", assistant_id="painter"))
    await store.apply([accepted(intent, "r2", 2, thread_id="a")])
    found = (await stretch(store, after=1)).happened
    assert found == (Happened(kind="updated", times=1, upstream="up", agent_name="painter"),)


async def test_a_start_that_failed_has_the_agent_it_names_itself(store: Store) -> None:
    intent = await store.admit(start(1, "nowhere", agent_name="coder"))
    await store.apply([Released(intent=intent, at=at(2), reason="no")])
    assert (await stretch(store)).happened == (
        Happened(kind="start_failed", times=1, agent_name="coder"),
    )


async def test_what_happened_can_be_found_in_its_trace(store: Store) -> None:
    parent = f"00-{'ab' * 16}-{'cd' * 8}-01"
    await started(store, 1, "a", trace_parent=parent)
    await started(store, 2, "b")
    await started(store, 3, "c", header_session="b")
    await store.apply([seen("c", RUNNING, 4), seen("a", SUCCESS, 5)])
    found = await stretch(store)
    last = {one.kind: one.last for one in found.happened}
    assert last["started"] is not None
    assert (last["started"].root_task_id, last["started"].at) == ("b", at(3))
    assert last["ended"] == Sighting(found.upto, at(5), parent, "a")
    assert [(time.seen.root_task_id, time.seen.at) for time in found.times if time.seen] == [
        ("b", at(4)),
        ("a", at(5)),
    ]


FEW = policy("limits: [{name: few, starts: 1, per: session}]")


async def refusal(store: Store, thread_id: str) -> StartRefused:
    """The record of a start that is refused."""
    with pytest.raises(Refused) as refused:
        await store.admit(start(9, thread_id, header_session="s"), FEW)
    assert refused.value.record is not None
    return refused.value.record


async def test_refusals_are_counted_by_their_rule_however_many_a_record_stands_for(
    store: Store,
) -> None:
    await Door(store, FEW).started("a")
    one = await refusal(store, "b")
    many = replace(one, decision=changed(one.decision, times=5))
    await store.apply([one, many])
    found = [each for each in (await stretch(store)).happened if each.rule]
    assert found == [Happened(kind="refused", times=6, rule="few", policy="p")]


OBSERVING = policy("limits: [{name: few, starts: 1, per: session, mode: observe}]")


async def test_what_observing_rules_would_have_refused_is_counted_by_rule(store: Store) -> None:
    door = Door(store, OBSERVING)
    await door.started("a")
    await door.started("b")
    found = {(one.kind, one.rule): one.times for one in (await stretch(store)).happened if one.rule}
    assert found == {("would_refuse", "few"): 1}


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (Told.NEAR, "budget_near"),
        (Told.EXHAUSTED, "budget_exhausted"),
        (Told.WOULD_CANCEL, "would_cancel"),
    ],
)
async def test_what_is_told_of_budgets_is_counted_by_rule(
    store: Store, told: Told, kind: str
) -> None:
    check = Check(
        rule="usd",
        policy="mine",
        mode=Mode.ENFORCE,
        what="micro_usd",
        limit=10,
        current=9,
        denies=False,
    )
    await store.apply([BudgetTold(told=told, check=check, at=at(1))])
    assert (await stretch(store)).happened == (
        Happened(kind=kind, times=1, rule="usd", policy="mine"),
    )


async def times(store: Store, *changes: Change) -> tuple[RunTime, ...]:
    """How long the run of a task was seen to take that was started in second 10."""
    await started(store, 10, "a", agent_name="coder")
    await store.apply(list(changes))
    return (await stretch(store)).times


async def test_a_run_waits_until_it_is_seen_at_work_and_works_until_its_end(store: Store) -> None:
    found = await times(store, seen("a", RUNNING, 12.5), seen("a", SUCCESS, 42.5))
    whose = {"upstream": "up", "agent_name": "coder"}
    assert found == (RunTime(**whose, queued_s=2.5), RunTime(**whose, ran_s=30.0))  # type: ignore[arg-type]


async def test_a_run_nobody_saw_at_work_worked_all_its_life(store: Store) -> None:
    (found,) = await times(store, seen("a", SUCCESS, 11.5))
    assert (found.queued_s, found.ran_s) == (None, 1.5)


async def test_a_run_that_never_ran_has_no_times(store: Store) -> None:
    assert await times(store, seen("a", INTERRUPTED, 12)) == ()


async def test_a_clock_that_was_set_back_makes_no_time_negative(store: Store) -> None:
    found = await times(store, seen("a", RUNNING, 5), seen("a", SUCCESS, 1))
    assert [(one.queued_s, one.ran_s) for one in found] == [(0.0, None), (None, 0.0)]


ENTRY = UsageEntry(
    task_id="a",
    message_id="m1",
    run_id="a's",
    at=at(10),
    model="a-model",
    input_tokens=100,
    output_tokens=10,
    cache_read_tokens=50,
    cache_write_tokens=7,
    cost_micro_usd=345,
)
USED = Used(
    upstream="up",
    agent_name="graph",
    model="a-model",
    messages=1,
    input_tokens=100,
    output_tokens=10,
    cache_read_tokens=50,
    cache_write_tokens=7,
    cost_micro_usd=345,
)


async def use(store: Store, *entries: UsageEntry) -> None:
    seen = UsageSeen(thread_id="a", run_id="a's", entries=entries)
    await store.apply([seen])


async def test_what_was_used_is_added_up_once(store: Store) -> None:
    await started(store, 1, "a")
    await use(store, ENTRY)
    await use(store, ENTRY)
    assert list(await store.used()) == [USED]


async def test_a_message_that_grew_adds_what_is_new(store: Store) -> None:
    await started(store, 1, "a")
    await use(store, ENTRY, replace(ENTRY, message_id="m2", model=None, cost_micro_usd=None))
    await use(store, replace(ENTRY, output_tokens=30, cost_micro_usd=400))
    unknown = replace(USED, model="", unpriced=1, cost_micro_usd=0)
    grown = replace(USED, output_tokens=30, cost_micro_usd=400)
    assert list(await store.used()) == [unknown, grown]


async def test_of_a_message_whose_model_is_told_later_nothing_counts_twice(store: Store) -> None:
    await started(store, 1, "a")
    await use(store, replace(ENTRY, model=None, cost_micro_usd=None))
    await use(store, replace(ENTRY, output_tokens=15))
    found = {one.model: one for one in await store.used()}
    assert found[""].input_tokens + found["a-model"].input_tokens == 100
    assert found[""].output_tokens + found["a-model"].output_tokens == 15
    assert found["a-model"].cost_micro_usd == 345


async def test_a_price_that_comes_later_adds_its_cost(store: Store) -> None:
    await started(store, 1, "a")
    await use(store, replace(ENTRY, cost_micro_usd=None))
    assert [(one.unpriced, one.cost_micro_usd) for one in await store.used()] == [(1, 0)]
    await store.apply([UsagePriced(entries=(ENTRY,))])
    assert list(await store.used()) == [USED]


async def test_what_was_used_stays_when_its_records_are_pruned(store: Store) -> None:
    await started(store, 1, "a")
    await use(store, ENTRY)
    await store.apply([seen("a", SUCCESS, 5)])
    await started(store, 20, "b")  # the newest task is never pruned
    assert await store.prune(at(10), limit=10) > 0
    assert await store.task("a") is None
    assert list(await store.used()) == [USED]
