"""How a start is settled: accepted, released, in doubt; twice, late, in any order."""

from collections.abc import Callable
from itertools import permutations

import pytest
from tests.support.books import Story, at

from subagent_sidecar.core.changes import Accepted, NewRun
from subagent_sidecar.core.model import Intent, IntentKind, Run, RunStatus, Task, TaskStatus

SUCCESS, RUNNING, PENDING = RunStatus.SUCCESS, RunStatus.RUNNING, RunStatus.PENDING


def test_an_accepted_start_is_a_task_with_one_run() -> None:
    story = Story()
    intent = story.admitted(header_session="s", purpose="find out", strategy="reject")
    story.accepted(intent, "r1")
    assert story.task() == Task(
        task_id="t",
        upstream="up",
        agent_name="graph",
        status=TaskStatus.PENDING,
        session_id="s",
        supervisor="ann",
        created_at=at(1),
        last_updated_at=at(2),
        run_id="r1",
        assistant_id="graph",
        purpose="find out",
    )
    assert story.run("r1") == Run(
        run_id="r1",
        task_id="t",
        kind="start",
        status=PENDING,
        created_at=at(1),
        request_id="req1",
        assistant_id="graph",
        strategy="reject",
    )
    assert story.tables.intents == {}
    assert story.told() == ["started"]


def test_a_run_that_was_over_at_once_is_entered_with_its_end() -> None:
    story = Story()
    story.accepted(story.admitted(), "r1", status=SUCCESS)
    task = story.task()
    assert (task.status, task.started_at, task.ended_at) == ("success", at(2), at(2))
    assert story.run("r1").ended
    assert story.told() == ["started", "run_status", "ended"]


def test_updates_form_a_chain_of_which_the_newest_is_current() -> None:
    story = Story()
    for run_id in ("r1", "r2", "r3"):
        story.started(run_id)
    assert story.runs() == ["r1", "r2", "r3"]
    assert [story.run(r).kind for r in story.runs()] == ["start", "update", "update"]
    assert [story.run(r).superseded_by for r in story.runs()] == ["r2", "r3", None]
    assert story.task().run_id == "r3"
    assert story.told() == ["started", "updated", "updated"]


def test_an_update_brings_an_ended_task_back_to_life() -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", SUCCESS)
    began = story.task().started_at
    story.started("r2")
    task = story.task()
    assert (task.status, task.ended_at, task.ended_by, task.reason) == ("pending", None, None, None)
    assert task.started_at == began
    assert story.run("r1").ended


def test_a_refused_start_leaves_a_line_and_no_task() -> None:
    story = Story()
    story.released(story.admitted(), "the server answered 404")
    assert (story.tables.tasks, story.tables.intents) == ({}, {})
    assert story.told() == ["start_failed"]
    assert story.events()[0].detail["reason"] == "the server answered 404"


def test_a_refused_update_leaves_the_task_as_it_was() -> None:
    story = Story()
    story.started("r1")
    before = story.task()
    story.released(story.admitted())
    assert story.task() == before


def test_a_start_in_doubt_is_a_task_without_a_run() -> None:
    story = Story()
    intent = story.admitted()
    story.doubted(intent, "timeout")
    task = story.task()
    assert (task.run_id, task.status, task.live) == (None, "pending", True)
    kept = story.tables.intent(intent.intent_id)
    assert kept is not None
    assert kept.in_doubt == "timeout"


def test_a_doubtful_start_that_came_to_nothing_ends_its_task_and_says_why() -> None:
    story = Story()
    intent = story.admitted()
    story.doubted(intent)
    story.released(intent, "the server has no run for it")
    task = story.task()
    assert (task.status, task.live, task.ended_by, story.runs()) == ("error", False, "upstream", [])
    assert task.reason == "the start came to nothing: the server has no run for it"
    assert story.tables.intents == {}


def test_a_doubtful_start_that_was_made_after_all_is_the_same_task() -> None:
    story = Story()
    intent = story.admitted()
    story.doubted(intent)
    story.accepted(intent, "r1")
    assert (story.task().run_id, story.run("r1").kind) == ("r1", "start")
    assert story.task().created_at == at(1)


def test_a_doubtful_update_leaves_the_task_running() -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", RUNNING)
    story.doubted(story.admitted())
    assert (story.task().run_id, story.task().status) == ("r1", "running")


def test_a_task_in_doubt_stays_while_another_start_is_on_its_way() -> None:
    story = Story()
    first = story.admitted()
    story.doubted(first)
    second = story.admitted()
    story.released(first)
    assert story.task().live
    story.released(second)
    assert not story.task().live


def test_a_cron_on_its_way_keeps_no_task_in_doubt() -> None:
    story = Story()
    doubted = story.admitted()
    story.doubted(doubted)
    story.admitted(cron=True)
    story.released(doubted)
    assert story.task().status is TaskStatus.ERROR


