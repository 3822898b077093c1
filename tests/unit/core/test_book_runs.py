"""What is seen of runs and threads, in whatever order it is seen."""

from itertools import permutations

import pytest
from tests.support.books import Story, at

from subagent_sidecar.core.model import RunStatus, ThreadStatus

PENDING, RUNNING, SUCCESS = RunStatus.PENDING, RunStatus.RUNNING, RunStatus.SUCCESS
ERROR, INTERRUPTED = RunStatus.ERROR, RunStatus.INTERRUPTED


def test_a_run_that_moves_moves_its_task() -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", RUNNING)
    task, run = story.task(), story.run("r1")
    assert (task.status, task.started_at, task.last_updated_at) == ("running", at(3), at(3))
    assert (run.started_at, run.ended_at) == (at(3), None)
    story.run_seen("r1", ERROR)
    task, run = story.task(), story.run("r1")
    assert (task.status, task.ended_at, task.ended_by) == ("error", at(4), "upstream")
    assert (run.started_at, run.ended_at) == (at(3), at(4))
    assert story.told() == ["started", "run_status", "status", "run_status", "ended"]


def test_a_status_seen_again_changes_nothing() -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", RUNNING)
    before, told = story.task(), story.told()
    story.run_seen("r1", RUNNING)
    story.run_seen("r1", PENDING)  # a late answer
    assert (story.task(), story.told()) == (before, told)


SEEN = [PENDING, RUNNING, SUCCESS]


@pytest.mark.parametrize("order", list(permutations(SEEN)))
def test_the_end_is_the_same_whatever_the_order(order: tuple[RunStatus, ...]) -> None:
    story = Story()
    story.started("r1")
    for status in order:
        story.run_seen("r1", status)
    assert (story.run("r1").status, story.task().status) == (SUCCESS, "success")


def test_the_first_end_is_the_end() -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", SUCCESS)
    ended_at = story.task().ended_at
    story.run_seen("r1", INTERRUPTED)  # self-hosted servers flip finished runs
    assert (story.task().status, story.task().ended_at) == ("success", ended_at)


def test_an_older_run_moves_itself_and_not_the_task() -> None:
    story = Story()
    story.started("r1")
    story.started("r2")
    story.run_seen("r2", RUNNING)
    story.run_seen("r1", INTERRUPTED)
    assert story.run("r1").status is INTERRUPTED
    assert (story.task().status, story.task().run_id) == ("running", "r2")


def test_a_run_of_another_task_is_not_mixed_up() -> None:
    story = Story()
    story.started("r1", "t")
    story.started("r2", "other")
    story.run_seen("r2", SUCCESS, thread_id="t")
    assert story.run("r2", "other").status is PENDING
    assert story.task("other").status == story.task("t").status == "pending"


def test_a_thread_that_is_no_task_of_ours_is_nothing_to_us() -> None:
    story = Story()
    story.run_seen("r1", RUNNING, created_at=at(5))
    story.thread_seen(ThreadStatus.BUSY)
    story.polled(3)
    story.cancel_asked("r1")
    story.run_gone("r1")
    story.thread_gone()
    assert (story.tables.tasks, story.tables.all_runs, story.tables.events) == ({}, {}, [])


# The thread tells what a run's success is worth.


def test_a_success_on_an_interrupted_thread_is_waiting() -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", SUCCESS)
    story.thread_seen(ThreadStatus.INTERRUPTED)
    task = story.task()
    assert (task.status, task.live, task.ended_at, task.ended_by) == ("waiting", True, None, None)


def test_a_success_on_a_busy_thread_is_running_until_it_is_idle() -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", SUCCESS)
    story.thread_seen(ThreadStatus.BUSY)
    assert story.task().status == "running"
    story.thread_seen(ThreadStatus.IDLE)
    assert (story.task().status, story.task().ended_at) == ("success", at(5))


def test_what_the_thread_was_before_the_run_moved_does_not_count() -> None:
    story = Story()
    story.started("r1")
    story.thread_seen(ThreadStatus.INTERRUPTED)
    assert story.task().status == "pending"
    story.run_seen("r1", SUCCESS)
    assert story.task().status == "success"
    story.thread_seen(ThreadStatus.INTERRUPTED)
    assert story.task().status == "waiting"


def test_an_answer_to_a_waiting_task_begins_anew() -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", SUCCESS)
    story.thread_seen(ThreadStatus.INTERRUPTED)
    story.started("r2")
    assert story.task().status == "pending"
    story.run_seen("r2", SUCCESS)
    assert story.task().status == "success"


