"""Every event in every state of a task: what the record says afterwards, pair by pair."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product

import pytest
from tests.support.books import Story, at

from subagent_sidecar.core.changes import CancelUnconfirmed, RunGone, RunSeen, ThreadGone
from subagent_sidecar.core.model import EndedBy, RunStatus, ThreadStatus

STATES: Mapping[str, Callable[[Story], object]] = {
    "in doubt": lambda story: story.doubted(story.admitted()),
    "pending": lambda story: story.started(),
    "running": lambda story: reached(story, RunStatus.RUNNING),
    "waiting": lambda story: reached(story, RunStatus.SUCCESS, ThreadStatus.INTERRUPTED),
    "success": lambda story: reached(story, RunStatus.SUCCESS),
    "error": lambda story: reached(story, RunStatus.ERROR),
    "timeout": lambda story: reached(story, RunStatus.TIMEOUT),
    "cancelled": lambda story: reached(story, RunStatus.INTERRUPTED),
}
EVENTS: Mapping[str, Callable[[Story], object]] = {
    "run pending": lambda story: story.run_seen("r1", RunStatus.PENDING),
    "run running": lambda story: story.run_seen("r1", RunStatus.RUNNING),
    "run success": lambda story: story.run_seen("r1", RunStatus.SUCCESS),
    "run error": lambda story: story.run_seen("r1", RunStatus.ERROR),
    "run timeout": lambda story: story.run_seen("r1", RunStatus.TIMEOUT),
    "run interrupted": lambda story: story.run_seen("r1", RunStatus.INTERRUPTED),
    "thread idle": lambda story: story.thread_seen(ThreadStatus.IDLE),
    "thread busy": lambda story: story.thread_seen(ThreadStatus.BUSY),
    "thread interrupted": lambda story: story.thread_seen(ThreadStatus.INTERRUPTED),
    "thread error": lambda story: story.thread_seen(ThreadStatus.ERROR),
    "cancel asked": lambda story: story.cancel_asked("r1"),
    "cancel unconfirmed": lambda story: story.apply(
        CancelUnconfirmed(thread_id="t", run_id="r1", at=at(90))
    ),
    "run gone": lambda story: story.run_gone("r1"),
    "thread gone": lambda story: story.thread_gone(),
    "update accepted": lambda story: story.started("r2"),
    "update refused": lambda story: story.released(story.admitted()),
    "update in doubt": lambda story: story.doubted(story.admitted()),
    "another's newer run": lambda story: story.run_seen("r9", RunStatus.RUNNING, created_at=at(99)),
    "another's older run": lambda story: story.run_seen("r0", RunStatus.RUNNING, created_at=at(0)),
}


def reached(story: Story, run: RunStatus, thread: ThreadStatus | None = None) -> None:
    story.started()
    story.run_seen("r1", RunStatus.RUNNING)
    story.run_seen("r1", run)
    if thread is not None:
        story.thread_seen(thread)


def afterwards(state: str, event: str) -> str:
    story = Story()
    STATES[state](story)
    EVENTS[event](story)
    return story.task().status.value


# A row an event, a column a state; "." is "as it was", and a task in doubt shows as pending.
TABLE = """
                     in-doubt  pending   running   waiting   success   error     timeout   cancelled
run pending          .         .         .         .         .         .         .         .
run running          running   running   .         .         .         .         .         .
run success          success   success   success   .         .         .         .         .
run error            error     error     error     .         .         .         .         .
run timeout          timeout   timeout   timeout   .         .         .         .         .
run interrupted      cancelled cancelled cancelled .         .         .         .         .
thread idle          .         .         .         success   .         .         .         .
thread busy          .         .         .         running   running   .         .         .
thread interrupted   .         .         .         .         waiting   .         .         .
thread error         .         .         .         success   .         .         .         .
cancel asked         .         .         .         .         .         .         .         .
cancel unconfirmed   .         .         .         .         .         .         .         .
run gone             .         cancelled cancelled .         .         .         .         .
thread gone          .         cancelled cancelled cancelled .         .         .         .
update accepted      .         .         pending   pending   pending   pending   pending   pending
update refused       .         .         .         .         .         .         .         .
update in doubt      .         .         .         .         .         .         .         .
another's newer run  running   running   .         running   running   running   running   running
another's older run  running   .         .         .         .         .         .         .
"""
HEAD, *ROWS = TABLE.strip("\n").splitlines()
COLUMNS = [name.replace("-", " ") for name in HEAD.split()]
EXPECTED = {row[:20].strip(): row[20:].split() for row in ROWS}


def test_the_table_decides_every_pair() -> None:
    assert list(STATES) == COLUMNS
    assert list(EXPECTED) == list(EVENTS)
    assert {len(row) for row in EXPECTED.values()} == {len(STATES)}


@pytest.mark.parametrize(("state", "event"), list(product(STATES, EVENTS)))
def test_a_task_moves_as_the_table_says(state: str, event: str) -> None:
    expected = EXPECTED[event][COLUMNS.index(state)]
    before = "pending" if state == "in doubt" else state
    assert afterwards(state, event) == (before if expected == "." else expected)


@pytest.mark.parametrize("state", ["success", "error", "timeout", "cancelled"])
@pytest.mark.parametrize("event", [name for name in EVENTS if name.startswith(("run", "cancel"))])
def test_what_comes_late_leaves_the_end_and_whose_it_was_alone(state: str, event: str) -> None:
    story = Story()
    STATES[state](story)
    before = story.task()
    EVENTS[event](story)
    after = story.task()
    assert (after.status, after.ended_at, after.reason) == (
        before.status,
        before.ended_at,
        before.reason,
    )
    mine = state == "cancelled" and event == "cancel asked"  # its answer may come after the end
    assert after.ended_by is (EndedBy.SUPERVISOR if mine else before.ended_by)


def test_an_update_after_the_clock_was_set_back_is_the_newest_run_all_the_same() -> None:
    story = Story(second=1_000)
    story.started("r1")
    story.second = 10
    story.started("r2")
    story.started("r3")
    assert story.runs() == ["r1", "r2", "r3"]
    assert story.task().run_id == "r3"


def test_a_server_is_believed_about_its_own_tasks_only() -> None:
    story = Story()
    story.started("r1")
    lies = (
        RunSeen(thread_id="t", run_id="r1", status=RunStatus.ERROR, at=at(9), upstream="other"),
        RunGone(
            thread_id="t",
            run_id="r1",
            by=EndedBy.SUPERVISOR,
            at=at(9),
            reason="deleted",
            upstream="other",
        ),
        ThreadGone(
            thread_id="t", by=EndedBy.SUPERVISOR, at=at(9), reason="deleted", upstream="other"
        ),
    )
    for lie in lies:
        story.apply(lie)
    assert story.task().live
    story.apply(replace(lies[0], upstream="up"))
    assert story.task().status == "error"
