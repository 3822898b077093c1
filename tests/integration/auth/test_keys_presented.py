"""Keys as callers present them, and what callers are told."""

import json
import logging
from typing import Any

import pytest
from tests.integration.auth.rig import (
    admin,
    ask,
    from_clients,
    guarded,
    new_key,
    request,
    revoke,
)
from tests.integration.http.rig import recorded, sidecar
from tests.integration.http.wire import Wire
from tests.support.waiting import eventually_got

from subagent_sidecar.core.keys import PREFIX

GET = "GET /threads/t"
OTHER = "lsv2_pt_a_key_of_somebody_else"
STRANGER = f"{PREFIX}{'a' * 10}_{'b' * 52}"


def codes(body: bytes) -> Any:
    told = json.loads(body)
    assert told["message"] == told["detail"] and told["error"] == told["code"]
    return told["code"]


@pytest.mark.parametrize(
    "fields",
    [
        ("x-subagent-key: {}",),
        ("X-Subagent-Key:   {}  ",),
        ("x-api-key: {}",),
        ("Authorization: Bearer {}",),
        ("authorization: bEARER  {}",),
        ("x-api-key: {}", f"Authorization: Bearer {OTHER}"),
        (f"x-api-key: {OTHER}", "Authorization: Bearer {}"),
        ("x-subagent-key: {}", f"x-api-key: {STRANGER}", "Authorization: Basic eDp5"),
    ],
)
async def test_a_key_comes_by_three_names_and_goes_no_further(fields: tuple[str, ...]) -> None:
    async with guarded() as (server, front, key):
        answer = await ask(front, GET, *(each.format(key) for each in fields))
        assert answer.status == 200
        (sent,) = from_clients(server)
        assert PREFIX.encode() not in sent and b"x-subagent-key" not in sent.lower()


async def test_its_own_header_is_the_one_that_counts() -> None:
    async with guarded() as (server, front, key):
        for wrong in (STRANGER, OTHER, "", "Bearer " + key):
            answer = await ask(front, GET, f"x-subagent-key: {wrong}", f"x-api-key: {key}")
            assert (answer.status, codes(answer.body)) == (401, "key_unknown")
        assert from_clients(server) == []


@pytest.mark.parametrize(
    "fields",
    [
        ("x-subagent-key: {}", "X-Subagent-Key: {}"),
        ("x-api-key: {}", "x-api-key: " + OTHER),
        ("Authorization: Bearer {}", "authorization: Basic eDp5"),
    ],
)
async def test_what_stands_twice_says_nothing(fields: tuple[str, ...]) -> None:
    async with guarded() as (server, front, key):
        answer = await ask(front, GET, *(each.format(key) for each in fields))
        assert (answer.status, codes(answer.body)) == (400, "bad_header")
        assert key.encode() not in answer.body
        assert from_clients(server) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "ssk_' OR 1=1--_x",
        f"{PREFIX}{'a' * 10}_' OR '1'='1",
        f"{PREFIX}%_{'b' * 52}",
        f"{PREFIX}{'a' * 10}_{'B' * 52}",
        f"{PREFIX}{'a' * 10}_{'é' * 52}",
        f"{PREFIX}\udcff\udcfe_{'b' * 52}",
        PREFIX + "a" * 60_000,
        "{}x",
        "{} {}",
        "{},{}",
    ],
)
async def test_a_wrong_key_is_a_wrong_key_whatever_is_in_it(wrong: str) -> None:
    # An incident behind issue 9: SQL in a key check.
    async with guarded() as (server, front, key):
        for name in ("x-subagent-key: ", "x-api-key: ", "Authorization: Bearer "):
            answer = await ask(front, GET, name + wrong.format(key, key))
            assert (answer.status, codes(answer.body)) == (401, "key_unknown")
            assert b"OR" not in answer.body and key.encode() not in answer.body
        assert (await ask(front, GET, f"x-api-key: {key}")).status == 200
        assert len(from_clients(server)) == 1


@pytest.mark.parametrize("wrong", [b"ssk_\0", b"ssk_" + b"a" * 2**20])
async def test_what_is_no_header_is_turned_away_before_anybody_looks(wrong: bytes) -> None:
    async with guarded() as (server, front, key):
        async with Wire(front.port) as wire:
            await wire.send(b"GET /threads/t HTTP/1.1\r\nHost: a\r\nx-api-key: ")
            await wire.send(wrong + b"\r\n\r\n")
            said = await wire.everything()
        assert said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 ")) or not said
        assert (await ask(front, GET, f"x-api-key: {key}")).status == 200
        assert len(from_clients(server)) == 1


async def test_a_body_is_not_waited_for() -> None:
    async with guarded() as (server, front, _), Wire(front.port) as wire:
        answer = await wire.ask(request("POST /threads/t/runs", "Content-Length: 300000000"))
        assert (answer.status, codes(answer.body)) == (401, "key_missing")
        assert from_clients(server) == []


async def test_why_a_key_is_not_good_is_told_to_who_holds_it() -> None:
    async with guarded() as (_, front, key):
        await revoke(front, key)
        answer = await ask(front, GET, f"x-api-key: {key}")
        assert (answer.status, codes(answer.body)) == (401, "key_revoked")
        guessed = key[:-1] + ("a" if key[-1] != "a" else "b")
        answer = await ask(front, GET, f"x-api-key: {guessed}")
        assert codes(answer.body) == "key_unknown"

        short = await new_key(front, expires="1ms")
        answer = await eventually_got(
            lambda: ask(front, GET, f"x-api-key: {short}"), lambda got: got.status == 401
        )
        assert codes(answer.body) == "key_expired"
        assert b"subagentctl keys create NAME" in answer.body


async def test_whose_a_task_is_stands_in_the_key() -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 49\r\n\r\n"
        b'{"run_id":"r","thread_id":"t","status":"pending"}'
    )
    body = b'{"assistant_id":"a"}'
    async with guarded(answer) as (_, front, key), Wire(front.port) as wire:
        head = request("POST /threads/t/runs", f"x-api-key: {key}", f"Content-Length: {len(body)}")
        assert (await wire.ask(head + body)).status == 200
        (task,) = (await admin(front, "/v1/tasks"))["tasks"]
        assert (task["supervisor"], task["session_id"]) == ("team-a", "default:team-a")


async def test_refusals_are_told_once_a_minute_without_the_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with guarded() as (_, front, _):
        for _ in range(5):
            await ask(front, GET, f"x-api-key: {STRANGER}")
        await ask(front, GET)
    told = [r.getMessage() for r in caplog.records if getattr(r, "action", "").startswith("key_")]
    assert told == [
        "a request from 127.0.0.1 was refused: its supervisor key is unknown",
        "a request from 127.0.0.1 was refused: it has no supervisor key",
    ]
    assert STRANGER not in caplog.text


async def test_without_a_key_on_record_the_log_says_how_to_make_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with sidecar("http://127.0.0.1:1", auth=True):
        pass
    (told,) = [r for r in caplog.records if getattr(r, "action", "") == "no_keys"]
    assert told.levelno == logging.WARNING and "subagentctl keys create NAME" in told.getMessage()


async def test_with_auth_off_nobody_is_asked_and_their_keys_pass_through() -> None:
    async with recorded() as (server, front):
        assert (await ask(front, GET, f"x-api-key: {OTHER}")).status == 200
        health = await ask(front, "GET /sidecar/health")
        assert "version" in json.loads(health.body)
        assert OTHER.encode() in server.last
        assert (await ask(front, GET, "x-subagent-key: mine")).status == 200
        assert b"mine" not in server.last  # it is for a sidecar, whatever that makes of it
