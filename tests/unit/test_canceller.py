"""Pursuing runs that are to end, against a server and a clock that do as they are told."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from tests.support.agent_server import ScriptedServer, server_run
from tests.support.troubled_store import TroubledStore
from tests.support.waiting import eventually, eventually_got

from subagent_sidecar.canceller import RunCanceller, TaskCanceller
from subagent_sidecar.canceller.pursuit import Pursuit
from subagent_sidecar.core.cancel import Outcome, Rollback, TaskEnd
from subagent_sidecar.core.model import EndedBy, Run, TaskRecord
from subagent_sidecar.credentials import Credentials
from subagent_sidecar.errors import (
    StoreUnavailable,
    TaskNotFound,
    UpstreamRefused,
    UpstreamUnreachable,
)
from subagent_sidecar.ports import AgentServer
from subagent_sidecar.service import Service
from subagent_sidecar.testing import FakeClock

KEY = ((b"x-api-key", b"k"),)
VERIFY_FOR = 15.0


class SlowStarter(TroubledStore):
    """Cannot say what is open the first `unreadable` times."""

    unreadable = 0

    async def open_cancels(self, *, limit: int) -> Sequence[tuple[str, Run]]:
        if self.unreadable:
            self.unreadable -= 1
            raise StoreUnavailable("locked")
        return await super().open_cancels(limit=limit)


@dataclass
class Desk:
    """One server called `up`. Time passes while the canceller sleeps, up to `until`."""

    store: SlowStarter = field(default_factory=SlowStarter)
    server: ScriptedServer = field(default_factory=ScriptedServer)
    clock: FakeClock = field(default_factory=FakeClock)
    credentials: Credentials = field(default_factory=Credentials)
    rollback: Rollback = Rollback.OURS
    until: float = 1_000.0
    at_once: int = 100
    asleep: int = 0

    def __post_init__(self) -> None:
        self.service = Service(store=self.store, clock=self.clock)
        servers: dict[str, AgentServer] = {"up": self.server}
        self.runs = RunCanceller(
            service=self.service,
            store=self.store,
            clock=self.clock,
            servers=servers,
            credentials=self.credentials,
            verify_for=timedelta(seconds=VERIFY_FOR),
            rollback=self.rollback,
            sleep=self._sleep,
            at_once=self.at_once,
        )
        self.tasks = TaskCanceller(
            runs=self.runs,
            service=self.service,
            store=self.store,
            servers=servers,
            credentials=self.credentials,
        )

    async def _sleep(self, seconds: float) -> None:
        if self.clock.monotonic() + seconds > self.until:
            self.asleep += 1
            await asyncio.Event().wait()
        self.clock.tick(seconds)
        await asyncio.sleep(0)

    async def start(self, run_id: str = "r1", task_id: str = "t") -> None:
        intent = await self.service.admit(upstream="up", supervisor="ann", thread_id=task_id)
        self.service.accepted(intent, [server_run(run_id, task_id)])
        self.clock.tick(1)

    async def wish(self, run_id: str = "r1", task_id: str = "t") -> None:
        """On record as to be cancelled, by nobody who is there any more."""
        await self.start(run_id, task_id)
        self.service.cancels.asked("up", task_id, run_id, by=EndedBy.OPERATOR, reason="enough")
        await self.service.flush()

    def end(self, run_id: str = "r1", *, by: EndedBy = EndedBy.OPERATOR) -> Pursuit:
        return self.runs.end("up", "t", run_id, by=by)

    async def idle(self) -> None:
        """Wait until there is nothing left to do before `until`."""
        await eventually(lambda: self.runs.pursuing == self.asleep)

    async def record(self, task_id: str = "t") -> TaskRecord:
        await self.service.flush()
        record = await self.store.task(task_id)
        assert record is not None
        return record

    def asked(self, *words: str) -> list[str]:
        """What the server was asked that begins with one of these words."""
        return [what for what in self.server.asked if what.split()[0] in words]

    async def end_task(self, task_id: str = "t", *, wait_s: float = 20.0) -> TaskEnd:
        return await self.tasks.end_task(
            task_id, by=EndedBy.OPERATOR, reason="enough", wait_s=wait_s
        )


@pytest.fixture
async def desk() -> Desk:
    found = Desk()
    await found.start()
    return found


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
