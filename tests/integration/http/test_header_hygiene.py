"""What is for one hop stays there, everything else crosses (row 22)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.integration.http.rig import recorded
from tests.integration.http.wire import Fields

HOP = [
    b"Keep-Alive",
    b"Proxy-Authenticate",
    b"Proxy-Authorization",
    b"Proxy-Connection",
    b"TE",
    b"Trailer",
    b"Upgrade",
]
ENDS_HERE = {name.lower() for name in HOP} | {b"connection"}
OURS = {b"x-subagent-session", b"x-subagent-upstream"}
CROSSING = [
    b"Accept",
    b"X-Api-Key",
    b"x-custom",
    b"Via",
    b"Forwarded",
    b"traceparent",
    b"X_y",
    b"Z",
]

names = st.sampled_from([*HOP, *CROSSING])
values = st.binary(max_size=12).map(
    lambda raw: bytes(byte for byte in raw if byte >= 0x20 and byte != 0x7F).strip(b" \t")
)
fields = st.lists(st.tuples(names, values), max_size=10)
words = st.sampled_from([*CROSSING, b"close", b"keep-alive", b"Upgrade", b"nothing", b"", b" "])
connections = st.lists(st.lists(words, max_size=4).map(b", ".join), max_size=2)


def once(found: Fields) -> Fields:
    """Without a second credential, which would be refused."""
    keys = [field for field in found if field[0] == b"X-Api-Key"]
    return [field for field in found if field not in keys] + keys[:1]


def encoded(found: Fields) -> bytes:
    return b"".join(b"%b: %b\r\n" % field for field in found)


def crossing(sent: Fields, named: list[bytes]) -> Fields:
    dropped = {word.strip().lower() for line in named for word in line.split(b",")} | ENDS_HERE
    return [field for field in sent if field[0].lower() not in dropped]


def fields_of(message: bytes, *, less: set[bytes]) -> Fields:
    lines = message.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    pairs = [line.split(b": ", 1) for line in lines]
    return [(name, value) for name, value in pairs if name.lower() not in less]


@settings(max_examples=60, deadline=None)
@given(sent=fields.map(once), named=connections)
async def test_of_a_request_exactly_the_end_to_end_fields_cross(
    sent: Fields, named: list[bytes]
) -> None:
    head = b"GET /x HTTP/1.1\r\nHost: a\r\nX-Subagent-Session: s\r\n" + encoded(sent)
    head += encoded([(b"Connection", value) for value in named])
    async with recorded() as (server, front), front.wire() as wire:
        await wire.ask(head + b"\r\n")
    added = {b"host", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"}
    assert fields_of(server.last, less=added) == crossing(sent, named)


@settings(max_examples=60, deadline=None)
@given(sent=fields.map(once), named=connections)
async def test_of_an_answer_exactly_the_end_to_end_fields_cross(
    sent: Fields, named: list[bytes]
) -> None:
    head = b"HTTP/1.1 200 OK\r\n" + encoded(sent)
    head += encoded([(b"Connection", value) for value in named])
    async with recorded(head + b"Content-Length: 0\r\n\r\n") as (_, front), front.wire() as wire:
        got = await wire.ask(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    assert got.fields == [*crossing(sent, named), (b"Content-Length", b"0")]


@pytest.mark.parametrize("name", [b"Connection: X-Api-Key\r\n", b"connection: a, X-API-KEY ,b\r\n"])
async def test_a_key_declared_to_be_for_this_hop_ends_here(name: bytes) -> None:
    async with recorded() as (server, front), front.wire() as wire:
        await wire.ask(b"GET /x HTTP/1.1\r\nHost: a\r\nx-api-key: k\r\n" + name + b"\r\n")
    assert b"key" not in server.last.lower()


async def test_neither_host_nor_framing_can_be_declared_away() -> None:
    async with recorded() as (server, front), front.wire() as wire:
        named = b"Connection: host, content-length, content-type, x-forwarded-for\r\n"
        fields = b"X-Forwarded-For: 9.9.9.9\r\nContent-Type: a/b\r\nContent-Length: 2\r\n"
        await wire.ask(b"POST /x HTTP/1.1\r\nHost: a\r\n" + fields + named + b"\r\nhi")
    assert server.last.startswith(b"POST /x HTTP/1.1\r\nHost: 127.0.0.1:")
    assert server.last.endswith(b"Content-Length: 2\r\n\r\nhi")
    assert b"X-Forwarded-For: 127.0.0.1\r\n" in server.last
    assert b"a/b" not in server.last


PATHS = [b"GET /x", b"GET /threads/t/runs/r", b"POST /threads/t/runs", b"POST /threads"]


@pytest.mark.parametrize("start", PATHS)
@pytest.mark.parametrize(
    "twice",
    [
        b"Authorization: Bearer a\r\nauthorization: Bearer b\r\n",
        b"X-Api-Key: a\r\nX-Other: b\r\nX-API-KEY: a\r\n",
    ],
)
async def test_two_credentials_where_one_is_meant_are_refused(start: bytes, twice: bytes) -> None:
    body = b"Content-Length: 2\r\n\r\n{}" if start.startswith(b"POST") else b"\r\n"
    async with recorded() as (server, front), front.wire() as wire:
        got = await wire.ask(start + b" HTTP/1.1\r\nHost: a\r\n" + twice + body)
        assert (got.status, b"bad_header" in got.body) == (400, True)
        assert b"Bearer" not in got.body
        assert server.requests == []


async def test_a_start_that_cannot_be_sent_on_is_not_put_on_record() -> None:
    async with recorded() as (server, front), front.wire() as wire, front.admin() as admin:
        twice = b"X-Api-Key: a\r\nX-Api-Key: a\r\nContent-Length: 2\r\n\r\n{}"
        await wire.ask(b"POST /threads/t/runs HTTP/1.1\r\nHost: a\r\n" + twice)
        tasks = await admin.ask(b"GET /v1/tasks HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (tasks.status, b'"t"' in tasks.body) == (200, False)
        assert server.requests == []
