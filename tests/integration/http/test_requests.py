"""What a client sends is what the server receives (failures.md, transparency traps)."""

import gzip

import pytest
from tests.integration.http.rig import Recorder, end_to_end, recorded, recording, sidecar
from tests.integration.http.wire import Wire

HOST = b"Host: sidecar:8460\r\n"


async def received(request: bytes, **values: object) -> bytes:
    """The request as the server got it."""
    async with recorded(**values) as (server, front), front.wire() as wire:
        await wire.ask(request)
    assert len(server.requests) == 1
    return server.last


@pytest.mark.parametrize(
    "target",
    [
        b"/threads/x/runs?limit=1&offset=0&limit=2",
        b"/a%2fb/%7euser/%E2%82%ac/100%25",
        b"/a%2Fb?x=%2f&y=a+b&z=%zz&&=",
        b"/not%zzhex/%/%%",
        b"/?",
        b"/a?b?c=d/e",
        b"//double//slashes//",
        b"/semi;colon=1/at@/c,o:m!m'(a)*$",
        b'/[brackets]{braces}|pipe^caret`tick"quote<lt>',
        b"/custom/route/of/someone",
        b"/" + b"long/" * 2000,
    ],
)
async def test_a_target_arrives_byte_for_byte(target: bytes) -> None:
    request = await received(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    assert request.split(b"\r\n")[0] == b"GET " + target + b" HTTP/1.1"


@pytest.mark.parametrize(
    "method",
    [
        "GET",
        "HEAD",
        "OPTIONS",
        "PUT",
        "PATCH",
        "DELETE",
        "TRACE",
        "PROPFIND",
        "MKCOL",
        "REPORT",
        "PURGE",
        "M-SEARCH",
        "QUERY",
    ],
)
async def test_a_method_arrives_as_it_was_sent(method: str) -> None:
    request = await received(method.encode() + b" /x HTTP/1.1\r\n" + HOST + b"\r\n")
    assert request.startswith(method.encode() + b" /x HTTP/1.1\r\n")
    assert b"content-length" not in request.lower() and b"transfer-encoding" not in request.lower()


async def test_the_server_as_a_whole_can_be_asked_for_its_options() -> None:
    request = await received(b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n")
    assert request.startswith(b"OPTIONS * HTTP/1.1\r\n")


@pytest.mark.parametrize("method", [b"GET", b"POST", b"DELETE"])
async def test_a_request_without_a_body_gets_none(method: bytes) -> None:
    request = await received(method + b" /x HTTP/1.1\r\n" + HOST + b"\r\n")
    head = request.lower()
    assert b"transfer-encoding" not in head and b"content-length" not in head


async def test_an_empty_body_stays_an_empty_body() -> None:
    request = await received(b"POST /x HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n")
    assert b"Content-Length: 0\r\n" in request


async def test_header_fields_keep_their_names_values_order_and_duplicates() -> None:
    fields = (
        b'x-Odd-CASE: 1\r\nAccept: a\r\nX-Dup: one\r\nCookie: a=b; c="d"\r\nX-Dup: two\r\n'
        b"X-Empty: \r\nX-Bytes: \xff\xfe\xe9\r\nX_Under: _\r\nX-Dup: one\r\nCookie: e=f\r\n"
        b"Last-Event-ID: 17\r\nAuthorization: Bearer k\r\nRange: bytes=0-5\r\n"
        b'If-None-Match: "x"\r\nAccept-Encoding: br;q=1.0, gzip\r\nUser-Agent: me\r\n'
    )
    request = await received(b"GET /x HTTP/1.1\r\n" + HOST + fields + b"\r\n")
    assert end_to_end(request) == b"GET /x HTTP/1.1\r\n" + fields + b"\r\n"


async def test_nothing_is_added_but_where_the_request_came_from() -> None:
    request = await received(b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n")
    lines = request.split(b"\r\n")
    assert lines[1].startswith(b"Host: 127.0.0.1:")
    assert lines[2:] == [
        b"X-Forwarded-For: 127.0.0.1",
        b"X-Forwarded-Host: sidecar:8460",
        b"X-Forwarded-Proto: http",
        b"",
        b"",
    ]


async def test_the_chain_of_proxies_before_us_is_kept() -> None:
    before = b"X-Forwarded-For: 9.9.9.9, 8.8.8.8\r\nX-Forwarded-For: 7.7.7.7\r\n"
    forged = b"X-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\n"
    request = await received(b"GET /x HTTP/1.1\r\n" + HOST + before + forged + b"\r\n")
    assert request.lower().count(b"x-forwarded-") == 3
    assert b"X-Forwarded-For: 9.9.9.9, 8.8.8.8, 7.7.7.7, 127.0.0.1\r\n" in request
    assert b"X-Forwarded-Host: sidecar:8460\r\nX-Forwarded-Proto: http\r\n" in request


BODIES = {
    "json": b'{"a": 1.0,\n "b":"\\ud800", "a": 2e400}',
    "gzip": gzip.compress(b"{}" * 100),
    "binary": bytes(range(256)) * 4,
    "like a request": b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_body_arrives_byte_for_byte_with_its_encoding(body: bytes) -> None:
    fields = b"Content-Type: application/x-any\r\nContent-Encoding: gzip\r\n"
    size = b"Content-Length: %d\r\n" % len(body)
    request = await received(b"POST /x HTTP/1.1\r\n" + HOST + fields + size + b"\r\n" + body)
    assert end_to_end(request) == b"POST /x HTTP/1.1\r\n" + fields + b"\r\n" + body
    assert size in request


async def test_a_chunked_body_that_has_come_whole_arrives_with_its_length() -> None:
    chunks = b'3\r\n{"a\r\n5;ext=1\r\n": 1}\r\n0\r\nX-Trailer: gone\r\n\r\n'
    fields = b"Transfer-Encoding: chunked\r\nTrailer: X-Trailer\r\nTE: trailers\r\n"
    request = await received(b"POST /x HTTP/1.1\r\n" + HOST + fields + b"\r\n" + chunks)
    assert request.endswith(b'Content-Length: 8\r\n\r\n{"a": 1}')
    assert b"railer" not in request  # a request's trailers end here, and so does the word of them


async def test_a_get_may_have_a_body() -> None:
    request = await received(b"GET /x HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\nhi")
    assert request.endswith(b"Content-Length: 2\r\n\r\nhi")


async def test_clients_never_get_each_others_cookies() -> None:
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n"
    async with recorded(answer) as (server, front):
        for _ in range(2):
            async with front.wire() as wire:
                got = await wire.ask(b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n")
                assert got.all(b"set-cookie") == [b"sid=1", b"b=2"]
                await wire.ask(b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n")
    assert not any(b"cookie" in request.lower() for request in server.requests)


async def test_polls_that_set_a_cookie_are_not_shared() -> None:
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=1\r\nContent-Length: 0\r\n\r\n"
    async with recorded(answer, coalesce="5s") as (server, front), front.wire() as wire:
        for _ in range(3):
            await wire.ask(b"GET /threads/t/runs/r HTTP/1.1\r\n" + HOST + b"\r\n")
    assert len(server.requests) == 3


@pytest.mark.parametrize("keep", [True, False])
async def test_the_host_the_client_named_is_kept_where_the_operator_wants_it(keep: bool) -> None:
    async with recording() as server:
        upstreams = {"one": {"url": server.url, "preserve_host": keep}}
        async with sidecar(upstreams=upstreams) as front, front.wire() as wire:
            await wire.ask(b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n")
        own = b"Host: 127.0.0.1:%d\r\n" % server.port
        assert server.last.split(b"\r\n")[1] + b"\r\n" == (HOST if keep else own)


async def test_credentials_of_the_upstream_take_the_place_of_the_clients() -> None:
    async with recording() as server:
        headers = {"X-Api-Key": "${TEAM_KEY}", "Authorization": "Bearer ${TEAM_KEY}"}
        upstreams = {"one": {"url": server.url, "headers": headers}}
        fields = b"x-api-key: theirs\r\nAUTHORIZATION: theirs\r\nX-Else: theirs\r\n"
        async with sidecar(upstreams=upstreams) as front, front.wire() as wire:
            await wire.ask(b"GET /x HTTP/1.1\r\n" + HOST + fields + b"\r\n")
    assert server.last.count(b"theirs") == 1
    assert b"X-Api-Key: secret\r\nAuthorization: Bearer secret\r\n" in server.last


async def exchange(server: Recorder, wire: Wire, target: bytes) -> bytes:
    await wire.ask(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    return server.last.split(b" ")[1]


async def test_our_own_headers_and_prefix_do_not_reach_the_server() -> None:
    async with recorded() as (server, front), front.wire() as wire:
        ours = b"X-Subagent-Session: s\r\nx-subagent-upstream: default\r\n"
        await wire.ask(b"GET /to/default/a%2fb?c HTTP/1.1\r\n" + HOST + ours + b"\r\n")
        assert server.last.startswith(b"GET /a%2fb?c HTTP/1.1\r\n")
        assert b"subagent" not in server.last.lower()
        assert await exchange(server, wire, b"/to/default") == b"/"
        assert await exchange(server, wire, b"/to/default?a=b") == b"/?a=b"
        assert await exchange(server, wire, b"/to/default/?a=b") == b"/?a=b"
        assert await exchange(server, wire, b"/to/default//x") == b"//x"
