"""What answers tell, and that none of them can hurt."""

import gzip
import json
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.proxy.json_bytes import DEPTHS, HOSTILE, encoded, nested, objects

from subagent_sidecar.ports import ServerRun
from subagent_sidecar.proxy import peek

RUN = {
    "run_id": "r",
    "thread_id": "t",
    "status": "running",
    "created_at": "2026-01-01T02:00:00.5+02:00",
    "kwargs": {"input": {"messages": []}},
}
SEEN = ServerRun(
    run_id="r", thread_id="t", status="running", created_at="2026-01-01T00:00:00.500000Z"
)


def as_seen(run: ServerRun | None) -> ServerRun | None:
    """With its time as ours: who passes it on is free to leave that to the service."""
    if run is None or run.created_at != RUN["created_at"]:
        return run
    return SEEN


RUNS: list[tuple[object, ServerRun | None]] = [
    (RUN, SEEN),
    ({"run_id": "r"}, ServerRun(run_id="r", thread_id="", status="")),
    ({"run_id": "r", "status": None, "thread_id": 7, "created_at": []},
     ServerRun(run_id="r", thread_id="", status="")),
    ({"run_id": 7}, None),
    ({"run_id": ""}, None),
    ({"run_id": "r" * 257}, None),
    ({"run_id": "r", "thread_id": "t" * 257}, ServerRun(run_id="r", thread_id="", status="")),
    ({"status": "running"}, None),
    ([RUN], None),
    (None, None),
    ("r", None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), RUNS)
def test_the_run_an_answer_holds(body: object, expected: ServerRun | None) -> None:
    assert as_seen(peek.run(json.dumps(body).encode())) == expected


@given(encoded(objects("run_id", "thread_id", "status", "created_at")))
@example(json.dumps(RUN).encode())
@example(json.dumps({**RUN, "created_at": None}).encode())
def test_a_run_is_the_same_alone_and_in_a_list(body: bytes) -> None:
    alone = peek.run(body)
    assert list(peek.runs(b"[" + body + b"]")) == ([] if alone is None else [alone])


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (None, json.dumps(RUN).encode()),
        (b"gzip", gzip.compress(json.dumps(RUN).encode())),
        (b"deflate", zlib.compress(json.dumps({"run_id": "r"}).encode())),
        (b"gzip", b"{}"),
        (None, b"{}"),
    ],
)
def test_the_run_of_an_answer_that_may_be_encoded(encoding: bytes | None, body: bytes) -> None:
    headers = [] if encoding is None else [(b"Content-Encoding", encoding)]
    found = peek.run_in(body, headers)
    assert (None if found is None else found.run_id) == (None if body == b"{}" else "r")


def test_the_runs_an_answer_lists_in_its_order() -> None:
    listed = peek.runs(json.dumps([{**RUN, "run_id": "b"}, {"run_id": "a"}]).encode())
    assert [run.run_id for run in listed] == ["b", "a"]


def test_what_nobody_could_ask_for_by_path_is_no_id() -> None:
    long = "x" * 257
    assert [run.run_id for run in peek.runs(json.dumps([{"run_id": long}, RUN]).encode())] == ["r"]
    assert peek.thread(json.dumps({"thread_id": long, "status": "idle"}).encode()) is None
    listed = json.dumps([{"thread_id": long}, {"thread_id": "t"}]).encode()
    assert list(peek.threads(listed)) == [("t", None)]


@pytest.mark.parametrize("body", [b"{}", b"[7]", b'[{"run_id":"a"},{}]', b"", b"null"])
def test_what_is_no_list_of_runs_lists_none(body: bytes) -> None:
    assert list(peek.runs(body)) == []


THREADS: list[tuple[object, tuple[str, object] | None]] = [
    ({"thread_id": "t", "status": "busy", "values": {"messages": []}}, ("t", "busy")),
    ({"thread_id": "t"}, ("t", None)),
    ({"thread_id": "t", "status": 7}, ("t", 7)),
    ({"thread_id": None}, None),
    ({}, None),
    ([], None),
]


@pytest.mark.parametrize(("body", "expected"), THREADS)
def test_the_thread_an_answer_holds(body: object, expected: tuple[str, object] | None) -> None:
    raw = json.dumps(body).encode()
    assert peek.thread(raw) == expected
    assert list(peek.threads(b"[" + raw + b"]")) == ([] if expected is None else [expected])


def test_the_cron_an_answer_holds() -> None:
    assert peek.cron_id(b'{"cron_id":"c","thread_id":null}') == "c"
    assert [peek.cron_id(body) for body in (b"{}", b'{"cron_id":7}', b"[]", b"")] == [None] * 4


