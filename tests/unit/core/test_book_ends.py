"""Whose act ended a task: cancels, deletions, and ends nobody asked for."""

import pytest
from tests.support.books import Story, at

from subagent_sidecar.core.model import EndedBy, RunStatus, ThreadStatus

RUNNING, SUCCESS, INTERRUPTED = RunStatus.RUNNING, RunStatus.SUCCESS, RunStatus.INTERRUPTED


@pytest.mark.parametrize("by", [EndedBy.SUPERVISOR, EndedBy.OPERATOR, EndedBy.REAPER])
def test_an_interruption_that_was_asked_for_is_the_askers(by: EndedBy) -> None:
    story = Story()
    story.started("r1")
    story.cancel_asked("r1", by=by)
    assert story.task().status == "pending"  # a cancel that was accepted proves nothing
    story.run_seen("r1", INTERRUPTED)
    assert (story.task().status, story.task().ended_by) == ("cancelled", by)
    assert story.run("r1").cancel_asked_at == at(3)
    assert story.told() == ["started", "cancel_asked", "run_status", "ended"]
    assert story.run("r1").cancel_open  # the status alone proves nothing


def test_a_cancel_that_came_true_is_told_once() -> None:
    story = Story()
    story.started("r1")
    story.cancel_asked("r1")
    story.run_seen("r1", INTERRUPTED)
    for _ in range(2):
        story.cancel_confirmed("r1")
    run = story.run("r1")
    assert (run.cancel_confirmed_at, run.cancel_open) == (at(5), False)
    assert story.told()[-2:] == ["ended", "cancel_confirmed"]


@pytest.mark.parametrize("end", [RUNNING, SUCCESS, RunStatus.ERROR])
def test_what_was_not_interrupted_was_not_cancelled(end: RunStatus) -> None:
    story = Story()
    story.started("r1")
    story.cancel_asked("r1")
    story.run_seen("r1", end)
    story.cancel_confirmed("r1")
    assert story.run("r1").cancel_confirmed_at is None
    assert "cancel_confirmed" not in story.told()


def test_an_interruption_nobody_asked_for_is_no_cancel_that_came_true() -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", INTERRUPTED)
    story.cancel_confirmed("r1")
    assert story.run("r1").cancel_confirmed_at is None


@pytest.mark.parametrize("status", [RunStatus.PENDING, RUNNING, INTERRUPTED])
def test_a_cancel_that_is_not_obeyed_is_told_once_until_it_is(status: RunStatus) -> None:
    """Also where the server calls the run interrupted."""
    story = Story()
    story.started("r1")
    story.cancel_asked("r1")
    story.run_seen("r1", status)
    story.cancel_unconfirmed("r1")
    since = story.run("r1").cancel_unconfirmed_at
    story.cancel_unconfirmed("r1")
    run = story.run("r1")
    assert (run.cancel_unconfirmed_at, run.cancel_open, run.status) == (since, True, status)
    assert since is not None and story.told().count("cancel_unconfirmed") == 1
    story.run_seen("r1", INTERRUPTED)
    story.cancel_confirmed("r1")
    run = story.run("r1")
    assert (run.cancel_unconfirmed_at, run.cancel_open) == (None, False)
    story.cancel_unconfirmed("r1")  # late, from before
    assert story.run("r1").cancel_unconfirmed_at is None


@pytest.mark.parametrize("end", [SUCCESS, RunStatus.ERROR, RunStatus.TIMEOUT])
def test_a_run_that_ends_by_itself_is_no_longer_unconfirmed(end: RunStatus) -> None:
    story = Story()
    story.started("r1")
    story.cancel_asked("r1")
    story.cancel_unconfirmed("r1")
    story.run_seen("r1", end)
    run = story.run("r1")
    assert (run.cancel_unconfirmed_at, run.cancel_open) == (None, False)
    assert story.told()[-2:] == ["cancel_too_late", "ended"]
    story.cancel_unconfirmed("r1")
    assert story.run("r1").cancel_unconfirmed_at is None


def test_a_task_that_waits_for_a_human_can_be_ended_on_record() -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", SUCCESS)
    story.thread_seen(ThreadStatus.INTERRUPTED)
    story.waiting_cancelled("not needed")
    task = story.task()
    assert (task.status, task.ended_by, task.reason) == ("cancelled", "operator", "not needed")
    assert (task.ended_at, story.run("r1").status, story.told()[-1]) == (at(5), SUCCESS, "ended")

    story.thread_seen(ThreadStatus.INTERRUPTED)  # it waits on at the server, and stays ended here
    story.run_seen("r1", SUCCESS)
    assert story.task() == task
    story.started("r2")  # unless somebody answers it
    assert (story.task().status, story.task().ended_by) == ("pending", None)


@pytest.mark.parametrize("thread", [ThreadStatus.IDLE, ThreadStatus.BUSY])
def test_a_task_that_does_not_wait_is_not_ended_as_if_it_did(thread: ThreadStatus) -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", SUCCESS)
    story.thread_seen(thread)
    before = story.task()
    story.waiting_cancelled("not needed")
    assert story.task() == before


def test_an_interruption_nobody_asked_for_is_the_servers() -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", INTERRUPTED)
    assert (story.task().status, story.task().ended_by) == ("cancelled", "upstream")


@pytest.mark.parametrize("end", [SUCCESS, RunStatus.ERROR, RunStatus.TIMEOUT])
def test_a_cancel_that_came_too_late_explains_nothing(end: RunStatus) -> None:
    story = Story()
    story.started("r1")
    story.cancel_asked("r1")
    story.run_seen("r1", end)
    assert (story.task().status, story.task().ended_by) == (end.value, "upstream")


