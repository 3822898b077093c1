"""Servers that refuse, fail or are gone while a run is to end."""

from tests.unit.canceller.desk import Desk

from subagent_sidecar.core.cancel import Outcome
from subagent_sidecar.core.model import EndedBy
from subagent_sidecar.errors import UpstreamRefused, UpstreamUnreachable


async def test_trouble_is_told_after_a_while_and_not_the_end_of_it(desk: Desk) -> None:
    desk.server.failures = 5
    desk.server.statuses = ["running", "interrupted"]
    pursuit = desk.end()
    await pursuit.settled.wait()
    first = pursuit.verdict
    await desk.idle()
    assert first is not None and first.outcome is Outcome.UNREACHABLE
    assert pursuit.verdict is not None and pursuit.verdict.outcome is Outcome.CANCELLED


async def test_a_server_that_refuses_is_asked_less_and_less() -> None:
    desk = Desk(until=24 * 3_600.0)
    await desk.start()
    desk.server.down = UpstreamRefused("the server answered 401 to GET /x", answered=401)
    pursuit = desk.end()
    await desk.idle()
    assert pursuit.verdict is not None and "answered 401" in pursuit.verdict.detail
    assert pursuit.verdict.outcome is Outcome.REFUSED
    assert len(desk.server.asked) < 170  # in a day


async def test_a_server_that_is_out_of_order_is_not_given_up_for_long() -> None:
    desk = Desk(until=3_600.0)
    await desk.start()
    desk.server.down = UpstreamRefused("the server answered 503 to GET /x", answered=503)
    pursuit = desk.end()
    await desk.idle()
    assert pursuit.verdict is not None and pursuit.verdict.outcome is Outcome.UNREACHABLE
    assert 3_600 / 31 < len(desk.server.asked) < 150  # in an hour


async def test_a_rollback_that_is_turned_down_is_one_more_that_was_not_obeyed(desk: Desk) -> None:
    ask = desk.server.cancel

    async def no_rollback(*args: str, rollback: bool = False, auth: object = ()) -> bool:
        if rollback:
            raise UpstreamRefused("the server answered 409 to POST", answered=409)
        return await ask("t", "r1")

    desk.server.cancel = no_rollback  # type: ignore[assignment, method-assign]
    pursuit = desk.end()
    await desk.idle()
    assert pursuit.verdict is not None and pursuit.verdict.outcome is Outcome.UNCONFIRMED
    [run] = (await desk.record()).runs
    assert run.cancel_unconfirmed_at is not None
    assert len(desk.asked("cancel")) > 2  # and it is tried on


async def test_what_no_server_has_taken_is_not_told_as_asked_for(desk: Desk) -> None:
    desk.until = 0.0
    desk.server.down = UpstreamUnreachable("nobody listens")
    end = await desk.end_task(wait_s=0.0)
    assert end.told == "asked" and "has not taken the cancel yet" in end.detail


async def test_an_upstream_that_is_not_configured_any_more_is_unreachable(desk: Desk) -> None:
    pursuit = desk.runs.end("gone", "t", "r1", by=EndedBy.OPERATOR)
    assert pursuit.settled.is_set() and desk.runs.pursuing == 0
    assert pursuit.verdict is not None and pursuit.verdict.outcome is Outcome.UNREACHABLE
