"""Single runs that are to end: asked, looked at, told."""

import logging

import pytest
from tests.support.agent_server import server_run
from tests.unit.canceller.desk import Desk

from subagent_sidecar.core.cancel import Outcome
from subagent_sidecar.core.model import EndedBy


async def test_a_run_that_obeys_is_asked_once(desk: Desk) -> None:
    desk.server.statuses = ["running", "running", "interrupted"]
    pursuit = desk.end()
    await desk.idle()
    assert pursuit.verdict is not None and pursuit.verdict.outcome is Outcome.CANCELLED
    assert desk.asked("cancel", "rollback", "run") == ["run r1", "cancel r1", "run r1", "run r1"]


async def test_a_run_that_never_obeys_is_asked_ever_harder_and_then_ever_less_often() -> None:
    desk = Desk(until=600.0)
    await desk.start()
    times: list[tuple[float, str]] = []
    ask = desk.server.cancel

    async def noted(*args: str, rollback: bool = False, auth: object = ()) -> bool:
        times.append((desk.clock.monotonic(), "rollback" if rollback else "cancel"))
        return await ask("t", "r1", rollback=rollback)

    desk.server.cancel = noted  # type: ignore[assignment, method-assign]
    pursuit = desk.end()
    await desk.idle()
    first = times[0][0]
    asked = [(round(at - first), how) for at, how in times]
    assert asked[:3] == [(0, "cancel"), (15, "cancel"), (30, "rollback")]
    assert asked[3:] == [(75, "cancel"), (150, "cancel"), (285, "cancel"), (480, "cancel")]
    assert pursuit.verdict is not None and pursuit.verdict.outcome is Outcome.UNCONFIRMED
    [run] = (await desk.record()).runs
    assert run.cancel_unconfirmed_at is not None


async def test_it_is_told_in_one_line_however_long_it_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk(until=5_000.0)
    await desk.start()
    with caplog.at_level(logging.INFO):
        desk.end()
        await desk.idle()
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1 and "still running after interrupt (twice), rollback" in told[0]


async def test_looking_is_cheap_however_long_it_takes() -> None:
    desk = Desk(until=3_600.0)
    await desk.start()
    desk.end()
    await desk.idle()
    assert len(desk.server.asked) < 300  # in an hour


async def test_a_thread_that_another_run_keeps_busy_says_nothing(desk: Desk) -> None:
    desk.server.statuses, desk.server.thread = ["interrupted"], "busy"
    desk.server.listed = [server_run("r2", status="running"), server_run("r1", status="error")]
    pursuit = desk.end()
    await desk.idle()
    assert pursuit.verdict is not None and pursuit.verdict.outcome is Outcome.CANCELLED


async def test_a_server_that_lists_no_runs_is_believed(desk: Desk) -> None:
    desk.server.statuses, desk.server.thread = ["cancelled"], "busy"
    desk.server.listed = None
    pursuit = desk.end()
    await desk.idle()
    assert pursuit.verdict is not None and pursuit.verdict.outcome is Outcome.CANCELLED


async def test_a_run_that_vanished_with_its_thread_is_lost_and_nothing_is_made_up() -> None:
    desk = Desk()
    await desk.start()
    desk.server.statuses, desk.server.thread = [None], None
    pursuit = desk.end()
    await desk.idle()
    assert pursuit.verdict is not None and pursuit.verdict.outcome is Outcome.LOST
    assert (await desk.record()).task.status == "pending"
    assert desk.asked("cancel", "rollback") == []


async def test_one_404_is_no_end_of_a_run(desk: Desk) -> None:
    desk.server.statuses = ["running", None, "running", "interrupted"]
    pursuit = desk.end()
    await desk.idle()
    assert pursuit.verdict is not None and pursuit.verdict.outcome is Outcome.CANCELLED
    assert pursuit.verdict.detail == "the server confirms that it is over"
    assert len(desk.asked("run")) == 4


async def test_a_run_that_stays_missing_on_a_thread_that_is_there_is_gone(desk: Desk) -> None:
    desk.server.statuses = ["running", None]
    begun, pursuit = desk.clock.monotonic(), desk.end()
    await desk.idle()
    assert pursuit.verdict is not None and pursuit.verdict.outcome is Outcome.CANCELLED
    assert 3.0 <= desk.clock.monotonic() - begun < 5.0
    assert (await desk.record()).task.status == "cancelled"


async def test_what_answers_404_to_everything_is_not_believed_soon() -> None:
    desk = Desk(until=500.0)
    await desk.wish()
    desk.server.statuses, desk.server.thread, desk.server.threads_listed = [None], None, None
    pursuit = desk.end()
    await desk.idle()
    assert pursuit.verdict is None and (await desk.record()).runs[0].cancel_open
    assert len(desk.asked("run")) < 12


async def test_a_run_at_large_whose_server_forgot_it_with_its_thread_is_counted_no_more() -> None:
    # A `langgraph dev` that begins anew with nothing. Nobody will ever see what became of the run.
    desk = Desk(until=100.0)
    await desk.wish()
    desk.server.statuses, desk.server.thread = ["interrupted"], "busy"
    desk.end()
    await desk.idle()
    assert (await desk.record()).runs[0].at_large
    await desk.runs.aclose()
    desk.asleep = 0

    desk.server.statuses, desk.server.thread = [None], None
    await desk.runs.resume()
    await desk.idle()
    [run] = (await desk.record()).runs
    assert not run.unfinished and not run.cancel_open
    told = (await desk.store.events("t", limit=50))[-1]
    assert (told.kind, told.detail) == ("cancel_confirmed", {"lost": True})


async def test_a_live_run_that_is_lost_is_counted_until_the_watcher_is_sure_of_it() -> None:
    desk = Desk()
    await desk.wish()
    desk.server.statuses, desk.server.thread = [None], None
    desk.end()
    await desk.idle()
    assert (await desk.record()).runs[0].unfinished
    desk.service.seen.thread_gone("up", "t", by=EndedBy.SERVER_LOST, reason="its server lost it")
    assert not (await desk.record()).runs[0].unfinished


async def test_a_status_nobody_knows_is_no_end(desk: Desk) -> None:
    desk.server.statuses = ["draining", "draining", "interrupted"]
    pursuit = desk.end()
    await desk.idle()
    assert pursuit.verdict is not None and pursuit.verdict.outcome is Outcome.CANCELLED
    assert desk.asked("cancel") == ["cancel r1"]
