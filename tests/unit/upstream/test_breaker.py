"""Row 1: the breaker, walked through its states."""

import pytest

from subagent_sidecar.upstream.breaker import Breaker, BreakerState


class Walk:
    """A breaker and its clock."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.breaker = Breaker(threshold=5, pause=1.0, longest_pause=15.0, now=lambda: self.time)

    def state(self) -> BreakerState:
        return self.breaker.state

    def enter(self) -> int:
        attempt = self.breaker.enter()
        assert attempt is not None
        return attempt

    def fail(self, times: int = 1) -> None:
        for _ in range(times):
            self.breaker.failed(self.enter(), "refused")


@pytest.fixture
def walk() -> Walk:
    return Walk()


def test_four_failures_leave_it_closed_and_the_fifth_opens_it(walk: Walk) -> None:
    walk.fail(4)
    assert walk.state() is BreakerState.CLOSED
    walk.fail()
    assert walk.state() is BreakerState.OPEN
    assert walk.breaker.enter() is None


def test_only_failures_in_a_row_count(walk: Walk) -> None:
    walk.fail(4)
    walk.breaker.succeeded()
    walk.fail(4)
    assert walk.state() is BreakerState.CLOSED


def test_it_tells_how_long_it_has_been_and_how_long_it_will_be(walk: Walk) -> None:
    walk.fail()
    walk.time += 7
    walk.fail(4)
    walk.time += 0.25
    assert walk.breaker.failing_for_s == 7.25
    assert walk.breaker.retry_after_s == 0.75
    assert walk.breaker.why == "refused"


def test_after_the_pause_exactly_one_attempt_is_let_through(walk: Walk) -> None:
    walk.fail(5)
    walk.time += 0.999
    assert walk.breaker.enter() is None
    walk.time += 0.001
    assert walk.state() is BreakerState.HALF_OPEN
    walk.enter()
    assert walk.state() is BreakerState.HALF_OPEN
    assert walk.breaker.enter() is None
    assert walk.breaker.retry_after_s == 1.0


def test_each_failed_probe_doubles_the_pause_up_to_the_longest(walk: Walk) -> None:
    walk.fail(5)
    pauses = []
    for _ in range(7):
        pauses.append(walk.breaker.retry_after_s)
        walk.time += walk.breaker.retry_after_s
        walk.fail()
    assert pauses == [1, 2, 4, 8, 15, 15, 15]


def test_success_resets_the_pause(walk: Walk) -> None:
    walk.fail(5)
    for _ in range(3):
        walk.time += walk.breaker.retry_after_s
        walk.fail()
    walk.time += walk.breaker.retry_after_s
    walk.enter()
    walk.breaker.succeeded()
    assert walk.state() is BreakerState.CLOSED
    walk.fail(5)
    assert walk.breaker.retry_after_s == 1.0


def test_failures_begun_before_it_opened_change_nothing_any_more(walk: Walk) -> None:
    early = [walk.enter() for _ in range(20)]
    for attempt in early[:15]:
        walk.breaker.failed(attempt, "refused")
    assert walk.breaker.retry_after_s == 1.0
    walk.time += 1.0
    walk.enter()
    for attempt in early[15:]:
        walk.breaker.failed(attempt, "refused")
    assert walk.breaker.enter() is None  # the probe is still on its way


def test_a_success_begun_before_it_opened_closes_it(walk: Walk) -> None:
    walk.enter()
    walk.fail(5)
    walk.breaker.succeeded()
    assert walk.state() is BreakerState.CLOSED


def test_an_abandoned_probe_lets_the_next_one_through(walk: Walk) -> None:
    walk.fail(5)
    walk.time += 1.0
    walk.breaker.abandoned(walk.enter())
    walk.enter()
    assert walk.breaker.enter() is None


def test_abandoning_anything_but_the_probe_changes_nothing(walk: Walk) -> None:
    early = walk.enter()
    walk.fail(5)
    walk.time += 1.0
    walk.enter()
    walk.breaker.abandoned(early)
    assert walk.breaker.enter() is None
