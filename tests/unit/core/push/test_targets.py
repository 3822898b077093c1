"""Which ends are told to whom."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.support.books import at

from subagent_sidecar.core.matching import Glob
from subagent_sidecar.core.model import Event, Task, TaskStatus, ThreadStatus
from subagent_sidecar.core.push.targets import (
    STATUSES,
    Target,
    is_ripe,
    is_told,
    turned_out_waiting,
)

TASK = Task(
    task_id="t",
    upstream="up",
    agent_name="researcher",
    status=TaskStatus.SUCCESS,
    session_id="s1",
    supervisor="ann",
    created_at=at(0),
    last_updated_at=at(5),
    run_id="r1",
)
SUCCESS = Event(at=at(5), kind="ended", task_id="t", run_id="r1", status="success")
NOW = datetime.fromisoformat(at(6))


@pytest.mark.parametrize(
    ("target", "wants"),
    [
        (Target(name="x"), True),
        (Target(name="x", agents=(Glob("re*"),)), True),
        (Target(name="x", agents=(Glob("coder"), Glob("writer"))), False),
        (Target(name="x", sessions=(Glob("s1"),), supervisors=(Glob("ann"),)), True),
        (Target(name="x", sessions=(Glob("s1"),), supervisors=(Glob("bob"),)), False),
        (Target(name="x", sessions=(Glob("s2"),)), False),
        (Target(name="x", statuses=frozenset({"error"})), False),
    ],
)
def test_all_filters_have_to_fit(target: Target, wants: bool) -> None:
    assert target.wants(TASK, "success") is wants


def test_ends_and_questions_are_told_and_nothing_else() -> None:
    assert all(is_told(replace(SUCCESS, status=status)) for status in STATUSES[:4])
    moved = replace(SUCCESS, kind="status")
    assert [is_told(replace(moved, status=s)) for s in ("waiting", "running")] == [True, False]
    assert not is_told(replace(SUCCESS, kind="run_status"))


def test_a_success_waits_a_moment_until_its_thread_was_seen() -> None:
    assert not is_ripe(SUCCESS, TASK, NOW)
    assert is_ripe(SUCCESS, replace(TASK, thread_status=ThreadStatus.IDLE), NOW)
    assert is_ripe(SUCCESS, TASK, NOW + timedelta(seconds=5))
    assert is_ripe(SUCCESS, TASK, NOW - timedelta(hours=1))  # the clock was set back
    assert is_ripe(replace(SUCCESS, status="error"), TASK, NOW)
    assert is_ripe(replace(SUCCESS, run_id="r0"), TASK, NOW)


def test_a_success_that_was_a_question_is_no_end() -> None:
    waiting = replace(TASK, status=TaskStatus.WAITING)
    assert turned_out_waiting(SUCCESS, waiting)
    assert not turned_out_waiting(SUCCESS, TASK)
    assert not turned_out_waiting(replace(SUCCESS, run_id="r0"), waiting)
    assert not turned_out_waiting(replace(SUCCESS, kind="status", status="waiting"), waiting)