HEADERS = [
    ([(b"Content-Location", b"/threads/t/runs/r")], ("t", "r")),
    ([(b"content-location", b"/runs/r")], (None, "r")),
    ([(b"CONTENT-LOCATION", b"\xff\xfe")], (None, None)),
    ([(b"Location", b"/threads/t/runs/r/stream")], (None, None)),
    ([], (None, None)),
]


@pytest.mark.parametrize(("headers", "expected"), HEADERS)
def test_the_run_a_header_names(
    headers: list[tuple[bytes, bytes]], expected: tuple[str | None, str | None]
) -> None:
    assert peek.run_in_headers(headers) == expected


STREAMS = [
    (b'event: metadata\r\ndata: {"run_id":"01a2-b","attempt":1}\r\n\r\n', "01a2-b"),
    (b'data: {"attempt":1, "run_id" : "r_1"}', "r_1"),
    (b'data: {"run_id":"cut', None),
    (b'data: {"run_id":"' + b"x" * 65 + b'"}', None),
    (b'data: {"run_id":"a b"}', None),
    (b'data: {"run_id":null}', None),
    (b"", None),
]


@pytest.mark.parametrize(("begin", "expected"), STREAMS)
def test_the_run_a_stream_begins_with(begin: bytes, expected: str | None) -> None:
    assert peek.run_id_in_stream(begin) == expected


PLAIN = b'{"run_id":"r"}' * 50
ENCODED = [
    (b"gzip", gzip.compress(PLAIN)),
    (b"x-gzip", gzip.compress(PLAIN)),
    (b"GZIP ", gzip.compress(PLAIN)),
    (b"deflate", zlib.compress(PLAIN)),
    (b"identity", PLAIN),
    (None, PLAIN),
]


@pytest.mark.parametrize(("encoding", "body"), ENCODED)
def test_compressed_answers_can_be_read(encoding: bytes | None, body: bytes) -> None:
    headers = [] if encoding is None else [(b"Content-Encoding", encoding)]
    assert peek.readable(body, headers) == PLAIN


UNREADABLE = [
    (b"br", PLAIN),
    (b"zstd", PLAIN),
    (b"gzip, gzip", gzip.compress(gzip.compress(PLAIN))),
    (b"gzip", PLAIN),
    (b"gzip", gzip.compress(PLAIN)[:-9]),
    (b"gzip", b""),
    (b"deflate", b"\xff" * 20),
]


@pytest.mark.parametrize(("encoding", "body"), UNREADABLE)
def test_what_cannot_be_read_is_left_unread(encoding: bytes, body: bytes) -> None:
    assert peek.readable(body, [(b"content-encoding", encoding)]) is None


# failures.md 17: what is unpacked to be read is unpacked up to a limit
def test_a_bomb_is_not_inflated() -> None:
    bomb = gzip.compress(b"\0" * (peek.PEEK_LIMIT * 4))
    assert len(bomb) < 100_000
    assert peek.readable(bomb, [(b"content-encoding", b"gzip")]) is None


def check(body: bytes) -> None:
    """Whatever it tells can be stored."""
    run, thread = peek.run(body), peek.thread(body)
    told = [thread[0] if thread else None, peek.cron_id(body), peek.run_id_in_stream(body)]
    for found in (run, *peek.runs(body)):
        if found is not None:
            told += [found.run_id, found.thread_id, found.status, found.created_at]
    told += [thread_id for thread_id, _ in peek.threads(body)]
    for text in told:
        assert text is None or text.encode("utf-8") is not None
    peek.run_in_headers([(b"content-location", body)])
    peek.readable(body, [(b"content-encoding", b"gzip")])


answers = objects("run_id", "thread_id", "status", "created_at", "cron_id")


@given(encoded(answers | st.lists(answers, max_size=2)))
def test_no_answer_can_hurt(body: bytes) -> None:
    check(body)


@given(st.binary(max_size=60))
def test_no_bytes_can_hurt(body: bytes) -> None:
    check(body)


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_no_hostile_answer_can_hurt(body: bytes) -> None:
    check(body)


@pytest.mark.parametrize("depth", DEPTHS)
def test_no_depth_can_hurt(depth: int) -> None:
    check(b'{"run_id":"r","thread_id":"t","status":' + nested(depth) + b"}")
    check(b'[{"run_id":"r","x":' + nested(depth) + b"}]")


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+23:59", "yesterday", "", "\ud800"])
def test_a_time_that_is_none_is_left_out(time: str) -> None:
    check(json.dumps({**RUN, "created_at": time}).encode())


@given(st.binary(max_size=80), st.sampled_from([b"gzip", b"deflate", b"br", b"\xff"]))
def test_no_encoding_can_hurt(body: bytes, encoding: bytes) -> None:
    peek.readable(body, [(b"content-encoding", encoding)])
