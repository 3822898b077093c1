"""The plain grammar against the parser that reads everything else (row 21): what it takes means the
same to both, and what two servers could read in two ways it does not take."""

import asyncio
from collections.abc import Iterator

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.integration.http import probes

from subagent_sidecar.proxy.heads import Head, Memory, read

NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
Read = tuple[str, str, tuple[tuple[bytes, bytes], ...], bytes]
"""Method, target, fields without Content-Length, body."""

NAMES = st.one_of(
    st.sampled_from(
        [
            *("Host", "host", "Accept", "Connection", "Content-Length", "content-length", "Cookie"),
            *("CONTENT-LENGTH", "Content-Type", "Transfer-Encoding", "Upgrade", "Expect", "TE", ""),
            *("Sec-WebSocket-Key1", "Proxy-Connection", "Keep-Alive", "Trailer", "User-Agent", "x"),
            *(
                "Content-Encoding",
                "Content_Length",
                " Host",
                "Host ",
                "Ho\tst",
                "X(a)",
                "X\0",
                "Xé",
            ),
        ]
    ).map(str.encode),
    st.binary(min_size=1, max_size=6),
    st.text("abcXYZ019!#$%&'*+.^_`|~-", min_size=1, max_size=6).map(str.encode),
)
VALUES = st.one_of(
    st.sampled_from(
        [
            *(b"", b" ", b"0", b"3", b"03", b"+3", b"3, 3", b"9999999999", b"keep-alive", b"close"),
            *(
                b"Upgrade",
                b"chunked",
                b"websocket",
                b"100-continue",
                b"gzip",
                b"a\tb",
                b"a ",
                b"\ta",
            ),
            *(b"a\0", b"a\x7f", b"a\r\n b", b"a\nb: c", b"a\rb", b"\xc3\xa9", b"content-length: 3"),
        ]
    ),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12).map(str.encode),
)
FIELDS = st.tuples(
    NAMES,
    st.sampled_from([b": ", b":", b":\t ", b" : "]),
    VALUES,
    st.sampled_from([b"\r\n"] * 20 + [b"\n", b"\r", b"\r\r\n", b"\r\n "]),
).map(b"".join)
TARGETS = st.one_of(
    st.sampled_from(
        [b"/", b"/x", b"//x", b"*", b"http://a/x", b"/x#y", b"/x?y#z", b"x", b"", b"/ "]
    ),
    st.text(st.characters(max_codepoint=0x100), max_size=12).map(lambda t: b"/" + t.encode()),
    st.text("abz09-._~!$&'()*+,;=:@/%?[]", max_size=24).map(lambda t: b"/" + t.encode()),
)
LINES = st.tuples(
    st.sampled_from([b"GET", b"POST", b"PUT", b"HEAD", b"CONNECT", b"TRACE", b"get", b"FOO", b""]),
    st.sampled_from([b" "] * 9 + [b"\t", b"  "]),
    TARGETS,
    st.sampled_from(
        [b" HTTP/1.1\r\n"] * 9 + [b" HTTP/1.0\r\n", b" HTTP/1.1\n", b"\r\n", b" HTTP/2\r\n"]
    ),
).map(b"".join)
ANY = st.tuples(LINES, st.lists(FIELDS, max_size=5).map(b"".join), st.just(b"\r\n")).map(b"".join)

