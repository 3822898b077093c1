"""Polls of a run that one of us ended tell why; every other byte of any answer stays as it was."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.integration.http.rig import LOCAL, Front, settings_for
from tests.integration.http.wire import Answer
from tests.integration.upstream.raw_server import Peer, serving

from subagent_sidecar import compose
from subagent_sidecar.core.explain import CLOCK
from subagent_sidecar.core.model import EndedBy
from subagent_sidecar.proxy import peek
from subagent_sidecar.service import Service

RUN = b"/threads/t/runs/r1"
REASON = 'The budget "team-day" is spent: 100.02 of 100 USD. Do the rest yourself.'
TOLD = b'"The budget \\"team-day\\" is spent: 100.02 of 100 USD. Do the rest yourself."'

INTERRUPTED = b'{"run_id" : "r1", "n":1e400,\n "status":  "interrupted" ,"x":"\\u00e9\xc3\xa9"}'
EXPLAINED = (
    b'{"error":%b,"run_id" : "r1", "n":1e400,\n "status":  "error" ,"x":"\\u00e9\xc3\xa9"}' % TOLD
)
RUNNING = INTERRUPTED.replace(b"interrupted", b"running")


def answer(body: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    head = [b"HTTP/1.1 " + status, *fields, b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*head, b"", body])


def chunked(body: bytes, *, whole: bool = True) -> bytes:
    half = len(body) // 2
    parts = [b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:])]
    end = b"0\r\n\r\n" if whole else b""
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(parts) + end


GONE = answer(b'{"detail":"Run not found"}', b"Content-Type: text/odd", status=b"404 Not Found")


def always(sent: bytes) -> Callable[[bytes], bytes]:
    return lambda _: sent


@dataclass
class Server:
    """Takes starts, and answers polls with what `say` makes of them. `polls` are its clients'."""

    say: Callable[[bytes], bytes] = field(default_factory=lambda: always(answer(RUNNING)))
    then_hang_up: bool = False
    polls: list[bytes] = field(default_factory=list)
    run_id: str = "r1"

    async def script(self, peer: Peer) -> None:
        while True:
            request = await peer.request()
            method, path = request.split(b" ")[:2]
            if path == RUN and method in (b"GET", b"HEAD"):
                if b"X-Forwarded-For" in request:  # or the sidecar itself wants to know
                    self.polls.append(request)
                sent = self.say(request)
                await peer.send(
                    sent.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == b"HEAD" else sent
                )
                if self.then_hang_up:
                    return
            elif method == b"POST" and path == b"/threads/t/runs":
                run = {"run_id": self.run_id, "thread_id": "t", "status": "pending"}
                await peer.send(answer(json.dumps(run).encode()))
            else:
                await peer.send(answer(b'{"detail":"Not Found"}', status=b"404 Not Found"))


@dataclass(frozen=True)
class Desk:
    """A sidecar with a task on record, and its service: what the parts that end tasks tell."""

    front: Front
    service: Service

    async def start(self) -> None:
        body = b'{"assistant_id":"researcher","input":{}}'
        head = b"POST /threads/t/runs HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
        async with self.front.wire() as wire:
            assert (await wire.ask(head % len(body) + body)).status == 200

    def cancel(self, by: EndedBy = EndedBy.BUDGET, reason: str | None = REASON) -> None:
        self.service.cancels.asked("default", "t", "r1", by=by, reason=reason)

    async def poll(self, *fields: bytes, method: bytes = b"GET") -> Answer:
        async with self.front.wire() as wire:
            lines = [method + b" " + RUN + b" HTTP/1.1", b"Host: a", *fields]
            return await wire.ask(b"\r\n".join([*lines, b"", b""]))


@asynccontextmanager
async def sidecar(url: str, **values: object) -> AsyncIterator[Desk]:
    found = settings_for(url, drain_timeout="100ms", **values)
    listeners = compose.bind(found)
    async with compose.running(found, listeners) as plane:
        front = Front(listeners.data.getsockname()[1], listeners.admin.getsockname()[1])
        yield Desk(front, plane._service)


@asynccontextmanager
async def started(server: Server, **values: object) -> AsyncIterator[Desk]:
    async with (
        serving(server.script) as raw,
        sidecar(f"http://{LOCAL}:{raw.port}", **values) as desk,
    ):
        await desk.start()
        yield desk


@asynccontextmanager
async def ended(server: Server, **values: object) -> AsyncIterator[Desk]:
    """A task that a budget ended, which is on record."""
    said, server.say = server.say, always(answer(INTERRUPTED))
    async with started(server, **values) as desk:
        desk.cancel()
        desk.service.seen.run("default", "t", "r1", "interrupted")
        server.say = said
        yield desk


def marked(got: Answer) -> bool:
    return got.get(b"x-subagent-sidecar") == b"explained"


