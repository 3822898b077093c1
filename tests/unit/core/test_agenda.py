"""When which thread is read."""

import pytest

from subagent_sidecar.core.agenda import Agenda

INTERVAL, SETTLE = 15.0, 0.25


def agenda(interval_s: float = INTERVAL, *, limit: int = 100, tries: int = 3) -> Agenda:
    return Agenda(
        interval_s=interval_s, settle_s=SETTLE, jitter=lambda: 1.0, limit=limit, tries=tries
    )


def test_with_nothing_on_it_there_is_nothing_to_wait_for() -> None:
    found = agenda()
    assert found.next(0) is None and found.wait(0) is None


def test_a_thread_at_work_is_read_every_interval() -> None:
    found = agenda()
    found.working("t", 0)
    assert found.next(14.9) is None and found.wait(5) == 10
    assert found.next(15) == "t"
    found.read("t", 15, 15.2)
    assert found.next(30) is None and found.next(30.2) == "t"


def test_hearing_of_it_again_does_not_put_it_off() -> None:
    found = agenda()
    found.working("t", 0)
    found.working("t", 10)
    assert found.next(15) == "t"


def test_first_reads_and_later_ones_take_turns_as_they_are_due() -> None:
    found = agenda()
    found.working("old", 0)
    found.read("old", 15, 16)  # due again at 31
    found.working("new", 15.5)
    found.working("newer", 18)
    order = []
    for now in (30.4, 30.5, 31, 33, 45):
        if (thread_id := found.next(now)) is not None:
            order.append((now, thread_id))
            found.read(thread_id, now, now)
    assert order == [(30.5, "new"), (31, "old"), (33, "newer")]
    assert found.wait(45) == 0.5 and len(found) == 3


def test_a_thread_that_ends_before_its_first_read_is_read_for_its_end_alone() -> None:
    found = agenda()
    for thread_id in ("a", "b", "c"):
        found.working(thread_id, 0)
    found.ended("a", 1)
    found.read("a", 2, 2)
    found.forget("b")
    assert len(found) == 1
    assert found.next(14) is None and found.next(15) == "c"


def test_an_ended_thread_is_read_once_it_has_settled_and_no_more() -> None:
    found = agenda()
    found.working("t", 0)
    found.ended("t", 1)
    assert found.next(1) is None and found.next(1.25) == "t"
    found.read("t", 1.25, 1.3)
    assert found.wait(1.3) is None and len(found) == 0


def test_a_run_that_ends_while_an_earlier_end_is_read_is_read_too() -> None:
    found = agenda()
    found.ended("t", 0)
    assert found.next(1) == "t"
    found.ended("t", 1.1)
    found.read("t", 1, 1.2)
    assert found.next(1.4) == "t"


def test_the_ended_come_before_those_at_work() -> None:
    found = agenda()
    found.working("busy", 0)
    found.ended("over", 20)
    assert found.next(20) == "busy" and found.next(20.25) == "over"


def test_with_more_at_work_than_can_be_read_all_have_their_turn() -> None:
    found = agenda()
    for number in range(50):
        found.working(f"t{number}", number / 100)
    read = []
    for turn in range(100):  # one a second: 50 s for a round instead of 15
        now = 20.0 + turn
        thread_id = found.next(now)
        assert thread_id is not None
        read.append(thread_id)
        found.read(thread_id, now, now)
    assert read[:50] == read[50:] and len(set(read)) == 50


def test_without_an_interval_only_ends_are_read() -> None:
    found = agenda(0.0)
    found.working("t", 0)
    assert found.wait(0) is None
    found.ended("t", 0)
    assert found.next(1) == "t"


def test_a_refusal_is_tried_again_later_and_later_and_then_no_more() -> None:
    found = agenda(tries=3)
    found.ended("t", 0)
    assert found.next(1) == "t"
    assert found.refused("t", 1, 1)
    assert found.next(1.9) is None and found.next(2) == "t"
    assert found.refused("t", 2, 2)
    assert found.next(3.9) is None and found.next(4) == "t"
    assert not found.refused("t", 4, 4)
    assert found.wait(4) is None


def test_a_refusal_while_at_work_waits_for_the_next_turn() -> None:
    found = agenda(tries=1)
    found.working("t", 0)
    assert found.refused("t", 15, 15)
    assert found.next(29) is None and found.next(30) == "t"


def test_a_server_that_does_not_answer_is_left_alone_for_longer_and_longer() -> None:
    found = agenda()
    found.ended("a", 0)
    found.ended("b", 0.1)
    now, asked, pauses, news = 1.0, [], [], []
    for _ in range(9):
        thread_id = found.next(now)
        assert thread_id is not None
        asked.append(thread_id)
        news.append(found.unreachable(thread_id, now, now))
        assert found.next(now) is None
        wait = found.wait(now)
        assert wait is not None
        pauses.append(wait)
        now += wait
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert asked[:4] == ["a", "b", "a", "b"], "one bad thread does not keep the others waiting"
    assert news == [True] + [False] * 8


def test_an_outage_uses_up_no_tries_and_an_answer_ends_it() -> None:
    found = agenda(tries=2)
    found.ended("t", 0)
    now = 1.0
    for _ in range(5):
        found.unreachable("t", now, now)
        now += found.wait(now) or 0
    assert found.refused("t", now, now)
    assert found.wait(now) == 1, "the pause is over"
    assert found.unreachable("t", now + 1, now + 1), "and the next outage is news again"


def test_what_is_forgotten_is_not_read() -> None:
    found = agenda()
    found.working("a", 0)
    found.ended("b", 0)
    found.forget("a")
    found.forget("b")
    found.forget("never heard of")
    assert found.next(100) is None and found.wait(100) is None


@pytest.mark.parametrize("kind", ["working", "ended"])
def test_it_takes_up_only_so_many(kind: str) -> None:
    found = agenda(limit=3)
    taken = [getattr(found, kind)(f"t{number}", 0) for number in range(5)]
    assert len(found) == 3
    if kind == "ended":
        assert taken == [True] * 3 + [False] * 2
        assert found.ended("t0", 1), "one it knows"
