"""What ends for its age: every clock, and rules that only observe."""

from collections.abc import Callable

import pytest
from tests.support.reaping import World, rule

from subagent_sidecar.core.explain import CLOCK
from subagent_sidecar.core.matching import Glob, Match
from subagent_sidecar.core.model import RunStatus, TaskStatus
from subagent_sidecar.core.policy import Mode, OnEnd

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
