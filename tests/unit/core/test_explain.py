"""Which ends are explained to the supervisor's model, and how."""

from dataclasses import replace

import pytest

from subagent_sidecar.core.explain import CLOCK, Explanation, explanation
from subagent_sidecar.core.lifecycle import has_ended
from subagent_sidecar.core.model import EndedBy, Run, RunStatus, Task, TaskRecord, TaskStatus

AT = "2026-01-01T00:00:00.000000Z"
RUN = Run(
    run_id="r1",
    task_id="t",
    kind="start",
    status=RunStatus.INTERRUPTED,
    created_at=AT,
    ended_at=AT,
    cancel_asked_at=AT,
    cancel_asked_by=EndedBy.BUDGET,
    cancel_reason="the budget is spent",
)
TASK = Task(
    task_id="t",
    upstream="up",
    agent_name="a",
    status=TaskStatus.CANCELLED,
    session_id="s",
    supervisor="ann",
    created_at=AT,
    last_updated_at=AT,
)


def told(run: Run, run_id: str = "r1") -> Explanation | None:
    return explanation(TaskRecord(task=TASK, runs=(run,), short_id="t"), run_id)


@pytest.mark.parametrize("by", EndedBy)
def test_ends_of_ours_are_explained_in_the_words_of_their_reason(by: EndedBy) -> None:
    expected = Explanation("error", "the budget is spent")
    ours = by in (EndedBy.OPERATOR, EndedBy.REAPER, EndedBy.BUDGET)
    assert told(replace(RUN, cancel_asked_by=by)) == (expected if ours else None)


@pytest.mark.parametrize("status", RunStatus)
def test_only_a_run_that_was_cancelled_is_explained(status: RunStatus) -> None:
    """A result that came before the cancel is a result."""
    run = replace(RUN, status=status, ended_at=AT if has_ended(status) else None)
    assert (told(run) is not None) == (status is RunStatus.INTERRUPTED)


def test_a_clock_is_a_timeout_and_only_a_reapers() -> None:
    reason = CLOCK + "ran 31 of 30 minutes"
    run = replace(RUN, cancel_asked_by=EndedBy.REAPER, cancel_reason=reason)
    assert told(run) == Explanation("timeout", "ran 31 of 30 minutes")
    assert told(replace(run, cancel_asked_by=EndedBy.OPERATOR)) == Explanation("error", reason)


SILENT = {
    "nobody asked": replace(RUN, cancel_asked_by=None),
    "no reason": replace(RUN, cancel_reason=None),
    "an empty reason": replace(RUN, cancel_reason=""),
    "a newer run took its place": replace(RUN, superseded_by="r2"),
    "the graph goes on": replace(RUN, cancel_unconfirmed_at=AT),
}


@pytest.mark.parametrize("run", SILENT.values(), ids=SILENT)
def test_there_is_nothing_to_say(run: Run) -> None:
    assert told(run) is None


def test_a_cancel_that_came_true_late_is_explained() -> None:
    assert told(replace(RUN, cancel_unconfirmed_at=AT, cancel_confirmed_at=AT)) is not None


def test_another_run_of_the_task_is_not_explained() -> None:
    assert told(RUN, "r0") is None
