"""Connections with plain requests, call by call as a transport makes them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from tests.support.waiting import eventually

from subagent_sidecar.core.principal import Principal
from subagent_sidecar.proxy import answering
from subagent_sidecar.proxy.crowd import Crowd
from subagent_sidecar.proxy.heads import Memory
from subagent_sidecar.proxy.plain import KEEPALIVE_S, PlainProtocol
from subagent_sidecar.proxy.request import DataRequest

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
HEAD = POST.removesuffix(b"hello")
KEYED = GET.replace(b"a\r\n", b"a\r\nX-Subagent-Key: k\r\n")
LARGEST = 1_000
TIMEOUT_S = 10.0


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = self.aborted = self.paused = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("192.0.2.1", 5) if name == "peername" else default

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


@dataclass
class Line:
    """A connection, who serves it, and who it was handed to. Answers wait for `go_on`."""

    go_on: bool = True
    keep: bool = True
    most: int = 10
    most_of_client: int | None = None
    hold: bool = False
    opens: bool = True
    by_key: bool = False
    asked: list[DataRequest] = field(default_factory=list)
    handed_over: list[bytes] = field(default_factory=list)
    transport: Transport = field(default_factory=Transport)
    begun: list[PlainProtocol] = field(default_factory=list)
    ended: int = 0
    finished: int = 0

    def __post_init__(self) -> None:
        self.going = asyncio.Event()
        if self.go_on:
            self.going.set()
        self.crowd = Crowd(
            max_connections=self.most,
            max_client_connections=self.most_of_client,
            opens=lambda key_id: self.opens,
        )
        self.memory = Memory()
        self.protocol = self.connect(self.transport)

    def connect(self, transport: Transport) -> PlainProtocol:
        protocol = PlainProtocol(
            self.serve,
            self.take_over,
            self.crowd,
            self.memory,
            header_timeout_s=TIMEOUT_S,
            largest_body=LARGEST,
        )
        protocol.connection_made(transport)
        return protocol

    async def serve(self, request: DataRequest) -> web.StreamResponse:
        self.asked.append(request)
        if self.by_key:
            request.let_in(Principal("s"), "key1", less=frozenset({b"x-subagent-key"}))
        if self.hold:
            request.hold()
        try:
            await self.going.wait()
            self.finished += 1
        finally:
            self.ended += 1
        return answering.send(request, 200, [], request.body or b"none", last=not self.keep)

    def take_over(
        self, transport: asyncio.Transport, begun: PlainProtocol, pieces: Sequence[bytes]
    ) -> None:
        assert transport is self.transport
        self.begun.append(begun)
        assert not self.transport.paused
        self.handed_over += pieces

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.protocol.data_received(piece)

    async def answers(self, number: int) -> list[bytes]:
        """The bodies of as many."""
        await eventually(lambda: len(self.transport.written) >= number and not self.busy)
        return [each.partition(b"\r\n\r\n")[2] for each in self.transport.written]

    @property
    def busy(self) -> bool:
        return self.protocol.task is not None


async def test_requests_are_answered_one_by_one() -> None:
    line = Line()
    line.send(GET)
    assert await line.answers(1) == [b"none"]
    line.send(POST)
    assert await line.answers(2) == [b"none", b"hello"]
    request = line.asked[1]
    assert (request.method, request.raw_target) == ("POST", "/x")
    assert (request.content_length, request.peer_host) == (5, b"192.0.2.1")
    assert request.headers["host"] == "a"
    assert not line.transport.closed
    assert line.handed_over == []


# httpx and undici send them so.
async def test_a_body_may_come_behind_its_head_and_in_pieces() -> None:
    line = Line()
    line.send(HEAD, b"he", b"l", b"lo")
    assert await line.answers(1) == [b"hello"]
    line.send(HEAD, b"hello")
    assert await line.answers(2) == [b"hello", b"hello"]
    assert line.handed_over == []


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /x HT",
        b"\x16\x03\x01",
        GET.replace(b"Host", b"Connection: close\r\nHost"),
        GET.replace(b"/x", b"/x\xff"),
        HEAD.replace(b"5", b"%d" % (LARGEST + 1)),
        HEAD.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n",
    ],
)
@pytest.mark.parametrize("later", [False, True], ids=["first", "later"])
async def test_what_is_not_plain_is_handed_over_as_it_came(sent: bytes, later: bool) -> None:
    line = Line()
    if later:
        line.send(GET)
        await line.answers(1)
    line.send(sent)
    assert line.handed_over == [sent]
    assert line.protocol not in line.crowd.members
    assert len(line.asked) == later


async def test_what_comes_before_the_answer_is_handed_over_behind_it() -> None:
    line = Line(go_on=False)
    line.send(GET, POST[:9], POST[9:], b"more")
    await eventually(lambda: len(line.asked) == 1)
    assert line.handed_over == []
    line.going.set()
    assert await line.answers(1) == [b"none"]
    assert line.handed_over == [POST[:9], POST[9:], b"more"]


async def test_so_is_what_comes_with_the_request() -> None:
    line = Line()
    line.send(POST + GET)
    assert await line.answers(1) == [b"hello"]
    assert line.handed_over == [GET]


async def test_nor_are_many_small_pieces_kept() -> None:
    line = Line(go_on=False)
    line.send(GET)
    for _ in range(10_000):
        line.send(b"x")
    assert line.transport.paused
    line.going.set()
    await line.answers(1)


async def test_of_what_comes_too_early_only_so_much_is_read() -> None:
    line = Line(go_on=False)
    line.send(GET, b"x" * 200_000)
    assert not line.transport.paused
    line.send(b"x" * 100_000)
    assert line.transport.paused
    line.going.set()
    await line.answers(1)
    assert [len(piece) for piece in line.handed_over] == [200_000, 100_000]
    assert not line.transport.paused


@given(places=st.lists(st.integers(0, len(POST)), max_size=6))
def test_however_a_request_is_cut_all_of_it_arrives_once(places: list[int]) -> None:
    asyncio.run(all_of_it_arrives(sorted({0, *places, len(POST)})))


async def all_of_it_arrives(at: list[int]) -> None:
    line = Line()
    handed: list[bytes] = []
    for begin, end in pairwise(at):
        if line.handed_over:
            handed.append(POST[begin:end])  # it goes to whom the transport calls now
        else:
            line.send(POST[begin:end])
    if line.handed_over:
        assert b"".join([*line.handed_over, *handed]) == POST
        assert line.asked == []
    else:
        assert await line.answers(1) == [b"hello"]


async def test_a_body_that_does_not_come_within_a_sweep_is_handed_over() -> None:
    line = Line()
    line.send(HEAD, b"he")
    began = line.protocol.waiting_since
    assert began is not None
    line.protocol.swept(began + 0.5)
    assert line.handed_over == []
    line.protocol.swept(began + 1.5)
    assert line.handed_over == [HEAD + b"he"]
    assert line.begun[0].waiting_since == began


# Row 18: what strangers may have us keep is bounded, however many they are.
async def test_where_many_bodies_are_awaited_the_next_is_handed_over() -> None:
    line = Line()
    others = [line.connect(Transport()) for _ in range(2)]
    line.crowd.awaited = 32 * 1024 * 1024 - 2 * len(POST)
    for other in others:
        other.data_received(HEAD)
    line.send(HEAD)
    assert line.handed_over == [HEAD]
    others[0].connection_lost(None)
    others[1].data_received(b"hello")
    await eventually(lambda: others[1].task is None)
    assert line.crowd.awaited == 32 * 1024 * 1024 - 2 * len(POST)


async def test_what_is_handed_over_is_awaited_no_more() -> None:
    line = Line()
    line.send(HEAD)
    assert line.crowd.awaited == len(POST)
    assert line.protocol.waiting_since is not None
    line.protocol.swept(line.protocol.waiting_since + 1.5)
    assert line.handed_over == [HEAD]
    assert line.crowd.awaited == 0


async def test_nothing_at_all_is_not_waited_for_longer_than_for_a_head() -> None:
    line = Line()
    opened = line.protocol.waiting_since
    assert opened is not None
    line.protocol.swept(opened + TIMEOUT_S - 1)
    assert not line.transport.closed
    line.protocol.swept(opened + TIMEOUT_S + 1)
    assert line.transport.closed


async def test_between_requests_a_connection_may_be_idle_for_so_long() -> None:
    line = Line()
    line.send(GET)
    await line.answers(1)
    line.protocol.swept(1_000.0)
    line.protocol.swept(1_000.0 + KEEPALIVE_S - 1)
    assert not line.transport.closed
    line.send(GET)
    await line.answers(2)
    line.protocol.swept(1_000.0 + KEEPALIVE_S + 1)
    assert not line.transport.closed
    line.protocol.swept(1_000.0 + 2 * KEEPALIVE_S + 1)
    assert line.transport.closed


async def test_a_request_may_take_longer_than_that() -> None:
    line = Line(go_on=False)
    line.send(GET)
    for now in (0.0, 1_000.0, 2_000.0):
        line.protocol.swept(now)
    assert not line.transport.closed
    assert line.busy
    line.going.set()
    await line.answers(1)


# Row 15
@pytest.mark.parametrize("held", [False, True])
async def test_a_client_that_leaves_ends_its_request_unless_it_is_held(held: bool) -> None:
    line = Line(go_on=False, hold=held)
    line.send(GET)
    await eventually(lambda: len(line.asked) == 1)
    line.protocol.connection_lost(None)
    if held:
        assert line.protocol in line.crowd.members  # a stop waits for it
        with pytest.raises(ConnectionResetError):
            line.asked[0].let_go()
        line.going.set()
    await eventually(lambda: not line.busy)
    assert (line.ended, line.finished) == (1, held)
    assert line.transport.written == []
    assert line.crowd.members == set()


async def test_a_hold_ends_with_its_request() -> None:
    line = Line(hold=True)
    line.send(GET)
    await line.answers(1)
    line.hold = False
    line.going.clear()
    line.send(GET)
    await eventually(lambda: len(line.asked) == 2)
    line.protocol.connection_lost(None)
    await eventually(lambda: line.ended == 2)


async def test_a_client_that_does_not_read_is_asked_nothing_more() -> None:
    line = Line()
    line.protocol.pause_writing()
    line.send(GET)
    await eventually(lambda: len(line.transport.written) == 1)
    line.send(GET)
    assert line.busy
    assert line.handed_over == []
    line.protocol.resume_writing()
    await eventually(lambda: line.handed_over == [GET])


@pytest.mark.parametrize("error", [None, OSError("reset")])
async def test_one_that_leaves_instead_is_not_waited_for(error: Exception | None) -> None:
    line = Line(hold=True)
    line.protocol.pause_writing()
    line.send(GET)
    await eventually(lambda: len(line.transport.written) == 1)
    line.protocol.connection_lost(error)
    await eventually(lambda: not line.busy)
    assert line.crowd.members == set()


async def test_behind_the_last_answer_the_connection_is_closed() -> None:
    line = Line(keep=False)
    line.send(GET + GET)
    await line.answers(1)
    assert line.transport.closed
    assert line.handed_over == []


async def test_when_stopping_the_next_answer_is_the_last_one() -> None:
    line = Line()
    line.protocol.stopping = True
    line.send(GET)
    await line.answers(1)
    assert b"Connection: close" in line.transport.written[0]
    assert line.transport.closed


async def test_a_close_lets_the_answer_out_that_is_being_given() -> None:
    line = Line(go_on=False)
    line.send(GET)
    await eventually(lambda: len(line.asked) == 1)
    line.protocol.close()
    assert not line.transport.closed
    line.going.set()
    await line.answers(1)
    assert line.transport.closed


async def test_a_cut_ends_the_request_and_the_connection() -> None:
    line = Line(go_on=False)
    line.send(GET)
    await eventually(lambda: len(line.asked) == 1)
    line.protocol.cut()
    await eventually(lambda: line.transport.closed)
    assert line.transport.written == []


async def test_so_does_one_before_the_request_has_begun() -> None:
    line = Line()
    line.send(GET)
    line.protocol.cut()
    await eventually(lambda: line.transport.closed)
    assert line.asked == []
    assert not line.busy


async def test_a_client_that_leaves_before_that_is_not_counted_for_ever() -> None:
    line = Line()
    line.send(GET)
    line.protocol.connection_lost(None)
    await eventually(lambda: line.crowd.members == set())
    assert line.asked == []


async def test_one_connection_too_many_is_turned_away() -> None:
    line = Line(most=1)
    second = Transport()
    line.connect(second)
    assert second.aborted
    assert not line.transport.aborted


async def test_one_address_has_no_more_than_it_may_until_others_of_it_are_gone() -> None:
    line = Line(most_of_client=1)
    second, third = Transport(), Transport()
    line.connect(second).connection_lost(None)
    assert second.aborted
    line.protocol.connection_lost(None)
    line.connect(third)
    assert not third.aborted


@pytest.mark.parametrize("left", [False, True], ids=["handed over", "left"])
async def test_an_idle_connection_that_is_gone_leaves_no_task(left: bool) -> None:
    before = asyncio.all_tasks()
    line = Line()
    line.send(GET)
    await line.answers(1)
    assert asyncio.all_tasks() != before
    if left:
        line.protocol.connection_lost(None)
    else:
        line.send(b"GET /x HT")
    await eventually(lambda: asyncio.all_tasks() == before)


@pytest.mark.parametrize("held", [False, True])
async def test_a_request_does_not_outlive_its_key_unless_it_is_held(held: bool) -> None:
    line = Line(go_on=False, by_key=True, hold=held)
    line.send(KEYED)
    await eventually(lambda: line.crowd.of_key == {"key1": 1})
    line.protocol.swept(0.0)
    assert line.busy
    line.opens = False
    line.protocol.swept(1.0)
    line.going.set()
    await eventually(lambda: not line.busy)
    assert line.transport.closed is not held
    assert line.crowd.of_key == {}


async def test_what_carried_a_key_is_known_to_nobody_behind_the_gate() -> None:
    line = Line(by_key=True)
    line.send(KEYED)
    await line.answers(1)
    line.send(KEYED)
    await line.answers(2)
    line.by_key = False
    line.send(KEYED)
    await line.answers(3)
    first, second, other = line.asked
    assert first.raw_headers == ((b"Host", b"a"),)
    assert "x-subagent-key" not in first.headers
    assert first.known is second.known
    assert other.known is not first.known
    assert other.raw_headers[-1] == (b"X-Subagent-Key", b"k")


async def test_a_failure_of_ours_is_told_and_ends_the_connection() -> None:
    line = Line()

    async def failing(request: DataRequest) -> web.StreamResponse:
        raise RuntimeError("a secret")

    line.protocol._handler = failing
    line.send(GET)
    await eventually(lambda: line.transport.closed)
    assert line.transport.written[0].startswith(b"HTTP/1.1 500 ")
    assert b"a secret" not in line.transport.written[0]