async def test_the_answer_that_shows_the_end_tells_why() -> None:
    server = Server()
    async with started(server, coalesce="60s") as desk:
        desk.cancel()
        assert (await desk.poll()).body == RUNNING
        server.say = always(answer(INTERRUPTED))
        desk.service.seen.run("default", "t", "r1", "interrupted")
        for _ in range(3):
            got = await desk.poll()
            assert (got.status, got.body, marked(got)) == (200, EXPLAINED, True)
        assert len(server.polls) == 2


async def test_a_poll_is_itself_a_look_at_the_end() -> None:
    server = Server(always(answer(INTERRUPTED)))
    async with started(server) as desk:
        desk.cancel()
        assert (await desk.poll()).body == EXPLAINED
        await desk.service.flush()


async def test_what_the_header_said_of_the_bytes_goes_and_everything_else_stays() -> None:
    fields = [b'ETag: "1"', b"Last-Modified: yesterday", b"X-Request-Id: q", b"Vary: Origin"]
    async with ended(Server(always(answer(INTERRUPTED, *fields)))) as desk:
        got = await desk.poll()
        assert got.fields == [
            (b"X-Request-Id", b"q"),
            (b"Vary", b"Origin"),
            (b"x-subagent-sidecar", b"explained"),
            (b"Content-Length", b"%d" % len(EXPLAINED)),
        ]
        assert got.body == EXPLAINED


@pytest.mark.parametrize(
    ("encoding", "body"),
    [(b"gzip", gzip.compress(INTERRUPTED)), (b"deflate", zlib.compress(INTERRUPTED))],
)
async def test_a_compressed_answer_is_explained_in_plain(encoding: bytes, body: bytes) -> None:
    server = Server(always(answer(body, b"Content-Encoding: " + encoding)))
    async with ended(server) as desk:
        got = await desk.poll(b"Accept-Encoding: gzip, deflate")
        assert (got.body, got.get(b"content-encoding")) == (EXPLAINED, None)
        assert len(server.polls) == 1


HIDDEN = {
    "an encoding we cannot read": answer(b"(\xb5/\xfd odd", b"Content-Encoding: zstd"),
    "nothing new": b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n',
    "a part": answer(INTERRUPTED[:20], b"Content-Range: bytes 0-19/99", status=b"206 Partial"),
}


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN)
async def test_an_answer_that_hides_the_run_is_asked_for_once_more_in_plain(hidden: bytes) -> None:
    def say(request: bytes) -> bytes:
        plain = b"Accept-Encoding: identity" in request and b"Range:" not in request
        return answer(INTERRUPTED) if plain and b"If-None-Match:" not in request else hidden

    asks = [b"Accept-Encoding: zstd", b'If-None-Match: "1"', b"Range: bytes=0-19", b"X-Api-Key: k"]
    server = Server(say)
    async with ended(server) as desk:
        got = await desk.poll(*asks)
        assert (got.status, got.body) == (200, EXPLAINED)
        assert [b"X-Api-Key: k" in poll for poll in server.polls] == [True, True]


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN)
async def test_before_the_end_such_an_answer_passes_as_it_is(hidden: bytes) -> None:
    server = Server(always(hidden))
    async with started(server) as desk:
        desk.cancel()
        got = await desk.poll(b"Accept-Encoding: zstd")
        assert b" ".join(got.line.split(b" ")[1:]) in hidden
        assert hidden.endswith(got.body)
        assert len(server.polls) == 1


async def test_an_answer_in_pieces_is_explained() -> None:
    async with ended(Server(always(chunked(INTERRUPTED)))) as desk:
        got = await desk.poll()
        assert (got.body, got.complete) == (EXPLAINED, True)


async def test_an_answer_that_breaks_off_is_no_answer() -> None:
    server = Server(always(chunked(INTERRUPTED, whole=False)), then_hang_up=True)
    async with ended(server) as desk:
        assert (await desk.poll()).status == 502


async def test_an_answer_too_long_to_be_a_run_passes_as_it_is() -> None:
    long = INTERRUPTED.replace(b"u00e9", b"u00e9" + b"x" * peek.PEEK_LIMIT)
    async with ended(Server(always(chunked(long)))) as desk:
        got = await desk.poll()
        assert (got.body == long, got.complete, marked(got)) == (True, True, False)


AS_IT_WAS = {
    "still running": answer(RUNNING, b'ETag: "1"'),
    "a result": answer(INTERRUPTED.replace(b"interrupted", b"success")),
    "a word of its own": answer(INTERRUPTED.replace(b"interrupted", b"paused")),
    "no status": answer(b'{"run_id":"r1"}'),
    "another run": answer(INTERRUPTED.replace(b"r1", b"r2")),
    "a list": answer(b"[" + INTERRUPTED + b"]"),
    "no JSON": answer(INTERRUPTED[:-1], b"Content-Type: application/json"),
    "created": answer(INTERRUPTED, status=b"201 Created"),
    "trouble": answer(b'{"detail":"x"}', b"Retry-After: 3", status=b"503 Busy"),
    "not allowed": answer(b'{"detail":"x"}', status=b"403 Forbidden"),
}


