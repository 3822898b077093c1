"""One more look at runs whose cancel came true: their server may have gone back to before."""

import logging

import pytest
from tests.support.waiting import eventually
from tests.unit.canceller.desk import Desk

from subagent_sidecar.errors import UpstreamRefused, UpstreamUnreachable


async def cancelled(desk: Desk, *later: str | None) -> None:
    """A run whose cancel has come true, and what the server says of it then."""
    await desk.wish()
    desk.server.statuses = ["running", "interrupted", *later]
    desk.end()
    await desk.idle()
    assert not (await desk.record()).runs[0].unfinished


async def test_what_stays_cancelled_is_looked_at_once_and_no_more() -> None:
    desk = Desk()
    await cancelled(desk, "interrupted")
    assert await desk.rested() == 15.0
    await eventually(lambda: len(desk.asked("run")) == 3)
    await desk.rested()
    assert desk.asked("cancel") == ["cancel r1"]
    assert not (await desk.record()).runs[0].unfinished and not desk.rests


async def test_what_is_at_work_again_is_told_and_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk()
    await cancelled(desk, "running", "running", "running", "interrupted")
    with caplog.at_level(logging.WARNING):
        await desk.rested()
        await eventually(lambda: len(desk.asked("cancel")) == 2)
    await desk.idle()
    assert [record.action for record in caplog.records] == ["cancel_undone"]  # type: ignore[attr-defined]
    record = await desk.record()
    assert (record.task.status, record.runs[0].unfinished) == ("cancelled", False)
    told = [(each.kind, dict(each.detail)) for each in await desk.store.events("t", limit=50)]
    assert told[-2:] == [("cancel_unconfirmed", {"again": True}), ("cancel_confirmed", {})]


async def test_it_is_looked_at_again_after_that_too() -> None:
    desk = Desk()
    await cancelled(desk, "running", "interrupted")
    await desk.rested()  # it is at work, and has obeyed by the first look of the pursuit
    await eventually(lambda: len(desk.asked("run")) == 4)
    await desk.rested()  # between two looks
    assert await desk.rested() == pytest.approx(15.0, abs=0.1)
    await eventually(lambda: len(desk.asked("run")) == 5)


async def test_a_run_that_ended_by_itself_when_it_was_asked_again_is_over() -> None:
    desk = Desk()
    await cancelled(desk, "running", "success")
    await desk.rested()
    await desk.idle()
    await eventually(lambda: len(desk.asked("run")) == 4)
    run = (await desk.record()).runs[0]
    assert not run.at_large and not run.unfinished


async def test_a_server_that_is_away_is_looked_at_when_it_is_back() -> None:
    desk = Desk()
    await cancelled(desk, "running", "interrupted")
    desk.server.down = UpstreamUnreachable("nobody listens")
    assert [await desk.rested() for _ in range(4)] == [15.0, 1.0, 2.0, 4.0]
    await eventually(lambda: len(desk.asked("run")) == 6)
    assert desk.asked("cancel") == ["cancel r1"]
    desk.server.down = None
    await desk.rested()
    await eventually(lambda: len(desk.asked("run")) == 8)
    assert "cancel_unconfirmed" in [each.kind for each in await desk.store.events("t", limit=50)]


async def test_a_server_that_is_away_for_long_is_let_be() -> None:
    desk = Desk()
    await cancelled(desk)
    desk.server.down = UpstreamUnreachable("nobody listens")
    pauses = [await desk.rested() for _ in range(8)]
    assert pauses[-1] == 30.0
    await eventually(lambda: len(desk.asked("run")) == 10)
    desk.clock.tick(3_600.0)
    await desk.rested()
    await eventually(lambda: len(desk.asked("run")) == 11)
    assert await desk.rested() < 1.0


async def test_what_a_server_will_not_tell_is_left_at_that() -> None:
    desk = Desk()
    await cancelled(desk)
    desk.server.down = UpstreamRefused("forbidden", answered=403)
    await desk.rested()
    await eventually(lambda: desk.rests != [])
    assert desk.rests[0][0] < 1.0
    await desk.runs.aclose()


async def test_closing_waits_for_no_second_look() -> None:
    desk = Desk()
    await cancelled(desk)
    await eventually(lambda: desk.rests != [])
    await desk.runs.aclose()
    assert desk.asked("run") == ["run r1", "run r1"]
