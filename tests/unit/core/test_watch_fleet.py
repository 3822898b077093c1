"""A whole fleet in simulated time: what it asks its server, and how soon it notices ends."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from subagent_sidecar.core.model import RunStatus, ThreadStatus
from subagent_sidecar.core.pace import Pace
from subagent_sidecar.core.watch import Schedule, Tempo
from subagent_sidecar.core.watched import Next, Watched
from subagent_sidecar.testing import FakeClock

TEMPO = Tempo()
MOST_WHILE_NOTHING_ENDS = 13
"""Looks half as fast again as steadily, and peeks; one more of each fits into some second."""


@dataclass
class Fleet:
    """`tasks` runs on one server that says at once what it is asked; `ends` are when runs end."""

    tasks: int
    batched: bool = True
    ends: dict[str, float] = field(default_factory=dict)
    requests: list[float] = field(default_factory=list)
    noticed: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(0)
        self.clock = FakeClock()
        self.pace = Pace(TEMPO.requests_per_s, burst=TEMPO.burst)
        self.schedule = Schedule(TEMPO, self.random.random)
        self.schedule.batched = self.batched
        for number in range(self.tasks):
            watched = self.schedule.adopt(f"t{number}", 0.0)
            watched.saw_run(f"r{number}", RunStatus.RUNNING, 0.0)

    def task(self, number: int) -> Watched:
        found = self.schedule.get(f"t{number}")
        assert found is not None
        return found

    def end(self, number: int, at: float) -> None:
        self.ends[f"t{number}"] = at

    def run(self, until: float) -> None:
        """Ask whatever is due, as fast as the pace allows."""
        while (at := max(self.schedule.next_at(), self.pace.free_at())) < until:
            self.clock.tick(max(0.0, at - self.clock.monotonic()))
            self._ask(self.clock.monotonic())
        self.clock.tick(max(0.0, until - self.clock.monotonic()))

    def _ask(self, now: float) -> None:
        batch = self.schedule.next_batch(now, lambda _: None)
        if batch and self.batched:
            self._request(now)
            for watched in batch:
                word = ThreadStatus.IDLE if self._over(watched.task_id, now) else ThreadStatus.BUSY
                assert self.schedule.glanced(watched, word, now) is not Next.DONE
            return
        if batch:
            self.schedule.looked(batch[0], now)
        found = batch[0] if batch else self.schedule.next_read(now)
        if found is not None:
            self._read(found, now, planned=not batch)

    def _read(self, watched: Watched, now: float, *, planned: bool) -> None:
        self._request(now)
        if self._over(watched.task_id, now):
            self.noticed[watched.task_id] = now
            self.schedule.drop(watched.task_id)
        elif planned:
            self.schedule.was_read(watched, now)

    def _request(self, now: float) -> None:
        self.pace.take(now)
        self.requests.append(now)

    def _over(self, task_id: str, now: float) -> bool:
        return self.ends.get(task_id, float("inf")) <= now

    def most_in_a_second(self) -> int:
        return max(Counter(int(at) for at in self.requests).values())

    def requests_per_s(self, since: float) -> float:
        later = [at for at in self.requests if at >= since]
        return len(later) / (self.clock.monotonic() - since)

    def delays(self) -> Sequence[float]:
        """How late each end was noticed. Fails if one was not."""
        return [self.noticed[task_id] - at for task_id, at in self.ends.items()]


def ended_one_by_one(fleet: Fleet, *, first: float, last: float) -> None:
    """Let every task end, at a time of its own."""
    for number in range(fleet.tasks):
        fleet.end(number, first + (last - first) * fleet.random.random())


def test_ten_thousand_tasks_at_work_cost_ten_requests_a_second() -> None:
    fleet = Fleet(10_000)
    fleet.run(300.0)
    assert fleet.requests_per_s(since=10.0) < 10.0
    assert fleet.most_in_a_second() <= MOST_WHILE_NOTHING_ENDS


def test_of_ten_thousand_tasks_every_end_is_noticed_within_ten_seconds() -> None:
    fleet = Fleet(10_000)
    ended_one_by_one(fleet, first=20.0, last=620.0)
    fleet.run(640.0)
    assert max(fleet.delays()) < 10.0
    assert fleet.most_in_a_second() <= 50


def test_of_ten_thousand_tasks_a_thousand_may_end_at_once() -> None:
    fleet = Fleet(10_000)
    for number in range(0, 10_000, 10):
        fleet.end(number, 30.0)
    fleet.run(70.0)
    assert max(fleet.delays()) < 30.0
    assert fleet.most_in_a_second() <= 50


@pytest.mark.parametrize("tasks", [1, 10, 100, 1_000])
def test_of_fewer_tasks_every_end_is_noticed_within_three_seconds(tasks: int) -> None:
    fleet = Fleet(tasks)
    ended_one_by_one(fleet, first=10.0, last=60.0)
    fleet.run(70.0)
    assert max(fleet.delays()) < 3.0


def test_a_hundred_tasks_share_one_request_in_each_round() -> None:
    fleet = Fleet(100)
    fleet.run(130.0)
    assert fleet.requests_per_s(since=30.0) < 1.5


@pytest.mark.parametrize("tasks", [100_000])
def test_whatever_the_number_of_tasks_the_rate_is_bounded(tasks: int) -> None:
    fleet = Fleet(tasks)
    fleet.run(30.0)
    assert fleet.most_in_a_second() <= 50


def test_a_server_that_cannot_search_is_asked_task_by_task_within_the_same_bound() -> None:
    fleet = Fleet(1_000, batched=False)
    ended_one_by_one(fleet, first=60.0, last=120.0)
    fleet.run(180.0)
    assert fleet.most_in_a_second() <= 50
    assert max(fleet.delays()) < 1_000 / 50 + 10.0


def test_after_an_outage_everything_is_looked_at_anew_without_a_burst() -> None:
    fleet = Fleet(10_000)
    fleet.run(30.0)
    fleet.clock.tick(300.0)  # everything is overdue
    fleet.end(17, 100.0)
    fleet.run(350.0)
    assert fleet.most_in_a_second() <= MOST_WHILE_NOTHING_ENDS
    assert fleet.noticed["t17"] < 340.0


def test_planning_anew_leaves_nothing_behind() -> None:
    fleet = Fleet(100)
    for number in range(10_000):
        fleet.schedule.soon(fleet.task(number % 100), number / 1_000)
    fleet.run(60.0)
    assert fleet.schedule.queued < 1_000
