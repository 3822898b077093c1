"""Whose act took a run away, and whether that needs a second look."""

import pytest
from tests.support.books import Story

from subagent_sidecar.core.model import EndedBy, TaskRecord
from subagent_sidecar.core.watched import ROLLED_BACK, RUN_LOST, Gone, why_gone


def record(story: Story) -> TaskRecord:
    return TaskRecord(task=story.task(), runs=tuple(story.tables.runs("t")), short_id="t")


@pytest.fixture
def story() -> Story:
    story = Story()
    story.started("r1")
    return story


def test_what_nobody_wanted_gone_is_lost(story: Story) -> None:
    assert why_gone(record(story), "r1") == Gone(EndedBy.SERVER_LOST, RUN_LOST, False)


def test_a_cancel_is_no_reason_to_be_missing(story: Story) -> None:
    story.cancel_asked("r1")
    assert why_gone(record(story), "r1") == Gone(EndedBy.SUPERVISOR, RUN_LOST, False)


def test_a_newer_run_that_rolls_it_back_is_one(story: Story) -> None:
    story.started("r2", strategy="rollback")
    assert why_gone(record(story), "r1") == Gone(EndedBy.SUPERVISOR, ROLLED_BACK, True)