@pytest.mark.parametrize("end", [SUCCESS, RunStatus.ERROR, RunStatus.TIMEOUT])
def test_a_cancel_after_the_end_changes_nothing(end: RunStatus) -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", end)
    before, told = story.task(), story.told()
    story.cancel_asked("r1")
    assert (story.task(), story.run("r1").cancel_asked_by, story.told()) == (before, None, told)


# cancel?wait=1 answers after the interruption, which another client's poll may have seen first.
def test_a_cancel_that_is_told_after_the_interruption_still_explains_it() -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", INTERRUPTED)
    ended_at = story.task().ended_at
    story.cancel_asked("r1")
    task = story.task()
    assert (task.status, task.ended_by, task.ended_at) == ("cancelled", "supervisor", ended_at)


def test_the_first_to_ask_for_a_cancel_that_happened_is_the_one() -> None:
    story = Story()
    story.started("r1")
    story.cancel_asked("r1", by=EndedBy.OPERATOR)
    story.run_seen("r1", INTERRUPTED)
    story.cancel_asked("r1", by=EndedBy.SUPERVISOR)
    assert story.task().ended_by == "operator"


def test_cancelling_an_older_run_says_nothing_about_the_task() -> None:
    story = Story()
    story.started("r1")
    story.started("r2")
    story.cancel_asked("r1")
    story.run_seen("r1", INTERRUPTED)
    assert (story.task().status, story.task().ended_by) == ("pending", None)
    story.run_seen("r2", INTERRUPTED)
    assert story.task().ended_by == "upstream"
    story.cancel_asked("r1")
    assert story.task().ended_by == "upstream"


def test_a_cancel_of_a_run_on_another_thread_is_not_believed() -> None:
    story = Story()
    story.started("r1")
    story.started("r2", "other")
    story.cancel_asked("r1", thread_id="other")
    assert story.run("r1").cancel_asked_by is None


def test_a_run_that_is_gone_ends_its_task_and_says_why() -> None:
    story = Story()
    story.started("r1")
    story.run_gone("r1", "the run was rolled back")
    task = story.task()
    assert (task.status, task.ended_by, task.reason) == (
        "cancelled",
        "supervisor",
        "the run was rolled back",
    )


def test_a_run_that_is_at_work_again_after_its_cancel_is_open_once_more() -> None:
    story = Story()
    story.started("r1")
    story.cancel_asked("r1")
    story.cancel_undone("r1")
    assert not story.run("r1").at_large  # it was not confirmed yet: a late word of before
    story.run_seen("r1", INTERRUPTED)
    story.cancel_confirmed("r1")
    story.cancel_undone("r1")
    run = story.run("r1")
    assert (run.at_large, run.cancel_open, run.unfinished) == (True, True, True)
    assert (run.status, story.task().status) == (INTERRUPTED, "cancelled")
    assert (story.told()[-1], story.events()[-1].detail) == ("cancel_unconfirmed", {"again": True})
    story.cancel_confirmed("r1")
    assert not story.run("r1").unfinished


def test_whoever_asked_for_the_cancel_is_whose_rollback_it_is() -> None:
    story = Story()
    story.started("r1")
    story.cancel_asked("r1", by=EndedBy.OPERATOR)
    story.run_gone("r1")
    assert story.task().ended_by == "operator"


def test_deleting_the_record_of_a_finished_run_changes_nothing() -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", SUCCESS)
    before = story.task()
    story.run_gone("r1")
    assert story.task() == before


def test_an_older_run_that_is_gone_is_not_the_tasks_reason() -> None:
    story = Story()
    story.started("r1")
    story.started("r2")
    story.run_gone("r1")
    assert (story.run("r1").status, story.task().reason) == (INTERRUPTED, None)
    assert story.task().status == "pending"


def test_an_update_clears_the_reason_of_the_end_before_it() -> None:
    story = Story()
    story.started("r1")
    story.run_gone("r1")
    story.started("r2")
    assert (story.task().reason, story.task().ended_by) == (None, None)


def test_a_thread_that_is_gone_ends_every_run_on_it() -> None:
    story = Story()
    story.started("r1")
    story.started("r2")
    story.run_seen("r2", RUNNING)
    story.thread_gone("the thread was deleted")
    assert [story.run(r).status for r in story.runs()] == [INTERRUPTED, INTERRUPTED]
    task = story.task()
    assert (task.status, task.ended_by, task.reason) == (
        "cancelled",
        "supervisor",
        "the thread was deleted",
    )
    assert "thread_deleted" in story.told()


def test_a_finished_task_keeps_its_end_when_its_thread_goes() -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", SUCCESS)
    before = story.task()
    story.thread_gone()
    assert story.task() == before


@pytest.mark.parametrize("thread", [ThreadStatus.INTERRUPTED, ThreadStatus.BUSY])
def test_a_task_that_was_not_finished_ends_with_its_thread(thread: ThreadStatus) -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", SUCCESS)
    story.thread_seen(thread)  # waiting for a human, or still at it
    story.thread_gone("the thread was deleted")
    task = story.task()
    assert (task.status, task.live, task.ended_at) == ("cancelled", False, at(5))
    assert (task.ended_by, task.reason) == ("supervisor", "the thread was deleted")
    assert story.told()[-1] == "ended"


def test_a_thread_that_is_gone_twice_is_gone_once() -> None:
    story = Story()
    story.started("r1")
    story.thread_gone("first")
    before = story.task()
    story.thread_gone("second")
    assert story.task() == before
