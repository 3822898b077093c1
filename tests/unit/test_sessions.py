"""Heartbeats and ends as they come in (sessions.Sessions)."""

import asyncio
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
from tests.support.agent_server import server_run
from tests.support.troubled_store import TroubledStore

from subagent_sidecar.core.changes import SessionBeat, SessionEnded
from subagent_sidecar.core.model import EndedBy
from subagent_sidecar.errors import SessionOver, StoreError, StoreUnavailable
from subagent_sidecar.recorder import Recorder
from subagent_sidecar.service import Service
from subagent_sidecar.sessions import SessionEnd, Sessions
from subagent_sidecar.testing import FakeClock

C = TypeVar("C")
LOCKED = StoreUnavailable("database is locked")


@dataclass
class Sidecar:
    """A service on books in memory, and who is told of ends."""

    store: TroubledStore = field(default_factory=TroubledStore)
    clock: FakeClock = field(default_factory=FakeClock)
    told: list[tuple[str, str]] = field(default_factory=list)
    starts: int = 0

    def __post_init__(self) -> None:
        self.service = Service(store=self.store, clock=self.clock)
        self.service.on_session_ended(lambda *key: self.told.append(key))

    async def beat(
        self, session: str = "s", *, lease_s: int | None = None, reopen: bool = False
    ) -> None:
        self.clock.tick(1)
        await self.service.sessions.beat("ann", session, lease_s=lease_s, reopen=reopen)

    async def end(self, session: str = "s", reason: str | None = None) -> SessionEnd:
        self.clock.tick(1)
        return await self.service.sessions.end("ann", session, by=EndedBy.SUPERVISOR, reason=reason)

    async def started(self, thread_id: str, session: str = "s", supervisor: str = "ann") -> None:
        self.clock.tick(1)
        self.starts += 1
        intent = await self.service.admit(
            upstream="up", supervisor=supervisor, thread_id=thread_id, header_session=session
        )
        self.service.accepted(intent, [server_run(f"{thread_id}-r{self.starts}", thread_id)])

    def over(self, thread_id: str, run: int) -> None:
        self.service.seen.run("up", thread_id, f"{thread_id}-r{run}", "success")
        self.service.seen.thread("up", thread_id, "idle")

    def entered(self, kind: type[C]) -> list[C]:
        return [change for change in self.store.changes if isinstance(change, kind)]


@pytest.fixture
def sidecar() -> Sidecar:
    return Sidecar()


async def test_heartbeats_of_many_sessions_are_written_in_one_go(sidecar: Sidecar) -> None:
    for number in range(500):
        await sidecar.beat(f"s{number}")
        await sidecar.beat(f"s{number}", lease_s=90)
    assert sidecar.store.handed_in == []
    await sidecar.service.flush()
    assert len(sidecar.store.handed_in) == 1
    beats = sidecar.entered(SessionBeat)
    assert len(beats) == 500
    assert {(beat.times, beat.lease_s) for beat in beats} == {(2, 90)}


async def test_whoever_reads_what_was_entered_finds_the_heartbeats(sidecar: Sidecar) -> None:
    await sidecar.beat()
    await sidecar.service.entered()
    session = await sidecar.store.session("ann", "s")
    assert session is not None and session.beats == 1


async def test_a_heartbeat_is_taken_while_the_store_is_in_trouble(sidecar: Sidecar) -> None:
    sidecar.store.down = LOCKED
    await sidecar.beat()
    await sidecar.service.flush()
    sidecar.store.down = None
    await sidecar.service.flush()
    assert await sidecar.store.session("ann", "s") is not None


async def test_an_end_is_on_record_before_it_is_answered_and_told(sidecar: Sidecar) -> None:
    end = await sidecar.end(reason="done")
    session = await sidecar.store.session("ann", "s")
    assert session == end.session
    assert (session.ended, session.reason) == (True, "done")
    assert sidecar.told == [("ann", "s")]


async def test_an_end_the_store_cannot_take_did_not_happen(sidecar: Sidecar) -> None:
    sidecar.store.down = LOCKED
    with pytest.raises(StoreError):
        await sidecar.end()
    sidecar.store.down = None
    assert sidecar.told == []
    await sidecar.beat()


async def test_an_end_names_the_live_tasks_of_this_supervisor(sidecar: Sidecar) -> None:
    for task_id in ("t1", "t2", "t3"):
        await sidecar.started(task_id)
    await sidecar.started("other", "s2")
    await sidecar.started("bob's", supervisor="bob")
    sidecar.over("t2", 2)
    end = await sidecar.end()
    assert {record.task.task_id for record in end.tasks} == {"t1", "t3"}
    assert (end.again, end.more) == (False, False)


