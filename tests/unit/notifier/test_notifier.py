"""How ends leave the record: each once for each target, whatever happens to both sides."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.books import accepted, at, start
from tests.support.stores import open_sqlite
from tests.support.waiting import eventually

from subagent_sidecar.core.changes import RunSeen, ThreadSeen
from subagent_sidecar.core.matching import Glob
from subagent_sidecar.core.model import RunStatus, TaskRecord, ThreadStatus
from subagent_sidecar.core.push.targets import Target
from subagent_sidecar.notifier import Answer, Notifier, Secrets, Sender
from subagent_sidecar.ports import Store
from subagent_sidecar.store.memory import MemoryStore
from subagent_sidecar.testing import FakeClock

SECRET = b"a secret, long enough"


@dataclass
class Desk:
    """notifier.Poster: answers in turn, then 204s. `hole`: nothing comes back until it is set."""

    answers: list[int | None] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    attempts: int = 0
    hole: asyncio.Event | None = None
    closed: bool = False

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.attempts += 1
        if self.hole is not None:
            await self.hole.wait()
        status = self.answers.pop(0) if self.answers else 204
        if status == 204:
            self.told.append(json.loads(body))
            self.headers.append(headers)
        return Answer(status=status, problem=f"it answered {status}")

    async def aclose(self) -> None:
        self.closed = True

    @property
    def ends(self) -> list[str]:
        return sorted(f"{one['task_id']} {one['status']}" for one in self.told)


def shown(record: TaskRecord) -> Mapping[str, Any]:
    return {"agent_name": record.task.agent_name, "status": record.task.status}


@dataclass
class World:
    store: Store
    clock: FakeClock = field(default_factory=FakeClock)

    def notifier(self, desks: Mapping[str, Desk], **filters: Any) -> Notifier:
        self.senders = {
            name: Sender(
                target=Target(name=name, **filters),
                poster=desk,
                secrets=Secrets(name, given=[SECRET], file=None),
                store=self.store,
                clock=self.clock,
                shown=shown,
                chance=lambda: 0.0,
            )
            for name, desk in desks.items()
        }
        return Notifier(
            store=self.store,
            clock=self.clock,
            senders=list(self.senders.values()),
            on_news=lambda wake: None,
            look_s=0.01,
            closing_s=0.05,
        )

    async def started(self, task_id: str = "t", **facts: Any) -> None:
        intent = await self.store.admit(start(1, task_id, **facts))
        await self.store.apply([accepted(intent, f"r-{task_id}", 1, thread_id=task_id)])

    async def ended(
        self, task_id: str = "t", status: RunStatus = RunStatus.ERROR, second: float = 2
    ) -> None:
        seen = RunSeen(thread_id=task_id, run_id=f"r-{task_id}", status=status, at=at(second))
        await self.store.apply([seen])

    async def thread(self, status: ThreadStatus, task_id: str = "t", second: float = 3) -> None:
        await self.store.apply([ThreadSeen(thread_id=task_id, status=status, at=at(second))])

    async def told(self, notifier: Notifier) -> None:
        """Until nothing is left to put down, and what is due was tried once."""
        while await notifier.turn():
            pass
        for sender in self.senders.values():
            await sender.turn()
        await eventually(lambda: not any(sender.busy for sender in self.senders.values()))


@pytest.fixture
async def world() -> World:
    world = World(MemoryStore())
    await world.store.begin_spans("push")
    return world


async def test_an_end_is_told_once_with_whose_it_is_and_a_signature(world: World) -> None:
    desk = Desk()
    notifier = world.notifier({"ops": desk})
    await world.started()
    await world.told(notifier)
    assert desk.told == []
    await world.ended()
    for _ in range(3):
        await world.told(notifier)
        world.clock.tick(3600)
    (told,) = desk.told
    seq = await world.store.last_event()
    assert told == {
        "id": f"t.{seq}",
        "at": at(2),
        "kind": "ended",
        "status": "error",
        "task_id": "t",
        "run_id": "r-t",
        "task": {"agent_name": "graph", "status": "error"},
    }
    assert desk.headers[0]["x-sidecar-signature"].startswith("t=1767225600,v1=")
    assert notifier.numbers["ops"].delivered == 1
    assert await notifier.waiting() == {}


async def test_only_who_wants_it_is_told(world: World) -> None:
    ops = Desk()
    notifier = world.notifier({"ops": ops}, sessions=(Glob("other*"),))
    await world.started()
    await world.ended()
    await world.told(notifier)
    assert (ops.attempts, await notifier.waiting()) == (0, {})


async def test_a_question_is_told_instead_of_the_success_it_looked_like(world: World) -> None:
    desk = Desk()
    notifier = world.notifier({"ops": desk})
    world.clock.tick(2)
    await world.started()
    await world.ended(status=RunStatus.SUCCESS)
    await world.told(notifier)
    assert desk.told == []  # its thread was not seen yet
    await world.thread(ThreadStatus.INTERRUPTED)
    await world.told(notifier)
    assert [(one["kind"], one["status"]) for one in desk.told] == [("waiting", "waiting")]


async def test_a_success_waits_for_its_thread_but_not_for_long(world: World) -> None:
    desk = Desk()
    notifier = world.notifier({"ops": desk})
    world.clock.tick(2)
    await world.started("seen")
    await world.started("never")
    for task_id in ("seen", "never"):
        await world.ended(task_id, RunStatus.SUCCESS)
    await world.thread(ThreadStatus.IDLE, "seen")
    await world.told(notifier)
    assert desk.ends == ["seen success"]
    world.clock.tick(5)
    await world.told(notifier)
    assert desk.ends == ["never success", "seen success"]


async def test_what_fails_is_tried_again_and_every_attempt_has_the_same_id(world: World) -> None:
    desk = Desk(answers=[500, None, 302])
    notifier = world.notifier({"ops": desk})
    await world.started()
    await world.ended()
    for pause, attempts in ((0, 1), (4, 1), (1, 2), (9, 2), (1, 3), (20, 4)):
        world.clock.tick(pause)
        await world.told(notifier)
        assert desk.attempts == attempts
    assert desk.ends == ["t error"]
    numbers = notifier.numbers["ops"]
    assert (numbers.delivered, numbers.failed, numbers.given_up) == (1, 3, 0)


async def test_a_receiver_that_is_gone_for_good_is_not_tried_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(answers=[410])
    notifier = world.notifier({"ops": desk})
    await world.started()
    await world.ended()
    with caplog.at_level(logging.WARNING):
        await world.told(notifier)
    assert (desk.attempts, await notifier.waiting()) == (1, {})
    assert notifier.numbers["ops"].given_up == 1
    assert "task t is error was not told, after 1 attempts: it answered 410" in caplog.text


async def test_after_a_day_it_is_given_up(world: World) -> None:
    desk = Desk(answers=[500] * 100)
    notifier = world.notifier({"ops": desk})
    await world.started()
    await world.ended()
    for _ in range(30):
        await world.told(notifier)
        world.clock.tick(3600)
    assert 20 < desk.attempts < 30
    assert (notifier.numbers["ops"].given_up, await notifier.waiting()) == (1, {})


async def test_a_target_that_is_down_is_asked_by_one_at_a_time_and_ever_less(world: World) -> None:
    desk = Desk(answers=[None] * 100)
    notifier = world.notifier({"ops": desk})
    for number in range(40):
        await world.started(f"t{number}")
        await world.ended(f"t{number}")
    for _ in range(3):
        await world.told(notifier)
    assert desk.attempts == 8  # four at a time, until five had failed
    for pause, attempts in ((7.9, 8), (0.1, 9), (15.9, 9), (0.1, 10), (30, 11), (30, 12)):
        world.clock.tick(pause)
        await world.told(notifier)
        assert desk.attempts == attempts
    desk.answers.clear()
    world.clock.tick(3600)
    for _ in range(40):
        await world.told(notifier)
    assert len(desk.told) == 40


async def test_a_dead_target_is_not_in_the_way_of_others(world: World) -> None:
    dead, well = Desk(hole=asyncio.Event()), Desk()
    notifier = world.notifier({"dead": dead, "well": well})
    for number in range(6):
        await world.started(f"t{number}")
        await world.ended(f"t{number}")
    loop = asyncio.ensure_future(notifier.run())
    await eventually(lambda: len(well.told) == 6)
    assert dead.attempts == 4
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    await notifier.aclose()
    assert dead.closed and well.closed


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    async with open_sqlite(tmp_path) as store:
        await store.begin_spans("push")
        world = World(store)
        for number in range(5):
            await world.started(f"t{number}")
    yield tmp_path


async def test_a_restart_neither_loses_nor_repeats(path: Path) -> None:
    desk = Desk(answers=[204, 500, 204])
    clock = FakeClock()
    for number in range(5):
        async with open_sqlite(path) as store:
            world = World(store, clock)
            notifier = world.notifier({"ops": desk})
            await world.ended(f"t{number}")
            await world.told(notifier)
            await notifier.aclose()
            clock.tick(60)
    assert desk.ends == [f"t{number} error" for number in range(5)]
    assert desk.attempts == 6


async def test_who_died_in_the_middle_leaves_it_to_the_next_with_its_id(path: Path) -> None:
    clock, hung, desk = FakeClock(), Desk(hole=asyncio.Event()), Desk()
    async with open_sqlite(path) as store:
        world = World(store, clock)
        notifier = world.notifier({"ops": hung})
        await world.ended("t0")
        await notifier.turn()
        await world.senders["ops"].turn()
        await eventually(lambda: hung.attempts == 1)
        await notifier.aclose()
    async with open_sqlite(path) as store:
        world = World(store, clock)
        notifier = world.notifier({"ops": desk})
        await world.told(notifier)
        assert desk.told == []  # for all that is known it is under way
        clock.tick(60)
        await world.told(notifier)
        await notifier.aclose()
    assert desk.ends == ["t0 error"]


async def test_two_sidecars_on_one_store_tell_it_once(path: Path) -> None:
    desk = Desk()
    async with open_sqlite(path) as one, open_sqlite(path) as other:
        worlds = [World(one), World(other)]
        notifiers = [world.notifier({"ops": desk}) for world in worlds]
        for number in range(5):
            await worlds[0].ended(f"t{number}")
        await asyncio.gather(
            *(world.told(each) for world, each in zip(worlds, notifiers, strict=True))
        )
        for world, each in zip(worlds, notifiers, strict=True):
            await world.told(each)
            await each.aclose()
    assert desk.ends == [f"t{number} error" for number in range(5)]


async def test_what_was_never_sent_within_a_day_is_removed_and_counted(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    async with open_sqlite(path) as store:
        world = World(store, clock)
        notifier = world.notifier({"gone": Desk(), "ops": Desk()})
        await world.ended("t0")
        await notifier.turn()
    clock.tick(25 * 3600)
    async with open_sqlite(path) as store:
        world = World(store, clock)
        desk = Desk()
        notifier = world.notifier({"ops": desk})
        with caplog.at_level(logging.WARNING):
            loop = asyncio.ensure_future(notifier.run())
            await eventually(lambda: notifier.numbers["ops"].given_up == 1)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        assert (await notifier.waiting(), desk.attempts) == ({}, 0)
        await notifier.aclose()
    assert "push to gone: 1 ends were not told within a day" in caplog.text
