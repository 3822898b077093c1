"""Text that breaks JSON libraries, databases and logs breaks nothing here (row 26)."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.integration.http.rig import Front, Recorder, recording, sidecar
from tests.integration.http.test_bad_input import body_of, post

DEEP = b'{"a":' * 5000 + b"1" + b"}" * 5000
WEIRD = [
    rb'"\ud800"',
    rb'"\udfff\ud800 lone"',
    b'"\xed\xa0\x80 raw surrogate"',
    b'"\xff\xfe not utf-8"',
    rb'"\u0000 nul \u0007 bell \u001b[31m"',
    '"\u2028\u2029\u202e rtl \U0001f600 e\u0301"'.encode(),
    b'"' + b"long " * 20_000 + b'"',
    b'"<script>%s%n{}{0}\\r\\nSet-Cookie: a=b"',
    b'""',
    str(2**70).encode(),
    b"-1",
    b"1e400",
    b"-1e400",
    b"NaN",
    b"Infinity",
    b"0.1000",
    b"null",
    b"true",
    b"[]",
    b"[[[]]]",
    b"{}",
    DEEP,
]
PLACES = {
    "assistant": b'{"assistant_id": %b}',
    "purpose": b'{"assistant_id": "a", "input": {"messages": [{"content": %b}]}}',
    "input": b'{"assistant_id": "a", "input": %b}',
    "callback": b'{"assistant_id": "a", "input": {"callbackThreadId": %b}}',
    "strategy": b'{"assistant_id": "a", "multitask_strategy": %b}',
    "parent": b'{"config": {"configurable": {"deepagents_parent": {"thread_id": %b}}}}',
    "config": b'{"assistant_id": "a", "config": %b}',
    "elsewhere": b'{"assistant_id": "a", "x": %b, "x": 1, "y": 1.0, "z": 1e2}',
    "agent": b'{"assistant_id": "a", "metadata": {"subagent_name": %b, "k": 1.50}}',
    "metadata": b'{"assistant_id": "a", "metadata": %b}',
}


@asynccontextmanager
async def rig() -> AsyncIterator[tuple[Recorder, Front]]:
    """On SQLite: that is what chokes on surrogates and huge numbers."""
    with TemporaryDirectory() as folder:
        store = f"sqlite:///{Path(folder) / 'books.db'}"
        async with recording() as server, sidecar(f"one={server.url}", store=store) as front:
            yield server, front


def run_answer(thread: bytes) -> bytes:
    body = b'{"run_id":"%b","thread_id":"%b","status":"pending"}' % (uuid4().hex.encode(), thread)
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def start(server: Recorder, front: Front, body: bytes, *fields: bytes) -> None:
    """A start gets the server's answer, and the server gets the body, but for what we add."""
    thread = str(uuid4()).encode()
    server.answer = run_answer(thread)
    async with front.wire() as wire:
        got = await wire.ask(post(b"/threads/" + thread + b"/runs", body, *fields))
    assert got.status == 200
    assert without_ours(body_of(server), thread) == body


def without_ours(body: bytes, thread: bytes) -> bytes:
    """The client's body, with the members taken out that the sidecar put in as text."""
    end = b'"sidecar_task_id":"' + thread + b'"'
    begin, found, rest = body.partition(end)
    if not found:
        return body
    begin = begin[: begin.index(b'"sidecar_session_id"')]
    if begin.endswith(b"{") and not begin.endswith(b'"metadata":{'):
        return begin + rest  # into the empty object that stood there
    if begin == b'{"metadata":{':
        return b"{" + rest.removeprefix(b"}").removeprefix(b",")
    return begin.removesuffix(b",") + rest


async def records(front: Front) -> list[dict[str, object]]:
    async with front.admin() as admin:
        got = await admin.ask(b"GET /v1/tasks?all=true HTTP/1.1\r\nHost: a\r\n\r\n")
    assert got.status == 200
    tasks: list[dict[str, object]] = json.loads(got.body)["tasks"]
    got.body.decode("utf-8")
    return tasks


