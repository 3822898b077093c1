"""Until when a task may go on, as it is told."""

from typing import Any

import pytest
from tests.support.books import Story, at
from tests.support.reaping import rule

from subagent_sidecar.core.deadlines import NO_DEADLINES, Deadlines, deadlines
from subagent_sidecar.core.model import RunStatus, TaskRecord, ThreadStatus

ALL = {"queue": 10, "run": 20, "total": 100, "waiting": 40}


def due(story: Story, **said: Any) -> Deadlines:
    runs = tuple(story.tables.runs("t"))
    record = TaskRecord(task=story.task(), runs=runs, short_id="t")
    return deadlines(record, rule(**said).settings)


def started(status: RunStatus) -> Story:
    story = Story()
    story.started()
    if status is not RunStatus.PENDING:
        story.run_seen("r1", status)
    return story


def test_a_queued_run_is_on_the_clock_queue() -> None:
    found = due(started(RunStatus.PENDING), **ALL)
    assert found == Deadlines(queue=at(11), total=at(101), expires_at=at(11))


def test_one_at_work_is_on_the_clock_run_from_when_it_was_seen_to_begin() -> None:
    found = due(started(RunStatus.RUNNING), **ALL)
    assert found == Deadlines(run=at(23), total=at(101), expires_at=at(23))


def test_a_task_that_waits_is_on_a_clock_without_a_name_of_its_own() -> None:
    story = started(RunStatus.SUCCESS)
    story.thread_seen(ThreadStatus.INTERRUPTED)
    assert due(story, **ALL) == Deadlines(total=at(101), expires_at=at(43))


def test_a_follow_up_moves_all_but_the_total() -> None:
    story = started(RunStatus.RUNNING)
    story.started("r2")
    found = due(story, **ALL)
    assert found == Deadlines(queue=at(14), total=at(101), expires_at=at(14))


@pytest.mark.parametrize("said", [{}, dict.fromkeys(ALL, 0)])
def test_clocks_that_are_off_have_no_deadline(said: dict[str, int]) -> None:
    assert due(started(RunStatus.RUNNING), **said) == NO_DEADLINES


def test_what_has_ended_has_none() -> None:
    story = started(RunStatus.ERROR)
    assert due(story, **ALL) == NO_DEADLINES


def test_what_lies_beyond_the_calendar_is_not_told() -> None:
    assert due(started(RunStatus.RUNNING), total=260_000 * 365 * 86_400) == NO_DEADLINES