def test_a_start_that_follows_one_in_doubt_makes_one_chain() -> None:
    story = Story()
    first = story.admitted()
    story.doubted(first)
    second = story.admitted()
    story.accepted(second, "r2")
    story.run_seen("r2", RUNNING)
    story.accepted(first, "r1")
    assert [story.run(r).kind for r in ("r1", "r2")] == ["start", "update"]
    assert [story.run(r).kind for r in story.runs()] == ["start", "update"]
    assert [story.run(r).superseded_by for r in story.runs()] == ["r2", None]
    assert (story.task().run_id, story.task().status) == ("r2", "running")


def test_an_update_in_doubt_is_found_in_its_place() -> None:
    story = Story()
    story.started("r1")
    doubtful = story.admitted()
    story.doubted(doubtful)
    story.started("r3")
    story.accepted(doubtful, "r2", status=SUCCESS)
    assert story.runs() == ["r1", "r2", "r3"]
    assert [story.run(r).superseded_by for r in story.runs()] == ["r2", "r3", None]
    assert [story.run(r).kind for r in story.runs()] == ["start", "update", "update"]
    assert (story.task().run_id, story.task().status) == ("r3", "pending")


TELL: dict[str, Callable[[Story, Intent], None]] = {
    "accepted": lambda story, intent: story.accepted(intent, "r1"),
    "released": Story.released,
    "doubted": Story.doubted,
}


@pytest.mark.parametrize("outcome", TELL)
def test_an_outcome_told_twice_is_entered_once(outcome: str) -> None:
    story = Story()
    intent = story.admitted()
    TELL[outcome](story, intent)
    tasks, runs, intents = (
        dict(story.tables.tasks),
        dict(story.tables.all_runs),
        dict(story.tables.intents),
    )
    TELL[outcome](story, intent)
    assert (story.tables.tasks, story.tables.all_runs) == (tasks, runs)
    assert story.tables.intents == intents


@pytest.mark.parametrize("order", list(permutations(TELL)))
def test_what_the_server_accepted_is_on_record_whatever_else_was_said(
    order: tuple[str, ...],
) -> None:
    story = Story()
    intent = story.admitted()
    for outcome in order:
        TELL[outcome](story, intent)
    assert story.runs() == ["r1"]
    assert story.task().run_id == "r1"
    assert story.tables.intents == {}


@pytest.mark.parametrize("order", list(permutations(["released", "doubted"])))
def test_a_released_start_stays_released(order: tuple[str, ...]) -> None:
    story = Story()
    intent = story.admitted()
    for outcome in order:
        TELL[outcome](story, intent)
    assert story.tables.intents == {}
    assert not any(task.live for task in story.tables.tasks.values())


def test_a_late_release_does_not_undo_an_accepted_start() -> None:
    story = Story()
    intent = story.started("r1")
    before = story.task()
    story.released(intent)
    story.doubted(intent)
    assert story.task() == before
    assert story.told() == ["started"]


def test_a_stateless_start_is_a_task_under_the_thread_the_server_made() -> None:
    story = Story()
    intent = story.admitted(None)
    story.accepted(intent, "r1", thread_id="made-by-server")
    task = story.task("made-by-server")
    assert (task.run_id, task.status, story.run("r1", task.task_id).kind) == (
        "r1",
        "pending",
        "stateless",
    )


def test_a_stateless_start_in_doubt_is_no_task_yet() -> None:
    story = Story()
    intent = story.admitted(None)
    story.doubted(intent)
    assert story.tables.tasks == {}
    assert story.tables.intent(intent.intent_id) is not None
    assert story.tables.events[-1].kind == "in_doubt"


def test_a_batch_is_as_many_tasks_as_it_has_runs() -> None:
    story = Story()
    intent = story.admitted(None, batch=True)
    runs = tuple(NewRun(run_id=f"r{n}", thread_id=f"t{n}") for n in range(3))
    story.apply(Accepted(intent=intent, at=at(9), runs=runs))
    assert sorted(story.tables.tasks) == ["t0", "t1", "t2"]
    assert intent.kind is IntentKind.BATCH
    assert {run.kind for run in story.tables.all_runs.values()} == {"start"}


def test_a_cron_is_noted_and_is_no_task() -> None:
    story = Story()
    intent = story.admitted(cron=True)
    story.apply(Accepted(intent=intent, at=at(2), cron_id="c1"))
    assert (story.tables.tasks, story.tables.intents) == ({}, {})
    assert story.events()[0].kind == "cron_created"
    assert story.events()[0].detail["cron_id"] == "c1"


def test_a_cron_in_doubt_is_no_task() -> None:
    story = Story()
    intent = story.admitted(cron=True)
    story.doubted(intent)
    assert story.tables.tasks == {}


def test_threads_are_remembered_as_they_were_made() -> None:
    story = Story()
    story.thread_created(session_id="s", agent_name="a")
    story.thread_created(session_id="other", agent_name="b")
    thread = story.tables.thread("t")
    assert thread is not None
    assert (thread.session_id, thread.agent_name, thread.created_at) == ("s", "a", at(1))


def test_a_thread_that_named_nobody_may_be_named_later() -> None:
    story = Story()
    story.thread_created()
    story.thread_created(session_id="s")
    thread = story.tables.thread("t")
    assert thread is not None
    assert (thread.session_id, thread.created_at) == ("s", at(1))
