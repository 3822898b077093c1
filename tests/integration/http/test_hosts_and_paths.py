"""Neither Host nor an odd spelling of a path decides anything (row 23, path tricks)."""

import json
import re
from pathlib import Path

import pytest
from tests.integration.http.rig import Recorder, recorded, recording, sidecar

import subagent_sidecar

EVIL_HOSTS = [
    b"localhost:4000/#@evil",
    b"a/../b",
    b"user@host",
    b"user:secret@host:1",
    b"a?b",
    b"a#b",
    b"a\\b",
    b"a b",
    b"a\tb",
    b"<script>",
    b'"quoted"',
    "höst".encode(),
    b"a,b/c",
]
PLAIN_HOSTS = [b"a", b"A.b-c_d:8460", b"[::1]:8460", b"127.0.0.1", b"a%20b", b"", b"x:"]


# Row 23: the probes.
@pytest.mark.parametrize("host", EVIL_HOSTS)
async def test_a_host_that_is_none_is_refused(host: bytes) -> None:
    async with recorded() as (server, front), front.wire() as wire:
        got = await wire.ask(b"GET /x HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        assert (got.status, server.requests) == (400, [])


# Row 23: aiohttp makes these of a Host or of an absolute target, so nothing may go by them.
def test_nothing_asks_aiohttp_what_was_asked_for() -> None:
    made_up = re.compile(r"\brequest\.(?:url|rel_url|host|scheme|secure)\b")
    sources = list(Path(subagent_sidecar.__file__).parent.rglob("*.py"))
    assert len(sources) > 50
    assert [path.name for path in sources if made_up.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("host", PLAIN_HOSTS)
@pytest.mark.parametrize("path", [b"/x", b"/to/one/x"])
async def test_a_host_changes_nothing_but_what_the_server_is_told_of_it(
    host: bytes, path: bytes
) -> None:
    async with recording() as one, sidecar(f"one={one.url}") as front, front.wire() as wire:
        assert (await wire.ask(b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")).body
        lines = one.last.split(b"\r\n")
        assert lines[:2] == [b"GET /x HTTP/1.1", b"Host: 127.0.0.1:%d" % one.port]
        assert (b"X-Forwarded-Host: " + host in lines) == bool(host)


ABSOLUTE = {
    b"http://evil/x?y=1": b"/x?y=1",
    b"HTTP://evil:1/x": b"/x",
    b"https://evil/sidecar": b"/",
    b"http://user:pw@evil/x": b"/x",
    b"http://evil": b"/",
    b"http://evil?y=1": b"/?y=1",
    b"http://evil/to/two/x": b"/x",
    b"http://a:1/a%2fb//c?d=%zz": b"/a%2fb//c?d=%zz",
}


@pytest.mark.parametrize("target", [t for t in ABSOLUTE if b"sidecar" not in t])
async def test_the_authority_of_an_absolute_target_is_ignored(target: bytes) -> None:
    async with recording() as one, recording() as two:
        async with sidecar(f"default={one.url}", f"two={two.url}") as front, front.wire() as wire:
            await wire.ask(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        asked = two if b"/to/two" in target else one
        assert asked.last.split(b" ")[1] == ABSOLUTE[target]
        assert len(one.requests) + len(two.requests) == 1
        assert b"pw" not in asked.last and b"evil" not in asked.last


async def test_our_own_paths_cannot_be_reached_around() -> None:
    async with recorded() as (server, front), front.wire() as wire:
        for target in (b"/sidecar/x", b"/sidecar", b"http://evil/sidecar/x", b"/sidecar/health/x"):
            got = await wire.ask(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (got.status, json.loads(got.body)["code"]) == (404, "no_such_route")
        assert server.requests == []


DOTS = [
    b"/../admin",
    b"/a/../b",
    b"/a/./b",
    b"/a/..",
    b"/.",
    b"/threads/%2e%2e/admin/x",
    b"/threads/%2E%2e/admin",
    b"/threads/.%2e/admin",
    b"/threads/..%2fadmin",
    b"/threads/..%2Fadmin",
    b"/threads%2f..%2fadmin",
    b"/threads/..%5cadmin",
    b"/threads/..\\admin",
    b"/threads\\..\\admin",
    b"/to/one/../two/x",
    b"/to/one/..%2ftwo",
    b"/to/one/%2e%2e/x",
    b"/to/one/..",
    b"//../x",
    b"/%2e",
    b"http://a/../b",
    b"/..?x",
]


@pytest.mark.parametrize("base", ["", "/base"])
@pytest.mark.parametrize("target", DOTS)
async def test_dot_segments_in_any_spelling_are_refused(target: bytes, base: str) -> None:
    async with recording() as one, sidecar(f"one={one.url}{base}") as front, front.wire() as wire:
        got = await wire.ask(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (got.status, json.loads(got.body)["code"]) == (400, "bad_target")
        assert one.requests == []


HARMLESS = [
    b"/...",
    b"/..a/b",
    b"/a..b/c.",
    b"/%252e%252e/x",
    b"/a?b=../../c",
    b"/a%2f%2fb",
    b"//to/one/x",
    b"/%74o/one/x",
    b"/to%2fone/x",
    b"/;/..;/x",
    b"/a%00b",
    b"/a%0d%0aHost:%20b",
    b"/to",
]


@pytest.mark.parametrize("target", HARMLESS)
async def test_what_only_looks_like_a_trick_passes_as_it_is_under_the_base_path(
    target: bytes,
) -> None:
    async with recording() as one, sidecar(f"one={one.url}/base") as front, front.wire() as wire:
        await wire.ask(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert one.last.split(b"\r\n")[0] == b"GET /base" + target + b" HTTP/1.1"


@pytest.mark.parametrize(
    "target", [b"/to/../x", b"/to/two/x", b"/to//x", b"/to/ONE/x", b"/to/%6fne/x", b"/to/?x"]
)
async def test_a_prefix_must_name_an_upstream(target: bytes) -> None:
    async with recording() as one, sidecar(f"one={one.url}") as front, front.wire() as wire:
        got = await wire.ask(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (got.status, one.requests) == (404, [])
        assert "one" in json.loads(got.body)["message"]


STARTS = [
    b"/threads/t/runs",
    b"/threads/t/%72uns",
    b"/threads/t%2fruns",
    b"/threads//t/runs/",
    b"/%74hreads/t/runs",
]


@pytest.mark.parametrize("target", STARTS)
async def test_a_start_is_on_record_however_its_path_is_spelled(target: bytes) -> None:
    answer = b'{"run_id":"r","thread_id":"t","status":"pending"}'
    framed = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer
    async with recorded(framed) as (server, front), front.wire() as wire, front.admin() as admin:
        body = b"Content-Length: 19\r\n\r\n" + b'{"assistant_id":""}'
        await wire.ask(b"POST " + target + b" HTTP/1.1\r\nHost: a\r\n" + body)
        assert first_line(server) == b"POST " + target + b" HTTP/1.1"
        tasks = await admin.ask(b"GET /v1/tasks HTTP/1.1\r\nHost: a\r\n\r\n")
        assert [task["task_id"] for task in json.loads(tasks.body)["tasks"]] == ["t"]


def first_line(server: Recorder) -> bytes:
    return server.requests[0].split(b"\r\n")[0]


OURS = [
    b"GET /sidecar/health",
    b"GET /sidecar/tools",
    b"POST /sidecar/tools/list_async_tasks",
    b"POST /sidecar/mcp",
    b"POST /sidecar/otlp/v1/traces",
    b"POST /sidecar/sessions/s1/heartbeat",
    b"POST /sidecar/sessions/s1/end",
    b"GET /sidecar/sessions/s1",
    b"GET /sidecar/whatever",
    b"GET http://localhost/sidecar/health",
]


# Row 23: the list of hosts, where one is needed.
@pytest.mark.parametrize("line", OURS)
async def test_what_is_our_own_answers_no_page_of_a_stranger(line: bytes) -> None:
    """DNS rebinding: what is passed on is the agent server's to guard, and this is not."""
    async with sidecar("http://127.0.0.1:9", allowed_hosts=["ours.example"]) as front:
        for host, origin, answered in (
            (b"pages.example", b"", False),
            (b"localhost", b"Origin: https://pages.example\r\n", False),
            (b"localhost", b"Origin: null\r\n", False),
            (b"ours.example:8460", b"Origin: https://ours.example\r\n", True),
            (b"host.docker.internal", b"", True),
            (b"[::1]:1", b"Origin: http://localhost:5173\r\n", True),
        ):
            head = b"%s HTTP/1.1\r\nHost: %s\r\n%s" % (line, host, origin)
            async with front.wire() as wire:
                answer = await wire.ask(head + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            assert (host, origin, answer.status != 421) == (host, origin, answered)
