"""Requests that attack the admin plane's listener: rows 18, 21 and 24."""

import asyncio
import json
import logging
from contextlib import suppress

import pytest
from tests.integration.http.probes import (
    CANARY,
    CODINGS,
    FIELDS,
    LENGTHS,
    SMUGGLED,
    UPGRADE,
    Probe,
)
from tests.integration.http.rig import recorded

PROBES = {**LENGTHS, **CODINGS, **FIELDS}
REFUSED = {name: probe for name, probe in PROBES.items() if not probe.bodies}
MINE = frozenset({"no host", "the same host twice", "two hosts", "HTTP/1.0", "HTTP/1.0 kept"})
"""What is answered in a way of its own; nothing stands behind the admin plane to be misled."""

SHORT = {"header_timeout": "300ms", "body_timeout": "300ms"}
POST = b"POST /v1/reap HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize("name", [name for name in REFUSED if name not in MINE])
async def test_what_could_be_read_in_two_ways_is_not_served_and_nobody_is_told_what_it_was(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with recorded() as (_, front), front.admin() as wire:
        await wire.send(REFUSED[name].sent)
        wire.writer.write_eof()
        told = await wire.everything()
        assert b" 200 " not in told
        assert CANARY not in told
    assert CANARY.decode() not in caplog.text


async def test_a_malformed_request_is_told_so_in_the_words_of_the_errors_page() -> None:
    probe: Probe = FIELDS["space before the colon"]
    async with recorded() as (_, front), front.admin() as wire:
        answer = await wire.ask(probe.sent)
        assert (answer.status, json.loads(answer.body)["code"]) == (400, "bad_request")


@pytest.mark.parametrize("sent", [b"", b"GET /v1/ta", b"GET /v1/tasks HTTP/1.1\r\nHost: a\r\n"])
async def test_a_head_that_does_not_come_ends_its_connection(sent: bytes) -> None:
    async with recorded(**SHORT) as (_, front), front.admin() as wire:
        await wire.send(sent)
        assert await wire.everything() == b""


async def test_so_does_one_that_does_not_come_after_another_request() -> None:
    async with recorded(**SHORT) as (_, front), front.admin() as wire:
        assert (await wire.ask(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200
        await wire.send(b"GET /v1/ta")
        assert await wire.everything() == b""


# Row 21, as on the data plane.
async def test_nothing_is_read_behind_a_protocol_that_is_not_spoken() -> None:
    half = POST + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED)
    async with recorded() as (_, front), front.admin() as wire:
        asked = b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + UPGRADE + b"h2c\r\n\r\n"
        got = await wire.ask(asked + half)
        assert (got.status, got.get(b"connection")) == (200, b"close")
        with suppress(ConnectionError):
            await wire.send(SMUGGLED)
        assert await wire.everything() == b""


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async with recorded(**SHORT) as (_, front), front.admin() as wire:
        answer = await wire.ask(POST + b"Content-Length: 50\r\n\r\n{")
        assert (answer.status, json.loads(answer.body)["code"]) == (408, "body_timeout")


async def test_a_body_beyond_a_megabyte_is_refused() -> None:
    async with recorded() as (_, front), front.admin() as wire:
        body = b" " * (2**20 + 1)
        answer = await wire.ask(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert (answer.status, json.loads(answer.body)["code"]) == (413, "body_too_large")


async def test_a_client_that_leaves_in_its_body_is_no_trouble() -> None:
    async with recorded() as (_, front):
        async with front.admin() as wire:
            await wire.send(POST + b"Content-Length: 50\r\n\r\n{")
            wire.reset()
        async with front.admin() as wire:
            assert (await wire.ask(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200


async def test_connections_beyond_the_limit_are_turned_away() -> None:
    async with recorded(max_connections=1) as (_, front), front.admin() as first:
        assert (await first.ask(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200
        async with front.admin() as wire:
            assert await wire.everything() == b""


async def test_a_stream_of_events_is_not_taken_for_a_slow_client() -> None:
    async with recorded(**SHORT) as (_, front), front.admin() as wire:
        await wire.send(
            b"GET /v1/events?follow=true HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n"
        )
        assert b" 200 " in (await wire.head())[0]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.6):
                while await wire.reader.read(4096):
                    pass


async def test_a_name_in_front_of_a_host_is_not_repeated() -> None:
    async with recorded() as (_, front), front.admin() as wire:
        host = b"user:" + CANARY + b"@pages.example"
        answer = await wire.ask(b"GET /v1/tasks HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        assert (answer.status, CANARY in answer.body) == (421, False)
