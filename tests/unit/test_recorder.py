"""Entering changes behind the answers: together, in order, through every trouble of the store."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from tests.support.books import accepted, at, start
from tests.support.troubled_store import TroubledStore
from tests.support.waiting import eventually

from subagent_sidecar.core.changes import Change, Polled, RunSeen
from subagent_sidecar.core.model import RunStatus
from subagent_sidecar.errors import StoreBusy, StoreRejected, StoreUnavailable
from subagent_sidecar.recorder import Recorder

LOCKED = StoreUnavailable("database is locked")


@dataclass
class Desk:
    store: TroubledStore
    recorder: Recorder

    async def start(self) -> Change:
        """A start that was admitted; its acceptance, to be entered."""
        return accepted(await self.store.admit(start(1)), "r1", 2)

    async def status(self) -> str:
        record = await self.store.task("t")
        return "not on record" if record is None else record.task.status


@pytest.fixture
def desk() -> Desk:
    store = TroubledStore()
    return Desk(store, Recorder(store))


def seen(status: RunStatus, second: float = 3) -> RunSeen:
    return RunSeen(thread_id="t", run_id="r1", status=status, at=at(second))


def polled(times: int) -> Polled:
    return Polled(task_id="t", times=times, at=at(times))


async def test_changes_wait_a_moment_for_company(desk: Desk) -> None:
    for times in range(5):
        desk.recorder.post(polled(times))
    assert desk.store.handed_in == []
    await eventually(lambda: desk.store.handed_in)
    assert desk.store.handed_in == [tuple(polled(times) for times in range(5))]


async def test_entered_hands_in_at_once_and_waits_for_the_commit(desk: Desk) -> None:
    desk.recorder.post(await desk.start())
    await desk.recorder.entered()
    assert await desk.status() == "pending"


async def test_a_start_finds_what_was_posted_about_its_thread(desk: Desk) -> None:
    desk.recorder.post(polled(1), about=("t",))
    desk.recorder.enter_about("other", None)
    assert desk.store.handed_in == []
    desk.recorder.enter_about(None, "t")
    assert desk.store.changes == [polled(1)]
    desk.recorder.post(polled(2))
    desk.recorder.enter_about("t")
    assert desk.store.changes == [polled(1)]


async def test_nothing_posted_is_nothing_handed_in(desk: Desk) -> None:
    desk.recorder.enter()
    await desk.recorder.flush()
    assert desk.store.handed_in == []


# failures.md 7, 8
@pytest.mark.parametrize("refusal", ["later", "at once"])
async def test_what_the_store_could_not_take_is_entered_when_it_can(
    desk: Desk, refusal: str
) -> None:
    changes = [await desk.start(), seen(RunStatus.RUNNING), seen(RunStatus.SUCCESS)]
    desk.store.busy, desk.store.down = refusal == "at once", LOCKED
    for change in changes:
        desk.recorder.post(change)
        await desk.recorder.entered()
    desk.store.busy, desk.store.down = False, None
    desk.recorder.post(polled(4))
    await desk.recorder.flush()
    assert await desk.status() == "success"
    assert desk.store.changes[-4:] == [*changes, polled(4)]


async def test_a_store_that_comes_back_is_tried_again_without_being_told(desk: Desk) -> None:
    change = await desk.start()
    desk.store.busy = True
    desk.recorder.post(change)
    await desk.recorder.entered()
    desk.store.busy = False
    await eventually(lambda: len(desk.store.handed_in) == 2)
    assert await desk.status() == "pending"


async def test_what_comes_while_the_store_is_down_stays_behind_what_waits(desk: Desk) -> None:
    desk.store.busy = True
    desk.recorder.post(polled(1))
    await desk.recorder.entered()
    desk.store.busy = False
    desk.recorder.post(polled(2))
    await desk.recorder.entered()
    assert desk.store.handed_in == [(polled(1),)]
    await desk.recorder.flush()
    assert desk.store.handed_in[1:] == [(polled(1), polled(2))]


async def test_a_change_that_overtook_a_failed_one_is_entered_once_more(desk: Desk) -> None:
    start_accepted = await desk.start()
    desk.store.hold = True
    desk.recorder.post(start_accepted)
    desk.recorder.enter()
    desk.recorder.post(seen(RunStatus.SUCCESS))
    desk.recorder.enter()
    desk.store.answer(LOCKED)
    desk.store.answer()  # of a run that is not on record: it changes nothing
    desk.store.hold = False
    await desk.recorder.entered()
    await desk.recorder.flush()
    assert await desk.status() == "success"


async def test_a_refusal_at_once_does_not_get_before_a_failure_that_comes_later(
    desk: Desk,
) -> None:
    start_accepted = await desk.start()
    desk.store.hold = True
    desk.recorder.post(start_accepted)
    desk.recorder.enter()
    desk.store.busy = True
    desk.recorder.post(seen(RunStatus.SUCCESS))
    desk.recorder.enter()
    desk.store.answer(LOCKED)
    desk.store.busy, desk.store.hold = False, False
    await desk.recorder.entered()
    await desk.recorder.flush()
    assert await desk.status() == "success"


async def test_polls_that_overtook_are_not_counted_twice(desk: Desk) -> None:
    start_accepted = await desk.start()
    await desk.store.apply([start_accepted])
    desk.store.hold = True
    desk.recorder.post(seen(RunStatus.RUNNING))
    desk.recorder.enter()
    desk.recorder.post(polled(2))
    desk.recorder.enter()
    desk.store.answer(LOCKED)
    desk.store.answer()
    desk.store.hold = False
    await desk.recorder.entered()
    await desk.recorder.flush()
    record = await desk.store.task("t")
    assert record is not None
    assert (record.task.status, record.task.polls) == ("running", 2)


async def test_waiting_ends_although_there_is_always_more(desk: Desk) -> None:
    desk.store.hold = True

    async def more_and_more() -> None:
        for times in range(1_000):
            desk.recorder.post(polled(times))
            desk.recorder.enter()
            if times:
                desk.store.answer()
            await asyncio.sleep(0)
        desk.store.answer()

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        traffic = group.create_task(more_and_more())
        await asyncio.sleep(0)
        await desk.recorder.entered()
        assert not traffic.done()


class Rejecting(TroubledStore):
    """A store that can hold no poll."""

    def apply(self, changes: Sequence[Change]) -> asyncio.Future[None]:
        if any(isinstance(change, Polled) for change in changes):
            self.handed_in.append(tuple(changes))
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.set_exception(StoreRejected("not text"))
            return future
        return super().apply(changes)


async def test_a_change_that_can_never_be_entered_is_dropped_alone_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk(store := Rejecting(), Recorder(store))
    changes = [await desk.start(), polled(1), seen(RunStatus.SUCCESS)]
    with caplog.at_level(logging.ERROR):
        for change in changes:
            desk.recorder.post(change)
        await desk.recorder.flush()
    assert await desk.status() == "success"
    assert [getattr(record, "action", "") for record in caplog.records] == ["record_dropped"]
    handed_in = len(desk.store.handed_in)
    await desk.recorder.flush()
    assert len(desk.store.handed_in) == handed_in
    assert (desk.recorder.dropped, desk.recorder.waiting) == (1, 0)


async def test_what_is_not_on_record_yet_is_counted_wherever_it_waits(desk: Desk) -> None:
    desk.store.hold = True
    desk.recorder.post(polled(1))
    desk.recorder.post(polled(2))
    assert desk.recorder.waiting == 2
    desk.recorder.enter()
    desk.recorder.post(polled(3))
    assert desk.recorder.waiting == 3
    desk.store.answer(LOCKED)  # the first two are kept and tried again
    assert desk.recorder.waiting == 3
    desk.store.hold = False
    await eventually(lambda: desk.recorder.waiting == 0)
    assert desk.recorder.dropped == 0


async def test_an_outage_is_one_line_in_the_log(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.store.down = StoreBusy("too many writes are waiting")
    with caplog.at_level(logging.ERROR):
        for times in range(5):
            desk.recorder.post(polled(times))
            await desk.recorder.entered()
    assert [getattr(record, "action", "") for record in caplog.records] == ["store_write_failed"]
    assert "too many writes are waiting" in caplog.text
    desk.store.down = None
    await desk.recorder.flush()
