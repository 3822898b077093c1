"""Sending on what others sent: nobody waits for it, and nothing is lost without being counted."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from tests.support.waiting import eventually

from subagent_sidecar.telemetry.poster import Later, Refused, Result, Taken
from subagent_sidecar.telemetry.receiving.relay import Relay

WITHIN = 20.0


@dataclass
class ScriptedPoster:
    """Answers the next of `results`, then that everything is taken; waits while not `open`."""

    results: list[Result] = field(default_factory=list)
    posted: list[bytes] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    closed: bool = False

    def __post_init__(self) -> None:
        self.open.set()

    def post(self, payload: bytes) -> Result:
        self.posted.append(payload)
        self.open.wait()
        return self.results.pop(0) if self.results else Taken()

    def close(self) -> None:
        self.closed = True
        self.open.set()


@asynccontextmanager
async def relaying(*results: Result) -> AsyncIterator[tuple[Relay, ScriptedPoster]]:
    poster = ScriptedPoster(list(results))
    relay = Relay(lambda: poster, now=lambda: 0.0)
    try:
        yield relay, poster
    finally:
        poster.open.set()
        await relay.aclose(WITHIN)


async def test_what_waits_together_is_sent_together() -> None:
    async with relaying() as (relay, poster):
        poster.open.clear()
        relay.put(b"a", 1)
        await eventually(lambda: poster.posted, within=WITHIN)
        for payload in (b"b", b"c", b"d"):
            relay.put(payload, 2)
        assert relay.waiting_bytes == 4
        poster.open.set()
        await eventually(lambda: relay.numbers.sent == 7, within=WITHIN)
    assert poster.posted == [b"a", b"bcd"]
    assert relay.waiting_bytes == 0


async def test_what_is_large_is_sent_by_itself() -> None:
    async with relaying() as (relay, poster):
        poster.open.clear()
        for payload in (b"a", b"x" * 2**20, b"b"):
            relay.put(payload, 1)
        poster.open.set()
        await eventually(lambda: relay.numbers.sent == 3, within=WITHIN)
    assert [len(each) for each in poster.posted] == [1, 2**20, 1]


async def test_later_is_later_and_nothing_is_lost() -> None:
    """failures.md row 12"""
    down = Later("nobody there", None, reached=False)
    async with relaying(down, Later("busy", 0.0, reached=True)) as (relay, poster):
        relay.put(b"a", 3)
        await eventually(lambda: relay.numbers.sent == 3, within=WITHIN)
    assert poster.posted == [b"a", b"a", b"a"]
    assert (relay.numbers.failed, relay.numbers.dropped) == (2, {"refused": 0, "shutdown": 0})


async def test_what_the_endpoint_does_not_want_is_dropped_and_counted() -> None:
    async with relaying(Refused("it answered 400")) as (relay, _):
        relay.put(b"a", 3)
        await eventually(lambda: relay.numbers.dropped["refused"] == 3, within=WITHIN)
        relay.put(b"b", 1)
        await eventually(lambda: relay.numbers.sent == 1, within=WITHIN)
    assert relay.waiting_bytes == 0


async def test_a_batch_that_is_always_later_while_others_are_taken_is_dropped() -> None:
    """The fourth answer is to an empty one."""
    busy: Sequence[Result] = [Later("it answered 500", None, reached=True)] * 3
    async with relaying(*busy, Taken()) as (relay, poster):
        relay.put(b"a", 3)
        await eventually(lambda: relay.numbers.dropped["refused"] == 3, within=WITHIN)
    assert poster.posted == [b"a", b"a", b"a", b""]


async def test_what_the_endpoint_rejects_of_a_batch_is_counted() -> None:
    async with relaying(Taken(rejected=2)) as (relay, _):
        relay.put(b"a", 5)
        await eventually(lambda: relay.numbers.sent == 3, within=WITHIN)
    assert relay.numbers.dropped["refused"] == 2


async def test_at_the_end_what_waits_is_sent() -> None:
    async with relaying() as (relay, poster):
        poster.open.clear()
        relay.put(b"a", 1)
        relay.put(b"b", 1)
        poster.open.set()
    assert relay.numbers.sent == 2


async def test_while_nobody_is_there_at_the_end_what_waits_is_tried_once_more() -> None:
    down = [Later("nobody there", None, reached=False)] * 9
    poster = ScriptedPoster(list(down))
    relay = Relay(lambda: poster, now=lambda: 0.0)
    relay.put(b"a", 2)
    await eventually(lambda: relay.numbers.failed >= 1, within=WITHIN)
    poster.results.clear()  # somebody is there again
    await relay.aclose(WITHIN)
    assert (relay.numbers.sent, relay.numbers.dropped["shutdown"]) == (2, 0)


async def test_an_endpoint_that_never_answers_holds_up_nobody_at_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """failures.md row 12"""
    poster = ScriptedPoster()
    relay = Relay(lambda: poster, now=lambda: 0.0)
    poster.open.clear()
    relay.put(b"a", 2)
    relay.put(b"b" * 2**20, 3)
    await eventually(lambda: poster.posted, within=WITHIN)
    async with asyncio.timeout(WITHIN):
        await relay.aclose(0.05)
    assert relay.numbers.dropped["shutdown"] == 5
    assert "5 spans of others were dropped" in caplog.text
    await eventually(lambda: poster.closed, within=WITHIN)


async def test_one_that_cannot_be_made_is_one_that_is_not_there() -> None:
    def broken() -> ScriptedPoster:
        raise OSError("no such certificate")

    relay = Relay(broken, now=lambda: 0.0)
    relay.put(b"a", 1)
    await eventually(lambda: relay.numbers.failed >= 1, within=WITHIN)
    await relay.aclose(WITHIN)
    assert relay.numbers.dropped["shutdown"] == 1
