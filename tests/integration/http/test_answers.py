"""What a server answers is what the client gets (failures.md, transparency traps; row 3)."""

import gzip

import pytest
from tests.integration.http.rig import recorded, recording, scripted, sidecar
from tests.integration.http.wire import Answer, Wire
from tests.integration.upstream.raw_server import Peer

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
EMPTY = b"Content-Length: 0\r\n\r\n"


async def relayed(answer: bytes, request: bytes = GET) -> Answer:
    async with recorded(answer) as (_, front), front.wire() as wire:
        return await wire.ask(request)


@pytest.mark.parametrize(
    "line",
    [
        b"200 OK",
        b"200 Everything Is Fine",
        b"200 ",
        b"201 Created",
        b"207 Multi-Status",
        b"299 Miscellaneous",
        b"302 Found",
        b"304 Not Modified",
        b"204 No Content",
        b"400 Bad Request",
        b"402 Payment Required",
        b"418 I'm a teapot",
        b"429 Too Many Requests",
        b"451 Unavailable For Legal Reasons",
        b"499 Client Closed",
        b"503 Service Unavailable",
        b"599 Network Connect Timeout",
        b"999 Beyond",
    ],
)
async def test_status_and_reason_pass_as_they_are(line: bytes) -> None:
    got = await relayed(b"HTTP/1.1 " + line + b"\r\n" + EMPTY)
    assert got.line == b"HTTP/1.1 " + line


async def test_fields_keep_their_names_values_order_and_duplicates() -> None:
    fields = (
        b"x-Odd-CASE: 1\r\nX-Dup: one\r\nSet-Cookie: a=b; Path=/\r\nX-Dup: two\r\n"
        b"X-Bytes: \xff\xfe\r\nSet-Cookie: c=d\r\nVary: Origin\r\nVary: Accept\r\nX-Dup: one\r\n"
        b'Content-Type: text/x-odd\r\nETag: W/"x"\r\nRetry-After: 7\r\nX-Pagination-Total: 3\r\n'
    )
    got = await relayed(b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 2\r\n\r\nhi")
    sent = [tuple(line.split(b": ", 1)) for line in fields.split(b"\r\n")[:-1]]
    assert got.fields == [*sent, (b"Content-Length", b"2")]


async def test_nothing_is_added_to_an_answer() -> None:
    got = await relayed(b"HTTP/1.1 200 OK\r\n" + EMPTY)
    assert got.fields == [(b"Content-Length", b"0")]


async def test_fields_of_the_hop_end_here() -> None:
    hop = b"Connection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nX-End: 2\r\n"
    got = await relayed(b"HTTP/1.1 200 OK\r\n" + hop + EMPTY)
    assert got.fields == [(b"X-End", b"2"), (b"Content-Length", b"0")]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_passed_and_not_followed(status: int) -> None:
    answer = b"HTTP/1.1 %d Go\r\nLocation: http://127.0.0.1:1/elsewhere\r\n" % status + EMPTY
    async with recorded(answer) as (server, front), front.wire() as wire:
        got = await wire.ask(GET)
    assert got.get(b"location") == b"http://127.0.0.1:1/elsewhere"
    assert (got.status, len(server.requests)) == (status, 1)


@pytest.mark.parametrize("base", ["", "/base"])
@pytest.mark.parametrize("prefix", [b"", b"/to/one"])
@pytest.mark.parametrize("name", [b"Location", b"content-location"])
async def test_a_location_leads_back_through_the_sidecar(
    base: str, prefix: bytes, name: bytes
) -> None:
    locations = {
        b"/threads/t/runs/r?x=%2f": b"/threads/t/runs/r?x=%2f",
        b"runs/r": b"runs/r",
        b"//other/x": b"//other/x",
        b"http://other:1/x": b"http://other:1/x",
        b"": b"",
    }
    async with recording() as server, sidecar(f"one={server.url}{base}") as front:
        origin, path = server.url.encode(), base.encode()
        locations[origin + path] = b"http://me:1" + prefix
        locations[origin + path + b"?b"] = b"http://me:1" + prefix + b"?b"
        locations[origin + path + b"/a?b#c"] = b"http://me:1" + prefix + b"/a?b#c"
        locations[origin + b"0/a"] = origin + b"0/a"  # another port that only begins alike
        async with front.wire() as wire:
            for sent, wanted in locations.items():
                server.answer = b"HTTP/1.1 302 Go\r\n%b: %b\r\n%b" % (name, sent, EMPTY)
                got = await wire.ask(b"GET " + prefix + b"/x HTTP/1.1\r\nHost: me:1\r\n\r\n")
                assert got.fields[0] == (name, wanted)


async def test_a_location_outside_the_base_path_is_left_alone() -> None:
    async with recording() as server, sidecar(f"one={server.url}/base") as front:
        location = server.url.encode() + b"/login"
        server.answer = b"HTTP/1.1 302 Go\r\nLocation: %b\r\n%b" % (location, EMPTY)
        async with front.wire() as wire:
            assert (await wire.ask(GET)).get(b"location") == location


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 1234\r\n", b"Transfer-Encoding: chunked\r\n", b""]
)
async def test_an_answer_to_head_has_no_body_and_leaves_the_connection_usable(
    framing: bytes,
) -> None:
    answer = b"HTTP/1.1 200 OK\r\nX-A: 1\r\n" + framing + b"\r\n"
    async with recorded(answer) as (server, front), front.wire() as wire:
        for _ in range(2):
            got = await wire.ask(b"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n")
            length = b"1234" if b"1234" in framing else None
            assert (got.status, got.get(b"content-length")) == (200, length)
        server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
        assert (await wire.ask(GET)).body == b"hi"