@pytest.mark.parametrize("sent", AS_IT_WAS.values(), ids=AS_IT_WAS)
async def test_whatever_does_not_show_the_end_passes_as_it_is(sent: bytes) -> None:
    async with ended(Server(always(sent))) as desk:
        got = await desk.poll()
        lines = [got.line, *(b": ".join(field) for field in got.fields)]
        assert b"\r\n".join([*lines, b"", got.body]) == sent


async def test_a_head_is_passed_on_as_it_is() -> None:
    async with ended(Server(always(answer(INTERRUPTED)))) as desk:
        got = await desk.poll(method=b"HEAD")
        assert got.get(b"content-length") == b"%d" % len(INTERRUPTED)
        assert not marked(got)


@pytest.mark.parametrize("sent", [answer(INTERRUPTED, b'ETag: "1"'), GONE])
async def test_switched_off_every_byte_is_the_servers(sent: bytes) -> None:
    async with ended(Server(always(sent)), explain_endings=False) as desk:
        got = await desk.poll()
        lines = [got.line, *(b": ".join(field) for field in got.fields)]
        assert b"\r\n".join([*lines, b"", got.body]) == sent


@pytest.mark.parametrize("window", ["0", "60s"])
async def test_a_run_that_was_rolled_back_is_told_from_the_record(window: str) -> None:
    server = Server(always(GONE))
    async with started(server, coalesce=window) as desk:
        desk.cancel()
        assert (await desk.poll()).status == 404
        why = "the run was rolled back"
        desk.service.seen.run_gone("default", "t", "r1", by=EndedBy.BUDGET, reason=why)
        got = await desk.poll()
        assert (got.line, got.get(b"content-type")) == (b"HTTP/1.1 200 OK", b"application/json")
        assert marked(got)
        run = json.loads(got.body)
        assert run.pop("created_at") <= run.pop("updated_at")
        assert run == {
            "run_id": "r1",
            "thread_id": "t",
            "assistant_id": "researcher",
            "status": "error",
            "error": REASON,
            "metadata": {},
            "kwargs": {},
            "multitask_strategy": None,
        }


async def test_a_clock_is_told_as_a_timeout() -> None:
    async with started(Server(always(answer(INTERRUPTED)))) as desk:
        desk.cancel(EndedBy.REAPER, CLOCK + "It ran for 31 of 30 minutes.")
        run = json.loads((await desk.poll()).body)
        assert (run["status"], run["error"]) == ("timeout", "It ran for 31 of 30 minutes.")


async def test_the_supervisors_own_cancel_is_no_mystery() -> None:
    async with started(Server(always(answer(INTERRUPTED)))) as desk:
        desk.cancel(EndedBy.SUPERVISOR, None)
        assert (await desk.poll()).body == INTERRUPTED


async def test_a_cancel_that_the_graph_does_not_obey_is_not_told_as_an_end() -> None:
    async with started(Server(always(answer(INTERRUPTED)))) as desk:
        desk.cancel()
        desk.service.cancels.unconfirmed("t", "r1", ["interrupt", "rollback"])
        assert (await desk.poll()).body == INTERRUPTED


async def test_a_result_that_came_before_the_cancel_is_never_hidden() -> None:
    """Not even where the server hides it: some flip a finished run to cancelled."""
    server = Server(always(answer(INTERRUPTED.replace(b"interrupted", b"success"))))
    async with started(server) as desk:
        desk.cancel()
        assert b'"success"' in (await desk.poll()).body
        server.say = always(answer(INTERRUPTED))
        assert (await desk.poll()).body == INTERRUPTED


async def test_a_run_that_a_newer_one_replaced_leads_on_to_it() -> None:
    """deepagents asks for the newest run when its own is interrupted, and only then."""
    server = Server(always(answer(INTERRUPTED)))
    async with ended(server) as desk:
        assert (await desk.poll()).body == EXPLAINED
        server.run_id = "r2"
        await desk.start()
        assert (await desk.poll()).body == INTERRUPTED


async def test_a_restart_forgets_no_reason(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'books.db'}"
    server = Server(always(answer(INTERRUPTED)))
    async with serving(server.script) as raw:
        url = f"http://{LOCAL}:{raw.port}"
        async with sidecar(url, store=store) as desk:
            await desk.start()
            desk.cancel()
            desk.service.seen.run("default", "t", "r1", "interrupted")
        async with sidecar(url, store=store) as desk:
            assert (await desk.poll()).body == EXPLAINED
            server.say = always(GONE)
        async with sidecar(url, store=store) as desk:
            run: dict[str, Any] = json.loads((await desk.poll()).body)
            assert (run["status"], run["error"]) == ("error", REASON)


async def test_polls_of_an_ended_task_that_come_together_cost_one_request() -> None:
    server = Server(always(answer(INTERRUPTED)))
    async with ended(server, coalesce="60s") as desk:
        first = await desk.poll()
        answers = await asyncio.gather(*(desk.poll() for _ in range(20)))
        assert {got.body for got in (first, *answers)} == {EXPLAINED}
        assert len(server.polls) == 1