def test_a_thread_changes_nothing_while_its_task_is_in_doubt() -> None:
    story = Story()
    story.doubted(story.admitted())
    story.thread_seen(ThreadStatus.BUSY)
    assert story.task().status == "pending"


def test_polls_are_counted() -> None:
    story = Story()
    story.started("r1")
    story.polled(3)
    story.polled(2)
    assert (story.task().polls, story.task().last_checked_at) == (5, at(4))


# Runs no start of ours is on record for.


def test_a_newer_run_by_somebody_else_becomes_the_current_one() -> None:
    story = Story()
    story.started("r1")
    story.run_seen("theirs", RUNNING, created_at=at(2.5))
    assert (story.runs(), story.task().run_id) == (["r1", "theirs"], "theirs")
    assert (story.run("theirs").kind, story.run("theirs").request_id) == ("update", None)
    assert story.run("r1").superseded_by == "theirs"
    assert story.task().status == "running"


@pytest.mark.parametrize("created_at", [at(0), at(1), None])
def test_runs_from_before_the_task_are_history(created_at: str | None) -> None:
    story = Story()
    story.started("r1")
    story.run_seen("old", SUCCESS, created_at=created_at)
    assert (story.runs(), story.task().status) == (["r1"], "pending")


def test_a_run_between_two_of_ours_is_history() -> None:
    story = Story()
    story.started("r1")  # made in second 1
    story.started("r2")  # made in second 3
    story.run_seen("theirs", SUCCESS, created_at=at(2.5))
    assert (story.runs(), story.task().run_id) == (["r1", "r2"], "r2")
    assert (story.task().status, story.run("r2").superseded_by) == ("pending", None)


def test_a_run_seen_while_its_start_is_on_its_way_waits_for_the_answer() -> None:
    story = Story()
    story.started("r1")
    intent = story.admitted()
    story.run_seen("r2", RUNNING, created_at=at(3.5))
    assert story.runs() == ["r1"]
    story.accepted(intent, "r2")
    assert (story.runs(), story.run("r2").request_id) == (["r1", "r2"], intent.request_id)


def test_a_run_seen_before_its_first_answer_is_nothing_yet() -> None:
    story = Story()
    intent = story.admitted()
    story.run_seen("r1", SUCCESS, created_at=at(1.5))
    assert story.tables.tasks == {}
    story.accepted(intent, "r1", status=SUCCESS)
    assert (story.runs(), story.task().status) == (["r1"], "success")


def test_a_new_run_on_a_task_in_doubt_is_what_became_of_the_start() -> None:
    story = Story()
    intent = story.admitted()  # second 1
    story.doubted(intent)
    story.run_seen("r1", RUNNING, created_at=at(1.2))
    assert (story.runs(), story.task().status) == (["r1"], "running")
    assert (story.run("r1").request_id, story.tables.intents) == (intent.request_id, {})


@pytest.mark.parametrize("created_at", [None, at(3.1), at(1.5)])  # at 1.5: clocks may differ
def test_a_run_of_about_the_time_of_a_doubtful_update_is_that_update(
    created_at: str | None,
) -> None:
    story = Story()
    story.started("r1")
    story.doubted(story.admitted())  # second 3
    story.run_seen("r2", PENDING, created_at=created_at)
    assert (story.runs(), story.tables.intents) == (["r1", "r2"], {})


def test_history_is_not_what_became_of_a_doubtful_update() -> None:
    story = Story(second=100)
    story.started("r1")
    intent = story.admitted()
    story.doubted(intent)
    story.run_seen("old", SUCCESS, created_at=at(50))
    assert (story.runs(), story.task().status) == (["r1"], "pending")
    assert intent.intent_id in story.tables.intents


def test_the_answer_may_come_after_another_client_named_the_run() -> None:
    story = Story()
    story.started("r1")
    intent = story.admitted()
    story.doubted(intent)
    story.run_seen("r2", RUNNING, created_at=at(3.1))
    before = story.task()
    story.accepted(intent, "r2")
    assert (story.runs(), story.task()) == (["r1", "r2"], before)


def test_a_run_adopted_unknowingly_learns_its_request_when_the_answer_comes() -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r2", RUNNING, created_at=at(2.5))
    intent = story.admitted()
    story.accepted(intent, "r2")
    run = story.run("r2")
    assert (run.request_id, run.kind, run.status) == (intent.request_id, "update", RUNNING)
    assert story.runs() == ["r1", "r2"]
