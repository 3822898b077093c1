"""Input nobody should send gets a clear answer: the server's where it is the server's business."""

import json
from contextlib import suppress
from typing import Any

import pytest
from tests.integration.http.rig import Recorder, recorded, recording, sidecar
from tests.integration.http.wire import Answer, Wire

UUID = b"6c1e3d5e-2f60-4f6a-9f5e-3f0d5a0b7c11"
RUN = b'{"run_id":"r-1","thread_id":"' + UUID + b'","status":"pending"}'
RUN_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(RUN) + RUN


def post(path: bytes, body: bytes, *fields: bytes) -> bytes:
    head = [b"POST " + path + b" HTTP/1.1", b"Host: a", *fields]
    return b"\r\n".join([*head, b"Content-Length: %d" % len(body), b"", body])


def body_of(server: Recorder) -> bytes:
    return server.last.partition(b"\r\n\r\n")[2]


def problem(got: Answer) -> dict[str, Any]:
    """The body of a refusal of ours, in the form the SDKs hand to a model."""
    told: dict[str, Any] = json.loads(got.body)
    assert got.get(b"content-type") == b"application/json"
    assert told["message"] == told["detail"] and isinstance(told["message"], str)
    assert told["error"] == told["code"]
    return told


@pytest.mark.parametrize(
    ("target", "field"),
    [(b"/to/nobody/x", b""), (b"/x", b"X-Subagent-Upstream: nobody\r\n"), (b"/to/nobody", b"")],
)
async def test_an_unknown_upstream_is_told_together_with_the_known_ones(
    target: bytes, field: bytes
) -> None:
    async with recording() as one, recording() as two:
        async with sidecar(f"one={one.url}", f"two={two.url}") as front, front.wire() as wire:
            got = await wire.ask(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n")
        told = problem(got)
        assert (got.status, told["code"]) == (404, "no_such_upstream")
        assert "nobody" in told["message"] and "one, two" in told["message"]
        assert not one.requests and not two.requests


async def test_a_request_that_could_mean_any_upstream_is_told_the_ways_out() -> None:
    async with recording() as one, recording() as two:
        async with sidecar(f"one={one.url}", f"two={two.url}") as front, front.wire() as wire:
            got = await wire.ask(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        told = problem(got)
        assert (got.status, told["code"]) == (421, "ambiguous_upstream")
        assert "/to/<upstream>" in told["message"] and "x-subagent-upstream" in told["message"]
        assert not one.requests and not two.requests


NOT_JSON = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"\xff\xfe",
    b"{}}",
    b'{"metadata": }',
    b"\x1f\x8b\x08\x00 no gzip",
    b'{"a":1}{"a":2}',
    b"{'a': 1}",
]
STARTS = [
    b"/threads/" + UUID + b"/runs",
    b"/threads/" + UUID + b"/runs/stream",
    b"/runs",
    b"/runs/wait",
    b"/runs/batch",
    b"/runs/crons",
    b"/threads",
    b"/runs/cancel",
]


@pytest.mark.parametrize("path", STARTS)
async def test_a_body_that_is_no_json_object_reaches_the_server_for_it_to_judge(
    path: bytes,
) -> None:
    refusal = b'{"detail":"Invalid JSON in request body"}'
    answer = b"HTTP/1.1 422 X\r\nContent-Length: %d\r\n\r\n" % len(refusal) + refusal
    async with recorded(answer) as (server, front), front.wire() as wire:
        for body in NOT_JSON:
            got = await wire.ask(post(path, body))
            assert (got.status, got.body) == (422, refusal)
            assert body_of(server) == body
        assert len(server.requests) == len(NOT_JSON)


@pytest.mark.parametrize(
    "thread",
    [b"not-a-uuid", b"%00", b"a%2fb", b"%ff%fe", b"'%22--", b"x" * 5000, b"%e2%82%ac", b"..x"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_thread_id_that_is_none_is_for_the_server_to_judge(
    method: str, thread: bytes
) -> None:
    refusal = b'{"detail":"Invalid thread ID: must be a UUID"}'
    answer = b"HTTP/1.1 422 X\r\nContent-Length: %d\r\n\r\n" % len(refusal) + refusal
    async with recorded(answer) as (server, front), front.wire() as wire:
        if method == "POST":
            got = await wire.ask(post(b"/threads/" + thread + b"/runs", b"{}"))
        else:
            target = b"/threads/" + thread + b"/runs/" + thread
            got = await wire.ask(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (got.status, got.body) == (422, refusal)
        assert b"/threads/" + thread + b"/runs" in server.requests[0]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_start_of_twenty_megabytes_goes_through(chunked: bool) -> None:
    given = b'{"assistant_id": "a", "input": {"blob": "' + b"x" * 20_000_000 + b'"}}'
    request = post(b"/threads/" + UUID + b"/runs", given)
    if chunked:
        head = b"POST /threads/" + UUID + b"/runs HTTP/1.1\r\nHost: a\r\n"
        request = head + b"Transfer-Encoding: chunked\r\n\r\n"
        request += b"%x\r\n%b\r\n0\r\n\r\n" % (len(given), given)
    async with recorded(RUN_ANSWER) as (server, front), Wire(front.port) as wire:
        assert (await wire.ask(request)).body == RUN
        added, _, rest = body_of(server).partition(b"},")
        assert added.startswith(b'{"metadata":{"sidecar_')
        assert b"{" + rest == given


@pytest.mark.parametrize("path", [b"/threads/" + UUID + b"/runs", b"/x"])
async def test_a_body_up_to_the_limit_passes_and_one_byte_more_is_told_the_limit(
    path: bytes,
) -> None:
    """Row 16: the cap is a setting, and the refusal a problem that names it."""
    async with recorded(RUN_ANSWER, max_body="1000B") as (server, front):
        for size, status in ((1000, 200), (1001, 413)):
            for framing in ("length", "chunked", "chunked and slow"):
                async with front.wire() as wire:
                    got = await send_body(wire, path, size, framing)
                    assert got.status == status
                    if status == 413:
                        assert "1000" in problem(got)["message"]
        assert len(server.requests) == 3


async def send_body(wire: Wire, path: bytes, size: int, framing: str) -> Answer:
    body = b"[" + b"1" * (size - 2) + b"]"
    if framing == "length":
        return await wire.ask(post(path, body))
    head = b"POST " + path + b" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    first = b"1\r\n[\r\n"
    rest = b"%x\r\n%b\r\n0\r\n\r\n" % (size - 1, body[1:])
    if framing == "chunked":
        return await wire.ask(head + first + rest)
    await wire.send(head + first)
    async with wire.elsewhere() as other:  # by then the first piece is on its way
        await other.ask(b"GET /sidecar/health HTTP/1.1\r\nHost: a\r\n\r\n")
    return await wire.ask(rest)


async def test_a_start_that_is_too_large_is_not_on_record() -> None:
    async with recorded(max_body="1000B") as (server, front), front.wire() as wire:
        await wire.ask(post(b"/threads/" + UUID + b"/runs", b"x" * 1001))
        async with front.admin() as admin:
            tasks = await admin.ask(b"GET /v1/tasks HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (json.loads(tasks.body)["tasks"], server.requests) == ([], [])


@pytest.mark.parametrize(
    "line",
    [
        b"X-Long: " + b"x" * 70_000,
        b"\r\n".join(b"X-%d: y" % number for number in range(300)),
        b"Cookie: " + b"c" * 70_000,
    ],
    ids=["long field", "many fields", "long cookie"],
)
async def test_a_head_without_end_is_refused(line: bytes) -> None:
    async with recorded() as (server, front), front.wire() as wire:
        got = await wire.ask(b"GET /x HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n")
        assert (got.status, server.requests) == (400, [])


@pytest.mark.parametrize("kept", [False, True], ids=["first", "later"])
async def test_fields_within_all_limits_do_not_add_up_to_megabytes(kept: bool) -> None:
    async with recorded() as (server, front), front.wire() as wire:
        if kept:
            await wire.ask(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        await wire.send(b"GET /x HTTP/1.1\r\nHost: a\r\n")
        with suppress(ConnectionError):
            for number in range(200):
                await wire.send(b"X-%d: %b\r\n" % (number, b"x" * 50_000))
        assert await wire.everything() == b""
        assert len(server.requests) == kept