@pytest.mark.parametrize("line", [b"204 No Content", b"304 Not Modified"])
async def test_an_answer_that_has_no_body_by_its_status_does_not_hold_up_the_next(
    line: bytes,
) -> None:
    answer = b"HTTP/1.1 " + line + b"\r\nETag: x\r\n\r\n"
    async with recorded(answer) as (_, front), front.wire() as wire:
        for _ in range(2):
            assert (await wire.ask(GET)).line == b"HTTP/1.1 " + line


PACKED = gzip.compress(b"x" * 100_000)


@pytest.mark.parametrize(
    ("name", "body"),
    [(b"gzip", PACKED), (b"gzip", b"no gzip at all"), (b"br", b"\x00\x01"), (b"zstd", b"?")],
)
async def test_an_encoded_body_is_not_touched(name: bytes, body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n"
    got = await relayed(head % (name, len(body)) + body)
    assert (got.get(b"content-encoding"), got.body) == (name, body)


JSON = b'{"a": 1.0,\n "b":"\\ud800", "a": 2e400, "c": NaN}'


@pytest.mark.parametrize("path", [b"/threads/t", b"/threads/t/runs/r", b"/threads/t/runs", b"/x"])
@pytest.mark.parametrize("status", [200, 404, 409, 422, 429, 500, 502, 503])
async def test_a_body_is_not_written_anew(path: bytes, status: int) -> None:
    head = b"HTTP/1.1 %d X\r\nRetry-After: 3\r\nContent-Length: %d\r\n\r\n" % (status, len(JSON))
    got = await relayed(head + JSON, b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (got.status, got.body, got.get(b"retry-after")) == (status, JSON, b"3")


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3_000_000])
@pytest.mark.parametrize("framing", ["length", "chunked", "until close"])
async def test_a_body_of_any_size_and_framing_arrives_whole(size: int, framing: str) -> None:
    body = bytes(range(256)) * (size // 256) + b"!" * (size % 256)
    if framing == "length":
        got = await relayed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + body)
    elif framing == "chunked":
        chunk = b"%x\r\n%b\r\n" % (size, body) if size else b""
        got = await relayed(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n"
        )
    else:
        got = await until_close(b"HTTP/1.0 200 OK\r\n\r\n" + body)
    assert got.complete
    assert got.body == body


async def until_close(answer: bytes) -> Answer:
    async def script(peer: Peer) -> None:
        await peer.answer(answer)

    async with scripted(script) as front, front.wire() as wire:
        return await wire.ask(GET)


async def test_trailers_of_an_answer_end_here() -> None:
    """They are rare, and no field of them is announced: `Trailer` is a field of the hop."""
    answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        b"2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n"
    )
    got = await relayed(answer)
    assert (got.body, got.trailers, got.get(b"trailer")) == (b"hi", b"", None)


async def test_interim_answers_are_swallowed() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    got = await relayed(hints + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    assert (got.status, got.body, got.get(b"link")) == (200, b"hi", None)


async def test_two_clients_behind_one_connection_keep_their_order() -> None:
    async with recorded() as (server, front), Wire(front.port) as wire:
        await wire.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(20)))
        for _ in range(20):
            assert (await wire.answer()).body == b"ok"
    assert [int(request.split(b" ")[1][1:]) for request in server.requests] == list(range(20))
