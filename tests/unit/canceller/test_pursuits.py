"""Who wants a run to end: several at once, with credentials, and after a restart."""

from tests.support.waiting import eventually_got
from tests.unit.canceller.desk import KEY, Desk

from subagent_sidecar.core.model import EndedBy


async def test_two_who_want_the_same_share_one_pursuit(desk: Desk) -> None:
    desk.server.statuses = ["running", "interrupted"]
    assert desk.end() is desk.end(by=EndedBy.REAPER)
    await desk.idle()
    assert desk.asked("cancel") == ["cancel r1"]


async def test_an_operator_does_more_than_a_supervisor_and_is_not_replaced_by_one(
    desk: Desk,
) -> None:
    desk.until = 0.0
    desk.runs.verify("up", "t", "r1", auth=KEY)
    mine = desk.end()
    desk.runs.verify("up", "t", "r1", auth=KEY)
    assert mine.by is EndedBy.OPERATOR and desk.end() is mine
    assert desk.runs.pursuing == 1
    await desk.runs.aclose()
    assert desk.runs.pursuing == 0


async def test_credentials_last_seen_with_the_thread_are_presented(desk: Desk) -> None:
    desk.credentials.keep("t", KEY)
    desk.server.statuses = ["running", "interrupted"]
    await desk.end_task()
    assert set(desk.server.presented) == {KEY}


async def test_what_is_open_on_record_is_taken_up(desk: Desk) -> None:
    await desk.wish("r2")
    desk.server.statuses = ["running", "interrupted"]
    desk.store.unreadable = 3
    await desk.runs.resume()
    assert desk.store.unreadable == 0
    await desk.idle()
    assert desk.asked("cancel") == ["cancel r2"]
    [_, run] = (await desk.record()).runs
    assert run.cancel_confirmed_at is not None and run.cancel_asked_by == "operator"


async def test_what_there_is_no_room_for_is_taken_up_later() -> None:
    desk = Desk(at_once=2)
    for number in range(7):
        await desk.wish(f"r{number}", f"t{number}")
    desk.server.statuses = ["interrupted"]
    left_out = [
        desk.runs.end("up", f"t{number}", f"r{number}", by=EndedBy.OPERATOR) for number in range(7)
    ]
    assert desk.runs.pursuing == 2 and left_out[-1].verdict is None

    async def unconfirmed() -> int:
        await desk.service.flush()
        return len(await desk.store.open_cancels(limit=10))

    await eventually_got(unconfirmed, lambda count: count == 0)
