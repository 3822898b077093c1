"""Ages while the wall clock is set. failures.md row 10, in the small."""

import pytest
from tests.support.reaping import World, rule

from subagent_sidecar.core.model import TaskStatus
from subagent_sidecar.core.policy import OnEnd
from subagent_sidecar.core.signs import Glimpse, Signs

CANCEL = OnEnd.REQUEST_CANCEL
HOUR = 3_600.0
JUMPS = [HOUR, -HOUR, -2 * HOUR, 30 * 24 * HOUR]


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("key", ["queue", "run", "total", "waiting"])
def test_a_clock_that_is_set_moves_no_deadline(jump: float, key: str) -> None:
    world = World.by(rule(**{key: 600}))
    world.sweep()
    if key == "queue":
        world.queue()
    else:
        world.start()
    if key == "waiting":
        world.waits()
    world.tick(300)
    world.jump(jump)
    assert world.tick(295) == []
    assert world.keys_after(5) == [key]


@pytest.mark.parametrize("jump", JUMPS)
def test_what_came_to_be_around_the_jump_is_off_by_one_sweep_at_most(jump: float) -> None:
    world = World.by(rule(run=600))
    world.tick(10)
    world.now += 1
    world.start()
    world.now += 1
    world.jump(jump)
    world.now += 3
    world.sweep()
    assert world.tick(590) == []
    assert world.keys_after(10) == ["run"]


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("here", [False, True])
def test_a_lease_is_renewed_whatever_the_clock_says(jump: float, here: bool) -> None:
    """Set back, the record's time of the last heartbeat stands still for an hour."""
    world = World.by(rule(lease=60, grace=30, on_session_end=CANCEL))
    world.start()
    for second in range(0, 1_000, 20):
        if second == 500:
            world.jump(jump)
        world.beat(here=here)
        assert world.tick(20) == []
    assert world.tick(65) == []
    assert world.keys_after(10) == ["lease"]


@pytest.mark.parametrize("jump", JUMPS)
def test_a_session_in_which_something_is_started_after_its_end_and_the_jump(jump: float) -> None:
    world = World.by(rule(on_session_end=CANCEL))
    world.start("before")
    world.tick(10)
    world.end()
    world.jump(jump)
    world.tick(5)
    world.start("after")
    assert {reap.task_id for reap in world.tick(100)} == {"before"}


@pytest.mark.parametrize("jump", JUMPS)
def test_a_session_that_ended_while_nothing_of_it_was_live(jump: float) -> None:
    """No sweep looks at it then; the end was told all the same."""
    world = World.by(rule(on_session_end=CANCEL))
    world.start("elsewhere", session="s2")
    world.tick(10)
    world.end()
    world.ages.session_ended(("ann", "s"))
    world.jump(jump)
    world.tick(10)
    world.start("after")
    assert world.tick(100) == []


@pytest.mark.parametrize("jump", JUMPS)
def test_a_parent_that_ended_and_a_child_that_came_later(jump: float) -> None:
    world = World.by(rule(on_parent_close=CANCEL))
    world.start("a")
    world.tick(10)
    depth = {"parent_task_id": "a", "depth": 1}
    world.close("a")
    ended = {"parent_end": TaskStatus.SUCCESS, "parent_ended_at": world.at()}
    world.tick(10)
    world.jump(jump)
    world.tick(10)
    world.start("after", session="a", **depth, **ended)
    assert world.tick(100) == []


def test_an_old_task_that_goes_on_after_a_jump_is_not_taken_for_older() -> None:
    world = World.by(rule(total=4_000))
    world.start()
    world.now += 100
    old = world.tasks.pop("t")
    world.sweep()
    world.jump(HOUR)
    world.tick(100)
    world.tasks["t"] = old
    world.follow_up()
    assert world.tick(3_795, every=50) == []
    assert world.keys_after(5) == ["total"]


def test_a_sweep_that_comes_late_takes_nothing_for_younger_than_it_is() -> None:
    world = World.by(rule(run=600))
    world.sweep()
    world.start()
    world.now += 700
    assert [reap.key.value for reap in world.sweep()] == ["run"]


# Signs


def signs(first: str | None = "c1", run_id: str | None = "r") -> Signs:
    seen = Signs()
    seen.looked("t", Glimpse(first, run_id), first_run=False, now=0.0)
    return seen


def look(seen: Signs, now: float, checkpoint: str | None = "c1", run_id: str | None = "r") -> float:
    seen.looked("t", Glimpse(checkpoint, run_id), first_run=False, now=now)
    return seen.still_for("t", "r", 0.0)


def test_a_run_is_still_from_its_last_change_to_the_last_look() -> None:
    seen = signs()
    assert look(seen, 100.0) == 100.0
    assert seen.still_for("t", "r", 0.0) == 100.0  # however much later it is
    assert look(seen, 110.0, "c2") == 0.0
    assert look(seen, 150.0, "c2") == 40.0


def test_what_a_run_did_before_it_was_at_work_plays_no_part() -> None:
    assert look(seen := signs(), 100.0) == 100.0
    assert seen.still_for("t", "r", 30.0) == 70.0
    assert seen.still_for("t", "r", 200.0) == 0.0


def test_a_run_nobody_looked_at_is_not_still() -> None:
    assert Signs().still_for("t", "r", 0.0) == 0.0


@pytest.mark.parametrize("shows", [(None, None), ("c0", "earlier"), ("c0", None)])
def test_a_run_that_has_shown_no_checkpoint_of_its_own_is_not_still(
    shows: tuple[str | None, str | None],
) -> None:
    seen = signs(*shows)
    assert look(seen, 1_000.0, *shows) == 0.0


def test_where_the_server_does_not_say_whose_a_checkpoint_is_a_first_run_is_its_own() -> None:
    seen = Signs()
    for now in (0.0, 60.0):
        seen.looked("t", Glimpse("c", None), first_run=True, now=now)
    assert seen.still_for("t", "r", 0.0) == 60.0


def test_new_usage_and_what_streams_carry_are_changes() -> None:
    seen = signs()
    seen.changed("t", 50.0)
    assert look(seen, 60.0) == 10.0
    seen.streamed("t", b"event: values\r\n")
    seen.streamed("unknown", b"event: values\r\n")
    seen.take_in(70.0)
    assert look(seen, 75.0) == 5.0


@pytest.mark.parametrize("piece", [b": heartbeat\r\n\r\n", b"\n", b"\r\n", b""])
def test_what_only_keeps_a_stream_open_is_none(piece: bytes) -> None:
    seen = signs()
    seen.streamed("t", piece)
    seen.take_in(70.0)
    assert look(seen, 75.0) == 75.0


def test_signs_of_what_is_over_are_forgotten() -> None:
    seen = Signs()
    for number in range(3_000):
        seen.looked(f"t{number}", Glimpse("c", "r"), first_run=True, now=float(number))
    seen.looked("t0", Glimpse("c", "r"), first_run=True, now=9_999.0)
    seen.take_in(10_000.0, live=10)
    assert seen.still_for("t0", "r", 0.0) > 0 and len(seen._signs) == 10


def test_signs_are_kept_of_so_many_tasks() -> None:
    seen = Signs(limit=2)
    for number in range(3):
        for now in (0.0, 10.0):
            seen.looked(f"t{number}", Glimpse("c", "r"), first_run=True, now=now)
    assert [seen.still_for(f"t{number}", "r", 0.0) for number in range(3)] == [0.0, 10.0, 10.0]
