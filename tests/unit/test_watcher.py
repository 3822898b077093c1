"""Following live tasks to their end, at a server that answers."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.support.agent_server import server_run
from tests.support.waiting import eventually
from tests.support.watching import QUICK, Desk

from subagent_sidecar.core.model import EndedBy
from subagent_sidecar.core.watch import Tempo


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    found = Desk()
    found.watch()
    yield found
    await found.watcher.aclose()


async def looks(desk: Desk, more: int) -> None:
    """Wait until the server was asked for threads that many times more."""
    before = len(desk.server.asked_for("threads"))
    await eventually(lambda: len(desk.server.asked_for("threads")) >= before + more)


@pytest.mark.parametrize(
    ("run", "thread", "expected"),
    [
        ("success", "idle", "success"),
        ("success", "interrupted", "waiting"),
        ("error", "error", "error"),
        ("timeout", "error", "timeout"),
        ("interrupted", "interrupted", "cancelled"),
        ("cancelled", "idle", "cancelled"),
    ],
)
async def test_a_task_nobody_asks_about_ends_on_record(
    desk: Desk, run: str, thread: str, expected: str
) -> None:
    await desk.start()
    desk.server.end("r1", run, thread)
    await desk.task_when(expected)


async def test_what_has_ended_is_not_asked_about_any_more(desk: Desk) -> None:
    await desk.start()
    desk.server.end("r1", "error", "error")
    await eventually(lambda: desk.watcher.watching == 0)
    assert (await desk.task()).status == "error"


async def test_a_busy_thread_is_news_enough(desk: Desk) -> None:
    await desk.start()
    await desk.task_when("running")
    reads = len(desk.server.asked_for("run "))
    await looks(desk, 5)
    assert len(desk.server.asked_for("run ")) == reads
    assert (await desk.task()).status == "running"


async def test_when_a_run_began_is_found_out_by_reading_it(desk: Desk) -> None:
    await desk.start(status="pending")
    await looks(desk, 3)
    desk.server.begin("r1", status="running")
    assert (await desk.task_when("running")).started_at is not None


async def test_many_tasks_share_a_question(desk: Desk) -> None:
    for number in range(20):
        await desk.start(f"r{number}", f"t{number}")
    await eventually(
        lambda: any(len(each.split()) == 21 for each in desk.server.asked_for("threads")),
    )


async def test_a_task_that_waits_goes_on_behind_our_back(desk: Desk) -> None:
    await desk.start()
    desk.server.end("r1", "success", "interrupted")
    await desk.task_when("waiting")
    desk.server.begin("r2")
    await desk.task_when("running")
    desk.server.end("r2", "success", "idle")
    task = await desk.task_when("success")
    assert task.run_id == "r2"


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_went_on_and_ended_between_two_looks_is_found(
    desk: Desk, restarted: bool
) -> None:
    await desk.start()
    desk.server.end("r1", "success", "interrupted")
    await desk.task_when("waiting")
    if restarted:
        await desk.restart()
    desk.server.begin("r2")
    desk.server.end("r2", "error", "error")
    task = await desk.task_when("error")
    assert task.run_id == "r2"
    assert [run.status for run in (await desk.record()).runs] == ["success", "error"]


async def test_of_a_chain_every_run_gets_its_end(desk: Desk) -> None:
    await desk.start("r1")
    await desk.start("r2", strategy="enqueue", status="pending")
    desk.server.threads_["t"].runs["r1"] = "success"
    desk.server.begin("r2")
    await desk.run_when("r1", "success")
    await desk.run_when("r2", "running")
    desk.server.end("r2", "success", "idle")
    await desk.task_when("success")


async def test_of_a_chain_every_run_gets_its_end_without_a_listing(desk: Desk) -> None:
    desk.server.lists = False
    await desk.start("r1")
    await desk.start("r2", strategy="interrupt", status="pending")
    desk.server.threads_["t"].runs["r1"] = "interrupted"
    desk.server.end("r2", "error", "error")
    await desk.run_when("r1", "interrupted")
    await desk.task_when("error")


async def test_a_further_run_wakes_the_watch_of_a_thread_that_is_not_due_for_long() -> None:
    desk = Desk(tempo=replace(QUICK, young_s=3_600.0))
    desk.watch()
    await desk.start("r1")
    for _ in range(10):  # it lies down to sleep
        await asyncio.sleep(0)
    desk.server.end("r1", "success", "busy")
    await desk.start("r2")
    await desk.run_when("r1", "success")
    await desk.watcher.aclose()


async def test_a_batch_is_followed_while_the_books_are_behind_though_a_run_of_it_is_over(
    desk: Desk,
) -> None:
    intent = await desk.service.admit(upstream="up", supervisor="ann", batch=True)
    for thread_id in ("t1", "t2"):
        desk.server.begin(f"r-{thread_id}", thread_id)
    desk.store.hold = True
    over = server_run("r-t1", "t1", status="error")
    desk.service.accepted(intent, [over, server_run("r-t2", "t2")])
    await looks(desk, 2)


async def test_a_follow_up_of_another_client_is_found(desk: Desk) -> None:
    await desk.start("r1")
    await desk.task_when("running")
    desk.server.end("r1", "success", "busy")
    desk.server.begin("r2")
    desk.service.seen.run("up", "t", "r1", "success")  # as a supervisor's poll would tell
    await desk.run_when("r2", "running")
    desk.server.end("r2", "error", "error")
    task = await desk.task_when("error")
    assert task.run_id == "r2"


async def test_passing_traffic_that_tells_the_end_saves_the_reads(desk: Desk) -> None:
    await desk.start()
    desk.server.end("r1", "success", "idle")
    desk.service.seen.run("up", "t", "r1", "success")
    desk.service.seen.thread("up", "t", "idle")
    assert desk.watcher.watching == 0
    assert desk.server.asked_for("run ") == []


async def test_a_run_that_a_cancel_rolled_back_says_whose_cancel(desk: Desk) -> None:
    await desk.start()
    desk.service.cancels.asked("up", "t", "r1", by=EndedBy.OPERATOR, reason="enough")
    del desk.server.threads_["t"].runs["r1"]
    desk.watcher.follow("up", "t", "r1", auth=())
    task = await desk.task_when("cancelled")
    assert (task.ended_by, task.reason) == (EndedBy.OPERATOR, "enough")


async def test_a_run_that_an_update_rolled_back_was_the_supervisors_act(desk: Desk) -> None:
    await desk.start("r1")
    await desk.start("r2", strategy="rollback")
    del desk.server.threads_["t"].runs["r1"]
    run = await desk.run_when("r1", "interrupted")
    assert run.cancel_asked_by is EndedBy.SUPERVISOR
    assert (await desk.task()).status in ("pending", "running")


async def test_a_run_the_server_has_lost_is_told_so(desk: Desk) -> None:
    await desk.start()
    del desk.server.threads_["t"].runs["r1"]
    desk.server.threads_["t"].word = "idle"
    task = await desk.task_when("cancelled")
    assert (task.ended_by, task.reason) == (
        EndedBy.SERVER_LOST,
        "the server does not have the run any more",
    )


async def test_a_thread_the_server_has_lost_is_told_so(desk: Desk) -> None:
    await desk.start()
    await desk.task_when("running")
    desk.server.lose()
    task = await desk.task_when("cancelled")
    assert (task.ended_by, task.reason) == (
        EndedBy.SERVER_LOST,
        "the server does not have the thread any more",
    )


async def test_words_nobody_knows_are_waited_out(desk: Desk) -> None:
    await desk.start()
    desk.server.end("r1", "exploding", "odd")
    await looks(desk, 3)
    desk.server.end("r1", "error", "error")
    await desk.task_when("error")


async def test_after_a_restart_live_tasks_are_picked_up_from_the_books(desk: Desk) -> None:
    await desk.start("r1")
    await desk.start("r2", strategy="enqueue")
    await desk.start("r3", "t3")
    desk.server.end("r3", "success", "interrupted", "t3")
    await desk.task_when("waiting", "t3")
    await desk.restart()
    desk.server.end("r1", "success", "idle")
    desk.server.end("r2", "success", "idle")
    await desk.run_when("r1", "success")
    await desk.task_when("success")
    desk.server.begin("r4", "t3")
    await desk.task_when("running", "t3")


@pytest.mark.parametrize(("word", "status"), [("interrupted", "waiting"), ("busy", "running")])
async def test_a_success_seen_just_before_a_crash_may_not_have_been_the_end(
    desk: Desk, word: str, status: str
) -> None:
    """The process died between reading the run and reading its thread."""
    await desk.watcher.aclose()
    await desk.start("r1")
    desk.server.end("r1", "success", word)
    desk.service.seen.run("up", "t", "r1", "success")
    assert (await desk.task()).status == "success"
    await desk.restart()
    await desk.task_when(status)


async def test_an_earlier_run_is_followed_after_a_restart_though_its_task_has_ended(
    desk: Desk,
) -> None:
    await desk.start("r1")
    await desk.start("r2", strategy="interrupt")  # which the server ignores
    desk.server.end("r2", "error", "busy")
    await desk.task_when("error")
    await desk.restart()
    desk.server.end("r1", "success", "idle")
    await desk.run_when("r1", "success")


async def test_what_happens_while_the_books_are_read_hides_nothing_that_is_in_them(
    desk: Desk,
) -> None:
    await desk.start("r1")
    intent = await desk.service.admit(upstream="up", supervisor="ann", thread_id="t")
    desk.server.begin("r2")
    desk.server.end("r1", "interrupted", "busy")
    desk.store.unreadable = 1
    await desk.restart()
    desk.service.accepted(intent, [server_run("r2", "t")])  # as the reconciler would
    await desk.run_when("r1", "interrupted")


async def test_a_run_found_behind_one_that_has_ended_unseen_brings_both_to_light(
    desk: Desk,
) -> None:
    """Nobody follows it: the reconciler finds the start of a process that died."""
    await desk.start("r1")
    intent = await desk.service.admit(upstream="up", supervisor="ann", thread_id="t")
    await desk.restart()
    await eventually(lambda: desk.watcher.watching == 1)
    desk.server.end("r1", "success", "busy")
    desk.server.begin("r2")
    desk.service.accepted(intent, [server_run("r2", "t")])
    await desk.run_when("r1", "success")


async def test_a_task_that_comes_to_wait_while_no_run_of_it_is_known_to_be_live_is_waiting(
    desk: Desk,
) -> None:
    """The server runs once more what had ended: a crash undid its last seconds."""
    await desk.start("r1")
    desk.server.end("r1", "success", "interrupted")
    await desk.task_when("waiting")
    desk.server.threads_["t"].word = "busy"
    await desk.task_when("running")
    desk.server.refuses |= {"thread t": 500, "runs t": 500}  # a look has to do
    desk.server.threads_["t"].word = "interrupted"
    await desk.task_when("waiting")


async def test_more_live_tasks_than_a_page_holds_are_all_picked_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subagent_sidecar.watcher.books._PAGE", 3)
    for number in range(7):
        await desk.start(f"r{number}", f"t{number}")
    await desk.restart()
    await eventually(lambda: desk.watcher.watching == 7)


async def test_what_is_not_on_record_is_not_followed(desk: Desk) -> None:
    desk.server.begin("foreign", "elsewhere")
    desk.service.seen.run("up", "elsewhere", "foreign", "running")
    assert desk.watcher.watching == 1
    await eventually(lambda: desk.watcher.watching == 0)
    assert desk.server.asked == []


async def test_a_start_found_when_its_run_was_over_may_be_waiting(desk: Desk) -> None:
    intent = await desk.service.admit(upstream="up", supervisor="ann", thread_id="t")
    desk.service.doubted(intent, "broke off")
    desk.server.begin("r1")
    desk.server.end("r1", "success", "interrupted")
    desk.service.accepted(intent, [server_run("r1", "t", "success")])
    await desk.task_when("waiting")


async def test_a_task_that_is_over_is_not_asked_after_because_somebody_polls_it(
    desk: Desk,
) -> None:
    await desk.start()
    desk.server.end("r1", "success", "idle")
    await desk.task_when("success")
    await eventually(lambda: desk.watcher.watching == 0)
    await desk.restart()
    await desk.service.flush()
    desk.server.asked.clear()
    desk.service.seen.run("up", "t", "r1", "success")
    await eventually(lambda: desk.watcher.watching == 0)
    assert desk.server.asked == []


async def test_a_start_found_again_after_a_doubt_is_followed(desk: Desk) -> None:
    intent = await desk.service.admit(upstream="up", supervisor="ann", thread_id="t")
    desk.service.doubted(intent, "broke off")
    desk.server.begin("r1")
    desk.service.accepted(intent, [server_run("r1", "t")])  # as the reconciler would
    desk.server.end("r1", "error", "error")
    await desk.task_when("error")


@pytest.mark.parametrize("outcome", ["success", "error"])
async def test_a_stateless_run_is_waited_for(desk: Desk, outcome: str) -> None:
    await desk.start("r1", "temporary", status=outcome)
    desk.watcher.follow_stateless("up", "temporary", "r1", auth=())
    await desk.task_when(outcome, "temporary")
    assert desk.server.asked == ["outcome r1"]


async def test_a_stateless_run_of_unknown_outcome_keeps_its_last_status(desk: Desk) -> None:
    await desk.start("r1", "temporary")
    desk.server.refuses["outcome"] = 500
    desk.watcher.follow_stateless("up", "temporary", "r1", auth=())
    await eventually(lambda: desk.watcher.watching == 0)
    assert (await desk.task("temporary")).status == "pending"


async def test_closing_stops_everything(desk: Desk) -> None:
    for number in range(30):
        await desk.start(f"r{number}", f"t{number}")
    await looks(desk, 1)
    await desk.watcher.aclose()
    asked = len(desk.server.asked)
    await desk.service.flush()
    assert len(desk.server.asked) == asked


async def test_requests_that_are_not_needed_are_to_spare_for_others() -> None:
    desk = Desk(tempo=Tempo(requests_per_s=0.01, burst=2))
    assert [desk.watcher.spare("up") for _ in range(3)] == [True, True, False]
