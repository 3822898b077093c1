"""A start that asks for a webhook where none may lead is not sent, by whatever door (row 20)."""

import json

import pytest
from tests.integration.http.rig import recorded

HOOK = b'"webhook":"http://169.254.169.254/latest"'
RUN = b'{"assistant_id":"a",' + HOOK + b"}"
COMMAND = b'{"id":1,"method":"run.start","params":' + RUN + b"}"
STARTS = {
    "/threads/t/runs": RUN,
    "/threads/t/runs/stream": RUN,
    "/threads/t/runs/wait": RUN,
    "/threads/t/runs/crons": RUN,
    "/threads/t/commands": COMMAND,
    "/runs": RUN,
    "/runs/stream": RUN,
    "/runs/wait": RUN,
    "/runs/batch": b'[{"assistant_id":"a"},' + RUN + b"]",
    "/runs/crons": RUN,
    "/mcp": b'{"method":"tools/call","params":{"name":"a",' + HOOK + b"}}",
}


def request(path: str, body: bytes, method: str = "POST", *fields: bytes) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"".join(each + b"\r\n" for each in fields) + b"\r\n" + body


@pytest.mark.parametrize("path", STARTS)
async def test_it_is_refused_before_anything_is_sent(path: str) -> None:
    async with recorded(webhook_allow=["*"]) as (server, front), front.wire() as wire:
        got = await wire.ask(request(path, STARTS[path]))
        assert (got.status, json.loads(got.body)["code"]) == (403, "webhook_refused")
        assert not any(RUN in each or HOOK in each for each in server.requests)


async def test_a_change_of_a_cron_is_judged_as_well() -> None:
    async with recorded(webhook_allow=["*"]) as (server, front), front.wire() as wire:
        got = await wire.ask(request("/runs/crons/c", b"{" + HOOK + b"}", "PATCH"))
        assert (got.status, server.requests) == (403, [])
        assert (await wire.ask(request("/runs/crons/c", b"{}", "PATCH"))).body == b"ok"


async def test_what_cannot_be_read_is_refused() -> None:
    async with recorded(webhook_allow=["*"]) as (server, front), front.wire() as wire:
        packed = request("/runs", b"xxx", "POST", b"Content-Encoding: gzip")
        assert ((await wire.ask(packed)).status, server.requests) == (400, [])


@pytest.mark.parametrize("settings", [{}, {"webhook_allow": ["169.254.0.0/16"]}])
async def test_it_passes_where_nobody_judges_or_the_list_allows_it(
    settings: dict[str, object],
) -> None:
    async with recorded(**settings) as (server, front), front.wire() as wire:
        await wire.ask(request("/threads/t/runs", RUN))
        assert any(HOOK in each for each in server.requests)