async def test_an_end_that_is_repeated_names_what_is_live_still(sidecar: Sidecar) -> None:
    await sidecar.started("t1")
    await sidecar.end(reason="first")
    end = await sidecar.end(reason="second")
    assert (end.again, [record.task.task_id for record in end.tasks]) == (True, ["t1"])
    assert end.session.reason == "first"
    assert sidecar.told == [("ann", "s")] * 2


async def test_an_end_is_also_about_what_was_started_since_the_last_one(sidecar: Sidecar) -> None:
    await sidecar.started("t1")
    await sidecar.end(reason="first")
    await sidecar.started("t2")
    end = await sidecar.end(reason="second")
    assert end.session.reason == "second"
    ended = sidecar.entered(SessionEnded)
    assert [change.tasks for change in ended] == [("t1",), ("t2",)]


async def test_a_heartbeat_after_the_end_is_told_so(sidecar: Sidecar) -> None:
    await sidecar.beat()
    await sidecar.end(reason="enough")
    with pytest.raises(SessionOver, match="enough") as refused:
        await sidecar.beat()
    assert refused.value.status == 410
    assert refused.value.ended_at is not None
    await sidecar.beat("s2")


async def test_a_heartbeat_may_open_a_session_again(sidecar: Sidecar) -> None:
    await sidecar.end()
    await sidecar.beat(reopen=True)
    await sidecar.beat()
    await sidecar.service.flush()
    session = await sidecar.store.session("ann", "s")
    assert session is not None and (session.ended, session.beats) == (False, 2)


async def test_an_end_right_after_it_was_opened_again_is_an_end(sidecar: Sidecar) -> None:
    await sidecar.end()
    await sidecar.beat(reopen=True)
    end = await sidecar.end()
    assert (end.session.ended, end.again) == (True, False)


@pytest.mark.parametrize("back_s", [30, 86_400])
async def test_a_clock_that_is_set_back_swallows_neither_an_end_nor_an_opening(
    sidecar: Sidecar, back_s: int
) -> None:
    await sidecar.end()
    sidecar.clock.jump(-back_s)
    await sidecar.beat(reopen=True)
    await sidecar.service.flush()
    opened = await sidecar.store.session("ann", "s")
    assert opened is not None
    assert not opened.ended
    sidecar.clock.jump(-back_s)
    await sidecar.started("t1")
    over = await sidecar.end(reason="enough")
    assert over.session.ended
    assert over.session.reason == "enough"
    assert not over.again
    assert [record.task.task_id for record in over.tasks] == ["t1"]
    assert over.session.ended_after(over.tasks[0].runs[0].created_at)


async def test_an_end_by_another_process_is_noticed(sidecar: Sidecar) -> None:
    await sidecar.beat()
    other = Service(store=sidecar.store, clock=sidecar.clock)
    await sidecar.service.flush()
    await other.sessions.end("ann", "s", by=EndedBy.OPERATOR, reason=None)
    await sidecar.beat()  # it is believed for a while, and changes nothing
    await sidecar.service.flush()
    session = await sidecar.store.session("ann", "s")
    assert session is not None and session.ended
    sidecar.clock.tick(301)
    with pytest.raises(SessionOver):
        await sidecar.beat()


async def test_what_ended_before_a_restart_is_known_after_it(sidecar: Sidecar) -> None:
    await sidecar.end()
    sidecar.service = Service(store=sidecar.store, clock=sidecar.clock)
    with pytest.raises(SessionOver):
        await sidecar.beat()


async def test_heartbeats_are_written_soon_by_themselves(sidecar: Sidecar) -> None:
    entered = asyncio.Event()
    recorder = Recorder(sidecar.store)
    recorder.on_entered(entered.set)
    sessions = Sessions(
        store=sidecar.store,
        recorder=recorder,
        now=sidecar.service.now,
        monotonic=sidecar.clock.monotonic,
        flush_s=0.001,
    )
    await sessions.beat("ann", "s", lease_s=None, reopen=False)
    await asyncio.wait_for(entered.wait(), 60)
    assert len(sidecar.entered(SessionBeat)) == 1


async def test_a_follow_up_after_the_end_takes_its_task_out_of_it(sidecar: Sidecar) -> None:
    await sidecar.started("t1")
    await sidecar.end()
    await sidecar.started("t1")
    await sidecar.end()
    ended = sidecar.entered(SessionEnded)
    assert [change.tasks for change in ended] == [("t1",), ("t1",)]