TOKENS = st.text("abcXYZ019!#$%&'*+.^_`|~-", min_size=1, max_size=6).map(str.encode)
PLAIN = st.builds(
    lambda method, target, fields, length, place, spaces: b"".join(
        [
            method + b" " + target + b" HTTP/1.1\r\n",
            *[b"X-%b:%b%b%b\r\n" % (name, *spaces, value) for name, value in fields[:place]],
            b"Host: a\r\n",
            b"Content-Length: %d\r\n" % length if method == b"POST" else b"",
            *[b"X-%b: %b\r\n" % field for field in fields[place:]],
            b"\r\n",
        ]
    ),
    st.sampled_from([b"GET", b"POST", b"DELETE", b"HEAD", b"OPTIONS"]),
    st.text("abz09-._~!$&'()*+,;=:@/%?[]", max_size=24).map(lambda t: b"/t" + t.encode()),
    st.lists(
        st.tuples(
            TOKENS,
            st.text(
                st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=9
            ).map(str.encode),
        ),
        max_size=5,
        unique_by=lambda field: field[0].lower(),
    ),
    st.integers(0, 30),
    st.integers(0, 5),
    st.tuples(st.sampled_from([b"", b" ", b"\t "]), st.sampled_from([b"", b"!"])),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A plain head with a few bytes put in, taken out or changed."""
    data = bytearray(draw(PLAIN))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        gone = draw(st.integers(0, 2))
        data[at : at + gone] = draw(
            st.one_of(st.binary(max_size=2), st.sampled_from([b"\r\n", b"\n", b": ", b"\r\n "]))
        )
    return bytes(data)


@pytest.fixture(scope="module")
def protocol() -> Iterator[BaseProtocol]:
    loop = asyncio.new_event_loop()
    yield BaseProtocol(loop)
    loop.close()


def as_aiohttp_reads(protocol: BaseProtocol, data: bytes) -> list[Read] | None:
    """The requests in `data`; None where it is refused or does not end with one."""
    parser = HttpRequestParser(
        protocol, protocol._loop, 2**18, max_line_size=2**16, max_field_size=2**16, max_headers=256
    )
    try:
        messages, upgraded, _ = parser.feed_data(data)
    except HttpProcessingError:
        return None
    assert not upgraded
    found: list[Read] = []
    for message, payload in messages:
        if not payload.is_eof():
            return None
        assert not message.should_close
        assert not message.upgrade
        assert not message.chunked
        body = payload.read_nowait(-1)
        found.append((message.method, message.path, without_length(message.raw_headers), body))
    return found


def without_length(fields: tuple[tuple[bytes, bytes], ...]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(field for field in fields if field[0].lower() != b"content-length")


def as_read(head: Head, data: bytes) -> Read:
    body = data[head.size : head.size + (head.length or 0)]
    return head.method, head.target, head.fields.raw, body


@given(head=st.one_of(ANY, PLAIN, damaged()), body=st.binary(min_size=30, max_size=30))
def test_what_is_plain_means_the_same_to_aiohttp(
    protocol: BaseProtocol, head: bytes, body: bytes
) -> None:
    found = read(head, Memory())
    assume(found is not None)
    assert found is not None
    whole = head[: found.size] + body[: found.length or 0]
    assume((found.length or 0) <= len(body))
    asked = as_aiohttp_reads(protocol, whole + NEXT)
    assert asked is not None
    assert [request[:2] for request in asked] == [(found.method, found.target), ("GET", "/next")]
    assert asked[0] == as_read(found, whole)
    assert dict(found.fields.named) == {k.decode(): v.decode() for k, v in asked[0][2]}


@given(PLAIN)
def test_what_usual_clients_send_is_plain(head: bytes) -> None:
    assert read(head, Memory()) is not None


@given(heads=st.lists(st.one_of(PLAIN, damaged(), ANY), min_size=2, max_size=6), again=st.data())
def test_a_memory_changes_nothing_of_what_is_read(heads: list[bytes], again: st.DataObject) -> None:
    memory = Memory()
    for head in [*heads, *again.draw(st.permutations(heads))]:
        remembered, fresh = read(head, memory), read(head, Memory())
        assert (remembered is None) == (fresh is None)
        if remembered is not None and fresh is not None:
            assert as_read(remembered, head) == as_read(fresh, head)
            assert (remembered.length, remembered.size) == (fresh.length, fresh.size)


@given(PLAIN, st.data())
def test_half_a_head_is_none(head: bytes, data: st.DataObject) -> None:
    assert read(head[: data.draw(st.integers(0, len(head) - 1))], Memory()) is None


TABLES = [
    *[probes.LENGTHS, probes.CODINGS, probes.FIELDS, probes.CHUNKED, probes.STARTS],
    probes.WRAPPINGS,
]
REFUSED = {n: p.sent for t in TABLES for n, p in t.items() if not p.bodies and n != "fragment"}
FRAMED_OTHERWISE = {
    "a coding": probes.POST + probes.TE + b"\r\n" + probes.CHUNKS,
    "an expectation": probes.POST + b"Expect: 100-continue\r\n" + probes.CL + b"\r\n",
    "another protocol": probes.GET + probes.UPGRADE + b"websocket\r\n\r\n",
    "an end": probes.GET + b"Connection: close\r\n\r\n",
    "an end for a proxy": probes.GET + b"Proxy-Connection: close\r\n\r\n",
    "a body of a GET": probes.GET + probes.CL + probes.BODY,
    "HTTP/1.0": probes.GET.replace(b"1.1", b"1.0") + b"\r\n",
    "an absolute target": probes.GET.replace(b"/x", b"http://a/x") + b"\r\n",
    "a field twice": probes.GET + b"X: 1\r\nx: 2\r\n\r\n",
    "a value that is none": probes.GET + b"X: \r\n\r\n",
    "a value beyond ASCII": probes.GET + b"X: \xc3\xa9\r\n\r\n",
    "an empty line before": b"\r\n" + probes.GET + b"\r\n",
    "a length in a third spelling": probes.POST + b"CONTENT-LENGTH: 0\r\n\r\n",
    "a leading zero": probes.POST + b"Content-Length: 00\r\n\r\n",
    "a length without end": probes.POST + b"Content-Length: 9999999999\r\n\r\n",
    "too many fields": probes.GET + b"".join(b"X%d: 1\r\n" % n for n in range(101)) + b"\r\n",
    "too much of a field": probes.GET + b"X: " + b"x" * 16_384 + b"\r\n\r\n",
    "too long a target": b"GET /" + b"x" * 16_384 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
}


# Row 21: all that can be read in two ways, and all that frames what follows in another way.
@pytest.mark.parametrize("sent", [*REFUSED.values(), *FRAMED_OTHERWISE.values()])
def test_what_is_to_be_judged_is_not_judged_here(sent: bytes) -> None:
    assert read(sent, Memory()) is None


def sized(length: int) -> bytes:
    return (
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nX: content-length\r\n\r\n" % length
    )


def found(data: bytes, memory: Memory) -> Head:
    head = read(data, memory)
    assert head is not None
    return head


def test_equal_fields_share_what_is_known_of_them_whatever_the_target_and_the_length() -> None:
    memory = Memory()
    first, other = found(sized(10), memory), found(sized(9), memory)
    assert (first.length, other.length) == (10, 9)
    assert first.fields is other.fields
    elsewhere = found(sized(10).replace(b"/x", b"/y"), memory)
    assert elsewhere.fields is first.fields
    assert first.fields.raw == ((b"Host", b"a"), (b"X", b"content-length"))
    assert found(sized(10).replace(b"a\r\n", b"b\r\n"), memory).fields is not first.fields


def test_a_length_without_digits_is_not_remembered_as_one_with_some() -> None:
    memory = Memory()
    found(sized(10), memory)
    assert read(sized(10).replace(b"10", b""), memory) is None


def test_what_does_not_come_again_is_forgotten_and_what_does_is_not() -> None:
    memory = Memory()
    kept, left = found(sized(1), memory).fields, found(probes.GET + b"\r\n", memory).fields
    for number in range(1_000):
        found(b"GET /x HTTP/1.1\r\nHost: a\r\nX: %d\r\n\r\n" % number, memory)
        assert found(sized(1), memory).fields is kept
    assert found(probes.GET + b"\r\n", memory).fields is not left


def test_credentials_are_forgotten_with_time() -> None:
    memory = Memory()
    fields = found(probes.GET + b"\r\n", memory).fields
    memory.fade()
    memory.fade()
    assert found(probes.GET + b"\r\n", memory).fields is not fields
