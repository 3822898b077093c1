"""Leases: whose word counts, and what silence proves (core.sessions)."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.support.books import at

from subagent_sidecar.core.matching import Comparison as Is
from subagent_sidecar.core.matching import Depth, Glob, Match
from subagent_sidecar.core.model import EndedBy
from subagent_sidecar.core.policy import Lifecycle, LifecycleRule, Mode, OnEnd, Policy
from subagent_sidecar.core.sessions import (
    LeaseState,
    Session,
    heartbeat_every,
    lease_length,
    lease_of,
    lease_state,
    on_end,
    terms,
)

MINUTE = timedelta(minutes=1)
SILENT = Session(session_id="s", supervisor="ann")


def session(**facts: Any) -> Session:
    usual = {"session_id": "s", "supervisor": "ann", "first_beat_at": at(0), "last_beat_at": at(0)}
    return Session(**{**usual, **facts})


def settings(**minutes: float) -> Lifecycle:
    spans: dict[str, Any] = {key: value * MINUTE for key, value in minutes.items()}
    return Lifecycle(**spans)


@pytest.mark.parametrize(
    ("asked_s", "policy", "minutes"),
    [
        (None, {}, None),
        (None, {"lease": 5}, 5),
        (120, {}, 2),
        (120, {"lease": 5}, 2),
        (1200, {"lease": 5}, 5),  # nobody gets more than the operator gives
        (120, {"lease": 0}, None),
        (None, {"lease": 0}, None),
    ],
)
def test_a_lease_is_as_long_as_asked_for_but_never_longer_than_the_policy_says(
    asked_s: int | None, policy: dict[str, float], minutes: float | None
) -> None:
    found = lease_length(asked_s, settings(**policy))
    assert found == (None if minutes is None else minutes * MINUTE)


@pytest.mark.parametrize(
    ("minute", "state"),
    [
        (0, LeaseState.HELD),
        (4.99, LeaseState.HELD),
        (5, LeaseState.EXPIRED),
        (6.99, LeaseState.EXPIRED),
        (7, LeaseState.LAPSED),
        (-60, LeaseState.HELD),  # the clock was set back
    ],
)
def test_a_lease_is_held_then_expired_then_lapsed(minute: float, state: LeaseState) -> None:
    now = datetime.fromisoformat(at(0)) + minute * MINUTE
    assert lease_state(session(), settings(lease=5, grace=2), now) is state


@pytest.mark.parametrize(
    "silent",
    [
        None,
        SILENT,
        session(ended_at=at(5), ended_by=EndedBy.SUPERVISOR),
    ],
)
def test_without_a_lease_that_was_renewed_silence_proves_nothing(silent: Session | None) -> None:
    assert lease_of(silent, settings(lease=5)) is None


def test_an_ended_session_is_ended_whatever_its_lease() -> None:
    ended = session(ended_at=at(5), ended_by=EndedBy.SUPERVISOR)
    now = datetime.fromisoformat(at(6))
    assert lease_state(ended, settings(lease=5), now) is LeaseState.ENDED
    assert lease_state(SILENT, settings(lease=5), now) is LeaseState.NONE
    assert lease_state(None, settings(lease=5), now) is LeaseState.NONE


def test_a_session_that_is_open_again_has_a_lease_again() -> None:
    again = session(ended_at=at(5), reopened_at=at(6), last_beat_at=at(6))
    lease = lease_of(again, settings(lease=5))
    assert lease is not None
    assert lease.renewed_at == datetime.fromisoformat(at(6))
    assert again.ended_after(at(5)) and not again.ended_after(at(5.5))


@pytest.mark.parametrize(
    ("given", "grace"),
    [({"lease": 2}, 2), ({"lease": 60}, 5), ({"lease": 60, "grace": 0}, 0)],
)
def test_grace_has_a_default_that_is_no_longer_than_the_lease(
    given: dict[str, float], grace: float
) -> None:
    lease = lease_of(session(), settings(**given))
    assert lease is not None and lease.grace == grace * MINUTE


@pytest.mark.parametrize(("minute", "covered"), [(-60, True), (6.9, True), (7, False), (60, False)])
def test_a_lease_that_had_lapsed_says_nothing_of_what_was_started_then(
    minute: float, covered: bool
) -> None:
    lease = lease_of(session(), settings(lease=5, grace=2))
    assert lease is not None and lease.covers(at(minute * 60)) is covered


def rule(name: str, match: Match, mode: Mode = Mode.ENFORCE, **minutes: float) -> LifecycleRule:
    return LifecycleRule(
        name=name, policy="p", mode=mode, match=match, settings=settings(**minutes)
    )


CODER = Match(agent=(Glob("coder"),))
DEEP = Match(depth=Depth(Is.AT_LEAST, 1))


@pytest.mark.parametrize(
    ("rules", "minutes"),
    [
        ([], None),
        ([rule("a", Match(), lease=5)], 5),
        ([rule("a", Match(), lease=5), rule("b", Match(), lease=9)], 9),  # the last word holds
        ([rule("a", CODER, lease=4), rule("b", Match(), lease=9)], 4),
        ([rule("a", Match(), lease=5), rule("b", CODER, lease=3)], 3),
        ([rule("a", Match(), lease=5), rule("b", DEEP, lease=2)], 2),
        ([rule("a", Match(), lease=5), rule("b", CODER, lease=30)], 5),
        ([rule("a", Match(), lease=5), rule("b", CODER, lease=0)], 5),
        ([rule("a", Match(), lease=0), rule("b", CODER, lease=3)], 3),
        ([rule("a", Match(), lease=0)], 0),
        ([rule("a", Match(), Mode.OBSERVE, lease=5)], None),
        ([rule("a", Match(supervisor=(Glob("bob"),)), lease=5)], None),
        ([rule("a", Match(session=(Glob("s*"),)), lease=5)], 5),
        ([rule("a", Match(agent=(Glob("coder"),), session=(Glob("t"),)), lease=5)], None),
    ],
)
def test_a_session_goes_by_the_strictest_lease_that_may_hold_for_a_task_of_its(
    rules: list[LifecycleRule], minutes: float | None
) -> None:
    found = terms(Policy(lifecycle=tuple(rules)), "ann", "s")
    assert found.lease == (None if minutes is None else minutes * MINUTE)


@pytest.mark.parametrize(
    ("given", "length", "seconds"),
    [
        ({}, None, 60),
        ({"heartbeat": 2}, None, 120),
        ({}, 30 * MINUTE, 60),
        ({}, 0.5 * MINUTE, 10),
        ({"heartbeat": 0.1}, 5 * MINUTE, 6),
    ],
)
def test_two_heartbeats_may_be_lost(
    given: dict[str, float], length: timedelta | None, seconds: float
) -> None:
    assert heartbeat_every(settings(**given), length) == timedelta(seconds=seconds)


def test_where_no_rule_says_so_an_end_leaves_tasks_alone() -> None:
    assert on_end(Lifecycle()) is OnEnd.ABANDON
    assert on_end(Lifecycle(on_session_end=OnEnd.TERMINATE)) is OnEnd.TERMINATE
