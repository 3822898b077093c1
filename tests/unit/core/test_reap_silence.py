"""What ends because nobody is heard of: leases and silence; and what comes before what."""

from typing import Any

import pytest
from tests.support.reaping import World, rule

from subagent_sidecar.core.candidates import CLOCKS, Key
from subagent_sidecar.core.policy import LifecycleRule, Mode, OnEnd
from subagent_sidecar.core.reap import OWN_LEASE

CANCEL, ABANDON, TERMINATE = OnEnd.REQUEST_CANCEL, OnEnd.ABANDON, OnEnd.TERMINATE
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
