"""What ends because a session or a parent has ended, and what falls with it."""

import pytest
from tests.support.reaping import World, rule

from subagent_sidecar.core.candidates import Key
from subagent_sidecar.core.matching import Glob, Match
from subagent_sidecar.core.model import TaskStatus
from subagent_sidecar.core.policy import Mode, OnEnd
from subagent_sidecar.core.reap_plan import waves

CANCEL, ABANDON, TERMINATE = OnEnd.REQUEST_CANCEL, OnEnd.ABANDON, OnEnd.TERMINATE


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
