"""Identical polls that come together share one answer (failures.md 15)."""

import asyncio
from dataclasses import dataclass, field

import pytest
from tests.support.waiting import eventually

from subagent_sidecar.core.model import RunStatus, ThreadStatus
from subagent_sidecar.proxy.coalescing import Answer, Coalescer
from subagent_sidecar.tasks import spawn
from subagent_sidecar.testing import FakeClock

WINDOW = 0.25


def answer(body: bytes) -> Answer:
    return Answer(200, b"OK", [(b"content-type", b"application/json")], body)


@dataclass
class Desk:
    """A coalescer, and a server that numbers its answers; `gate` holds them back."""

    clock: FakeClock = field(default_factory=FakeClock)
    gate: asyncio.Event | None = None
    asked: int = 0

    def __post_init__(self) -> None:
        self.coalescer = Coalescer(WINDOW, now=self.clock.monotonic)

    async def ask(self) -> Answer | None:
        self.asked += 1
        number = self.asked
        if self.gate is not None:
            await self.gate.wait()
        return answer(b"%d" % number)

    async def poll(self, key: str = "k", thread_id: str = "t") -> bytes | None:
        found = await self.coalescer.share(key, thread_id, self.ask)
        return None if found is None else found.body

    def polling(self, key: str = "k", thread_id: str = "t") -> "asyncio.Task[bytes | None]":
        return spawn(self.poll(key, thread_id), name="poll", awaited=True)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_polls_at_the_same_time_share_one_answer(desk: Desk) -> None:
    desk.gate = asyncio.Event()
    polls = [desk.polling() for _ in range(100)]
    await eventually(lambda: desk.asked)
    desk.gate.set()
    assert await asyncio.gather(*polls) == [b"1"] * 100
    assert desk.asked == 1


async def test_within_the_window_the_answer_is_given_again(desk: Desk) -> None:
    first = await desk.poll()
    desk.clock.tick(WINDOW - 0.001)
    assert (first, await desk.poll()) == (b"1", b"1")


async def test_after_the_window_the_server_is_asked_anew(desk: Desk) -> None:
    first = await desk.poll()
    desk.clock.tick(WINDOW)
    assert (first, await desk.poll()) == (b"1", b"2")


async def test_the_window_runs_from_the_asking_and_not_from_the_answer(desk: Desk) -> None:
    desk.gate = asyncio.Event()
    slow = desk.polling()
    await eventually(lambda: desk.asked)
    desk.clock.tick(WINDOW)
    later = desk.polling()
    await eventually(lambda: desk.asked == 2)
    desk.gate.set()
    assert (await slow, await later) == (b"1", b"2")


async def test_different_questions_get_different_answers(desk: Desk) -> None:
    assert [await desk.poll(key) for key in ("a", "b", "a")] == [b"1", b"2", b"1"]


async def test_a_change_on_a_thread_makes_its_polls_ask_anew(desk: Desk) -> None:
    assert [await desk.poll("run", "t"), await desk.poll("thread", "t")] == [b"1", b"2"]
    assert await desk.poll("other", "other") == b"3"
    desk.coalescer.forget("t")
    assert [await desk.poll("run", "t"), await desk.poll("thread", "t")] == [b"4", b"5"]
    assert await desk.poll("other", "other") == b"3"


async def test_who_asked_before_the_change_is_answered_and_nobody_after_it(desk: Desk) -> None:
    desk.gate = asyncio.Event()
    before = desk.polling()
    await eventually(lambda: desk.asked)
    desk.coalescer.forget("t")
    after = desk.polling()
    await eventually(lambda: desk.asked == 2)
    desk.gate.set()
    assert (await before, await after, await desk.poll()) == (b"1", b"2", b"2")


async def test_an_old_answer_does_not_push_out_a_newer_one(desk: Desk) -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    desk.gate = gates[0]
    old = desk.polling()
    await eventually(lambda: desk.asked)
    desk.coalescer.forget("t")
    desk.gate = gates[1]
    new = desk.polling()
    await eventually(lambda: desk.asked == 2)
    gates[1].set()
    assert await new == b"2"
    gates[0].set()
    assert (await old, await desk.poll()) == (b"1", b"2")


