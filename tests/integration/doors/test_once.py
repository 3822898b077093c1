"""Starts by commands, A2A and MCP with an Idempotency-Key, and where the store cannot be asked."""

import asyncio
import gzip
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.integration.doors import rig as rigs
from tests.integration.doors.rig import Rig
from tests.integration.doors.test_http_doors import COMMANDS, message, run_start, tool_call
from tests.support.waiting import eventually

from subagent_sidecar.store.driver import sqlite3

KEY = {"Idempotency-Key": "order-1"}
DOORS = {
    "command": (COMMANDS, run_start()),
    "a2a": ("/a2a/writer", message()),
    "mcp": ("/mcp", tool_call()),
}
doors_with_starts = pytest.mark.parametrize(("path", "body"), DOORS.values(), ids=DOORS)


@doors_with_starts
async def test_a_start_that_is_sent_again_is_made_once_and_answered_alike(
    doors: Rig, path: str, body: Any
) -> None:
    first = await doors.post(path, body, **KEY)
    again = await doors.post(path, body, **KEY)
    assert (again.status, again.body) == (200, first.body)
    assert again.headers["x-subagent-replayed"] == "true"
    assert len(doors.server.started) == 1
    assert (await doors.post(path, body, **{"Idempotency-Key": "order-2"})).status == 200
    assert len(doors.server.started) == 2


@doors_with_starts
async def test_of_many_at_once_one_is_made(doors: Rig, path: str, body: Any) -> None:
    doors.server.gate.clear()
    asked = [asyncio.ensure_future(doors.post(path, body, **KEY)) for _ in range(10)]
    await eventually(lambda: doors.server.started)
    doors.server.gate.set()
    answers = await asyncio.gather(*asked)
    assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
    assert len(doors.server.started) == 1


@doors_with_starts
async def test_a_key_with_another_body_is_a_mistake(doors: Rig, path: str, body: Any) -> None:
    await doors.post(path, body, **KEY)
    other = await doors.post(path, {**body, "id": "another"}, **KEY)
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")
    assert len(doors.server.started) == 1


async def test_what_was_refused_is_a_new_start_the_next_time(doors: Rig) -> None:
    for _ in range(2):
        assert (await doors.post(COMMANDS, run_start("coder"), **KEY)).refused
    assert not doors.server.started


async def test_what_starts_nothing_needs_no_key_and_may_have_any(doors: Rig) -> None:
    listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    asked = [doors.post("/mcp", {**listing, "id": n}, **{"Idempotency-Key": ""}) for n in range(3)]
    assert {answer.status for answer in await asyncio.gather(*asked)} == {200}


@doors_with_starts
@pytest.mark.parametrize(("open_", "status"), [(True, 200), (False, 503)])
async def test_where_the_store_cannot_be_asked_the_policy_says_what_becomes_of_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    open_: bool,
    status: int,
    path: str,
    body: Any,
) -> None:
    said = "on_store_error: fail_open\n" if open_ else ""
    monkeypatch.setattr(rigs, "POLICY", f"version: 1\n{said}")
    store = tmp_path / "books.db"
    async with rigs.rig(tmp_path, store=f"sqlite:///{store}") as doors:
        with closing(sqlite3.connect(str(store))) as books:
            books.execute("alter table intents rename to intents_gone")
        assert (await doors.post(path, body)).status == status
        assert len(doors.server.started) == int(open_)
        assert (await doors.post(path, body, **KEY)).status == 503
        with closing(sqlite3.connect(str(store))) as books:
            books.execute("alter table intents_gone rename to intents")


UNSEEN = {**{door: DOORS[door] for door in ("command", "mcp")}, "run": ("/runs", {"input": {}})}


@pytest.mark.parametrize(("path", "body"), UNSEEN.values(), ids=UNSEEN)
async def test_while_rules_name_agents_nobody_starts_with_a_body_that_is_not_read(
    tmp_path: Path, path: str, body: Any
) -> None:
    async with rigs.rig(tmp_path, inspect_limit="2KiB") as doors:
        packed = gzip.compress(json.dumps(body).encode())
        answer = await doors.post(path, packed, **{"content-encoding": "gzip"})
        assert (answer.status, answer.json["code"]) == (400, "bad_body")
        long = await doors.post(path, {**body, "more": "x" * 3_000})
        assert (long.status, long.json["code"]) == (413, "body_too_large")
        assert not doors.server.started
