"""Nobody gets a second request past the sidecar inside a first one (row 21)."""

import asyncio
import json
import os
import sys
from contextlib import suppress

import pytest
from tests.integration.http import probes
from tests.integration.http.probes import CANARY, SMUGGLED, UPGRADE, WRAPPED, Probe
from tests.integration.http.rig import Recorder, recorded, scripted
from tests.integration.http.wire import Wire
from tests.integration.upstream.raw_server import Peer

TABLES = {
    "lengths": probes.LENGTHS,
    "codings": probes.CODINGS,
    "fields": probes.FIELDS,
    "chunks": probes.CHUNKED,
    "starts": probes.STARTS,
}
PROBES = {f"{table}: {name}": p for table, rows in TABLES.items() for name, p in rows.items()}
REFUSED = {name: probe for name, probe in PROBES.items() if not probe.bodies}
UNDERSTOOD = {name: probe for name, probe in PROBES.items() if probe.bodies}


def bodies(server: Recorder) -> tuple[bytes, ...]:
    return tuple(request.partition(b"\r\n\r\n")[2] for request in server.requests)


@pytest.mark.parametrize("probe", REFUSED.values(), ids=REFUSED)
async def test_what_could_be_read_in_two_ways_is_refused(
    probe: Probe, caplog: pytest.LogCaptureFixture
) -> None:
    async with recorded() as (server, front), front.wire() as wire:
        await wire.send(probe.sent + SMUGGLED)
        got = await wire.answer()
        assert (got.status, json.loads(got.body)["code"][:4]) == (400, "bad_")
        assert await wire.everything() == b""
        assert server.requests == []
        assert CANARY not in got.body and CANARY.decode() not in caplog.text  # row 24


@pytest.mark.parametrize("probe", UNDERSTOOD.values(), ids=UNDERSTOOD)
async def test_what_can_be_read_in_one_way_only_is_passed_on_in_plain_form(probe: Probe) -> None:
    async with recorded() as (server, front), front.wire() as wire:
        await wire.send(probe.sent + SMUGGLED)
        for _ in probe.bodies:
            assert (await wire.answer()).body == b"ok"
        assert bodies(server) == probe.bodies


@pytest.mark.parametrize("probe", probes.WRAPPINGS.values(), ids=probes.WRAPPINGS)
async def test_a_request_in_a_body_stays_a_body(probe: Probe) -> None:
    async with recorded() as (server, front), front.wire() as wire:
        assert (await wire.ask(probe.sent)).body == b"ok"
        assert bodies(server) == probe.bodies
        if probe.last:
            assert await wire.everything() == b""
        else:
            last = await wire.ask(b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (last.body, len(server.requests)) == (b"ok", 2)


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket, h2c", b"webso\xe2\x84\xaaet"])
@pytest.mark.parametrize("framing", [b"", WRAPPED], ids=["bodiless", "with a body"])
async def test_nothing_is_read_behind_a_protocol_that_is_not_spoken(
    protocol: bytes, framing: bytes
) -> None:
    """Else half of a request is lost with what came behind it, and the other half read as one."""
    asked = b"POST /x HTTP/1.1\r\nHost: a\r\n" + UPGRADE + protocol + b"\r\n"
    half = b"POST /half HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED)
    async with recorded() as (server, front), front.wire() as wire:
        got = await wire.ask(asked + (framing or b"Content-Length: 0\r\n\r\n") + half)
        assert (got.body, got.get(b"connection")) == (b"ok", b"close")
        with suppress(ConnectionError):
            await wire.send(SMUGGLED)
        assert await wire.everything() == b""
        assert len(server.requests) == 1


@pytest.mark.parametrize("probe", probes.CHUNKED.values(), ids=probes.CHUNKED)
async def test_a_body_that_turns_bad_on_its_way_never_ends_for_the_server(probe: Probe) -> None:
    arrived = asyncio.Event()
    ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"5\r\nfirst\r\n")
        arrived.set()
        ended.set_result(await peer.gone())

    head, _, chunks = probe.sent.partition(b"\r\n\r\n")
    async with scripted(script) as front, front.wire() as wire:
        await wire.send(head + b"\r\n\r\n5\r\nfirst\r\n")
        await arrived.wait()
        await wire.send(chunks + SMUGGLED)
        assert (await wire.answer()).status == 400
        assert await wire.everything() == b""
        assert await ended in (b"", b"5\r\nhello\r\n")


@pytest.mark.parametrize("name", [b"X-Api-Key", b"Authorization", b"X-Subagent-Upstream"])
@pytest.mark.parametrize("together", [True, False], ids=["at once", "in pieces"])
async def test_a_trailer_is_nobodys_header(name: bytes, together: bool) -> None:
    sent = probes.POST + probes.TE + b"\r\n", probes.CHUNKS[:-2] + name + b": k\r\n\r\n"
    async with recorded() as (server, front), front.wire() as wire:
        for piece in (b"".join(sent),) if together else sent:
            await wire.send(piece)
        got = await wire.answer()
        assert (got.body, got.get(b"connection")) == (b"ok", b"close")
        with suppress(ConnectionError):
            await wire.send(SMUGGLED)
        assert await wire.everything() == b""
        assert len(server.requests) == 1


@pytest.mark.parametrize("path", [b"/x", b"/threads/t/runs", b"/threads"])
async def test_a_length_that_the_client_does_not_keep_to_ends_with_its_connection(
    path: bytes,
) -> None:
    async with recorded(body_timeout="100ms") as (server, front), Wire(front.port) as wire:
        got = await wire.ask(
            b"POST " + path + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhello"
        )
        assert (got.status, got.get(b"connection")) == (408, b"close")
        assert await wire.everything() == b""
        assert server.requests == []


async def test_with_the_lenient_parser_the_sidecar_does_not_start() -> None:
    command = [sys.executable, "-m", "subagent_sidecar", "serve", "--store", "memory:"]
    command += ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    process = await asyncio.create_subprocess_exec(
        *command,
        "--upstream=http://127.0.0.1:1",
        env={**os.environ, "AIOHTTP_NO_EXTENSIONS": "1"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await process.communicate()
    assert (process.returncode, b"no C parser" in told) == (64, True)


async def test_an_empty_line_before_a_request_is_skipped() -> None:
    async with recorded() as (server, front), front.wire() as wire:
        assert (await wire.ask(b"\r\n\r\n" + SMUGGLED)).body == b"ok"
        assert len(server.requests) == 1
