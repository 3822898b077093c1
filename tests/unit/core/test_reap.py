"""What ends for what: every clock, and every kind of evidence."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.support.reaping import World, rule

from subagent_sidecar.core.candidates import CLOCKS, Key
from subagent_sidecar.core.explain import CLOCK
from subagent_sidecar.core.matching import Glob, Match
from subagent_sidecar.core.model import RunStatus, TaskStatus
from subagent_sidecar.core.policy import LifecycleRule, Mode, OnEnd
from subagent_sidecar.core.reap import OWN_LEASE
from subagent_sidecar.core.reap_plan import waves

CANCEL, ABANDON, TERMINATE = OnEnd.REQUEST_CANCEL, OnEnd.ABANDON, OnEnd.TERMINATE
ALL_CLOCKS = {"queue": 100, "run": 200, "total": 400, "waiting": 300}

Begin = Callable[[World], object]


@pytest.mark.parametrize(
    ("begin", "key", "limit"),
    [
        (World.queue, "queue", 100),
        (World.start, "run", 200),
        (lambda world: (world.start(), world.waits()), "waiting", 300),
    ],
)
def test_a_clock_ends_a_task_when_its_time_is_over_and_not_before(
    begin: Begin, key: str, limit: int
) -> None:
    world = World.by(rule(**ALL_CLOCKS))
    world.sweep()
    begin(world)
    assert world.keys_after(limit - 5) == []
    assert world.keys_after(5) == [key]


@pytest.mark.parametrize("key", ["queue", "run", "total", "waiting", "stall"])
@pytest.mark.parametrize("limit", [0, None])
def test_a_clock_that_is_off_ends_nothing(key: str, limit: int | None) -> None:
    world = World.by(rule(**{key: limit}), still=lambda *_: 1e9)
    world.start("runs")
    world.queue("queued")
    world.start("waits")
    world.waits("waits")
    assert world.tick(10_000, every=1_000) == []


def test_a_run_that_begins_leaves_the_queue_and_its_clock_behind() -> None:
    world = World.by(rule(queue=100, run=200))
    world.queue()
    assert world.tick(95) == []
    world.begins()
    assert world.tick(195) == []
    assert world.keys_after(5) == ["run"]


def test_a_follow_up_is_on_a_clock_of_its_own_but_not_the_task() -> None:
    world = World.by(rule(run=200, total=500))
    world.start()
    for run in (2, 3, 4):
        assert world.tick(150) == []
        world.follow_up(run_id=f"t/{run}")
    assert world.tick(45) == []
    assert world.keys_after(5) == ["total"]


def test_a_task_that_went_on_after_it_had_ended_is_as_old_as_it_is() -> None:
    """It was not live for a while, so that no sweep saw it."""
    world = World.by(rule(total=500))
    world.start()
    world.tick(100)
    old = world.tasks.pop("t")
    world.tick(100)
    world.tasks["t"] = old
    world.follow_up()
    assert world.tick(295) == []
    assert world.keys_after(5) == ["total"]


def test_of_a_task_from_before_the_process_the_record_tells_the_age() -> None:
    world = World.by(rule(total=500))
    world.start()
    world.now += 400
    world.sweep()
    assert world.tick(95) == []
    assert world.keys_after(5) == ["total"]


def test_a_task_that_waits_is_on_the_clocks_waiting_and_total_alone() -> None:
    world = World.by(rule(queue=10, run=10, stall=10, waiting=100, total=300), still=lambda *_: 1e9)
    world.start()
    world.waits()
    assert world.tick(95) == []
    assert world.keys_after(5) == ["waiting"]
    other = World.by(rule(run=10, total=50))
    other.start()
    other.waits()
    assert other.tick(45) == [] and other.keys_after(5) == ["total"]


@pytest.mark.parametrize(
    ("status", "run_status"),
    [(TaskStatus.RUNNING, RunStatus.SUCCESS), (TaskStatus.RUNNING, RunStatus.INTERRUPTED)],
)
def test_a_thread_at_work_without_a_run_we_know_is_on_the_clock_total_alone(
    status: TaskStatus, run_status: RunStatus
) -> None:
    world = World.by(rule(queue=10, run=10, stall=10, waiting=10, total=90), still=lambda *_: 1e9)
    world.start(status=status, run_status=run_status)
    assert world.tick(85) == []
    assert world.keys_after(5) == ["total"]


def test_stall_counts_only_the_time_for_which_somebody_looked() -> None:
    looked = {"still": 0.0}
    world = World.by(rule(stall=100), still=lambda *_: looked["still"])
    world.start()
    assert world.tick(10_000, every=1_000) == []  # nobody can look: who knows
    looked["still"] = 99.0
    assert world.tick(5) == []
    looked["still"] = 100.0
    assert world.keys_after(5) == ["stall"]


def test_what_clocks_tell_has_the_numbers_and_the_rule() -> None:
    world = World.by(rule("clocks", run=1800))
    world.start()
    [reap] = world.tick(1860)
    assert reap.evidence == "running for 31 min, rule clocks allows 30 min"
    assert reap.reason == (
        f"{CLOCK}Ended before it was done: its run took 31 min, and 30 min is the most for one "
        "run. Do not start it again as it is: make it a smaller task, or tell the user (rule "
        "clocks of policy p)"
    )
    assert (reap.task_id, reap.run_id, reap.status) == ("t", "t/1", TaskStatus.RUNNING)
    assert (reap.run_status, reap.action, reap.rule) == (RunStatus.RUNNING, CANCEL, "clocks")


def test_every_task_is_held_against_the_rules_for_its_like() -> None:
    patient = rule("patient", match=Match(agent=(Glob("deep*"),)), run=1_000)
    world = World.by(rule("usual", run=100), patient)
    world.start("hasty")
    world.start("deep", agent_name="deep-thought")
    assert [reap.task_id for reap in world.tick(100)] == ["hasty"]


# Observed


def test_an_observing_rule_says_what_it_would_end_and_ends_nothing() -> None:
    world = World.by(rule("lax", run=200), rule("strict", mode=Mode.OBSERVE, run=100))
    world.start()
    [would] = world.tick(100)
    assert (would.mode, would.rule, would.ends) == (Mode.OBSERVE, "strict", False)
    [does] = world.tick(100)
    assert (does.mode, does.rule, does.ends) == (Mode.ENFORCE, "lax", True)


def test_what_is_told_once_differs_by_rule_and_what_ends_does_not() -> None:
    world = World.by(
        rule("o", mode=Mode.OBSERVE, on_session_end=CANCEL), rule("e", on_session_end=ABANDON)
    )
    world.start()
    world.sweep()
    world.end()
    assert [reap.what for reap in world.tick(5)] == ["abandoned on_session_end e"]
    world.policy = World.by(rule("o", mode=Mode.OBSERVE, on_session_end=CANCEL)).policy
    assert [reap.what for reap in world.tick(5)] == ["would on_session_end o"]
    world.policy = World.by(rule("e", on_session_end=CANCEL)).policy
    assert [reap.what for reap in world.tick(5)] == ["end"]


# Sessions that ended


@pytest.mark.parametrize("action", list(OnEnd))
def test_the_end_of_a_session_is_what_the_rule_makes_of_it(action: OnEnd) -> None:
    world = World.by(rule("orphans", on_session_end=action))
    world.start()
    world.start("other", session="s2")
    assert world.tick(100) == []
    world.end()
    [reap] = world.tick(5)
    assert (reap.task_id, reap.key, reap.action) == ("t", Key.ON_SESSION_END, action)
    assert reap.evidence.startswith("its session was ended by the supervisor at 2026-01-01T")
    assert reap.ends is (action is not ABANDON)


def test_the_end_of_a_session_is_not_about_what_is_started_afterwards() -> None:
    world = World.by(rule(on_session_end=CANCEL))
    world.start("before")
    world.tick(10)
    world.end()
    world.now += 1
    world.start("after")
    assert [reap.task_id for reap in world.tick(5)] == ["before"]
    assert [reap.task_id for reap in world.tick(100)] == ["before"]


def test_nor_about_what_got_a_follow_up_since() -> None:
    world = World.by(rule(on_session_end=CANCEL))
    world.start()
    world.tick(10)
    world.end()
    world.now += 1
    world.follow_up()
    assert world.tick(100) == []


def test_a_session_that_goes_on_and_ends_again_takes_what_is_there_then() -> None:
    world = World.by(rule(on_session_end=CANCEL))
    world.start("first")
    world.tick(10)
    world.end()
    world.tick(10)
    world.start("second")
    assert [reap.task_id for reap in world.tick(10)] == ["first"]
    world.end()
    assert [reap.task_id for reap in world.tick(10)] == ["first", "second"]


# Parents that ended


@pytest.mark.parametrize("action", list(OnEnd))
def test_the_end_of_a_parent_is_what_the_rule_makes_of_it(action: OnEnd) -> None:
    world = World.by(rule("orphans", on_parent_close=action))
    world.start("a")
    world.child("b", "a")
    assert world.tick(100) == []
    world.close("a")
    [reap] = world.tick(5)
    assert (reap.task_id, reap.key, reap.action) == ("b", Key.ON_PARENT_CLOSE, action)
    assert reap.evidence == "its parent task a has ended: success"


def test_without_a_word_about_parents_children_go_on() -> None:
    world = World.by(rule(run=10_000, on_session_end=CANCEL))
    world.start("a")
    world.child("b", "a")
    world.tick(10)
    world.close("a")
    assert world.tick(1_000) == []


def test_a_newcomer_has_its_grace_when_its_parent_is_done() -> None:
    world = World.by(rule(on_parent_close=CANCEL, grace=60))
    world.sweep()
    world.tick(60)
    world.start("a")
    world.child("b", "a")
    world.tick(5)
    world.close("a")
    assert world.tick(50) == []
    assert world.keys_after(5) == ["on_parent_close"]


def test_after_a_restart_everybody_is_a_newcomer() -> None:
    world = World.by(rule(on_parent_close=CANCEL, grace=60))
    world.start("a")
    world.child("b", "a")
    world.now += 1_000
    world.close("a")
    world.restart()
    world.sweep()
    assert world.tick(55) == []
    assert world.keys_after(5) == ["on_parent_close"]


def test_and_none_when_its_parent_was_cancelled() -> None:
    world = World.by(rule(on_parent_close=CANCEL, grace=60))
    world.start("a")
    world.child("b", "a")
    world.tick(5)
    world.close("a", TaskStatus.CANCELLED)
    assert world.keys_after(5) == ["on_parent_close"]


def test_a_parent_that_is_asked_to_go_on_has_its_children_back() -> None:
    world = World.by(rule(on_parent_close=CANCEL, grace=60))
    world.start("a")
    world.child("b", "a")
    world.tick(5)
    parent = world.tasks["a"]
    world.close("a")
    world.tick(10)
    world.tasks["a"] = parent
    world.change("b", parent_end=None, parent_ended_at=None)
    assert world.tick(1_000) == []


def test_the_end_of_a_parent_is_not_about_a_child_that_is_asked_to_go_on_since() -> None:
    world = World.by(rule(on_parent_close=CANCEL))
    world.start("a")
    world.child("b", "a")
    world.tick(10)
    child = world.tasks.pop("b")
    world.close("a")
    world.tick(10)
    world.tasks["b"] = child
    world.change("b", parent_end=TaskStatus.SUCCESS, parent_ended_at=world.at(-8))
    world.follow_up("b", "b/2")
    assert world.tick(1_000, every=100) == []


def test_a_tree_falls_as_one_the_newest_first() -> None:
    world = World.by(rule(on_parent_close=CANCEL, on_session_end=CANCEL))
    world.start("a")
    world.child("b", "a")
    world.child("c", "b")
    world.child("b2", "a", created_at=world.at(1), run_created_at=world.at(1))
    world.tick(10)
    world.end("s")
    reaps = world.tick(5)
    assert [reap.task_id for reap in reaps] == ["a", "b", "b2", "c"]  # as they are claimed
    ends = [[reap.task_id for reap in wave] for wave in waves(reaps)]
    assert ends == [["c"], ["b2", "b"], ["a"]]
    assert reaps[-1].evidence == "its parent task b is being ended for rule r"


def test_what_is_left_to_itself_does_not_fall() -> None:
    mine = rule("mine", match=Match(agent=(Glob("free"),)), on_parent_close=ABANDON)
    world = World.by(rule(on_parent_close=CANCEL, on_session_end=CANCEL), mine)
    world.start("a")
    world.child("b", "a", agent_name="free")
    world.child("c", "b")
    world.tick(10)
    world.end("s")
    assert [reap.task_id for reap in world.tick(5)] == ["a"]


def test_what_falls_with_an_observed_end_does_not_fall() -> None:
    world = World.by(rule("o", mode=Mode.OBSERVE, run=10), rule("e", on_parent_close=CANCEL))
    world.start("a")
    world.child("b", "a", run_started_at=world.at(5))
    assert {reap.mode for reap in world.tick(30)} == {Mode.OBSERVE}


def test_what_somebody_ends_already_is_not_planned_again() -> None:
    world = World.by(rule(run=10, on_parent_close=CANCEL))
    world.start("a")
    world.child("b", "a")
    world.change("a", claimed=True)
    world.change("b", claimed=True)
    assert world.tick(100) == []


# Leases and silence

ORPHANS: dict[str, Any] = {"lease": 600, "grace": 300, "on_session_end": CANCEL}


def alive(world: World, seconds: float) -> None:
    for _ in range(int(seconds // 60)):
        world.beat()
        world.tick(60)


def test_a_lease_that_ran_out_and_its_grace_end_the_tasks() -> None:
    world = World.by(rule("orphans", **ORPHANS))
    world.start()
    world.start("other", session="s2")
    alive(world, 3_600)
    assert world.tick(835) == []
    [reap] = world.tick(5)
    assert (reap.task_id, reap.key, reap.action, reap.rule) == ("t", Key.LEASE, CANCEL, "orphans")
    assert reap.evidence == (
        "its session has not renewed its lease for 15 min: 10m and a grace of 5m are over"
    )


def test_a_session_that_never_renewed_a_lease_has_none() -> None:
    world = World.by(rule(**ORPHANS))
    world.start()
    assert world.tick(100_000, every=100) == []


def test_a_silent_session_that_is_alive_all_the_same_keeps_its_tasks() -> None:
    """Its heartbeat is stuck, and it asks after its tasks."""
    world = World.by(rule(**ORPHANS))
    world.start()
    alive(world, 600)
    for polls in range(20):
        assert world.tick(800) == []
        world.change(polls=polls + 1)
    world.tick(5)
    assert world.tick(895) == [] and world.keys_after(5) == ["lease"]


def test_a_start_or_a_follow_up_is_a_sign_of_life() -> None:
    world = World.by(rule(**ORPHANS))
    world.start()
    alive(world, 600)
    world.tick(800)
    world.follow_up()
    assert world.tick(900) == []
    assert world.keys_after(5) == ["lease"]


def test_after_a_restart_a_lease_counts_from_there() -> None:
    world = World.by(rule(**ORPHANS))
    world.start()
    alive(world, 600)
    world.now += 7_200
    world.restart()
    world.sweep()
    assert world.tick(895) == []
    assert world.keys_after(5) == ["lease"]


def test_a_session_that_is_heard_again_after_a_restart_keeps_its_tasks() -> None:
    world = World.by(rule(**ORPHANS))
    world.start()
    alive(world, 600)
    world.now += 7_200
    world.restart()
    world.sweep()
    world.tick(800)
    alive(world, 3_600)
    assert world.tick(600) == []


@pytest.mark.parametrize("restarts", [False, True])
def test_what_was_started_when_the_lease_had_lapsed_is_no_orphan_by_it(restarts: bool) -> None:
    """Somebody took the conversation up again, without the helper that renews leases."""
    world = World.by(rule(**ORPHANS))
    world.start()
    alive(world, 600)
    world.tick(900)
    world.tasks.clear()
    world.start("later")
    world.tick(100)
    if restarts:
        world.restart()
    assert world.tick(10_000, every=50) == []
    world.beat()
    assert world.tick(895) == [] and world.keys_after(10) == ["lease"]


def test_a_lease_that_the_session_asked_for_holds_without_a_rule() -> None:
    world = World.by(rule(on_session_end=CANCEL))
    world.start()
    world.sweep()
    world.beat(lease_s=60)
    assert world.tick(115) == []
    [reap] = world.tick(5)
    assert (reap.key, reap.rule, reap.policy) == (Key.LEASE, OWN_LEASE, "")
    assert reap.reason.endswith("(the session's own lease)")


@pytest.mark.parametrize(
    "rules",
    [
        (),
        (rule(run=100_000),),
        (rule(mode=Mode.OBSERVE, on_session_end=CANCEL, lease=60),),
        (rule(lease=0, on_session_end=CANCEL),),
    ],
)
def test_where_no_rule_says_what_an_end_means_a_lease_of_its_own_ends_nothing(
    rules: tuple[LifecycleRule, ...],
) -> None:
    world = World.by(*rules)
    world.start()
    world.sweep()
    world.beat(lease_s=60)
    world.tick(10_000, every=100)
    assert world.keys_after(100) == []


def test_a_lease_without_a_word_about_ends_cancels() -> None:
    world = World.by(rule(lease=60, grace=0))
    world.start()
    world.sweep()
    world.beat()
    assert world.keys_after(65) == ["lease"]


def test_a_lease_of_nothing_turns_leases_off() -> None:
    world = World.by(rule(lease=0))
    world.start()
    world.sweep()
    world.beat(lease_s=60)
    assert world.tick(10_000, every=100) == []


@pytest.mark.parametrize("action", list(OnEnd))
def test_a_session_that_is_gone_is_one_that_has_ended(action: OnEnd) -> None:
    world = World.by(rule(lease=60, grace=0, on_session_end=action))
    world.start()
    world.sweep()
    world.beat()
    [reap] = world.tick(65)
    assert (reap.key, reap.action) == (Key.LEASE, action)


def test_time_in_which_this_process_stood_still_is_nobodys_silence() -> None:
    world = World.by(rule("tidy", idle=600, grace=0))
    world.start()
    assert world.tick(595) == []
    world.ages.deaf(1000)
    assert world.tick(1000, every=1000) == []
    assert world.tick(5) == []
    assert [reap.key for reap in world.tick(5)] == [Key.IDLE]


def test_silence_alone_ends_what_a_rule_calls_idle() -> None:
    world = World.by(rule("tidy", idle=600, grace=0))
    world.start()
    assert world.tick(590) == []
    world.change(polls=1)
    world.tick(5)
    assert world.tick(595) == []
    [reap] = world.tick(5)
    assert (reap.key, reap.action) == (Key.IDLE, CANCEL)
    assert reap.evidence == "no sign of its session for 10 min, rule tidy allows 10m"


def test_an_end_that_was_said_comes_before_clocks_and_silence() -> None:
    world = World.by(rule(run=10, idle=10, on_session_end=TERMINATE, lease=10, grace=0))
    world.start()
    world.beat()
    world.sweep()
    world.end()
    world.now += 100
    [reap] = world.sweep()
    assert (reap.key, reap.action) == (Key.ON_SESSION_END, TERMINATE)


def test_every_key_there_is_can_end_a_task() -> None:
    """The table in the docstring of core/reap.py: nothing in it is a dead letter."""
    ended = set()
    for name in Key:
        value: Any = CANCEL if name.value.startswith("on_") else 10
        world = World.by(rule(**{name.value: value}), still=lambda *_: 10.0)
        world.start("a")
        world.child("t", "a")
        if name is Key.QUEUE:
            world.queue()
        if name is Key.WAITING:
            world.waits()
        if name is Key.LEASE:
            world.beat("a")
        world.sweep()
        if name is Key.ON_SESSION_END:
            world.end("a")
        if name is Key.ON_PARENT_CLOSE:
            world.close("a")
        ended |= {reap.key for reap in world.tick(400)}
    assert ended == set(Key) and ended > CLOCKS
