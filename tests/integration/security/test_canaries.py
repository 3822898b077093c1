"""Row 24: no credential leaves the sidecar but to the server it is for, and no prompt at all once
`purpose` is off: not by log, trace, metric, event, error, crash, record, or the store's files."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.integration.http.rig import LOCAL
from tests.integration.http.wire import Wire
from tests.integration.security.canaries import Canary, found_in, plain
from tests.integration.upstream.raw_server import Peer, serving
from tests.support.processes import SidecarProcess
from tests.support.waiting import eventually, eventually_got

RUN = {
    "run_id": "019a0000-0000-7000-8000-000000000001",
    "thread_id": "t",
    "assistant_id": "a",
    "status": "error",
    "error": str(Canary.SERVER_ERROR),
    "kwargs": {"input": str(Canary.PROMPT)},
    "metadata": {},
}
START = {
    "assistant_id": "a",
    "input": {"messages": [{"role": "user", "content": str(Canary.PROMPT)}]},
    "metadata": {"note": str(Canary.PROMPT)},
    "config": {"configurable": {"key": str(Canary.API_KEY)}},
}
TOKEN = f"?token={Canary.QUERY}".encode()
ADMIN = (
    "/v1/tasks", "/v1/tasks/t", "/v1/sessions", "/v1/events?follow=false", "/v1/policy",
    "/v1/decisions", "/v1/audit", "/metrics", "/healthz", "/readyz", "/v1/nope",
)  # fmt: skip


async def server(peer: Peer) -> None:
    """Tells every secret it has, and at times is none."""
    while True:
        asked = await peer.request()
        if b"/nonsense" in asked.split(b"\r\n")[0]:
            await peer.send(Canary.NONSENSE.encode() + b"\r\n\r\n")
            return
        body = json.dumps({"values": str(Canary.RESULT), **RUN}).encode()
        await peer.send(
            f"HTTP/1.1 200 OK\r\nSet-Cookie: s={Canary.SET_COOKIE}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )


def asked(method: str, path: str, body: object = None) -> bytes:
    sent = b"" if body is None else json.dumps(body).encode()
    framing = f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n"
    line = f"{method} {path}".encode() + TOKEN + b" HTTP/1.1\r\n"
    return line + plain() + framing.encode() + b"\r\n" + sent


THROUGH = {
    "thread": asked("POST", "/threads", {"thread_id": "t", "metadata": {"x": str(Canary.PROMPT)}}),
    "start": asked("POST", "/threads/t/runs", START),
    "start once": asked("POST", "/threads/t/runs", START).replace(
        b"Host: a\r\n", b"Host: a\r\nIdempotency-Key: k\r\n", 1
    ),
    "start that streams": asked("POST", "/threads/t/runs/stream", START),
    "stateless start": asked("POST", "/runs/wait", START),
    "batch": asked("POST", "/runs/batch", [START]),
    "command": asked(
        "POST", "/threads/t/commands", {"id": 1, "method": "run.start", "params": START}
    ),
    "broken body": asked("POST", "/threads/t/runs", START)[:-40] + b"\x00" * 40,
    "poll": asked("GET", f"/threads/t/runs/{RUN['run_id']}"),
    "state": asked("GET", "/threads/t/state"),
    "cancel": asked("POST", f"/threads/t/runs/{RUN['run_id']}/cancel"),
    "anything": asked("PUT", "/custom/x", {"prompt": str(Canary.PROMPT)}),
}  # fmt: skip
REFUSED = {
    "nonsense": asked("GET", "/nonsense"),
    "nonsense for a start": asked("POST", "/nonsense/../threads/t/runs", START),
    "no such upstream": asked("POST", "/to/nobody/threads/t/runs", START),
    "no such route": asked("GET", "/sidecar/nope"),
    "dots": asked("GET", "/a/../b"),
    "userinfo": f"GET http://u:{Canary.USERINFO}@a/../x HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
    "userinfo in host": f"GET /x HTTP/1.1\r\nHost: u:{Canary.USERINFO}@a\r\n\r\n".encode(),
    "malformed": f"GET /x HTTP/1.1\r\nHost: a\r\nX-Api-Key : {Canary.MALFORMED}\r\n\r\n".encode(),
    "malformed line": f"GET /{Canary.MALFORMED} HTTP/7\r\nHost: a\r\n\r\n".encode(),
    "two credentials": asked("GET", "/x").replace(
        b"\r\n\r\n", f"\r\nX-Api-Key: {Canary.API_KEY}\r\n\r\n".encode(), 1
    ),
    "bad heartbeat": asked("POST", "/sidecar/sessions/s/heartbeat", {"lease_s": Canary.PROMPT}),
}  # fmt: skip


@dataclass
class Seen:
    """Everything that left, by where it left."""

    places: dict[str, bytes] = field(default_factory=dict)

    def leaks(self) -> dict[str, set[str]]:
        """But for the words in which a server says why a run failed: they are on record."""
        told = {place: found_in(what) - {"SERVER_ERROR"} for place, what in self.places.items()}
        return {place: found for place, found in told.items() if found}


@asynccontextmanager
async def sidecar(folder: Path, *, purpose: bool) -> AsyncIterator[SidecarProcess]:
    async with serving(server) as upstream:
        config = {
            "log_level": "debug",
            "otlp_endpoint": "console",
            "purpose": purpose,
            "policy": ["default", "own.yaml"],
            "upstreams": {
                "main": {
                    "url": f"http://{LOCAL}:{upstream.port}",
                    "headers": {
                        "x-upstream-key": "${UPSTREAM_KEY}",
                        "x-team-token": "Bearer ${file:team.key}",
                    },
                }
            },
        }
        (folder / "team.key").write_text(f"{Canary.UPSTREAM_FILE}\n")
        (folder / "own.yaml").write_text(f"version: 1\n# for ann: {Canary.POLICY_FILE}\n")
        env = {
            "UPSTREAM_KEY": str(Canary.UPSTREAM_KEY),
            "SUBAGENT_SIDECAR_ADMIN_TOKEN": str(Canary.ADMIN_TOKEN),
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{Canary.OTLP_HEADER}",
        }
        async with SidecarProcess(folder, upstreams={}, config=config, env=env) as process:
            yield process


async def send(port: int, request: bytes) -> bytes:
    async with Wire(port) as wire:
        await wire.send(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        return await wire.everything()


async def everything(process: SidecarProcess) -> Seen:
    seen = Seen()
    for request in THROUGH.values():
        await send(process.port, request)  # answers belong to those who asked
    for name, request in REFUSED.items():
        seen.places[f"answer: {name}"] = await send(process.port, request)
    admin_port = int(process.admin_url.rpartition(":")[2])
    token = f"Host: a\r\nAuthorization: Bearer {Canary.ADMIN_TOKEN}\r\n\r\n".encode()
    await send(process.port, REFUSED["nonsense"])  # as debug, for it is told the second time
    await eventually_got(lambda: _spans(process), bool)
    for path in ADMIN:
        request = f"GET {path} HTTP/1.1\r\n".encode() + token
        seen.places[path] = await send(admin_port, request)
    act = b"POST /v1/tools/%s HTTP/1.1\r\nContent-Type: application/json\r\n%s"
    called = {"arguments": {"task_id": "t", "message": str(Canary.PROMPT)}}
    for name, wrong in (("update_async_task", b""), ("check_async_task", b"x")):
        told = json.dumps(called).encode()
        head = token.replace(b"\r\n\r\n", b"%s\r\nContent-Length: %d\r\n\r\n" % (wrong, len(told)))
        seen.places[f"act: {name}"] = await send(admin_port, act % (name.encode(), head) + told)
    bad = b"GET /v1/tasks HTTP/1.1\r\nX-Api-Key : " + Canary.MALFORMED.encode() + b"\r\n\r\n"
    seen.places["answer: malformed, admin"] = await send(admin_port, bad)
    await spoil_the_file(process)
    printed = await asyncio.gather(*(output(words) for words in commands(process)))
    for words, text in zip(commands(process), printed, strict=True):
        name = Path(words[-1]).name
        seen.places[name if name not in seen.places else " ".join(words[-2:])] = text
    seen.places |= store_files(process, "at work")
    await process.terminate()
    seen.places["log and traces"] = process.log.encode()
    seen.places |= store_files(process, "left behind")
    return seen


def store_files(process: SidecarProcess, when: str) -> dict[str, bytes]:
    files = process.store_path.parent.glob("sidecar.db*")
    return {f"{file.name}, {when}": file.read_bytes() for file in files}


async def spoil_the_file(process: SidecarProcess) -> None:
    """In the place of its credential comes one that no header can hold, and a policy that is none
    of one that was."""
    folder = process.store_path.parent
    twice = f"{Canary.UPSTREAM_FILE_CUT}\n{Canary.UPSTREAM_FILE_CUT}\n"
    (folder / "team.key").write_text(twice)
    (folder / "own.yaml").write_text(f"version: 1\n# {Canary.POLICY_FILE}\nlimits: [\n")
    os.kill(process.pid, signal.SIGHUP)
    await eventually(lambda: "credential for upstream main not renewed" in process.log)
    await eventually(lambda: "own.yaml:" in process.log)


def commands(process: SidecarProcess) -> Iterator[tuple[str, ...]]:
    """What operators read in terminals."""
    config = process.store_path.with_name("sidecar.yaml")
    yield sys.executable, "-m", "subagent_sidecar", "check", "--config", str(config)
    server = ("--server", process.admin_url)
    shown = (("tasks",), ("events",), ("task", "t"), ("-o", "json", "sessions"))
    for words in (*shown, ("policy", "show"), ("-o", "json", "trace", "t"), ("report",)):
        yield sys.executable, "-m", "subagentctl", *server, *words


async def output(words: tuple[str, ...]) -> bytes:
    secrets = {
        "UPSTREAM_KEY": str(Canary.UPSTREAM_KEY),
        "SUBAGENTCTL_TOKEN": str(Canary.ADMIN_TOKEN),
    }
    env = {**os.environ, **secrets}
    done = await asyncio.to_thread(subprocess.run, words, capture_output=True, timeout=60, env=env)
    return done.stdout + done.stderr


async def _spans(process: SidecarProcess) -> bool:
    return '"trace_id"' in process.log


async def test_no_credential_and_no_content_leaves(tmp_path: Path) -> None:
    async with sidecar(tmp_path, purpose=False) as process:
        seen = await everything(process)
    assert b'"task_id": "t"' in seen.places["/v1/tasks"]  # it did see them
    assert b" 401 " in seen.places["act: check_async_task"]
    assert '"trace_id"' in process.log and "DEBUG" in process.log
    assert b"team.key holds more than one line" in seen.places["sidecar.yaml"]
    assert b"own.yaml:" in seen.places["sidecar.yaml"]
    assert b"no such" not in seen.places["trace t"].lower() and seen.places["show"]
    assert "sidecar.db-wal, at work" in seen.places
    assert seen.places["tasks"].count(b"\n") > 1 and b"started" in seen.places["events"]
    assert seen.leaks() == {}


async def test_what_is_kept_of_a_prompt_is_its_purpose_alone(tmp_path: Path) -> None:
    async with sidecar(tmp_path, purpose=True) as process:
        seen = await everything(process)
    leaks = seen.leaks()
    files = {place: leaks.pop(place) for place in tuple(leaks) if place.startswith("sidecar.db")}
    # Whole answers are kept for a day where a start named an idempotency key.
    assert set().union(*files.values()) <= {"PROMPT", "RESULT"}
    assert set().union(*leaks.values()) == {"PROMPT"}
    assert leaks["/v1/tasks"] == {"PROMPT"}
    assert "log and traces" not in leaks


@pytest.mark.parametrize("flag", ["--upstream", "--otlp-endpoint"])
@pytest.mark.parametrize("command", ["check", "serve"])
async def test_a_password_in_a_url_is_refused_and_not_repeated(flag: str, command: str) -> None:
    url = f"http://user:{Canary.USERINFO}@127.0.0.1:1"
    words = [sys.executable, "-m", "subagent_sidecar", command, flag, url]
    done = await asyncio.to_thread(subprocess.run, words, capture_output=True, timeout=60)
    assert (done.returncode, found_in(done.stdout + done.stderr)) == (64, set())