async def test_what_cannot_be_shared_is_asked_by_each(desk: Desk) -> None:
    async def ask() -> None:
        desk.asked += 1
        await asyncio.sleep(0)

    shares = [desk.coalescer.share("k", "t", ask) for _ in range(3)]
    assert await asyncio.gather(*shares) == [None] * 3
    assert await desk.coalescer.share("k", "t", ask) is None
    assert desk.asked == 2  # the three asked once together; then nothing was remembered


async def test_a_failure_is_the_first_askers_alone(desk: Desk) -> None:
    gate = asyncio.Event()

    async def fail() -> Answer | None:
        await gate.wait()
        raise ConnectionError("refused")

    first = spawn(desk.coalescer.share("k", "t", fail), name="poll", awaited=True)
    await asyncio.sleep(0)
    second = desk.polling()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(ConnectionError, match="refused"):
        await first
    assert await second is None  # asks on its own
    assert await desk.poll() == b"1"


async def test_a_client_that_leaves_takes_nobody_with_it(desk: Desk) -> None:
    desk.gate = asyncio.Event()
    first, second, third = desk.polling(), desk.polling(), desk.polling()
    await eventually(lambda: desk.asked)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    first.cancel()  # the one whose request it is
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await third is None
    desk.gate.set()
    assert await desk.poll() == b"2"


def test_a_window_of_zero_turns_sharing_off() -> None:
    off = Coalescer(0, now=FakeClock().monotonic)
    assert (off.enabled, Coalescer(WINDOW, now=FakeClock().monotonic).enabled) == (False, True)


async def test_another_window_holds_from_now_on(desk: Desk) -> None:
    assert await desk.poll() == b"1"
    desk.coalescer.share_for(2 * WINDOW)
    assert (await desk.poll(), desk.coalescer.remembered) == (b"2", 1)
    desk.clock.tick(1.5 * WINDOW)
    assert await desk.poll() == b"2"
    desk.coalescer.share_for(WINDOW)
    assert await desk.poll() == b"3"
    desk.clock.tick(WINDOW)
    assert await desk.poll() == b"4"
    desk.coalescer.share_for(0)
    assert (desk.coalescer.enabled, desk.coalescer.remembered) == (False, 0)


async def test_who_waits_when_the_window_changes_still_gets_the_answer(desk: Desk) -> None:
    desk.gate = asyncio.Event()
    polls = [desk.polling() for _ in range(3)]
    await eventually(lambda: desk.asked)
    desk.coalescer.share_for(0)
    desk.gate.set()
    assert await asyncio.gather(*polls) == [b"1"] * 3
    assert desk.coalescer.remembered == 0


async def test_the_same_window_again_forgets_nothing(desk: Desk) -> None:
    assert await desk.poll() == b"1"
    desk.coalescer.share_for(WINDOW)
    assert await desk.poll() == b"1"


async def test_nothing_is_kept_of_threads_long_forgotten(desk: Desk) -> None:
    for number in range(1_000):
        await desk.poll(f"k{number}", f"t{number}")
    desk.clock.tick(WINDOW)
    await desk.poll("last", "last")
    assert desk.coalescer.remembered == 1


async def test_news_of_a_run_makes_the_polls_of_its_thread_ask_anew() -> None:
    desk = Desk()
    assert await desk.poll() == b"1"
    desk.coalescer.thread_moved("up", "t", ThreadStatus.IDLE)
    desk.coalescer.run_moved("up", "other", "r", RunStatus.SUCCESS)
    assert await desk.poll() == b"1"
    desk.coalescer.run_moved("up", "t", "r", RunStatus.SUCCESS)
    assert await desk.poll() == b"2"
    desk.coalescer.thread_gone("up", "t")
    assert await desk.poll() == b"3"
