"""What is read back from the record: its order in time, and how it travels."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from tests.support.books import at
from tests.support.past import refused, started

from subagent_sidecar.core.decisions import Decision
from subagent_sidecar.core.matching import Call, Scope
from subagent_sidecar.core.past import (
    PastStart,
    in_order_of_time,
    left_at,
    moment,
    surely_before,
)
from subagent_sidecar.core.past_words import (
    check_words,
    decision_words,
    read_decision,
    read_start,
    start_words,
)
from subagent_sidecar.core.policy import Mode
from subagent_sidecar.core.verdict import Check


def ordered(starts: Sequence[PastStart], decisions: Sequence[Decision] = ()) -> list[str]:
    found = in_order_of_time(starts, decisions)
    return [past.run_id if isinstance(past, PastStart) else past.intent_id for past in found]


def test_follow_ups_stand_where_they_were_asked_for() -> None:
    first = started(1, "a", run_id="a1")
    later = started(5, "a", run_id="a2", task_at=at(1), update=True)
    assert ordered([first, later, started(3, "b"), started(6, "c")]) == ["a1", "b-r", "a2", "c-r"]


def test_refusals_stand_between_the_starts() -> None:
    starts = [started(1, "a"), started(3, "b")]
    assert ordered(starts, [refused(2, "i1"), refused(4, "i2")]) == ["a-r", "i1", "b-r", "i2"]


def test_refusals_that_were_written_down_a_little_late_are_put_in_order() -> None:
    assert ordered([], [refused(30, "i1"), refused(2, "i2"), refused(99, "i3")]) == [
        "i2",
        "i1",
        "i3",
    ]


def test_whatever_the_record_it_comes_in_order() -> None:
    dice = Random(7)
    starts = []
    for number in range(200):
        second = number + dice.random()
        for run in range(dice.randint(1, 3)):
            when = second + run * dice.randint(0, 40)
            starts.append(started(when, f"t{number}", run_id=f"{number}.{run}", task_at=at(second)))
    starts.sort(key=lambda start: start.position)
    found = list(in_order_of_time(starts, [refused(n, f"i{n}") for n in range(0, 200, 7)]))
    assert found == sorted(found, key=moment)
    assert len(found) == len(starts) + 29


def test_little_of_the_record_is_held_back() -> None:
    taken = 0

    def counted() -> Iterator[PastStart]:
        nonlocal taken
        while True:
            taken += 1
            yield started(taken, f"t{taken}")

    first = next(in_order_of_time(counted(), ()))
    assert first == started(1, "t1")
    assert taken == 2


@pytest.mark.parametrize(
    ("ended", "newest", "task_ended", "expected"),
    [
        (None, True, None, None),
        (None, False, 9, None),
        (5, True, 5, 5),
        (5, True, 9, 9),
        (5, True, None, None),
        (5, True, 3, 5),
        (5, False, None, 5),
        (5, False, 9, 5),
    ],
)
def test_the_newest_run_holds_its_task_to_the_end(
    ended: float | None, newest: bool, task_ended: float | None, expected: float | None
) -> None:
    def when(second: float | None) -> str | None:
        return None if second is None else at(second)

    found = left_at(ended_at=when(ended), newest=newest, task_ended_at=when(task_ended))
    assert found == when(expected)


def test_a_start_as_it_was_asked_for_has_no_task_and_no_tree_yet() -> None:
    assert started(1, "a").asked == Call(
        agent="coder", upstream="up", supervisor="ann", session="s"
    )
    child = started(1, "a", parent="p", tree="root").asked
    assert (child.task_id, child.tree_id) == (None, "root")
    update = started(1, "a", update=True)
    assert update.asked == update.call


@pytest.mark.parametrize(
    "start",
    [
        started(1, "a"),
        started(1, "a", parent="p", tree="root", fingerprint="f", until=5, usd=1.25, unpriced=2),
        started(1, "a", update=True, request_id=None, at_large=True),
    ],
)
def test_a_start_travels_whole(start: PastStart) -> None:
    assert read_start(json.loads(json.dumps(start_words(start)))) == start


def asked(what: str, *, current: int, limit: int, **facts: Any) -> Check:
    return Check(
        rule="r",
        policy="p",
        mode=Mode.ENFORCE,
        what=what,
        limit=limit,
        current=current,
        denies=True,
        **facts,
    )


def test_a_decision_travels_with_all_that_was_asked() -> None:
    within = {"scope": Scope.SESSION, "scope_id": "s", "window": timedelta(minutes=5)}
    decision = replace(
        refused(1, "i", "t", fingerprint="f", wakes=True, update=True, seq=7),
        checks=(
            asked("concurrent", current=2, limit=3),
            asked("micro_usd", current=1_950_000, limit=2_000_000, wants=100_000, **within),
            asked("run_time", current=1_500_000, limit=60_000_001, wants=1, **within),
            asked("deny", current=0, limit=0, wants=0),
        ),
    )
    assert read_decision(json.loads(json.dumps(decision_words(decision)))) == decision


@pytest.mark.parametrize("key", ["agent", "run_id", "at"])
def test_what_lacks_something_is_no_start(key: str) -> None:
    words = start_words(started(1, "a"))
    del words[key]
    with pytest.raises(KeyError):
        read_start(words)


@pytest.mark.parametrize(
    ("what", "current", "limit", "expected"),
    [
        ("concurrent", 2, 3, (2, 3)),
        ("micro_usd", 1_950_000, 2_000_000, ("1.950000", "2.000000")),
        ("run_time", 1_500_000, 60_000_000, (1.5, 60.0)),
        ("deny", 0, 0, (None, None)),
        ("frozen", 0, 0, (None, None)),
    ],
)
def test_numbers_are_in_the_units_of_a_refusal(
    what: str, current: int, limit: int, expected: tuple[object, object]
) -> None:
    within = {"scope": Scope.SESSION, "scope_id": "s", "window": timedelta(minutes=5)}
    words = check_words(asked(what, current=current, limit=limit, **within))
    assert (words["current"], words["limit"]) == expected
    assert (words["scope"], words["window"]) == ("session", "5m")


@pytest.mark.parametrize("asked", ["0001-01-01T00:00:00.000000Z", "0001-01-01T00:00:30.000000Z"])
def test_who_asks_since_the_beginning_of_time_asks_for_all(asked: str) -> None:
    assert surely_before(asked) == "0001-01-01T00:00:00.000000Z"
    assert surely_before("0001-01-01T00:03:00.000000Z") == "0001-01-01T00:02:00.000000Z"
