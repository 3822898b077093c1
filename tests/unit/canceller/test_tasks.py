"""Whole tasks that are to end."""

import asyncio

import pytest
from tests.support.agent_server import server_run
from tests.support.waiting import eventually
from tests.unit.canceller.desk import Desk

from subagent_sidecar.core.cancel import Outcome
from subagent_sidecar.core.model import EndedBy
from subagent_sidecar.errors import TaskNotFound
from subagent_sidecar.tasks import spawn


async def test_each_run_is_asked_after_the_newer_one(desk: Desk) -> None:
    await desk.start("r2")
    await desk.start("r3")
    desk.server.listed = [server_run(r, status="pending") for r in ("r3", "r2", "r1")]
    desk.server.statuses = [*["running"] * 3, "interrupted"]
    end = await desk.end_task()
    assert (end.told, end.status, end.over) == ("cancelled", "cancelled", True)
    assert desk.asked("cancel") == ["cancel r3", "cancel r2", "cancel r1"]


async def test_a_server_without_a_list_of_runs_is_asked_about_those_on_record(desk: Desk) -> None:
    desk.server.listed = None
    desk.server.statuses = ["running", "cancelled"]
    assert (await desk.end_task()).told == "cancelled"


async def test_however_many_are_to_end_a_server_lists_the_runs_of_a_few_at_a_time() -> None:
    desk = Desk()
    for number in range(40):
        await desk.start(f"r{number}", f"t{number}")
    desk.server.statuses, desk.server.gate = ["interrupted"], asyncio.Event()
    ending = [spawn(desk.end_task(f"t{number}"), name="end") for number in range(40)]
    await eventually(lambda: len(desk.server.asked) >= 16)
    await desk.service.entered()
    assert len(desk.server.asked) == 16
    desk.server.gate.set()
    ends = await asyncio.gather(*ending)
    assert {end.outcome for end in ends} == {Outcome.CANCELLED}


async def test_a_start_in_doubt_cannot_be_cancelled_yet() -> None:
    desk = Desk()
    intent = await desk.service.admit(upstream="up", supervisor="ann", thread_id="t")
    desk.service.doubted(intent, "broke off")
    end = await desk.end_task()
    assert (end.told, end.over, end.run_id) == ("in doubt", False, None)
    assert desk.server.asked == []


async def test_a_task_that_is_over_on_record_is_no_servers_business(desk: Desk) -> None:
    desk.service.seen.run("up", "t", "r1", "error")
    end = await desk.end_task()
    assert (end.told, end.over, desk.server.asked) == ("already error", True, [])


@pytest.mark.parametrize(
    ("status", "told", "over"), [("interrupted", "cancelled", True), ("success", "asked", False)]
)
async def test_while_nothing_can_be_entered_the_servers_word_is_told(
    desk: Desk, status: str, told: str, over: bool
) -> None:
    await desk.service.flush()
    desk.store.busy = True
    desk.server.statuses = ["running", status]
    end = await desk.end_task()
    assert (end.told, end.over, end.status) == (told, over, "pending")


async def test_a_task_that_gets_a_new_run_meanwhile_is_not_over(desk: Desk) -> None:
    async def overtaken(*args: str, rollback: bool = False, auth: object = ()) -> bool:
        await desk.start("r2")
        return True

    desk.server.cancel = overtaken  # type: ignore[assignment, method-assign]
    desk.server.statuses = ["running", "interrupted"]
    end = await desk.end_task()
    assert (end.told, end.over, end.run_id) == ("went on", False, "r2")
    assert "cancel it again" in end.detail


@pytest.mark.parametrize("listed", [["r2", "r1"], ["r1"], None])
async def test_what_began_after_the_run_that_was_judged_goes_on(
    desk: Desk, listed: list[str] | None
) -> None:
    await desk.start("r2")
    desk.server.listed = (
        None if listed is None else [server_run(run, status="running") for run in listed]
    )
    desk.server.statuses = ["running", "interrupted"]
    end = await desk.tasks.end_task(
        "t", by=EndedBy.REAPER, reason="enough", wait_s=20.0, up_to="r1"
    )
    assert (end.told, end.over, end.run_id) == ("went on", False, "r2")
    assert desk.asked("cancel") == ["cancel r1"]


async def test_a_task_on_an_upstream_that_is_gone_is_unreachable(desk: Desk) -> None:
    intent = await desk.service.admit(upstream="old", supervisor="ann", thread_id="t2")
    desk.service.accepted(intent, [server_run("r9", "t2")])
    end = await desk.end_task("t2")
    assert (end.told, end.over) == ("unreachable", False)
    assert "'old' is not configured any more" in end.detail


async def test_a_task_nobody_knows_is_not_found(desk: Desk) -> None:
    with pytest.raises(TaskNotFound):
        await desk.end_task("nobody")


async def test_whoever_does_not_wait_is_told_that_it_is_not_verified_yet(desk: Desk) -> None:
    desk.server.gate = asyncio.Event()
    desk.server.listed = None
    asking = asyncio.ensure_future(desk.end_task(wait_s=0.0))
    await eventually(lambda: desk.server.asked)
    desk.server.gate.set()
    end = await asking
    assert (end.told, end.over) == ("asked", False)
    await desk.runs.aclose()
