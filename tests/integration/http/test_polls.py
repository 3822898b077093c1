"""A fleet that asks at once costs the server one request (row 15)."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.integration.http.rig import Front, scripted
from tests.integration.http.wire import Wire
from tests.integration.upstream.raw_server import Peer
from tests.support.waiting import eventually

CLIENTS = 500
RUNS = [b"/threads/t%d/runs/r" % number for number in range(5)]
WINDOW_S = 0.25
ROUNDS = 3


def poll(path: bytes, *fields: bytes) -> bytes:
    return b"\r\n".join([b"GET " + path + b" HTTP/1.1", b"Host: a", *fields, b"", b""])


class Server:
    """Answers every poll after a moment, once `go_on` is set, and counts how often each path was
    asked for."""

    def __init__(self, status: bytes = b"200 OK") -> None:
        self.asked: Counter[bytes] = Counter()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self._status = status

    async def script(self, peer: Peer) -> None:
        while True:
            request = await peer.request()
            path = request.split(b" ")[1]
            if b"X-Forwarded-For" in request:  # or the sidecar itself wants to know
                self.asked[path] += 1
            await self.go_on.wait()
            await asyncio.sleep(0.02)
            body = b'{"run_id":"r","status":"running","n":"%b"}' % path
            await peer.send(
                b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (self._status, len(body), body)
            )


@asynccontextmanager
async def serving(server: Server, window_s: float = 60.0) -> AsyncIterator[Front]:
    async with scripted(server.script, coalesce=f"{window_s}s") as front:
        yield front


@asynccontextmanager
async def clients(front: Front, number: int) -> AsyncIterator[list[Wire]]:
    wires = [front.wire() for _ in range(number)]
    await asyncio.gather(*(wire.__aenter__() for wire in wires))
    try:
        yield wires
    finally:
        await asyncio.gather(*(wire.__aexit__(None, None, None) for wire in wires))


@pytest.mark.parametrize("status", [b"200 OK", b"404 Not Found", b"503 Busy"])
async def test_of_polls_that_come_together_the_server_sees_one_per_run_and_window(
    status: bytes,
) -> None:
    server = Server(status)
    async with serving(server, WINDOW_S) as front, clients(front, CLIENTS) as wires:
        begin = time.monotonic()
        for _ in range(ROUNDS):
            answers = await asyncio.gather(
                *(wire.ask(poll(RUNS[n % len(RUNS)])) for n, wire in enumerate(wires))
            )
            assert {answer.line for answer in answers} == {b"HTTP/1.1 " + status}
            assert all(RUNS[n % len(RUNS)] in answer.body for n, answer in enumerate(answers))
            await asyncio.sleep(WINDOW_S)  # so that the next round is another window
        windows = (time.monotonic() - begin) / WINDOW_S
    assert set(server.asked) == set(RUNS)
    asked = dict(server.asked)
    assert all(ROUNDS <= times <= windows + 1 for times in asked.values()), asked


async def test_a_fleet_that_leaves_again_leaves_no_word_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server()
    server.go_on.clear()
    async with serving(server) as front:
        async with clients(front, CLIENTS) as wires:
            for number, wire in enumerate(wires):
                await wire.send(poll(RUNS[number % len(RUNS)]))
            await eventually(lambda: len(server.asked) == len(RUNS))
            for wire in wires:
                wire.reset()
        async with front.wire() as wire:
            assert (await wire.ask(poll(b"/sidecar/health"))).status == 200
    said = [r for r in caplog.records if r.levelno > logging.DEBUG]
    assert said == []


async def test_when_the_one_that_asked_for_all_leaves_another_asks_for_the_rest() -> None:
    server = Server()
    server.go_on.clear()
    async with serving(server) as front, clients(front, 50) as wires:
        await wires[0].send(poll(RUNS[0]))
        await eventually(lambda: server.asked)
        for wire in wires[1:]:
            await wire.send(poll(RUNS[0]))
        async with front.wire() as other:  # by then all of them wait
            await other.ask(poll(b"/sidecar/health"))
        wires[0].reset()
        await eventually(lambda: server.asked[RUNS[0]] == 2)
        server.go_on.set()
        answers = await asyncio.gather(*(wire.answer() for wire in wires[1:]))
        assert {answer.status for answer in answers} == {200}
        assert server.asked[RUNS[0]] == 2


async def test_who_asks_with_other_credentials_gets_an_answer_of_its_own() -> None:
    server = Server()
    async with serving(server) as front, clients(front, 4) as wires:
        keys = [b"X-Api-Key: a", b"X-Api-Key: b", b"Cookie: c", b"Accept-Encoding: gzip"]
        await asyncio.gather(
            *(wire.ask(poll(RUNS[0], key)) for wire, key in zip(wires, keys, strict=True))
        )
        assert server.asked[RUNS[0]] == 4
        await asyncio.gather(
            *(wire.ask(poll(RUNS[1], b"User-Agent: %d" % n)) for n, wire in enumerate(wires))
        )
        assert server.asked[RUNS[1]] == 1


async def test_a_poll_with_a_body_is_not_shared() -> None:
    server = Server()
    async with serving(server) as front, clients(front, 3) as wires:
        for wire in wires:
            await wire.ask(poll(RUNS[0], b"Content-Length: 1").replace(b"\r\n\r\n", b"\r\n\r\n1"))
        assert server.asked[RUNS[0]] == 3


async def test_a_client_sees_its_own_cancel_at_once() -> None:
    server = Server()
    async with serving(server) as front, front.wire() as wire:
        await wire.ask(poll(RUNS[0]))
        cancel = poll(RUNS[0] + b"/cancel", b"Content-Length: 0").replace(b"GET", b"POST")
        await wire.ask(cancel)
        await wire.ask(poll(RUNS[0]))
        assert server.asked[RUNS[0]] == 2
