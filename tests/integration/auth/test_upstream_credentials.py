"""Whose credentials an agent server gets to see."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.integration.auth.rig import admin, ask, from_clients, new_key, request
from tests.integration.http.rig import (
    Front,
    Recorder,
    recorded,
    recording,
    sidecar,
)
from tests.integration.http.wire import Wire
from tests.integration.http.ws_wire import HANDSHAKE, switching
from tests.integration.upstream.raw_server import Peer, serving
from tests.support.waiting import eventually

from subagent_sidecar.core.keys import PREFIX

OURS = {"x-api-key": "${TEAM_KEY}"}  # which is "secret"
THEIRS = (
    *("Authorization: Bearer theirs", "x-api-key: theirs", "X-API-key: theirs", "Cookie: theirs"),
    *("x-auth-scheme: theirs", "Proxy-Authorization: theirs", "x-service-key: theirs"),
    *("X-Tenant-Id: theirs", "x-auth-token: theirs"),
)
ONCE = tuple(each for each in THEIRS if not each.startswith("X-API-key"))


@asynccontextmanager
async def credentialed(
    *, auth: bool = True, answer: bytes | None = None, **upstream: Any
) -> AsyncIterator[tuple[Recorder, Front, str]]:
    """A server that keeps what it gets, a sidecar with credentials for it, and a key of ours."""
    async with recording(*([] if answer is None else [answer])) as server:
        body = {"url": server.url, "headers": OURS, **upstream}
        async with sidecar(upstreams={"team": body}, auth=auth) as front:
            yield server, front, await new_key(front)


async def test_with_auth_on_a_clients_credentials_stop_here() -> None:
    async with credentialed() as (server, front, key):
        answer = await ask(front, "GET /x", f"x-subagent-key: {key}", "x-more: theirs", *ONCE)
        assert answer.status == 200
        (sent,) = from_clients(server)
        assert b"x-api-key: secret" in sent
        assert sent.count(b"theirs") == 1 and b"x-more: theirs" in sent


@pytest.mark.parametrize(
    "carrier", ["x-subagent-key: {}", "x-api-key: {}", "Authorization: Bearer {}"]
)
@pytest.mark.parametrize("passed", [True, False])
async def test_our_key_goes_no_further_whoevers_credentials_do(carrier: str, passed: bool) -> None:
    async with credentialed(headers={}, pass_client_credentials=passed) as (server, front, key):
        more = "Cookie: a=theirs", f"x-trace: {key}", f"X-Auth-Token: {key}"
        answer = await ask(front, "GET /x", carrier.format(key), *more)
        assert answer.status == 200
        (sent,) = from_clients(server)
        assert PREFIX.encode() not in sent
        assert (b"Cookie: a=theirs" in sent) is passed


async def test_a_key_in_a_url_is_refused() -> None:
    async with credentialed() as (server, front, key):
        answer = await ask(front, f"GET /x?key={key}", f"x-subagent-key: {key}")
        assert (answer.status, b"have it revoked" in answer.body) == (400, True)
        assert from_clients(server) == []


async def test_with_auth_off_a_clients_credentials_are_the_servers_affair() -> None:
    async with recorded() as (server, front):
        fields = [each for each in ONCE if not each.startswith("Proxy")]
        await ask(front, "GET /x", "x-subagent-key: anything", *fields)
        sent = server.last
    assert b"x-subagent-key" not in sent
    assert [each for each in fields if each.encode() not in sent] == []


async def test_with_auth_off_they_can_be_kept_from_it_too() -> None:
    async with credentialed(auth=False, pass_client_credentials=False) as (server, front, _):
        await ask(front, "GET /x", *ONCE)
        assert b"theirs" not in server.last and b"x-api-key: secret" in server.last


def handshake(*fields: str) -> bytes:
    lines = "".join(f"{each}\r\n" for each in fields).encode()
    return b"GET /threads/t/stream/events HTTP/1.1\r\n" + HANDSHAKE + lines + b"\r\n"


async def test_of_everything_else_what_is_listed_crosses() -> None:
    async with credentialed(forward_headers=["x-team-*"]) as (server, front, key):
        fields = ("X-Team-A: a", "x-teal: b", "baggage: c", "accept: d", "content-language: e")
        await ask(front, "GET /x", f"x-subagent-key: {key}", *fields, *ONCE)
        (sent,) = from_clients(server)
        assert [each.encode() in sent for each in fields] == [True, False, False, True, True]
        assert b"theirs" not in sent and b"x-api-key: secret" in sent


@pytest.mark.parametrize("allowed", [{}, {"forward_headers": []}])
async def test_a_handshake_is_held_to_the_same(allowed: dict[str, Any]) -> None:
    heads: list[bytes] = []

    async def script(peer: Peer) -> None:
        heads.append(await peer.request())
        await peer.send(switching(heads[-1], b"Set-Cookie: of=ours", b"Sec-WebSocket-Protocol: v1"))
        await asyncio.Event().wait()

    async with serving(script) as server:
        body = {"url": f"http://127.0.0.1:{server.port}", "headers": OURS, **allowed}
        async with sidecar(upstreams={"team": body}, auth=True) as front:
            key = await new_key(front)
            async with Wire(front.port) as wire:
                plain = ("Sec-WebSocket-Protocol: v1", "baggage: b=1")
                await wire.send(handshake(f"Authorization: Bearer {key}", *plain, *ONCE[1:]))
                line, fields = await wire.head()
                assert line == b"HTTP/1.1 101 Switching Protocols"
                assert b"set-cookie" not in {name.lower() for name, _ in fields}
            async with Wire(front.port) as wire:
                subprotocol = f"Sec-WebSocket-Protocol: v1, bearer.{key}"
                await wire.send(handshake(f"x-subagent-key: {key}", subprotocol))
                await wire.head()
    first, second = (each for each in heads if b"Upgrade" in each)
    assert b"theirs" not in first and b"secret" in first and b": v1" in first
    assert (b"baggage" in first) is not bool(allowed)
    assert PREFIX.encode() not in first + second


START = b'{"assistant_id":"a","input":{}}'
RUN = (
    b'{"run_id":"019a0000-0000-7000-8000-000000000001","thread_id":"t","status":"pending",'
    b'"assistant_id":"a"}'
)
TAKEN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(RUN),
    RUN,
)


@pytest.mark.parametrize("passed", [True, False])
async def test_what_the_sidecar_asks_itself_it_asks_as_itself_unless_told_otherwise(
    passed: bool,
) -> None:
    headers = {} if passed else OURS
    async with credentialed(answer=TAKEN, pass_client_credentials=passed, headers=headers) as (
        server,
        front,
        key,
    ):
        fields = (f"x-subagent-key: {key}", "Cookie: theirs", f"Content-Length: {len(START)}")
        async with Wire(front.port) as wire:
            head = request("POST /threads/t/runs", *fields, "Content-Type: application/json")
            assert (await wire.ask(head + START)).status == 200

        def own() -> list[bytes]:
            return [each for each in server.own_accord if b"/t" in each]

        await eventually(lambda: bool(own()))
        assert [b"Cookie: theirs" in each for each in own()] == [passed] * len(own())
        assert [b"x-api-key: secret" in each for each in own()] == [not passed] * len(own())
        assert not any(PREFIX.encode() in each for each in server.requests + server.own_accord)


async def test_tools_are_held_to_the_same() -> None:
    async with credentialed(answer=TAKEN, agents=["a"], forward_headers=[]) as (server, front, key):
        body = b'{"description":"do it","subagent_type":"a"}'
        fields = (f"Authorization: Bearer {key}", f"Content-Length: {len(body)}", *ONCE[1:])
        async with Wire(front.port) as wire:
            line = "POST /sidecar/tools/start_async_task"
            await wire.ask(request(line, *fields, "Content-Type: application/json") + body)
        starts = from_clients(server)
        assert starts and not any(b"theirs" in each for each in starts)
        assert all(b"x-api-key: secret" in each for each in starts)


async def test_an_operators_tools_present_nothing_of_clients() -> None:
    async with credentialed(answer=TAKEN) as (server, front, key):
        async with Wire(front.port) as wire:
            fields = (f"x-subagent-key: {key}", "Cookie: theirs", f"Content-Length: {len(START)}")
            head = request("POST /threads/t/runs", *fields, "Content-Type: application/json")
            await wire.ask(head + START)
        await admin(front, "/v1/tools/check_async_task", {"arguments": {"task_id": "t"}})
        assert not any(b"theirs" in each for each in server.requests)


DENIED = (
    b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nSet-Cookie: s=ours\r\n"
    b"Content-Length: 4\r\n\r\nnope"
)


def told_of_denials(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [r for r in caplog.records if getattr(r, "action", "") == "upstream_denies"]
    return [record.getMessage() for record in found]


async def test_a_server_that_refuses_our_credentials_is_told_to_operators_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    async with credentialed(answer=DENIED) as (_, front, key):
        own = await ask(front, "GET /x")
        answers = [await ask(front, "GET /x", f"x-subagent-key: {key}") for _ in range(3)]
        assert len(told_of_denials(caplog)) == 1
    assert own.get(b"x-subagent-sidecar") == b"refused"
    for answer in answers:
        assert (answer.status, answer.body) == (401, b"nope")
        assert not {b"x-subagent-sidecar", b"www-authenticate", b"set-cookie"} & {
            name.lower() for name, _ in answer.fields
        }
    (told,) = told_of_denials(caplog)
    assert "upstream team answers 401" in told and "secret" not in told


async def test_a_handshake_that_is_refused_for_our_credentials_is_told_to_operators(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with credentialed(answer=DENIED) as (_, front, key), Wire(front.port) as wire:
        await wire.send(handshake(f"x-subagent-key: {key}"))
        assert (await wire.answer()).status == 401
    assert len(told_of_denials(caplog)) == 1


async def test_with_auth_off_what_a_server_says_of_credentials_goes_to_its_client(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with credentialed(auth=False, answer=DENIED) as (_, front, _key):
        answer = await ask(front, "GET /x")
        assert (answer.get(b"www-authenticate"), answer.get(b"set-cookie")) == (b"Basic", b"s=ours")
    assert told_of_denials(caplog) == []


# failures.md 24
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_host_is_not_followed_with_credentials(code: int) -> None:
    async with recording() as elsewhere:
        location = f"Location: {elsewhere.url}/taken"
        moved = f"HTTP/1.1 {code} Moved\r\n{location}\r\nContent-Length: 0\r\n\r\n".encode()
        async with credentialed(answer=moved) as (server, front, key):
            answer = await ask(front, "GET /x", f"x-subagent-key: {key}")
            assert answer.status == code
            async with Wire(front.port) as wire:
                await wire.send(handshake(f"x-subagent-key: {key}"))
                assert (await wire.head())[0].split(b" ")[1] == str(code).encode()
            await admin(
                front, "/v1/tools/check_async_task", {"arguments": {"task_id": "t"}}, status=404
            )
        assert server.requests and elsewhere.requests == []