@pytest.mark.parametrize("place", PLACES)
async def test_weird_values_in_a_start_pass_as_they_are_and_are_recorded(place: str) -> None:
    async with rig() as (server, front):
        for value in WEIRD:
            await start(server, front, PLACES[place] % value)
        assert len(await records(front)) == len(WEIRD)


@pytest.mark.parametrize("value", WEIRD, ids=lambda value: repr(value[:12]))
async def test_weird_values_in_a_thread_pass_as_they_are(value: bytes) -> None:
    body = b'{"metadata": {"parent_thread_id": %b, "subagent_name": %b}, "x": 1.0}' % (value, value)
    async with rig() as (server, front), front.wire() as wire:
        got = await wire.ask(post(b"/threads", body))
        assert got.body == b"ok"
        end = body.index(b'}, "x"')
        arrived = body_of(server)
        assert arrived.startswith(body[:end]) and arrived.endswith(body[end:])


ANSWERS = [
    b'{"run_id": %b, "thread_id": %b, "status": %b}',
    b'{"run_id": "r", "thread_id": "t", "status": %b, "x": %b, "y": %b}',
    b"%b %b %b",
]
READS = [b"/threads/t/runs/r", b"/threads/t", b"/threads/t/runs", b"/threads/t/state", b"/x"]


@pytest.mark.parametrize("shape", ANSWERS)
async def test_weird_values_in_an_answer_pass_as_they_are(shape: bytes) -> None:
    async with rig() as (server, front), front.wire() as wire:
        for value in WEIRD:
            body = shape % (value, value, value)
            server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            for path in READS:
                got = await wire.ask(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
                assert got.body == body
            for path in (b"/threads/t/runs", b"/threads/search", b"/threads/t/runs/r/cancel"):
                assert (await wire.ask(post(path, b"{}"))).body == body


HEADER_VALUES = [b"\xff\xfe\xed\xa0\x80", "€ \U0001f600".encode(), b"x" * 10_000, b"a\tb", b"%s{}"]


@pytest.mark.parametrize("value", HEADER_VALUES, ids=lambda value: repr(value[:6]))
async def test_weird_values_in_header_fields_reach_server_and_record(value: bytes) -> None:
    names = (b"X-Subagent-Session: ", b"X-Request-Id: ", b"User-Agent: ", b"traceparent: ")
    async with rig() as (server, front):
        await start(server, front, b'{"assistant_id": "a"}', *[name + value for name in names])
        assert b"User-Agent: " + value + b"\r\n" in server.last
        found_again = len(value) <= 128 and value.isascii() and value.decode().isprintable()
        assert (b"X-Request-Id: " + value + b"\r\n" in server.last) is found_again
        assert len(await records(front)) == 1
        refused = b"GET /to/nobody/x HTTP/1.1\r\nHost: a\r\nX-Request-Id: " + value + b"\r\n\r\n"
        async with front.wire() as wire:
            assert (await wire.ask(refused)).status == 404


anything = st.text(st.characters(blacklist_categories=()), max_size=30).map(json.dumps)


@settings(max_examples=20, deadline=None)
@given(name=anything, purpose=anything, session=anything, key=anything)
async def test_any_text_in_any_field_passes_as_it_is(
    name: str, purpose: str, session: str, key: str
) -> None:
    body = (
        f'{{"assistant_id": {name}, "metadata": {{"subagent_name": {name}, "k{key[1:]}: 1}}, '
        f'"input": {{"messages": [{{"role": "user", "content": {purpose}}}]}}, '
        f'"config": {{"configurable": {{"deepagents_parent": {{"thread_id": {session}}}}}}}}}'
    ).encode()
    json.loads(body)
    async with rig() as (server, front):
        await start(server, front, body)
        assert len(await records(front)) == 1
